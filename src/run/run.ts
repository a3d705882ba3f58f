import { InputError, messageOf } from "../errors.ts";
import { bindPlan, bindShare } from "../fan-out/bind.ts";
import { overtakenVersions } from "../fan-out/same-inputs.ts";
import { readEventFile, readTrigger } from "../github/event.ts";
import type { Inputs, Mode, RouteInputs } from "../inputs/inputs.ts";
import type { StepState } from "../inputs/state.ts";
import type { Estimate } from "../plan/estimate.ts";
import type { Plan } from "../plan/plan.ts";
import type { Selection } from "../plan/selection.ts";
import type { IssueReporting } from "../report/issue.ts";
import { newsOfStop } from "../report/issue-text.ts";
import { idleSummary, stopSummary } from "../report/stop-summary.ts";
import { writeSummary } from "../report/write.ts";
import { awaitAll } from "./awaiting.ts";
import { checkReleasesAndPlaces, checkRunner, reportChecks } from "./check.ts";
import type { Places, RunContext, StepContext } from "./context.ts";
import { copyAll } from "./copying.ts";
import { noSizes, planSizes, showEstimate } from "./estimate.ts";
import { handOutPlan, inputsOfShare, publishAll, takePlan, withdrawnVersions } from "./fan-out.ts";
import { closeOpened, openPlaces } from "./places.ts";
import { makePlanFor, showPlan } from "./planning.ts";
import { pruneAll } from "./pruning.ts";
import { report, reportByIssue } from "./reporting.ts";
import { tidySystem } from "./tune.ts";
import { type ResolvedRoutes, resolveRoutes, sentenceOfIdle } from "./wanted.ts";

/** The job that sets the tags asks GitHub instead of this one. */
const publishedElsewhere = (): Promise<undefined> => Promise.resolve(undefined);

type ModeOf<Kind extends Mode["kind"]> = Extract<Mode, { kind: Kind }>;

const dryRunTitle = "Plan (dry run: nothing is written)";

/** What a dry run copies and prunes. */
const nothing = { copies: [], prunes: [], bytesRead: 0 } as const;

/** Where nothing is pruned. */
const unpruned = { prunes: [], keeps: [] } as const;

/**
 * One run, or the part of one that this job has: trigger, versions, snapshot, plan, copy and publish, prune, report.
 * @returns whether everything that was planned is done.
 * @throws InputError or OperationError when no plan can be made or read; nothing was written anywhere then.
 */
export async function run(inputs: Inputs, context: RunContext): Promise<boolean> {
  const { mode } = inputs;
  for (const notice of inputs.notices) context.log.info(notice);
  if (inputs.check) return check(inputs, context);
  if (!inputs.dryRun && (mode.kind === "all" || mode.kind === "copy")) await tidySystem(inputs, context);
  const routes = resolveRoutes(inputs.routes, await readTrigger(inputs.event, readEventFile));
  if (routes.wanted.length === 0) return nothingToDo(routes.idle.map(sentenceOfIdle).join("; "), context);
  if (mode.kind === "plan") return planOnly(routes, mode, inputs, context);
  if (mode.kind === "copy") return copyShare(routes, mode, inputs, context);
  if (mode.kind === "publish") return publish(routes, mode, inputs, context);
  return mirror(routes, inputs, context);
}

/**
 * The post step of the job: closes again what the run has opened.
 * @returns whether nothing is left behind.
 */
export async function cleanUp(inputs: Inputs, state: StepState, context: StepContext): Promise<boolean> {
  return closeOpened(inputs, state, context);
}

/**
 * Checks what a run needs, instead of running. If the event names no release, the check is about the newest.
 * @returns whether nothing that is needed is missing.
 */
