import type { Component } from "./component.ts";
import { isHeld, presentImages } from "./holding.ts";
import type { Ownership } from "./ownership.ts";
import type { LeaveStep, PruneStep } from "./plan.ts";
import { newest } from "./retention.ts";
import { type DestinationSnapshot, imageKey, type Snapshot } from "./snapshot.ts";
import type { Version } from "./version.ts";

/** A version that a destination does not keep, and what it has of it. */
interface Candidate {
  readonly version: Version;
  readonly present: readonly Component[];
  /** Why all of it stays; undefined: it goes. */
  readonly leave: string | undefined;
}

/**
 * What happens to the tags of versions that a destination does not keep. Only tags that belong to a published version
 * come up at all; everything else in the repositories is not looked at (P5).
 */
export function planPruning(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  ownership: Ownership,
  kept: readonly Version[],
): readonly (PruneStep | LeaveStep)[] {
  if (destination.retention.keep === "all") return [];
  const candidates = snapshot.universe
    .filter((version) => !kept.includes(version))
    .map((version) => ({
      version,
      present: presentImages(destination, ownership, version),
      leave: reasonToLeave(snapshot, destination, ownership, kept, version),
    }))
    .filter(({ present }) => present.length > 0);
  const staying = stayingDigests(destination, candidates);
  return candidates.flatMap(({ version, present, leave }) =>
    present.map((component) => {
      const reason = leave ?? sharedReason(destination, component, staying);
      const image = {
        destination: destination.name,
        version: version.tag,
        image: component.to,
        tag: component.toTag,
      };
      if (reason !== undefined) return { kind: "leave", ...image, reason };
      const digest = destination.heldDigests.get(imageKey(component.to, component.toTag));
      return { kind: "prune", ...image, digest, reason: `not among the newest ${keptNames(kept)}` };
    }),
  );
}

function keptNames(kept: readonly Version[]): string {
  return `${kept.length}: ${kept.map(({ tag }) => tag).join(", ")}`;
}

function reasonToLeave(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  ownership: Ownership,
  kept: readonly Version[],
  version: Version,
): string | undefined {
  if (destination.deletion === "unavailable") {
    return `not kept, but this login cannot delete tags: ${destination.deletionUnavailable ?? "the registry offers no way"}`;
  }
  if (snapshot.wanted.some((wanted) => wanted.version === version && wanted.missing.length > 0)) {
    return "the version was asked for and could not be mirrored; nothing of it is deleted";
  }
  // Kept are whole versions only. One that lacks an image here but would be kept if it were whole is somebody's
  // half-finished work, not an old version.
  const wouldBeKept = newest([...kept, version], destination.retention).includes(version);
  return wouldBeKept && !isHeld(destination, ownership, version)
    ? "it is incomplete here but new enough to be kept; mirror it again to complete it"
    : undefined;
}

/**
 * By image, each digest that is in use after the run and a tag that uses it: tags that nobody touches, tags that are
 * left, and the tags that this run sets.
 */
function stayingDigests(
  destination: DestinationSnapshot,
  candidates: readonly Candidate[],
): ReadonlyMap<string, string> {
  const going = new Set(
    candidates
      .filter(({ leave }) => leave === undefined)
      .flatMap(({ present }) => present.map(({ to, toTag }) => imageKey(to, toTag))),
  );
  const after = [
    ...[...destination.heldDigests].filter(([key]) => !going.has(key)),
    ...[...destination.images].map(([key, image]) => [key, image.digest] as const),
  ];
  return new Map(after.map(([key, digest]) => [digestKey(imageOf(key), digest), key]));
}

/** Why a tag must stay where deleting it may take other tags of the same digest along. */
function sharedReason(
  destination: DestinationSnapshot,
  component: Component,
  staying: ReadonlyMap<string, string>,
): string | undefined {
  if (destination.deletion !== "shared-digest-unsafe") return undefined;
  const digest = destination.heldDigests.get(imageKey(component.to, component.toTag));
  if (digest === undefined) return "its digest is not known, so another tag may need it";
  const other = staying.get(digestKey(component.to, digest));
  return other === undefined ? undefined : `its digest is also that of ${other}, which stays`;
}

function digestKey(image: string, digest: string): string {
  return `${image}@${digest}`;
}

function imageOf(key: string): string {
  return key.slice(0, key.lastIndexOf(":"));
}
