import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "./clock.ts";
import { copy } from "./copy/copy.ts";
import type { CopyOutcome, PruneOutcome } from "./copy/outcome.ts";
import { prune } from "./copy/prune.ts";
import { keylessHubCredentials } from "./destinations/docker-hub-identity.ts";
import { createCatalogue } from "./github/catalogue.ts";
import { createGitHubClient, type GitHubClient } from "./github/client.ts";
import { followingFetch, retryingFetch } from "./github/fetch.ts";
import { createIdTokens } from "./github/oidc.ts";
import { listReleases, readFileAtTag } from "./github/releases.ts";
import type { Resolution } from "./github/selection.ts";
import type { Inputs } from "./inputs.ts";
import { AttachmentFinder } from "./inventory/attachments.ts";
import { platformFilter } from "./inventory/platforms.ts";
import { takeSnapshot } from "./inventory/snapshot.ts";
import type { Log } from "./log.ts";
import type { Credentials } from "./oci/credentials.ts";
import { dockerConfiguration } from "./oci/docker-config.ts";
import type { Transport } from "./oci/http.ts";
import { retrying } from "./oci/retry.ts";
import { type NetworkTransport, userAgent } from "./oci/transport.ts";
import { makePlan, type Plan } from "./plan/plan.ts";
import { select } from "./plan/selection.ts";
import { type Version, versionOf } from "./plan/version.ts";
import {
  type OpenDestination,
  type OpenSource,
  openDestinations,
  openSources,
  type RegistryContext,
  repositoriesOf,
} from "./registries.ts";
import { planLines } from "./report/plan-table.ts";
import type { RunResult } from "./report/result.ts";
import { succeeded } from "./report/tally.ts";
import { type ReportSink, writeReport } from "./report/write.ts";

/** The stages that `run.ts` puts together to the story of a run, whichever part of it this job has. */

/** What a run is given beside its inputs. */
export interface RunContext {
  readonly network: NetworkTransport;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the job is cancelled. */
  readonly signal: AbortSignal;
  /** Takes outputs, summary and report. */
  readonly sink: Omit<ReportSink, "log" | "reportPath">;
}

/** What the inputs ask for, once the event has been read. */
export type Wanted = Extract<Resolution, { kind: "mirror" }>;

/** The registries of a run. */
export interface Places {
  readonly destinations: readonly OpenDestination[];
  readonly sources: readonly OpenSource[];
  /** Undefined: signatures and the like are not copied. */
  readonly attachments: AttachmentFinder | undefined;
}

/**
 * Makes the clients of all registries.
 * @throws InputError that lists all destinations that cannot be used.
 */
export async function openPlaces(inputs: Inputs, context: RunContext): Promise<Places> {
  const { clock, log, network } = context;
  const transport = retrying(network, context);
  const keylessHub = keylessHubOf(inputs, transport, context);
  const registries: RegistryContext = { transport, clock, log, keylessHub };
  const logins = dockerConfiguration(inputs.runner.dockerConfigFolder);
  const destinations = await openDestinations(inputs, logins, registries);
  const sources = openSources(inputs, destinations, logins, registries);
  // A far registry takes round trips to say hello; meanwhile GitHub is asked for releases.
  for (const { client } of [...destinations, ...sources]) void client.greet(context.signal);
  return { destinations, sources, attachments: inputs.referrers ? new AttachmentFinder(log) : undefined };
}

/** The login for Docker Hub that an OIDC connection stands for. */
function keylessHubOf(
  { dockerHubConnection: connection, idTokenRequest: request }: Inputs,
  transport: Transport,
  { clock, log }: RunContext,
): Credentials | undefined {
  if (connection === undefined) return undefined;
  const idTokens = createIdTokens({ request, transport, log });
  return keylessHubCredentials({ connection, idTokens, transport, clock, log });
}

/**
 * Looks at GitHub, sources and destinations, and makes the plan.
 * @param wait how long to wait for images that are at no source yet, in milliseconds.
 * @throws InputError or OperationError when no plan can be made; nothing was written anywhere then.
 */
