import type { Digest } from "../oci/digest.ts";
import type { Component } from "./component.ts";
import { isHeld } from "./holding.ts";
import { type Ownership, ownershipOf } from "./ownership.ts";
import { planPruning } from "./pruning.ts";
import { newest } from "./retention.ts";
import {
  type DestinationSnapshot,
  imageKey,
  type Snapshot,
  type SourceImage,
  type WantedVersion,
} from "./snapshot.ts";
import type { Version } from "./version.ts";

/** An image of a version at a destination. */
interface PlannedImage {
  readonly destination: string;
  /** Tag of the version. */
  readonly version: string;
  /** Name below the destination's namespace. */
  readonly image: string;
  readonly tag: string;
  readonly reason: string;
}

/** The image is brought to the destination and its tag is set. */
export interface CopyStep extends PlannedImage {
  readonly kind: "copy";
  readonly source: SourceImage;
  /** What the tag points to now, if that is something else. */
  readonly replaces: Digest | undefined;
}

/** Nothing has to be done, or nothing is done on purpose. */
export interface SkipStep extends PlannedImage {
  readonly kind: "skip";
  /** Present when the image is in place. */
  readonly digest: Digest | undefined;
}

/** The image cannot be brought to the destination; the run fails, the rest goes on. */
export interface FailStep extends PlannedImage {
  readonly kind: "fail";
}

/** The destination keeps this version. */
export interface KeepStep {
  readonly kind: "keep";
  readonly destination: string;
  readonly version: string;
  readonly reason: string;
}

/** The tag is deleted, once everything has been copied well. */
export interface PruneStep extends PlannedImage {
  readonly kind: "prune";
  readonly digest: Digest | undefined;
}

/** The tag is of a version that is not kept, and stays all the same. */
export interface LeaveStep extends PlannedImage {
  readonly kind: "leave";
}

export type Step = CopyStep | SkipStep | FailStep | KeepStep | PruneStep | LeaveStep;

/** What a run does, decided before it does anything (P9). */
export interface Plan {
  readonly repository: string;
  /** Tags of the wanted versions, newest first. */
  readonly versions: readonly string[];
  readonly steps: readonly Step[];
}

/** Makes the plan: a pure function of the snapshot. */
export function makePlan(snapshot: Snapshot): Plan {
  const ownership = ownershipOf(snapshot.universe, snapshot.components);
  return {
    repository: snapshot.repository,
    versions: snapshot.wanted.map(({ version }) => version.tag),
    steps: snapshot.destinations.flatMap((destination) => planDestination(snapshot, destination, ownership)),
  };
}

function planDestination(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  ownership: Ownership,
): readonly Step[] {
  if (destination.failure !== undefined) return failEverything(snapshot, destination, destination.failure);
  const possible = snapshot.wanted.filter((wanted) => wanted.missing.length === 0);
  const kept = keptVersions(snapshot, destination, ownership, possible);
  const images = snapshot.wanted.flatMap((wanted) =>
    planVersion(snapshot, destination, ownership, wanted, kept),
  );
  const keeps =
    destination.retention.keep === "all" ? [] : kept.map((version) => keepStep(destination, version));
  return [...images, ...keeps, ...planPruning(snapshot, destination, ownership, kept)];
}

/** The newest of what the destination holds whole or is about to hold. */
function keptVersions(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  ownership: Ownership,
  possible: readonly WantedVersion[],
): readonly Version[] {
  const wanted = possible.map(({ version }) => version);
  const held = snapshot.universe.filter(
    (version) => !wanted.includes(version) && isHeld(destination, ownership, version),
  );
  return newest([...wanted, ...held], destination.retention);
}

function planVersion(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  ownership: Ownership,
  wanted: WantedVersion,
  kept: readonly Version[],
): readonly Step[] {
  const { version, components, missing } = wanted;
  const planned = (component: Component, reason: string): PlannedImage => ({
    destination: destination.name,
    version: version.tag,
    image: component.to,
    tag: component.toTag,
    reason,
  });
  if (missing.length > 0) return planMissing(wanted, planned);
  if (!kept.includes(version)) {
    const newer = kept.map(({ tag }) => tag).join(", ");
    const reason = `it would not be kept: the newest ${destination.retention.keep} by ${destination.retention.keepBy} are ${newer}`;
    return components.map((component) => ({
      kind: "skip",
      digest: undefined,
      ...planned(component, reason),
    }));
  }
  return components.map((component) => {
    const owner = ownership.ownerOf(component.to, component.toTag);
    if (owner !== version.tag) {
      return {
        kind: "skip",
        digest: undefined,
        ...planned(component, `the tag belongs to ${owner ?? "no version"}`),
      };
    }
    return planImage(snapshot, destination, component, planned);
  });
}

/** A version that lacks an image anywhere is not mirrored at all: half a release is worse than none (P3). */
function planMissing(
  { components, missing }: WantedVersion,
  planned: (component: Component, reason: string) => PlannedImage,
): readonly Step[] {
  const names = missing.map(({ component }) => `${component.from}:${component.fromTag}`).join(", ");
  return components.map((component) => {
    const own = missing.find((image) => image.component === component);
    return { kind: "fail", ...planned(component, own?.reason ?? `held back: the version lacks ${names}`) };
  });
}

function planImage(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  component: Component,
  planned: (component: Component, reason: string) => PlannedImage,
): Step {
  const key = imageKey(component.to, component.toTag);
  const present = destination.digests.get(key);
  const source = destination.images.get(key);
  if (source === undefined) {
    return present === undefined
      ? { kind: "fail", ...planned(component, "no source other than this destination has it") }
      : { kind: "skip", digest: present, ...planned(component, "it is in place; no other source has it") };
  }
  const copy = { kind: "copy", source } as const;
  if (present === undefined)
    return { ...copy, replaces: undefined, ...planned(component, "it is not there yet") };
  if (present === source.digest) {
    return destination.withoutAttachments.has(key)
      ? {
          ...copy,
          replaces: undefined,
          ...planned(component, "signatures or other referrers are not there yet"),
        }
      : { kind: "skip", digest: present, ...planned(component, "it is in place") };
  }
  return snapshot.overwrite
    ? { ...copy, replaces: present, ...planned(component, `the tag holds another digest, ${present}`) }
    : {
        kind: "fail",
        ...planned(component, `the tag holds another digest, ${present}, and overwrite is false`),
      };
}

function keepStep(destination: DestinationSnapshot, version: Version): KeepStep {
  const { keep, keepBy } = destination.retention;
  return {
    kind: "keep",
    destination: destination.name,
    version: version.tag,
    reason: `among the newest ${keep} by ${keepBy}`,
  };
}

function failEverything(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  reason: string,
): readonly Step[] {
  return snapshot.wanted.flatMap(({ version, components }) =>
    components.map((component) => ({
      kind: "fail" as const,
      destination: destination.name,
      version: version.tag,
      image: component.to,
      tag: component.toTag,
      reason,
    })),
  );
}
