import type { AwaitOutcome, CopyOutcome, MovedBytes, MovingTime, PruneOutcome } from "../copy/outcome.ts";
import { type Failure, sentenceOf } from "../errors.ts";
import {
  type ImageStep,
  isImageStep,
  isLeftAlone,
  type KeepStep,
  type RetentionStep,
  type Step,
  versionKey,
} from "../plan/plan.ts";
import type { RunResult } from "./result.ts";

/**
 * `delivered`: all of it is there but its tag, which another job sets. `planned`: a dry run would do it, or another job does.
 * `arrived`: another mechanism has brought it. `not-tried`: given up because of another failure. `missing`: a version that was to be kept, and is not whole there.
 */
export type Outcome =
  | "copied"
  | "delivered"
  | "arrived"
  | "skipped"
  | "failed"
  | "kept"
  | "missing"
  | "pruned"
  | "not-tried"
  | "left"
  | "planned";

/** A step of the plan and what became of it. */
export interface Reported<S extends Step = Step> {
  readonly step: S;
  readonly outcome: Outcome;
  /** Why: the failure's words where it failed or was not tried, else the plan's. */
  readonly reason: string;
  /** The same as data, where it failed, was not tried, was left by a run, or is to be warned of. */
  readonly failure: Failure | undefined;
  /** Whether no tag of the failed image's version was tried at its destination. */
  readonly untouched: boolean;
  /** Why signatures and the like of an image are not there, although it is: the registry refuses them. */
  readonly refused: readonly Failure[];
  /** Whether it is a Helm chart, as far as its source or what was copied tells. */
  readonly isChart: boolean;
  /** Present when a copy was tried. */
  readonly bytes: MovedBytes | undefined;
  /** Present when a copy was tried. */
  readonly milliseconds: number | undefined;
  /** When the image's own content moved; present when a copy got so far. */
  readonly moved: MovingTime | undefined;
}

/** A run that says nothing about a planned step must not pass for a success. */
const notCarriedOut: Failure = {
  kind: "obstacle",
  problem: "the run ended before this step was carried out",
};
const notBrought: Failure = {
  kind: "obstacle",
  problem: "it was to be kept, and was not brought here",
};

/** Of each result: every form of report asks for the steps, and a run may have a hundred thousand. */
const stepsOf = new WeakMap<RunResult, readonly Reported[]>();

/** Every step of the plan with its outcome, in the order of the plan. */
export function reportedSteps(result: RunResult): readonly Reported[] {
  const steps = stepsOf.get(result) ?? report(result);
  stepsOf.set(result, steps);
  return steps;
}

/** The steps about images of the wanted versions, with their outcomes. */
export function reportedImages(result: RunResult): readonly Reported<ImageStep>[] {
  return reportedSteps(result).filter((reported): reported is Reported<ImageStep> =>
    isImageStep(reported.step),
  );
}

/** The steps about what destinations keep, with their outcomes. */
export function reportedRetention(result: RunResult): readonly Reported<RetentionStep>[] {
  return reportedSteps(result).filter(
    (reported): reported is Reported<RetentionStep> => !isImageStep(reported.step),
  );
}

/** Whether an image is now at its destination under its tag. */
export function isInPlace({ step, outcome, refused }: Reported): boolean {
  // Only its signatures were tried.
  if (outcome === "skipped" && refused.length > 0) return true;
  return (
    outcome === "copied" ||
    outcome === "arrived" ||
    (outcome === "skipped" && step.kind === "skip" && step.digest !== undefined)
  );
}

/** Whether these images of one version are all in place, those aside whose tags belong to another version. */
export function isComplete(images: readonly Reported<ImageStep>[]): boolean {
  const settled = images.every(({ outcome }) => ["copied", "arrived", "skipped"].includes(outcome));
  return settled && images.some(isInPlace);
}

function report(result: RunResult): readonly Reported[] {
  const copies = new Map<Step, CopyOutcome>(result.copies.map((copy) => [copy.step, copy]));
  const awaits = new Map<Step, AwaitOutcome>(
    (result.awaited ?? []).map((awaited) => [awaited.step, awaited]),
  );
  const prunes = new Map<Step, PruneOutcome>(result.prunes.map((prune) => [prune.step, prune]));
  const broken = brokenVersions(result);
  return result.plan.steps.map((step) => {
    const copy = copies.get(step);
    const { outcome, failure } = becomes(
      step,
      { copy, awaited: awaits.get(step), prune: prunes.get(step) },
      broken,
      result,
    );
    const reason = failure === undefined ? step.reason : sentenceOf(failure);
    const { refused = [], bytes, moved } = copy ?? {};
    const milliseconds = (copy ?? awaits.get(step))?.milliseconds;
    const untouched = step.kind === "fail" || copy?.untouched === true;
    const isChart = copy?.isChart === true || isOfCharts(step);
    return { step, outcome, reason, failure, untouched, refused, isChart, bytes, milliseconds, moved };
  });
}

