import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "./clock.ts";
import { copy } from "./copy/copy.ts";
import type { CopyOutcome, PruneOutcome } from "./copy/outcome.ts";
import { prune } from "./copy/prune.ts";
import { InputError, messageOf } from "./errors.ts";
import { createCatalogue } from "./github/catalogue.ts";
import { createGitHubClient, type GitHubClient } from "./github/client.ts";
import { readEventFile, readTrigger } from "./github/event.ts";
import { retryingFetch } from "./github/fetch.ts";
import { listReleases, readFileAtTag } from "./github/releases.ts";
import { type Resolution, resolveSelection } from "./github/selection.ts";
import type { Inputs } from "./inputs.ts";
import { AttachmentFinder } from "./inventory/attachments.ts";
import { platformFilter } from "./inventory/platforms.ts";
import { takeSnapshot } from "./inventory/snapshot.ts";
import type { Source } from "./inventory/sources.ts";
import type { Log } from "./log.ts";
import { dockerConfiguration } from "./oci/docker-config.ts";
import { printNamespace, sameNamespace } from "./oci/reference.ts";
import type { Repository } from "./oci/repository.ts";
import { retrying } from "./oci/retry.ts";
import { type NetworkTransport, userAgent } from "./oci/transport.ts";
import { makePlan, type Plan } from "./plan/plan.ts";
import { select } from "./plan/selection.ts";
import type { SourceImage } from "./plan/snapshot.ts";
import { type Version, versionOf } from "./plan/version.ts";
import { type OpenDestination, openDestinations, openSources, type RegistryContext } from "./registries.ts";
import { planLines } from "./report/plan-table.ts";
import type { RunResult } from "./report/result.ts";
import { succeeded } from "./report/tally.ts";
import { type ReportSink, writeReport } from "./report/write.ts";

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

/**
 * One run: trigger, versions, snapshot, plan, copy and publish, prune, report.
 * @returns whether everything that was planned is done.
 * @throws InputError or OperationError when no plan can be made; nothing was written anywhere then.
 */
export async function run(inputs: Inputs, context: RunContext): Promise<boolean> {
  const { clock, log, network } = context;
  const startedAt = clock.now();
  maskSecrets(inputs, log);

  const resolution = resolveSelection(inputs, await readTrigger(inputs.event, readEventFile));
  if (resolution.kind === "nothing") {
    log.info(`Nothing to do: ${resolution.reason}`);
    return true;
  }
  const registries: RegistryContext = { transport: retrying(network, context), clock, log };
  const logins = dockerConfiguration(inputs.runner.dockerConfigFolder);
  const destinations = await openDestinations(inputs, logins, registries);
  const sources = openSources(inputs, destinations, logins, registries);
  // A far registry takes round trips to say hello; meanwhile GitHub is asked for releases.
  for (const { client } of [...destinations, ...sources]) void client.greet(context.signal);
  const attachments = inputs.referrers ? new AttachmentFinder(log) : undefined;

  const plan = await makePlanFor(resolution, inputs, destinations, sources, attachments, context);
  await log.group(inputs.dryRun ? "Plan (dry run: nothing is written)" : "Plan", async () => {
    for (const line of planLines(plan)) log.info(line);
  });

  const { copies, bytesRead } = inputs.dryRun
    ? { copies: [], bytesRead: 0 }
    : await copyAll(plan, inputs, destinations, sources, attachments, context);
  const prunes = inputs.dryRun ? [] : await pruneAll(plan, copies, destinations, context);

  const result: RunResult = {
    plan,
    dryRun: inputs.dryRun,
    destinations: destinations.map(({ name, registry, path }) => ({ name, registry, path })),
    copies,
    prunes,
    bytesRead,
    requests: network.requests,
    startedAt,
    milliseconds: clock.now() - startedAt,
  };
  const reportPath = join(inputs.runner.temporaryFolder, `harbor-release-mirror-${randomUUID()}.json`);
  await writeReport(result, { ...context.sink, log, reportPath });
  return succeeded(result) && !context.signal.aborted;
}

