import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { copy } from "../copy/copy.ts";
import { lookForHalfVersions } from "../copy/half-versions.ts";
import type { Aftermath, CopyOutcome, PruneOutcome } from "../copy/outcome.ts";
import { prune } from "../copy/prune.ts";
import { askToPublish, type PublicationCheck } from "../copy/publish.ts";
import type { Destination } from "../destinations/destination.ts";
import { keylessHubCredentials } from "../destinations/docker-hub/docker-hub-identity.ts";
import { createTencentCloud } from "../destinations/tencent/tencent-cloud.ts";
import type { Failure } from "../errors.ts";
import { createGitHubClient, type GitHubClient } from "../github/client.ts";
import { followingFetch, retryingFetch } from "../github/fetch.ts";
import { createIdTokens } from "../github/id-token.ts";
import { retrying } from "../http/retry.ts";
import { type NetworkTransport, userAgent } from "../http/transport.ts";
import type { Inputs } from "../inputs/inputs.ts";
import type { StepState } from "../inputs/state.ts";
import { AttachmentFinder } from "../inventory/attachments.ts";
import { type Route, takeSnapshots } from "../inventory/snapshot.ts";
import type { SourceOptions } from "../inventory/sources.ts";
import type { Log } from "../log/log.ts";
import { credentialHelpers, dockerConfiguration } from "../oci/docker-config.ts";
import { audited } from "../plan/audit.ts";
import {
  failing,
  isUntagged,
  joinPlans,
  type KeepStep,
  makePlan,
  type Plan,
  type PruneStep,
  type Step,
} from "../plan/plan.ts";
import type { Snapshot } from "../plan/snapshot.ts";
import type { IssueReporting } from "../report/issue.ts";
import { keepIssue } from "../report/issue.ts";
import { type News, newsOfRun } from "../report/issue-text.ts";
import { planLines } from "../report/plan-table.ts";
import { pruneLines } from "../report/prune-lines.ts";
import type { RunResult } from "../report/result.ts";
import { snapshotLines } from "../report/snapshot-lines.ts";
import { succeeded } from "../report/tally.ts";
import { type ReportSink, writeReport } from "../report/write.ts";
import { countOf } from "../wording.ts";
import { closeAccess, openAccess } from "./open-access.ts";
import {
  inputLogins,
  type OpenSource,
  openDestinations,
  openSources,
  type RegistryContext,
  repositoriesOf,
} from "./registries.ts";
import { lookAtReleases, publicationCheck } from "./releases.ts";
import { listFitting } from "./repositories.ts";
import {
  type DeletionCheck,
  lastCopyCheck,
  lookAtRepositories,
  lookAtTags,
  nameOfSources,
  type UnknownRoute,
} from "./tags.ts";
import { tuneUploads } from "./tune.ts";
import type { Wanted } from "./wanted.ts";

/** The stages of a run. `run.ts` puts them together, for each part of a run that a job can have. */

/** What every step of the Action is given beside its inputs. */
export interface StepContext {
  readonly network: NetworkTransport;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the job is cancelled. */
  readonly signal: AbortSignal;
}

/** What a run is given beside its inputs. */
export interface RunContext extends StepContext {
  /** Takes outputs, summary and report. */
  readonly sink: Omit<ReportSink, "log" | "reportPath">;
  /** Hands a value on to the post step. */
  readonly saveState: (name: string, value: string) => void;
  /** Aborts when the run is over, whatever its end: for what goes on beside it. */
  readonly ended: AbortSignal;
}

/** The registries of a run. */
export interface Places {
  readonly destinations: readonly Destination[];
  readonly sources: readonly OpenSource[];
  /** Undefined: signatures and the like are not copied. */
  readonly attachments: AttachmentFinder | undefined;
}

/**
 * Makes the clients of all registries.
 * @param named every destination that the inputs name, where `inputs` has those of one job.
 * @throws InputError that lists all destinations that cannot be used.
 */
export async function openPlaces(
  inputs: Inputs,
  context: RunContext,
  named: Inputs["destinations"] = inputs.destinations,
): Promise<Places> {
  const { log, network, signal } = context;
  const registries = registryContext(inputs, context);
  const { dockerConfigFolder, helperEnvironment } = inputs.runner;
  const logins = dockerConfiguration(dockerConfigFolder, credentialHelpers(helperEnvironment, context.clock));
  const loginsOf = await inputLogins(inputs, named, logins, registries);
  const opened = await openDestinations(inputs, logins, loginsOf, registries);
  const access = { ...registries, network, github: await githubClient(inputs, context) };
  const shut = await openAccess(inputs, access, context.saveState, signal, context.ended);
  const destinations = opened.map((destination) => unlessShut(destination, shut.get(destination.registry)));
  const sources = openSources(inputs, destinations, logins, loginsOf, registries);
  // The greeting of a far registry takes round trips. Meanwhile GitHub is asked for releases.
  const greeting = AbortSignal.any([signal, context.ended]);
  // Of the sources, the first mostly has everything.
  for (const { client } of [...destinations, ...sources.slice(0, 1)]) void client.greet(greeting);
  return { destinations, sources, attachments: inputs.referrers ? new AttachmentFinder(log) : undefined };
}

