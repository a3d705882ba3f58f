import { type Group, groupsOf } from "./grouping.ts";
import type { Reported } from "./reported-step.ts";

/**
 * The failures among some steps, those of one reason at one destination together: a dead destination is one piece of news,
 * not one for each image. What is only held back because of another image comes after all causes.
 */
export function failureGroups(steps: readonly Reported[]): readonly Group<Reported>[] {
  const failed = steps.filter(({ outcome }) => outcome === "failed");
  const groups = groupsOf(failed, ({ step, reason }) => [kindOf(step), step.destination, reason]);
  return [
    ...groups.filter(({ first }) => !isHeldBack(first)),
    ...groups.filter(({ first }) => isHeldBack(first)),
  ];
}

/** A plan that cannot copy an image and a copy that fails are the same to a reader. */
function kindOf({ kind }: Reported["step"]): "prune" | "image" {
  return kind === "prune" ? "prune" : "image";
}

/** By the words with which plan and copy begin such a reason; it decides about the order only. */
function isHeldBack({ reason }: Reported): boolean {
  return reason.startsWith("held back");
}
