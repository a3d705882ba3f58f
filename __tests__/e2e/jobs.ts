/** The jobs of a run over several jobs, as `.github/workflows/mirror.yml` starts them: each a process of its own. */
import type { ActionResult } from "../../sandbox/action.ts";
import { act, type RunOptions, type World } from "./world.ts";

/** A job of the matrix, as the runner takes it from the output `matrix`. */
export interface MatrixJob {
  readonly share: number;
  readonly to: string;
  readonly part: string;
  readonly "runs-on": unknown;
}

function withInputs(options: RunOptions, inputs: Readonly<Record<string, string>>): RunOptions {
  return { ...options, inputs: { ...options.inputs, ...inputs } };
}

/** The job that plans. */
export function planJob(
  world: World,
  options: RunOptions = {},
  inputs: Readonly<Record<string, string>> = {},
): Promise<ActionResult> {
  return act(world, withInputs(options, { mode: "plan", ...inputs }));
}

/** The jobs of the matrix; none when the output is empty, because then the workflow skips them. */
export function matrixOf({ outputs }: ActionResult): readonly MatrixJob[] {
  if (!outputs.matrix) return [];
  return (JSON.parse(outputs.matrix) as { include: readonly MatrixJob[] }).include;
}

/** One job of the matrix. */
export function copyJob(
  world: World,
  { outputs }: ActionResult,
  { share }: Pick<MatrixJob, "share">,
  options: RunOptions = {},
): Promise<ActionResult> {
  return act(world, withInputs(options, { mode: "copy", plan: outputs.plan ?? "", share: String(share) }));
}

/** The job that publishes and prunes. */
export function publishJob(
  world: World,
  { outputs }: Pick<ActionResult, "outputs">,
  options: RunOptions = {},
): Promise<ActionResult> {
  return act(world, withInputs(options, { mode: "publish", plan: outputs.plan ?? "" }));
}