/** What the clients of registries and their vendors are made with. Sends nothing. */
export function registryContext(inputs: Inputs, { network, clock, log }: StepContext): RegistryContext {
  const transport = retrying(network, { clock, log });
  const idTokens = createIdTokens({ request: inputs.idTokenRequest, transport, clock, log });
  const { dockerHubConnection: connection } = inputs;
  return {
    transport,
    clock,
    log,
    keylessHub: connection && keylessHubCredentials({ connection, idTokens, transport, clock, log }),
    tencentCloud: createTencentCloud({ ...inputs, idTokens, transport, clock, log }),
  };
}

/** A client of GitHub, with the inputs' token. Sends nothing. */
export async function githubClient(
  inputs: Pick<Inputs, "githubApiUrl" | "githubToken">,
  { network, clock, log, signal }: StepContext,
): Promise<GitHubClient> {
  return createGitHubClient({
    fetch: followingFetch(network.dispatcher, { clock, log }),
    repeating: retryingFetch({ clock, log }),
    apiUrl: inputs.githubApiUrl,
    token: inputs.githubToken,
    userAgent,
    log,
    signal,
  });
}

/** A destination that the runner was not let into: every request to it fails for that reason. */
function unlessShut(destination: Destination, failure: Error | undefined): Destination {
  if (failure === undefined) return destination;
  const repository = (): never => {
    throw failure;
  };
  return { ...destination, repository };
}

/**
 * The post step: takes away what the main step of this job has opened.
 * @returns whether nothing is left behind.
 */
export async function closeOpened(inputs: Inputs, state: StepState, context: StepContext): Promise<boolean> {
  const { network, signal } = context;
  const access = {
    ...registryContext(inputs, context),
    network,
    github: await githubClient(inputs, context),
  };
  return closeAccess(inputs, state, access, signal);
}

export interface PlanOptions {
  /** How long to wait for images that are at no source yet, in milliseconds. */
  readonly wait: number;
}

/**
 * Looks at GitHub, sources and destinations, and makes the plan.
 * @returns a text where there is nothing to do: it says why.
 * @throws InputError or OperationError when no plan can be made; nothing was written anywhere then.
 */
export function makePlanFor(
  wanted: Wanted,
  inputs: Inputs,
  places: Places,
  options: PlanOptions,
  context: RunContext,
): Promise<Plan | string> {
  return context.log.group("Look at releases, sources and destinations", async () => {
    const routes = await lookAtRoutes(wanted, inputs, places, context);
    if (typeof routes === "string") return routes;
    const known = routes.filter((route): route is Route => !("failure" in route));
    const snapshots = await lookAround(known, inputs, places, options, context);
    const plans = snapshots.map((snapshot) => {
      const { log } = context;
      for (const line of snapshotLines(snapshot, log.paint)) {
        if (snapshot.route === undefined) log.info(line);
        else log.debug(line);
      }
      const plan = makePlan(snapshot);
      return inputs.dryRun && inputs.verify === "full" ? audited(plan, snapshot) : plan;
    });
    const [only] = plans;
    if (only !== undefined && routes.length === 1 && known.length === 1) return only;
    const unknown = routes.flatMap((route) => ("failure" in route ? [planUnknown(route, places)] : []));
    return joinPlans(nameOfSources(inputs), [...plans, ...unknown], inputs.pruneLimit);
  });
}

/** What is mirrored in this run: the versions of one product, or of each repository. */
async function lookAtRoutes(
  wanted: Wanted,
  inputs: Inputs,
  places: Places,
  context: RunContext,
): Promise<readonly (Route | UnknownRoute)[] | string> {
  if (wanted.kind === "releases") {
    const route = await lookAtReleases(await githubClient(inputs, context), wanted, inputs, context.log);
    return typeof route === "string" ? route : [route];
  }
  if (inputs.repositories === undefined) return [await lookAtTags(wanted, inputs, places, context)];
  const names = await listFitting(inputs.repositories, inputs, places.sources, {
    ...registryContext(inputs, context),
    signal: context.signal,
  });
  return lookAtRepositories(wanted, inputs, names, places, context);
}

/** The plan of a repository whose versions are not known: it fails everywhere, and the rest goes on. */
function planUnknown({ route, failure }: UnknownRoute, { destinations }: Places): Plan {
  const steps = destinations.map(({ name }) =>
    failing({ route, destination: name, version: "*", image: route, tag: "*" }, failure),
  );
  return { repository: route, versions: [], steps };
}