/** Every secret that was given, before anything is done that could print it. Derived ones are masked where they arise. */
function maskSecrets(inputs: Inputs, log: Log): void {
  const { dockerHubLogin, tencentCloudKey, tcrLogin, githubToken, idTokenRequest } = inputs;
  const secrets = [
    dockerHubLogin?.password,
    tencentCloudKey?.secretId,
    tencentCloudKey?.secretKey,
    tencentCloudKey?.sessionToken,
    tcrLogin?.password,
    githubToken,
    idTokenRequest?.token,
  ];
  for (const secret of secrets) if (secret !== undefined) log.mask(secret);
}

async function makePlanFor(
  resolution: Extract<Resolution, { kind: "mirror" }>,
  inputs: Inputs,
  destinations: readonly OpenDestination[],
  sources: readonly Source[],
  attachments: AttachmentFinder | undefined,
  { network, clock, log, signal }: RunContext,
): Promise<Plan> {
  const { repository } = resolution;
  const name = `${repository.owner}/${repository.name}`;
  const github = createGitHubClient({
    fetch: retryingFetch({ dispatcher: network.dispatcher, clock, log }),
    apiUrl: inputs.githubApiUrl,
    token: inputs.githubToken,
    userAgent,
    log,
    signal,
  });
  const universe = await versionsOf(github, resolution, inputs.prereleases);
  const wanted = select(resolution.selection, universe, name);
  log.info(`Mirroring ${name} ${wanted.map(({ tag }) => tag).join(", ")}`);
  const readAtTag = (path: string, tag: string): Promise<string | undefined> =>
    readFileAtTag(github, repository, path, tag);
  const snapshot = await takeSnapshot({
    repository: name,
    universe,
    wanted,
    catalogue: createCatalogue(inputs.images, repository, readAtTag, log),
    destinations,
    overwrite: inputs.overwrite,
    wait: {
      sources,
      wantsPlatform: platformFilter(inputs.platforms),
      attachments,
      clock,
      log,
      // Who only wants to see the plan is told what is missing now, instead of an hour later.
      wait: inputs.dryRun ? 0 : inputs.wait,
    },
    signal,
  });
  return makePlan(snapshot);
}

/** All versions that count: releases with a version as tag, prereleases only by choice. */
async function versionsOf(
  github: GitHubClient,
  { repository, eventRelease }: Extract<Resolution, { kind: "mirror" }>,
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

async function copyAll(
  plan: Plan,
  inputs: Inputs,
  destinations: readonly OpenDestination[],
  sources: readonly Source[],
  attachments: AttachmentFinder | undefined,
  { clock, log, signal }: RunContext,
): Promise<{ copies: readonly CopyOutcome[]; bytesRead: number }> {
  const steps = plan.steps.filter((step) => step.kind === "copy");
  if (steps.length === 0) return { copies: [], bytesRead: 0 };
  const sourceRepository = (image: SourceImage): Repository => {
    const source = sources.find((candidate) => sameNamespace(candidate, image.source));
    if (source === undefined) throw new Error(`${printNamespace(image.source)} is not a source of this run`);
    return source.repository(image.repository);
  };
  const { outcomes, bytesRead } = await log.group("Copy", () =>
    copy(steps, {
      destinations: destinations.map(({ name, registry, path, client, destination }) => ({
        name,
        registry,
        path,
        client,
        prepare: (until) => destination.prepare(until),
      })),
      sourceRepository,
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
async function pruneAll(
  plan: Plan,
  copies: readonly CopyOutcome[],
  destinations: readonly OpenDestination[],
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

/** Says what made a run impossible, for the log and the annotation. */
export function explain(thrown: unknown): string {
  return thrown instanceof InputError ? thrown.message : `The run stopped: ${messageOf(thrown)}`;
}
