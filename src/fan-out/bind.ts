import { InputError } from "../errors.ts";
import {
  type CopyStep,
  type FailStep,
  failing,
  holdBack,
  type ImageStep,
  isImageStep,
  type Plan,
  type Step,
} from "../plan/plan.ts";
import type { PlanDocument } from "./document.ts";

/** What the user can do when the plan and what the inputs ask for now do not go together. */
const runAgain = 'Run all jobs again ("Re-run all jobs"), so that a new plan is made.';

/** Most images that a message names. */
const namedLimit = 5;

/**
 * What the last job carries out: what the inputs ask for now, as far as the plan has it. Both must want a step. The plan
 * comes from another job and may have been changed on the way, so nothing is published or pruned on its word; and what came
 * up only after it was made was not shown to anybody, and is left to the next run (P9).
 * @param now the plan that the inputs give now, for the versions of the document.
 * @throws InputError when the document asks for images that the inputs do not.
 */
export function bindPlan(document: PlanDocument, now: Plan): Plan {
  const wanted = now.steps.filter(isImageStep);
  refuseForeign(document, now, wanted);
  const planned = new Map(document.copies.map((copy) => [keyOf(copy), copy.digest]));
  const prunable = new Set(document.prunes.map(keyOf));
  const bound = now.steps.map((step): Step => {
    if (step.kind === "copy") return boundCopy(step, planned.get(keyOf(step)));
    if (step.kind !== "prune" || prunable.has(keyOf(step))) return step;
    const { digest: _, ...image } = step;
    return { ...image, kind: "leave", reason: "it came up after the plan was made; the next run prunes it" };
  });
  return { ...now, steps: heldBack(bound) };
}

/** An image at a destination that the document has and the inputs do not want is no change of circumstances. */
function refuseForeign(document: PlanDocument, now: Plan, wanted: readonly ImageStep[]): void {
  if (document.repository !== now.repository) {
    throw new InputError(
      `plan: it is about ${document.repository}, but the inputs are about ${now.repository}. ${runAgain}`,
    );
  }
  const known = new Set(wanted.map(keyOf));
  const foreign = document.copies.filter((copy) => !known.has(keyOf(copy)));
  if (foreign.length === 0) return;
  const names = foreign
    .slice(0, namedLimit)
    .map(({ destination, image, tag }) => `${destination}/${image}:${tag}`);
  const more = foreign.length > namedLimit ? ` and ${foreign.length - namedLimit} more` : "";
  throw new InputError(
    `plan: it has images that the inputs do not ask for: ${names.join(", ")}${more}. ${runAgain}`,
  );
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
  const images = Map.groupBy(
    steps.filter(isImageStep),
    ({ destination, version }) => `${destination} ${version}`,
  );
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
}: Pick<ImageStep, "destination" | "version" | "image" | "tag">): string {
  return [destination, version, image, tag].join(" ");
}
