import { InputError } from "../errors.ts";
import { attachedTo } from "../plan/attached.ts";
import {
  type CopyStep,
  type FailStep,
  failing,
  holdBack,
  type ImageStep,
  isImageStep,
  type Plan,
  type PruneStep,
  placeOf,
  type SkipStep,
  type Step,
  versionKey,
} from "../plan/plan.ts";
import { listOf } from "../wording.ts";
import type { PlanDocument, PlannedCopy } from "./document.ts";

/** What the user can do when the plan and what the inputs ask for now do not go together. */
const runAgain = 'Run all jobs again ("Re-run all jobs"), so that a new plan is made.';

/** Most images that a message names. */
const namedLimit = 5;

/** The reason of a step whose version is not in the plan. */
const tooLate = "its version came up after the plan was made; the next run mirrors it";

/**
 * What the last job carries out: the steps that both the document and the current inputs ask for. The document comes from
 * another job and may have been changed on the way, so nothing is published or pruned on its word alone. What came up after
 * it was made was shown to nobody and waits for the next run (P9). If a version is among that, nothing is pruned: it may have
 * been left out of the document to make room.
 * @param now the plan that the inputs give now, for all versions that they ask for.
 * @param withdrawn versions of the document that are no published releases any more: what is copied of them fails.
 * @throws InputError when the document asks for images that the inputs do not.
 */
export function bindPlan(document: PlanDocument, now: Plan, withdrawn: readonly string[]): Plan {
  const copies = copiesAskedFor(document.copies, document, now);
  const planned = new Map(copies.map((copy) => [keyOf(copy), copy.digest]));
  const prunable = new Set(document.prunes.map(keyOf));
  const isPlanned = ({ version }: Pick<Step, "version">): boolean => document.versions.includes(version);
  const complete = now.versions.every((version) => isPlanned({ version }));
  const isPrunable = (step: PruneStep): boolean => complete && prunable.has(keyOf(step));
  const isOfStaying = attachedTo(
    now.steps.flatMap((step) => (step.kind === "prune" && !isPrunable(step) ? [step] : [])),
  );
  const bound = now.steps.flatMap((step): readonly Step[] => {
    if (isImageStep(step) && !isPlanned(step)) return [isInPlace(step) ? step : skipped(step)];
    if (step.kind === "copy") return [boundCopy(step, planned.get(keyOf(step)))];
    if (step.kind === "keep") return isPlanned(step) || !now.versions.includes(step.version) ? [step] : [];
    if (step.kind !== "prune" || (isPrunable(step) && !isOfStaying(step))) return [step];
    const { digest: _, ...image } = step;
    const reason =
      step.untagged === undefined
        ? "it came up after the plan was made; the next run prunes it"
        : "it came up after the plan was made, and no later run knows of it";
    return [{ ...image, kind: "leave", reason }];
  });
  const places = new Set(now.steps.map(({ destination }) => destination));
  const gone = eachOnce(document.copies).filter(
    ({ version, destination }) => withdrawn.includes(version) && places.has(destination),
  );
  const versions = now.versions.filter((version) => isPlanned({ version }));
  return { ...now, versions, steps: [...heldBack(bound), ...gone.map(failWithdrawn)] };
}

/**
 * What a copy job carries out: of its share, what the inputs ask for now.
 * @param now the plan that the inputs give now, for all versions that they ask for and the destination of this share.
 * @throws InputError when the document has no such share, or asks in it for images that the inputs do not.
 */
export function bindShare(document: PlanDocument, share: number, now: Plan): Plan {
  const own = document.copies.filter((copy) => copy.share === share);
  if (own.length === 0) throw new InputError(`share: the plan has no share ${share}`);
  const copies = copiesAskedFor(own, document, now);
  const wanted = new Map(now.steps.filter(isImageStep).map((step) => [keyOf(step), step]));
  const steps = copies.flatMap((copy) => {
    const step = wanted.get(keyOf(copy));
    if (step === undefined) return [];
    return [step.kind === "copy" ? boundCopy(step, copy.digest) : step];
  });
  return {
    ...now,
    versions: now.versions.filter((tag) => steps.some(({ version }) => version === tag)),
    steps,
  };
}

/**
 * The copies of versions that the inputs still ask for. A release that came meanwhile can take the place of the oldest
 * version.
 * @throws InputError for an image at a destination that the inputs do not ask for: no new release explains that.
 */
function copiesAskedFor(
  copies: readonly PlannedCopy[],
  document: PlanDocument,
  now: Plan,
): readonly PlannedCopy[] {
  if (document.repository !== now.repository) {
    throw new InputError(
      `plan: it is about ${document.repository}, but the inputs are about ${now.repository}. ${runAgain}`,
    );
  }
  const known = new Set(now.steps.filter(isImageStep).map(keyOf));
  const overtaken = ({ version }: PlannedCopy): boolean =>
    document.versions.includes(version) && !now.versions.includes(version);
  const asked = eachOnce(copies).filter((copy) => !overtaken(copy));
  const foreign = asked.filter((copy) => !known.has(keyOf(copy)));
  if (foreign.length === 0) return asked;
  const names = foreign.map(({ destination, image, tag }) => `${destination}/${image}:${tag}`);
  throw new InputError(
    `plan: it has images that the inputs do not ask for: ${listOf(names, namedLimit)}. ${runAgain}`,
  );
}

/** Copies without those that a changed plan names again: an image is copied and counted once. */
function eachOnce(copies: readonly PlannedCopy[]): readonly PlannedCopy[] {
  return [...new Map(copies.map((copy) => [keyOf(copy), copy])).values()];
}

function isInPlace(step: ImageStep): boolean {
  return step.kind === "skip" && step.digest !== undefined;
}

function skipped(step: ImageStep): SkipStep {
  return { kind: "skip", digest: undefined, ...placeOf(step), reason: tooLate };
}

function failWithdrawn(copy: PlannedCopy): FailStep {
  const problem = `no tag of ${copy.version} is moved: it is no published release any more`;
  return failing(copy, { kind: "obstacle", problem });
}

function boundCopy(step: CopyStep, planned: string | undefined): CopyStep | FailStep {
  if (planned === step.source.digest) return step;
  if (planned === undefined) {
    const problem =
      "the plan does not have it: when it was made, this image was in place or could not be copied";
    return failing(step, { kind: "obstacle", problem, advice: runAgain });
  }
  const { source, repository, tag, digest } = step.source;
  return failing(step, {
    kind: "obstacle",
    problem: "the source has another image now than when the plan was made",
    subject: `${source.registry}/${repository}:${tag} now is ${digest}, the plan has ${planned}`,
    advice: runAgain,
  });
}

/** What cannot be published as planned holds back the rest of its version at its destination (P3). */
function heldBack(steps: readonly Step[]): readonly Step[] {
  const images = Map.groupBy(steps.filter(isImageStep), (step) => `${step.destination} ${versionKey(step)}`);
  const after = new Map(
    [...images.values()].flatMap((before) => {
      const held = holdBack(before);
      return before.map((step, index) => [step, held[index] ?? step] as const);
    }),
  );
  return steps.map((step) => (isImageStep(step) ? (after.get(step) ?? step) : step));
}

function keyOf({
  destination,
  version,
  image,
  tag,
  untagged = "",
}: Pick<ImageStep, "destination" | "version" | "image" | "tag"> & {
  readonly untagged?: string | undefined;
}): string {
  return [destination, version, image, tag, untagged].join(" ");
}
