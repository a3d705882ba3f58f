import { checkCongestionControl } from "../check/runner.ts";
import type { Clock } from "../clock.ts";
import type { Finding } from "../destinations/destination.ts";
import type { NetworkTransport } from "../http/transport.ts";
import type { Inputs } from "../inputs/inputs.ts";
import { type StepState, stateNames } from "../inputs/state.ts";
import type { RunnerPaths } from "../inputs/types.ts";
import type { Log } from "../log/log.ts";
import { putBack, putBackLeft, type Runner, type Tuner, useBbr } from "../tuning/congestion-control.ts";
import { thisMachine } from "../tuning/machine.ts";

/** What the stages of a run have to do with the congestion control of the runner's system. */

/** What putting it back takes. */
export interface TidyingContext {
  readonly clock: Clock;
  readonly log: Log;
}

/** What setting it takes. */
export interface TuningContext extends TidyingContext {
  readonly network: Pick<NetworkTransport, "renewConnections">;
  readonly saveState: (name: string, value: string) => void;
}

/** What decides whether the system may be touched. */
function runnerOf({ workflowRun }: Inputs): Runner {
  return { ...workflowRun, platform: process.platform };
}

function tunerOf({ searchPath, stateFolder }: RunnerPaths, { clock, log }: TidyingContext): Tuner {
  return { machine: thisMachine(searchPath, clock), markFolder: stateFolder, log };
}

/** Sets BBR right before the first copy, where it may. Connections that were opened to make the plan are not used for it. */
export async function tuneUploads(inputs: Inputs, context: TuningContext): Promise<void> {
  const tuner = tunerOf(inputs.runner, context);
  const saveMark = (mark: string): void => context.saveState(stateNames.tuning, mark);
  const changed = await useBbr(inputs.congestionControl, runnerOf(inputs), tuner, saveMark);
  if (changed) context.network.renewConnections();
}

/** What a run would do, for a check. */
export function checkTuning(inputs: Inputs, clock: Clock): Promise<Finding> {
  const { congestionControl, runner } = inputs;
  return checkCongestionControl(congestionControl, runnerOf(inputs), thisMachine(runner.searchPath, clock));
}

/** The start of a run that may copy: puts back what a run has left that was killed. */
export async function tidySystem({ runner }: Inputs, context: TidyingContext): Promise<void> {
  await putBackLeft(tunerOf(runner, context));
}

/** The post step: puts back what the main step has changed. */
export async function restoreSystem(
  { tuning }: StepState,
  paths: RunnerPaths,
  context: TidyingContext,
): Promise<void> {
  if (tuning !== undefined) await putBack(tuning, tunerOf(paths, context));
}