export async function makePlanFor(
  wanted: Wanted,
  inputs: Inputs,
  { destinations, sources, attachments }: Places,
  wait: number,
  { network, clock, log, signal }: RunContext,
): Promise<Plan> {
  const { repository } = wanted;
  const name = `${repository.owner}/${repository.name}`;
  const github = createGitHubClient({
    fetch: followingFetch(network.dispatcher),
    repeating: retryingFetch({ clock, log }),
    apiUrl: inputs.githubApiUrl,
    token: inputs.githubToken,
    userAgent,
    log,
    signal,
  });
  const universe = await versionsOf(github, wanted, inputs.prereleases);
  const versions = select(wanted.selection, universe, name);
  log.info(`Mirroring ${name} ${versions.map(({ tag }) => tag).join(", ")}`);
  const readAtTag = (path: string, tag: string): Promise<string | undefined> =>
    readFileAtTag(github, repository, path, tag);
  const snapshot = await takeSnapshot({
    repository: name,
    universe,
    wanted: versions,
    catalogue: createCatalogue(inputs.images, repository, readAtTag, log),
    destinations,
    overwrite: inputs.overwrite,
    wait: {
      sources,
      wantsPlatform: platformFilter(inputs.platforms),
      attachments,
      clock,
      log,
      wait,
    },
    signal,
  });
  return makePlan(snapshot);
}

/** All versions that count: releases with a version as tag, prereleases only by choice. */
async function versionsOf(
  github: GitHubClient,
  { repository, eventRelease }: Wanted,
  prereleases: boolean,
): Promise<readonly Version[]> {
  const listed = await listReleases(github, repository);
  // The event of a release can be ahead of the list.
  const unlisted =
    eventRelease === undefined || listed.some(({ tag }) => tag === eventRelease.tag) ? [] : [eventRelease];
  return [...unlisted, ...listed]
    .flatMap((release) => versionOf(release) ?? [])
    .filter((version) => prereleases || !version.prerelease);
}

/** Prints the plan. */
export function showPlan(plan: Plan, title: string, { log }: RunContext): Promise<void> {
  return log.group(title, async () => {
    for (const line of planLines(plan)) log.info(line);
  });
}

/** Copies what is planned to all destinations at once, each version published when it is complete. */
export async function copyAll(
  plan: Plan,
  inputs: Inputs,
  { destinations, sources, attachments }: Places,
  { clock, log, signal }: RunContext,
): Promise<{ copies: readonly CopyOutcome[]; bytesRead: number }> {
  const steps = plan.steps.filter((step) => step.kind === "copy");
  if (steps.length === 0) return { copies: [], bytesRead: 0 };
  const { outcomes, bytesRead } = await log.group("Copy", () =>
    copy(steps, {
      destinations: destinations.map(({ name, registry, path, client, destination }) => ({
        name,
        registry,
        path,
        client,
        prepare: (until, repositories) => destination.prepare(until, repositories),
      })),
      sourceRepositories: (image) => repositoriesOf(image, sources),
      attachments,
      temporaryFolder: inputs.runner.temporaryFolder,
      spoolLimit: inputs.spoolLimit,
      downloadConnections: inputs.downloadConnections,
      uploadConnections: inputs.uploadConnections,
      clock,
      log,
      signal,
    }),
  );
  return { copies: outcomes, bytesRead };
}

/** Prunes each destination at which everything went well (P5). */
export async function pruneAll(
  plan: Plan,
  copies: readonly CopyOutcome[],
  { destinations }: Places,
  { log, signal }: RunContext,
): Promise<readonly PruneOutcome[]> {
  const planned = plan.steps.filter((step) => step.kind === "prune");
  if (planned.length === 0) return [];
  return log.group("Prune", async () => {
    const outcomes = await Promise.all(
      destinations.map(({ name, destination }) => {
        const steps = planned.filter((step) => step.destination === name);
        const failed = plan.steps.filter((step) => step.kind === "fail" && step.destination === name).length;
        const broken = copies.filter(
          ({ step, failure }) => step.destination === name && failure !== undefined,
        ).length;
        return prune(steps, destination, failed + broken, signal);
      }),
    );
    return outcomes.flat();
  });
}

/**
 * Writes every form of report.
 * @returns whether everything that was planned is done.
 */
export async function report(
  done: Pick<RunResult, "plan" | "dryRun" | "copies" | "prunes" | "bytesRead" | "startedAt">,
  { destinations }: Places,
  inputs: Inputs,
  { network, clock, log, signal, sink }: RunContext,
): Promise<boolean> {
  const result: RunResult = {
    ...done,
    destinations: destinations.map(({ name, registry, path }) => ({ name, registry, path })),
    requests: network.requests,
    milliseconds: clock.now() - done.startedAt,
  };
  const reportPath = join(inputs.runner.temporaryFolder, `harbor-release-mirror-${randomUUID()}.json`);
  await writeReport(result, { ...sink, log, reportPath });
  return succeeded(result) && !signal.aborted;
}
