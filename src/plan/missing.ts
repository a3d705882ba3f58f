import { type Failure, sentenceOf } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { printReference } from "../oci/reference.ts";
import { listOf } from "../wording.ts";
import type { Component } from "./component.ts";
import type { Ownership } from "./ownership.ts";
import { type DestinationSnapshot, imageKey, type SourceImage, type WantedVersion } from "./snapshot.ts";
import { type FailStep, failing, type PlannedPlace, type SkipStep } from "./step.ts";

/** What happens to a version of which no source has every image. */

/** Most digests that a reason names. */
const namedLimit = 3;

/** A version that lacks an image anywhere is not mirrored at all: half a release is worse than none (P3). */
export function planMissing(
  { components, missing }: WantedVersion,
  planned: (component: Component) => PlannedPlace,
): readonly FailStep[] {
  const names = missing.map(({ component }) => printReference(component.from, component.fromTag)).join(", ");
  const heldBack: Failure = { kind: "held-back", problem: `held back: the version lacks ${names}` };
  return components.map((component) => {
    const own = missing.find((image) => image.component === component);
    return failing(planned(component), own?.failure ?? heldBack);
  });
}

/** Whether all tags that a version brings are in place at a destination, as far as that can be known. */
export function isInPlace(
  { digests, images }: Pick<DestinationSnapshot, "digests" | "images">,
  ownership: Ownership,
  { version, missing }: WantedVersion,
): boolean {
  const brought = ownership.brought(version);
  return (
    brought.length > 0 &&
    missing.every(({ isMistake }) => isMistake !== true) &&
    brought.every(({ to, toTag }) => {
      const key = imageKey(to, toTag);
      return isUncontested(digests.get(key), images.get(key));
    })
  );
}

/** Whether a tag is there, and no source says that it is to hold something else. */
export function isUncontested(present: Digest | undefined, source: SourceImage | undefined): boolean {
  return present !== undefined && (source === undefined || source.digest === present);
}

/**
 * An image that is in place, and that no source has to compare it with.
 * @param why no source has it.
 */
export function planUncompared(
  place: PlannedPlace,
  { digests, broken }: DestinationSnapshot,
  why: Failure,
): SkipStep | FailStep {
  const key = imageKey(place.image, place.tag);
  const lacking = broken.get(key);
  if (lacking !== undefined) return failing(place, beyondRepair(lacking));
  const words = "in place and not compared";
  const warning: Failure =
    why.kind === "operation"
      ? { ...why, consequence: why.consequence === undefined ? words : `${words}, as ${why.consequence}` }
      : { ...why, problem: `${words}, as ${why.problem}` };
  return { kind: "skip", ...place, digest: digests.get(key), reason: sentenceOf(warning), warning };
}

/** Why an image fails that is there, lacks content, and is at no source. */
export function beyondRepair(lacking: readonly string[]): Failure {
  return {
    kind: "obstacle",
    problem: `its tag is there, but it lacks ${listOf(lacking, namedLimit)}, and no source has it`,
  };
}