async function check(inputs: Inputs, context: RunContext): Promise<boolean> {
  const startedAt = context.clock.now();
  const routes = resolveRoutes(inputs.routes.map(withNewest), await readTrigger(inputs.event, readEventFile));
  if (routes.wanted.length === 0) throw new InputError(routes.idle.map(sentenceOfIdle).join("; "));
  const [ofRunner, ofPlaces] = await Promise.all([
    checkRunner(inputs, context),
    checkReleasesAndPlaces(routes.wanted, inputs, context),
  ]);
  return reportChecks([...ofRunner, ...ofPlaces], startedAt, inputs, context);
}

/** Where the event would say the version, a check is about the newest. */
function withNewest(route: RouteInputs): RouteInputs {
  if (route.versionsFrom === "tags" || route.version !== undefined) return route;
  return { ...route, version: { kind: "newest", count: 1 } };
}

/** The whole run in one job. */
async function mirror(routes: ResolvedRoutes, inputs: Inputs, context: RunContext): Promise<boolean> {
  const startedAt = context.clock.now();
  const { dryRun } = inputs;
  const places = await openPlaces(inputs, context);
  // A dry run does not wait for images: it tells now what is missing.
  const planned = await makePlanFor(routes, inputs, places, { waits: !dryRun }, context);
  if (typeof planned === "string") return nothingToDo(planned, context);
  const { plan, checks, waitOf, hasIdle } = planned;
  await showPlan(plan, dryRun ? dryRunTitle : "Plan", context);
  const estimate = dryRun ? await estimated(plan, places, context) : undefined;
  const { whyNotPublish } = checks;
  const { copies, bytesRead } = dryRun
    ? nothing
    : await copyAll(plan, inputs, places, { moveTags: true, whyNotPublish }, context);
  const pruned = dryRun ? unpruned : await pruneAll(plan, copies, places, checks, context);
  // Last of all: what another mechanism brings keeps nothing waiting but itself (P4).
  const awaited = dryRun ? [] : await awaitAll(plan, copies, places, waitOf, context);
  const result = { plan, hasIdle, dryRun, estimate, copies, awaited, ...pruned, bytesRead, startedAt };
  return report(result, places, inputs, context);
}

/** What the plan needs, for a dry run. Nothing is read for it where that costs a pull. */
async function estimated(plan: Plan, places: Places, context: RunContext): Promise<Estimate> {
  return showEstimate(plan, await planSizes(plan, places, true, context), places, context);
}

/**
 * The first of several jobs: waits for images, plans, and hands the plan out in shares. What cannot be mirrored does not fail
 * this job, as nothing else would be mirrored then; it fails the last job.
 */
async function planOnly(
  routes: ResolvedRoutes,
  mode: ModeOf<"plan">,
  inputs: Inputs,
  context: RunContext,
): Promise<boolean> {
  const startedAt = context.clock.now();
  const { dryRun } = inputs;
  const places = await openPlaces(inputs, context);
  const planned = await makePlanFor(routes, inputs, places, { waits: !dryRun }, context);
  if (typeof planned === "string") return nothingToDo(planned, context);
  const { plan } = planned;
  await showPlan(plan, dryRun ? dryRunTitle : "Plan", context);
  const estimate = dryRun ? await estimated(plan, places, context) : undefined;
  if (!dryRun) {
    // Only several shares need sizes. They are then read everywhere, even where that counts as a pull.
    const sizes = mode.shares > 1 ? await planSizes(plan, places, false, context) : noSizes;
    handOutPlan(plan, mode, inputs, places, sizes, context);
  }
  const result = {
    plan,
    dryRun: true,
    job: dryRun ? undefined : "plan",
    estimate,
    ...nothing,
    startedAt,
  } as const;
  const done = await report(result, places, inputs, context);
  return done || (!dryRun && !context.signal.aborted);
}

