import { sentenceOf } from "../errors.ts";
import { subjectOf } from "../plan/plan.ts";
import { countOf, listOf } from "../wording.ts";
import { type CauseGroup, causesOf, type Explained } from "./grouping.ts";
import type { Reported } from "./reported-step.ts";

/** Most images that a line names before it counts the rest: more than any Harbor release has. */
const namedLimit = 30;

/** The failures of some steps, grouped by destination and cause. Images that only another image holds back come last. */
export function failureGroups(steps: readonly Reported[]): readonly CauseGroup<Reported>[] {
  const failed = steps.filter(({ outcome }) => outcome === "failed");
  const groups = causesOf(failed, ({ step }) => [kindOf(step), step.destination]);
  return groups.toSorted((one, other) => Number(isHeldBack(one.first)) - Number(isHeldBack(other.first)));
}

/** What a registry refuses although it has the image: a signature or the like. */
type RefusedAttachment = Pick<Reported, "step"> & Explained;

/** What registries refuse of what is attached to images, grouped by destination and cause. */
export function refusedGroups(steps: readonly Reported[]): readonly CauseGroup<RefusedAttachment>[] {
  const all = steps.flatMap(({ step, refused }) =>
    refused.map((failure) => ({ step, failure, reason: sentenceOf(failure) })),
  );
  return causesOf(all, ({ step }) => [step.destination]);
}

/** A plan that cannot copy an image and a copy that fails are the same to a reader. */
function kindOf({ kind }: Reported["step"]): "prune" | "image" {
  return kind === "prune" ? "prune" : "image";
}

function isHeldBack({ failure }: Reported): boolean {
  return failure?.kind === "held-back";
}

/**
 * The images of some steps: the one, or how many and which. Empty for steps that are about a whole version.
 * @param print how a name is written where it is read.
 */
export function imagesOf(
  steps: readonly Pick<Reported, "step">[],
  print = (name: string): string => name,
): string {
  const images = steps.flatMap(({ step }) => (step.kind === "keep" ? [] : [subjectOf(step)]));
  const names = [...new Set(images)].map(print);
  return names.length < 2 ? names.join() : `${countOf(names.length, "image")} (${listOf(names, namedLimit)})`;
}