/** Most routes that the log names one by one. */
const namedRoutes = 20;

async function lookAround(
  routes: readonly Route[],
  inputs: Inputs,
  places: Places,
  { wait }: PlanOptions,
  { clock, log, signal }: RunContext,
): Promise<readonly Snapshot[]> {
  for (const { repository, route, wanted } of routes) {
    const line = `Mirroring ${route ?? repository} ${wanted.map(({ tag }) => tag).join(", ")}`;
    if (routes.length > namedRoutes) log.debug(line);
    else log.info(line);
  }
  if (routes.length > namedRoutes) log.info(`Mirroring ${countOf(routes.length, "repository")}`);
  return takeSnapshots(routes, {
    destinations: places.destinations,
    overwrite: inputs.overwrite,
    // It is for all routes together, so it is applied when their plans are joined.
    pruneLimit: routes.length > 1 ? "all" : inputs.pruneLimit,
    proves: inputs.verify === "full",
    wait: { ...searchOptions(places, inputs, log), clock, wait },
    signal,
  });
}

/** How images are looked for at the sources. */
export function searchOptions({ sources, attachments }: Places, inputs: Inputs, log: Log): SourceOptions {
  return { sources, platforms: inputs.platforms, attachments, log };
}

/** Prints the plan. */
export function showPlan(plan: Plan, title: string, { log }: RunContext): Promise<void> {
  return log.group(title, async () => {
    for (const line of planLines(plan, log.paint)) log.info(line);
  });
}

/** What is asked of a version again, right before tags move or go. */
export interface LastChecks {
  readonly whyNotPublish: PublicationCheck;
  readonly whyNotDelete: DeletionCheck;
}

/** Of releases, whether they still are published; of tags, whether the sources still have what would be deleted. */
export async function lastChecks(
  wanted: Wanted,
  inputs: Inputs,
  places: Places,
  context: RunContext,
): Promise<LastChecks> {
  const nothing = () => Promise.resolve(undefined);
  if (wanted.kind === "tags")
    return { whyNotPublish: nothing, whyNotDelete: lastCopyCheck(inputs, places, context) };
  const whyNotPublish = publicationCheck(await githubClient(inputs, context), wanted, inputs);
  return { whyNotPublish, whyNotDelete: nothing };
}

/**
 * Copies what is planned to all destinations at once, each version published when it is complete.
 */
export async function copyAll(
  plan: Plan,
  inputs: Inputs,
  { destinations, sources, attachments }: Places,
  publishing: { readonly moveTags: boolean; readonly whyNotPublish: PublicationCheck },
  { network, clock, log, signal, saveState }: RunContext,
): Promise<{ copies: readonly CopyOutcome[]; bytesRead: number }> {
  const steps = plan.steps.filter((step) => step.kind === "copy");
  if (steps.length === 0) return { copies: [], bytesRead: 0 };
  await tuneUploads(inputs, { network, clock, log, saveState });
  const { outcomes, bytesRead } = await log.group("Copy", () =>
    copy(steps, {
      destinations,
      sourceRepositories: (image) => repositoriesOf(image, sources),
      attachments,
      temporaryFolder: inputs.runner.temporaryFolder,
      spoolLimit: inputs.spoolLimit,
      ...publishing,
      overwrite: inputs.overwrite,
      downloadConnections: inputs.downloadConnections,
      uploadConnections: inputs.uploadConnections,
      clock,
      log,
      signal,
    }),
  );
  return { copies: outcomes, bytesRead };
}

/**
 * Prunes each destination at which everything went well (P5), and looks for versions that are half there then.
 * @param whyNotPublish is asked of what is kept: what is no published release any more took the place of another.
 * @param whyNotDelete is asked of what goes.
 */
