import { attachmentTags } from "../oci/reference.ts";
import type { LeaveStep, PruneStep } from "./step.ts";

type Tagged = Pick<PruneStep, "destination" | "image" | "tag">;

/**
 * Whether a tag is of what is attached to one of some manifests without a tag. Where such a manifest stays, no tag of its own
 * shows that its signatures have to stay, too.
 */
export function attachedTo(subjects: readonly (PruneStep | LeaveStep)[]): (step: Tagged) => boolean {
  const tags = new Set(
    subjects.flatMap((step) =>
      step.untagged === undefined ? [] : attachmentTags(step.untagged).map((tag) => keyOf({ ...step, tag })),
    ),
  );
  return (step) => tags.has(keyOf(step));
}

function keyOf({ destination, image, tag }: Tagged): string {
  return `${destination} ${image}:${tag}`;
}