/** A copy job: plans again for the destination of its share, copies what both plans have of the share, and moves no tag. */
async function copyShare(
  routes: ResolvedRoutes,
  mode: ModeOf<"copy">,
  inputs: Inputs,
  context: RunContext,
): Promise<boolean> {
  const startedAt = context.clock.now();
  const { dryRun } = inputs;
  const document = takePlan(mode.plan, inputs);
  const places = await openPlaces(inputsOfShare(inputs, document, mode.share), context, inputs.destinations);
  const now = await makePlanFor(routes, inputs, places, { waits: false }, context);
  if (typeof now === "string") return nothingToDo(now, context);
  overtakenVersions(document, selectionsOf(routes), now.plan.versions);
  const plan = bindShare(document, mode.share, now.plan);
  await showPlan(plan, dryRun ? dryRunTitle : `Share ${mode.share} of the plan`, context);
  const copied = dryRun
    ? nothing
    : await copyAll(plan, inputs, places, { moveTags: false, whyNotPublish: publishedElsewhere }, context);
  return report({ plan, dryRun, job: "copy", ...copied, prunes: [], startedAt }, places, inputs, context);
}

/**
 * The last job: plans again, and carries out what both plans have. It publishes each version that is complete at a
 * destination, then prunes. A destination that a copy job has left incomplete is neither published to nor pruned.
 */
async function publish(
  routes: ResolvedRoutes,
  mode: ModeOf<"publish">,
  inputs: Inputs,
  context: RunContext,
): Promise<boolean> {
  const startedAt = context.clock.now();
  const { dryRun } = inputs;
  const document = takePlan(mode.plan, inputs);
  const places = await openPlaces(inputs, context);
  // The job that planned has waited.
  const now = await makePlanFor(routes, inputs, places, { waits: false }, context);
  if (typeof now === "string") return nothingToDo(now, context);
  const { checks, waitOf, hasIdle } = now;
  const { whyNotPublish } = checks;
  const selections = selectionsOf(routes);
  const withdrawn = await withdrawnVersions(document, now.plan, selections, whyNotPublish, context.log);
  const plan = bindPlan(document, now.plan, withdrawn);
  await showPlan(plan, dryRun ? dryRunTitle : "Plan", context);
  const copies = dryRun ? [] : await publishAll(plan, places, whyNotPublish, context);
  const pruned = dryRun ? unpruned : await pruneAll(plan, copies, places, checks, context);
  const awaited = dryRun ? [] : await awaitAll(plan, copies, places, waitOf, context);
  const result = {
    plan,
    hasIdle,
    dryRun,
    job: "publish",
    copies,
    awaited,
    ...pruned,
    bytesRead: 0,
    startedAt,
  } as const;
  return report(result, places, inputs, context);
}

/** Which versions each route asks for. */
function selectionsOf({ wanted }: ResolvedRoutes): readonly Selection[] {
  return wanted.map((route) => route.wanted.selection);
}

/** The end of a run for which there is nothing to do. */
async function nothingToDo(reason: string, { log, sink }: RunContext): Promise<true> {
  log.info(`Nothing to do: ${reason}`);
  await writeSummary(idleSummary(reason), { ...sink, log });
  return true;
}

/** Where it is told that a run stopped before it could report anything. */
export interface StopReporting {
  /** Undefined: no summary is wanted. */
  readonly appendSummary: RunContext["sink"]["appendSummary"] | undefined;
  /** Undefined: no issue is wanted. */
  readonly issue: IssueReporting | undefined;
}

/** Tells by the job summary, and by an issue, that a run stopped before it could report anything. Throws nothing. */
export async function reportStop(
  thrown: unknown,
  { appendSummary, issue }: StopReporting,
  context: StepContext,
): Promise<void> {
  const message = explain(thrown);
  if (appendSummary !== undefined) {
    const summary = stopSummary(message, { wroteNothing: thrown instanceof InputError });
    await writeSummary(summary, { appendSummary, log: context.log });
  }
  if (issue !== undefined) await reportByIssue(newsOfStop(message), issue, context);
}

/** Writes why a run was impossible, for the log and the annotation. */
export function explain(thrown: unknown): string {
  return thrown instanceof InputError ? thrown.message : `The run stopped: ${messageOf(thrown)}`;
}