function isOfCharts(step: Step): boolean {
  if (step.kind === "copy") return step.source.isChart === true;
  return step.kind === "skip" && step.isChart === true;
}

interface Fate {
  readonly outcome: Outcome;
  readonly failure?: Failure | undefined;
}

/** What the run tells of a step, each where it is one of that kind. */
interface Outcomes {
  readonly copy: CopyOutcome | undefined;
  readonly awaited: AwaitOutcome | undefined;
  readonly prune: PruneOutcome | undefined;
}

function becomes(
  step: Step,
  { copy, awaited, prune }: Outcomes,
  broken: ReadonlySet<string>,
  result: RunResult,
): Fate {
  const { dryRun, job } = result;
  switch (step.kind) {
    case "skip":
      return lost(step, result) ?? { outcome: isLeftAlone(step) ? "left" : "skipped", failure: step.warning };
    case "fail":
      return { outcome: "failed", failure: step.failure };
    case "keep":
      return keptOutcome(step, result, broken);
    case "leave":
      return { outcome: "left" };
    case "copy":
      if (dryRun) return { outcome: "planned" };
      if (copy === undefined) return { outcome: "failed", failure: notCarriedOut };
      if (copy.failure !== undefined) return { outcome: "failed", failure: copy.failure };
      if (copy.withheld !== undefined) return { outcome: "left", failure: copy.withheld };
      if (hasBroughtNothing(copy))
        return lost(step, result) ?? { outcome: "skipped", failure: copy.refused?.[0] };
      return lost(step, result) ?? { outcome: job === "copy" ? "delivered" : "copied" };
    case "await":
      if (dryRun) return { outcome: "planned" };
      if (awaited === undefined) return { outcome: "failed", failure: notCarriedOut };
      if (awaited.failure !== undefined) return { outcome: "failed", failure: awaited.failure };
      return awaited.withheld === undefined
        ? { outcome: "arrived" }
        : { outcome: "left", failure: awaited.withheld };
    case "prune":
      if (dryRun) return { outcome: "planned" };
      if (prune === undefined) return { outcome: "failed", failure: notCarriedOut };
      return { outcome: prune.status, failure: prune.failure };
  }
}

/** Whether an image was in place, and all that it lacks is refused there. */
function hasBroughtNothing({ step, refused = [], bytes }: CopyOutcome): boolean {
  return step.attachmentsOnly === true && refused.length > 0 && bytes.uploaded + bytes.mounted === 0;
}

/** What was there, and a later look has not found: nothing is claimed that is not there. */
function lost({ destination, image, tag }: ImageStep, { keeps = [] }: RunResult): Fate | undefined {
  const found = keeps.find(
    ({ step, missing }) =>
      step.destination === destination && missing.some((each) => each.image === image && each.tag === tag),
  );
  return found && { outcome: "failed", failure: found.failure };
}

function keptOutcome(step: KeepStep, result: RunResult, broken: ReadonlySet<string>): Fate {
  const half = result.keeps?.find((keep) => keep.step === step);
  if (half !== undefined) return { outcome: "failed", failure: half.failure };
  return broken.has(placeKey(step)) ? { outcome: "missing", failure: notBrought } : { outcome: "kept" };
}

/** The versions of which an image could not be planned for a destination, or was not published there. */
function brokenVersions({ plan, copies, dryRun }: RunResult): ReadonlySet<string> {
  const done = new Set<Step>(
    copies.flatMap(({ step, failure, withheld }) => ((failure ?? withheld) === undefined ? [step] : [])),
  );
  const broken = plan.steps.filter(
    (step) => step.kind === "fail" || (step.kind === "copy" && !dryRun && !done.has(step)),
  );
  return new Set(broken.map(placeKey));
}

function placeKey(step: Step): string {
  return `${step.destination} ${versionKey(step)}`;
}
