import { InputError, messageOf } from "./errors.ts";
import { readEventFile, readTrigger } from "./github/event.ts";
import { resolveSelection } from "./github/selection.ts";
import type { Inputs } from "./inputs.ts";
import type { StepState } from "./inputs-state.ts";
import type { Log } from "./log.ts";
import {
  closeOpened,
  copyAll,
  makePlanFor,
  openPlaces,
  pruneAll,
  type RunContext,
  report,
  type StepContext,
  showPlan,
  type Wanted,
} from "./stages.ts";

/**
 * One run: trigger, versions, snapshot, plan, copy and publish, prune, report.
 * @returns whether everything that was planned is done.
 * @throws InputError or OperationError when no plan can be made; nothing was written anywhere then.
 */
export async function run(inputs: Inputs, context: RunContext): Promise<boolean> {
  maskSecrets(inputs, context.log);
  const resolution = resolveSelection(inputs, await readTrigger(inputs.event, readEventFile));
  if (resolution.kind === "nothing") {
    context.log.info(`Nothing to do: ${resolution.reason}`);
    return true;
  }
  return mirror(resolution, inputs, context);
}

/**
 * The post step of the job: what the run has opened for itself is closed again.
 * @returns whether nothing is left behind.
 */
export async function cleanUp(inputs: Inputs, state: StepState, context: StepContext): Promise<boolean> {
  maskSecrets(inputs, context.log);
  return closeOpened(inputs, state, context);
}

/** The whole story in one job. */
async function mirror(wanted: Wanted, inputs: Inputs, context: RunContext): Promise<boolean> {
  const startedAt = context.clock.now();
  const { dryRun } = inputs;
  const places = await openPlaces(inputs, context);
  // Who only wants to see the plan is told what is missing now, instead of an hour later.
  const plan = await makePlanFor(wanted, inputs, places, dryRun ? 0 : inputs.wait, context);
  await showPlan(plan, dryRun ? "Plan (dry run: nothing is written)" : "Plan", context);
  const { copies, bytesRead } = dryRun
    ? { copies: [], bytesRead: 0 }
    : await copyAll(plan, inputs, places, context);
  const prunes = dryRun ? [] : await pruneAll(plan, copies, places, context);
  return report({ plan, dryRun, copies, prunes, bytesRead, startedAt }, places, inputs, context);
}

/** Every secret that was given, before anything is done that could print it. Derived ones are masked where they arise. */
function maskSecrets(inputs: Inputs, log: Log): void {
  const { dockerHubLogin, tencentCloudKey, tcrLogin, awsKey, githubToken, idTokenRequest } = inputs;
  const secrets = [
    dockerHubLogin?.password,
    tencentCloudKey?.secretId,
    tencentCloudKey?.secretKey,
    tencentCloudKey?.sessionToken,
    tcrLogin?.password,
    awsKey?.secretAccessKey,
    awsKey?.sessionToken,
    githubToken,
    idTokenRequest?.token,
  ];
  for (const secret of secrets) if (secret !== undefined) log.mask(secret);
}

/** Says what made a run impossible, for the log and the annotation. */
export function explain(thrown: unknown): string {
  return thrown instanceof InputError ? thrown.message : `The run stopped: ${messageOf(thrown)}`;
}