export async function pruneAll(
  plan: Plan,
  copies: readonly CopyOutcome[],
  { destinations }: Places,
  { whyNotPublish, whyNotDelete }: LastChecks,
  { clock, log, signal }: RunContext,
): Promise<Aftermath> {
  const planned = plan.steps.filter((step) => step.kind === "prune");
  if (planned.length === 0) return { prunes: [], keeps: [] };
  const keeps = plan.steps.filter((step) => step.kind === "keep");
  const doubtOf = doubts(whyNotPublish);
  return log.group("Prune", async () => {
    const outcomes = await Promise.all(
      destinations.map(async (destination) => {
        const isHere = (step: Pick<Step, "destination">) => step.destination === destination.name;
        const failed = plan.steps.filter((step) => step.kind === "fail" && isHere(step)).length;
        const own = copies.filter(({ step }) => isHere(step));
        const failures = failed + own.filter(({ failure }) => failure !== undefined).length;
        const routes: Aftermath[] = [];
        for (const [route, steps] of Map.groupBy(planned.filter(isHere), (step) => step.route)) {
          const isOfRoute = (step: KeepStep | Step) => isHere(step) && step.route === route;
          const kept = keeps.filter(isOfRoute);
          const unpublished = copies.find(({ step, withheld }) => isOfRoute(step) && withheld !== undefined);
          const stays = failures === 0 ? await reasonsToStay(steps, kept, unpublished) : new Map();
          const left = steps.flatMap((step): readonly PruneOutcome[] => {
            const failure = stays.get(step.version);
            return failure === undefined ? [] : [{ step, status: "left", failure }];
          });
          const going = steps.filter(({ version }) => !stays.has(version));
          const pruned = await prune(going, kept, destination, { failures, copies: own }, clock, signal);
          const done = { ...pruned, prunes: [...pruned.prunes, ...left] };
          const aftermath = await lookForHalfVersions(done, kept, destination, signal);
          for (const line of pruneLines(aftermath.prunes, log.paint)) log.info(line);
          routes.push(aftermath);
        }
        return routes;
      }),
    );
    return {
      prunes: outcomes.flat().flatMap(({ prunes }) => prunes),
      keeps: outcomes.flat().flatMap(({ keeps: own }) => own),
    };
  });

  /** Why versions stay after all, by version: what is kept has changed, or what goes would be lost. */
  async function reasonsToStay(
    steps: readonly PruneStep[],
    kept: readonly KeepStep[],
    unpublished: CopyOutcome | undefined,
  ): Promise<ReadonlyMap<string, Failure>> {
    const answers = await Promise.all(kept.map(({ version }) => doubtOf(version)));
    const doubt =
      answers.find((answer) => answer !== undefined) ??
      (unpublished && notPublished(unpublished.step.version));
    const asked = [...Map.groupBy(steps, ({ version }) => version)].map(async ([version, ofVersion]) => {
      // Of a version whose tag this run has overwritten, no tag goes, but what it held: a source need not have that.
      const goes = ofVersion.some(isUntagged) ? undefined : ofVersion[0];
      const reason = doubt ?? (goes && (await whyNotDelete(goes)));
      return reason === undefined ? [] : [[version, reason] as const];
    });
    return new Map((await Promise.all(asked)).flat());
  }
}

/** What follows where a version that was to be kept is not what the plan thought. */
const nothingDeleted = "nothing is deleted, as what is kept may have changed";

function notPublished(version: string): Failure {
  return { kind: "obstacle", problem: `${nothingDeleted}: ${version} was not published` };
}

/**
 * Asks about each version once. A version that is not published now, or of which nobody knows, stops deletions where it is
 * kept.
 */
function doubts(whyNotPublish: PublicationCheck): (version: string) => Promise<Failure | undefined> {
  const asked = new Map<string, Promise<Failure | undefined>>();
  return (version) => {
    const asking =
      asked.get(version) ??
      askToPublish(version, whyNotPublish, nothingDeleted).then((refusal) => refusal?.failure);
    asked.set(version, asking);
    return asking;
  };
}

/**
 * Writes every form of report.
 * @returns whether everything that was planned is done.
 */
export async function report(
  done: Omit<RunResult, "destinations" | "requests" | "milliseconds">,
  { destinations }: Places,
  inputs: Inputs,
  { network, clock, log, signal, sink }: RunContext,
): Promise<boolean> {
  const result: RunResult = {
    ...done,
    destinations,
    requests: network.requests,
    milliseconds: clock.now() - done.startedAt,
  };
  const reportPath = join(inputs.runner.temporaryFolder, `harbor-release-mirror-${randomUUID()}.json`);
  await writeReport(result, { ...sink, log, reportPath });
  const { issueReporting } = inputs;
  // Planned steps have neither failed nor succeeded yet.
  if (issueReporting !== undefined && !result.dryRun)
    await reportByIssue(newsOfRun(result), issueReporting, { network, clock, log, signal });
  return succeeded(result) && !signal.aborted;
}

/** Time for reporting by an issue, in milliseconds: the run is over, and somebody waits for its end. */
const issueTime = 3 * 60_000;

/** Reports by an issue how a run ended, unless it was cancelled: whoever did that knows. Throws nothing. */
export async function reportByIssue(
  news: News,
  reporting: IssueReporting,
  context: StepContext,
): Promise<void> {
  if (context.signal.aborted) return;
  const { clock, log } = context;
  const signal = AbortSignal.any([context.signal, clock.timeout(issueTime)]);
  await keepIssue(news, reporting, {
    github: await githubClient(reporting, { ...context, signal }),
    clock,
    log,
    signal,
  });
}
