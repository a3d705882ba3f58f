import type { MovedBytes } from "../copy/outcome.ts";
import type { Failure, FailureDetails } from "../errors.ts";
import type { Estimate } from "../plan/estimate.ts";
import type { Step } from "../plan/plan.ts";
import { digestOfStep, type Outcome, type Reported, reportedSteps } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import { mirroredVersions, succeeded, type Tally, tallyOf } from "./tally.ts";

/**
 * The machine-readable report; `docs/report.schema.json` describes it. New properties may come; one that changes its meaning or goes raises `schemaVersion`.
 * What does not apply to a step is absent.
 */
export interface JsonReport {
  readonly schemaVersion: 1;
  /** `owner/name` whose releases count. */
  readonly repository: string;
  /** Tags of the wanted versions, newest first. */
  readonly versions: readonly string[];
  /** Those that are now complete wherever they were to go. */
  readonly mirroredVersions: readonly string[];
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly dryRun: boolean;
  /** Which job of a run over several jobs wrote this; absent for a whole run. */
  readonly job?: "plan" | "copy" | "publish" | undefined;
  readonly succeeded: boolean;
  readonly counts: Tally;
  readonly destinations: RunResult["destinations"];
  /** In the order of the plan. */
  readonly steps: readonly JsonStep[];
  /** Requests sent, by host. */
  readonly requests: Readonly<Record<string, number>>;
  /** Bytes read from sources. */
  readonly bytesRead: number;
  /** What carrying out the plan needs, before anything was done; absent but in a dry run. */
  readonly estimate?: Estimate | undefined;
}

/**
 * A failure's own fields, by which a program can tell what to do without reading words. `failure` says what it is: an operation
 * that failed, an obstacle that nobody ran into, or what is only held back because of a failure that is told elsewhere.
 */
type JsonFailure = { readonly failure?: Failure["kind"] } & Partial<
  Pick<
    FailureDetails,
    "side" | "host" | "repository" | "operation" | "subject" | "status" | "code" | "problem" | "advice"
  >
>;

/** A step of the plan and what became of it. Where it failed, was not tried or was left by a run, with the failure's fields. */
export interface JsonStep extends JsonFailure {
  readonly action: Step["kind"];
  readonly outcome: Outcome;
  readonly destination: string;
  readonly version: string;
  /** Absent for `keep`, which is about a whole version. */
  readonly image?: string | undefined;
  readonly tag?: string | undefined;
  /** Why: the failure's words where it failed or was not tried, else the plan's. */
  readonly reason: string;
  /** What the tag is to have, has, or had before it was pruned. */
  readonly digest?: string | undefined;
  /** What the tag held before, where that was something else. */
  readonly replaces?: string | undefined;
  /** Where a copy is read. */
  readonly source?: string | undefined;
  /** Whether a platform subset made a new index, so that the digest is not the source's. */
  readonly rewritten?: boolean | undefined;
  /** Bytes by how they got to the destination. */
  readonly bytes?: MovedBytes | undefined;
  readonly seconds?: number | undefined;
}

/** The report of a run, as data: `JSON.stringify` gives the document. */
export function reportOf(result: RunResult): JsonReport {
  return {
    schemaVersion: 1,
    repository: result.plan.repository,
    versions: result.plan.versions,
    mirroredVersions: mirroredVersions(result),
    startedAt: new Date(result.startedAt).toISOString(),
    seconds: seconds(result.milliseconds),
    dryRun: result.dryRun,
    job: result.job,
    succeeded: succeeded(result),
    counts: tallyOf(result),
    destinations: result.destinations.map(({ name, registry, path }) => ({ name, registry, path })),
    steps: reportedSteps(result).map(jsonStep),
    requests: Object.fromEntries(result.requests),
    bytesRead: result.bytesRead,
    estimate: result.estimate,
  };
}

function jsonStep({ step, outcome, reason, failure, bytes, milliseconds }: Reported): JsonStep {
  const image = step.kind === "keep" ? {} : { image: step.image, tag: step.tag };
  return {
    action: step.kind,
    outcome,
    destination: step.destination,
    version: step.version,
    ...image,
    reason,
    ...(failure && failureDetails(failure)),
    digest: digestOfStep(step),
    ...copyDetails(step),
    bytes,
    seconds: milliseconds === undefined ? undefined : seconds(milliseconds),
  };
}

function failureDetails(failure: Failure): JsonFailure {
  const { kind, problem, subject, advice } = failure;
  if (kind !== "operation") return { failure: kind, problem, subject, advice };
  const { side, host, repository, operation, status, code } = failure;
  return { failure: kind, side, host, repository, operation, subject, status, code, problem, advice };
}

function copyDetails(step: Step): Pick<JsonStep, "replaces" | "source" | "rewritten"> {
  if (step.kind !== "copy") return {};
  const { source, repository, tag, rewritten } = step.source;
  return {
    replaces: step.replaces,
    source: `${source.registry}/${repository}:${tag}`,
    rewritten: rewritten !== undefined,
  };
}

function seconds(milliseconds: number): number {
  return milliseconds / 1000;
}
