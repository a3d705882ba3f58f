import type { MovedBytes } from "../copy/outcome.ts";
import type { Failure, FailureDetails } from "../errors.ts";
import { printReference } from "../oci/reference.ts";
import type { Estimate } from "../plan/estimate.ts";
import { digestOfStep, isUntagged, type Step } from "../plan/plan.ts";
import { type Outcome, type Reported, reportedSteps } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import { mirroredVersions, succeeded, type Tally, tallyOf } from "./tally.ts";

/**
 * The machine-readable report. `docs/report.schema.json` says what each property means. New properties may come; one that
 * changes its meaning or goes raises `schemaVersion`. What does not apply to a step is absent.
 */
export interface JsonReport {
  readonly schemaVersion: 1;
  readonly repository: string;
  readonly versions: readonly string[];
  readonly mirroredVersions: readonly string[];
  readonly startedAt: string;
  readonly seconds: number;
  readonly dryRun: boolean;
  readonly job?: "plan" | "copy" | "publish" | undefined;
  readonly succeeded: boolean;
  readonly counts: Tally;
  readonly destinations: RunResult["destinations"];
  readonly steps: readonly JsonStep[];
  readonly requests: Readonly<Record<string, number>>;
  readonly bytesRead: number;
  readonly estimate?: Estimate | undefined;
}

/** A failure's own fields: a program needs no words to tell what to do. */
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
  readonly route?: string | undefined;
  readonly version: string;
  readonly image?: string | undefined;
  readonly tag?: string | undefined;
  readonly reason: string;
  readonly digest?: string | undefined;
  readonly untagged?: boolean | undefined;
  readonly replaces?: string | undefined;
  readonly source?: string | undefined;
  readonly rewritten?: boolean | undefined;
  readonly refused?: readonly JsonFailure[] | undefined;
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

function jsonStep({ step, outcome, reason, failure, refused, bytes, milliseconds }: Reported): JsonStep {
  const image = step.kind === "keep" ? {} : { image: step.image, tag: step.tag };
  return {
    action: step.kind,
    outcome,
    destination: step.destination,
    route: step.route,
    version: step.version,
    ...image,
    reason,
    ...(failure && failureDetails(failure)),
    digest: digestOfStep(step),
    untagged: isUntagged(step) ? true : undefined,
    ...copyDetails(step),
    refused: refused.length === 0 ? undefined : refused.map(failureDetails),
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
    source: printReference(`${source.registry}/${repository}`, tag),
    rewritten: rewritten !== undefined,
  };
}

function seconds(milliseconds: number): number {
  return milliseconds / 1000;
}
