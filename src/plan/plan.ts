import type { Failure } from "../errors.ts";
import { listOf } from "../wording.ts";
import { awaitingWhatComes, planAwaited } from "./awaited.ts";
import type { Component } from "./component.ts";
import { isHeld, presentImages } from "./holding.ts";
import { beyondRepair, isInPlace, planMissing, planUncompared } from "./missing.ts";
import { type Ownership, ownershipOf } from "./ownership.ts";
import { planPruning, withinLimit } from "./pruning.ts";
import { newest } from "./retention.ts";
import { type DestinationSnapshot, imageKey, type Snapshot, type WantedVersion } from "./snapshot.ts";
import {
  digestOfStep,
  type FailStep,
  failing,
  heldBackBy,
  type ImageStep,
  isLeftAlone,
  type KeepStep,
  leavingAlone,
  type PlannedPlace,
  type Step,
} from "./step.ts";
import type { AnyVersion, Version } from "./version.ts";

/** Most digests that a reason names. */
const namedLimit = 3;

export type {
  AwaitStep,
  CopyStep,
  FailStep,
  ImageStep,
  KeepStep,
  LeaveStep,
  PruneStep,
  RetentionStep,
  SkipStep,
  Step,
} from "./step.ts";
export {
  digestOfStep,
  failing,
  hasRoutes,
  heldBackBy,
  isImageStep,
  isLeftAlone,
  isUncompared,
  isUntagged,
  leavingAlone,
  nameOfVersion,
  placeOf,
  subjectOf,
  unknownVersion,
  versionKey,
} from "./step.ts";

/** What a run does, decided before it does anything (P9). */
export interface Plan {
  readonly repository: string;
  /** Tags of the wanted versions, newest first. */
  readonly versions: readonly string[];
  readonly steps: readonly Step[];
}

/** Makes the plan: a pure function of the snapshot. */
export function makePlan(snapshot: Snapshot): Plan {
  const { universe, outside = [], components } = snapshot;
  const ownership = ownershipOf([...universe, ...outside], components, uncounted(snapshot));
  const { repository, route } = snapshot;
  const planned = snapshot.destinations.flatMap((destination) =>
    planDestination(snapshot, destination, ownership),
  );
  const steps = awaitingWhatComes(planned, snapshot);
  return {
    repository,
    versions: snapshot.wanted.map(({ version }) => version.tag),
    steps: route === undefined ? steps : steps.map((step) => ({ ...step, route })),
  };
}

function planDestination(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  ownership: Ownership,
): readonly Step[] {
  if (destination.failure !== undefined) return failEverything(snapshot, destination, destination.failure);
  const kept = keptVersions(snapshot, destination, ownership);
  const images = snapshot.wanted.flatMap((wanted) =>
    planVersion(snapshot, destination, ownership, wanted, kept),
  );
  const others = [...uncounted(snapshot), ...heldOutside(snapshot, destination, ownership)];
  const pruning =
    snapshot.unlisted === true
      ? []
      : withinLimit(
          planPruning(snapshot.universe, destination, ownership, { kept, others }, images),
          snapshot.pruneLimit,
        );
  const keeps =
    destination.retention.keep === "all"
      ? []
      : kept.map((version) => keepStep(destination, version, ownership, images));
  return [...images, ...keeps, ...pruning];
}

/** Whether a version has a place in the order of those that a destination keeps. */
function counts({ universe }: Pick<Snapshot, "universe">, version: AnyVersion): version is Version {
  return version.number !== undefined && universe.some(({ tag }) => tag === version.tag);
}

/** The wanted versions that have no place in the order. */
function uncounted(snapshot: Snapshot): readonly AnyVersion[] {
  return snapshot.wanted.flatMap(({ version }) => (counts(snapshot, version) ? [] : [version]));
}

/** What is at a destination, in whole or in part, of the versions that the filter leaves out. */
function heldOutside(
  { outside = [] }: Snapshot,
  destination: DestinationSnapshot,
  ownership: Ownership,
): readonly Version[] {
  return outside.filter((version) => presentImages(destination, ownership, version).length > 0);
}

/** A destination as it would be if deleting a tag never took another along. */
export function deletingTagsAlone(destination: DestinationSnapshot): DestinationSnapshot {
  return destination.deletion === "shared-digest-unsafe"
    ? { ...destination, deletion: "by-tag" }
    : destination;
}

/** The newest of what the destination holds whole or is about to hold. */
function keptVersions(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  ownership: Ownership,
): readonly Version[] {
  // Two kinds of version take no place from others, because they will not be here afterwards unless they are held already:
  // one whose tags all belong to newer versions, and one that cannot be brought here, as where `overwrite` is false.
  const brought = snapshot.wanted
    .filter(({ missing }) => missing.length === 0)
    .map(({ version }) => version)
    .filter((version) => counts(snapshot, version))
    .filter((version) => ownership.owned(version).length > 0);
  const blocked = brought.filter((version) => isBlocked(snapshot, destination, ownership, version));
  const wanted = brought.filter((version) => !blocked.includes(version));
  // What is left alone is something else than this version, even where all its tags are here.
  const others = snapshot.overwrite === "skip" ? [...wanted, ...blocked] : wanted;
  const held = snapshot.universe.filter(
    (version) => !others.includes(version) && isHeld(destination, ownership, version),
  );
  return newest([...wanted, ...held], destination.retention);
}

/** Whether an image of a version cannot be brought to a destination. */
function isBlocked(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  ownership: Ownership,
  version: AnyVersion,
): boolean {
  const planned = plannedFor(destination, version);
  return ownership
    .brought(version)
    .map((component) => planImage(snapshot, destination, component, planned))
    .some((step) => step.kind === "fail" || isLeftAlone(step));
}

function planVersion(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  ownership: Ownership,
  wanted: WantedVersion,
  kept: readonly Version[],
): readonly ImageStep[] {
  const { version, components, missing } = wanted;
  const planned = plannedFor(destination, version);
  if (missing.length > 0 && !isInPlace(destination, ownership, wanted)) return planMissing(wanted, planned);
  const brought = ownership.brought(version);
  const uncompared = new Map(missing.map(({ component, failure }) => [component, failure]));
  // What cannot be compared stays whether it would be kept or not: nothing is deleted beside it.
  const stays = brought.some((component) => uncompared.has(component));
  const steps = components.map((component): ImageStep => {
    const reason = !brought.includes(component)
      ? `the tag belongs to ${ownership.ownerOf(component.to, component.toTag) ?? "no version"}`
      : stays
        ? undefined
        : reasonNotToKeep(snapshot, destination, version, kept);
    if (reason !== undefined) return { kind: "skip", digest: undefined, ...planned(component), reason };
    const why = uncompared.get(component);
    return why === undefined
      ? ofVersion(version, planImage(snapshot, destination, component, planned))
      : planUncompared(planned(component), destination, why);
  });
  return holdBack(steps);
}

/** A tag without a number of three parts moves with every release. */
function ofVersion(version: AnyVersion, step: ImageStep): ImageStep {
  if (step.kind !== "copy" || step.replaces === undefined || version.number !== undefined) return step;
  return {
    ...step,
    floating: true,
    reason: `the tag holds another digest, ${step.replaces}, and has moved at the source`,
  };
}

function plannedFor(destination: DestinationSnapshot, version: AnyVersion) {
  return (component: Component): PlannedPlace => ({
    destination: destination.name,
    version: version.tag,
    image: component.to,
    tag: component.toTag,
  });
}

function reasonNotToKeep(
  snapshot: Snapshot,
  { retention }: DestinationSnapshot,
  version: AnyVersion,
  kept: readonly Version[],
): string | undefined {
  if (!counts(snapshot, version)) return undefined;
  // A blocked version is not among those kept. If it is new enough to be, its failure is reported.
  if (kept.includes(version) || newest([...kept, version], retention).includes(version)) return undefined;
  const newer = kept.map(({ tag }) => tag).join(", ");
  return `it would not be kept: the newest ${retention.keep} by ${retention.keepBy} are ${newer}`;
}

/**
 * An image that cannot be brought here, or is left alone, holds back the others of its version (P3). Those in place stay as
 * they are.
 */
export function holdBack(steps: readonly ImageStep[]): readonly ImageStep[] {
  const failed = steps.find(({ kind }) => kind === "fail");
  const first = failed ?? steps.find(isLeftAlone);
  if (first === undefined) return steps;
  const held = failed === undefined ? leavingAlone : failing;
  const why = failed === undefined ? "is left alone" : "cannot be copied here";
  return steps.map((step) =>
    step.kind === "copy" || step.kind === "await" ? held(step, heldBackBy(first, why)) : step,
  );
}

function planImage(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  component: Component,
  planned: (component: Component) => PlannedPlace,
): ImageStep {
  const key = imageKey(component.to, component.toTag);
  const untouched = snapshot.overwrite === "skip" ? leavingAlone : failing;
  const present = destination.digests.get(key);
  const source = destination.images.get(key);
  const lacking = destination.broken.get(key);
  const place = planned(component);
  if (destination.filledBySync === true && source !== undefined)
    return planAwaited(place, source.digest, destination);
  if (destination.withheld.has(key)) {
    const why = "a policy of the registry lets nobody pull it now, so its digest is not known";
    if (source === undefined)
      return { kind: "skip", digest: undefined, ...place, reason: `it is there; ${why}` };
    if (snapshot.overwrite === true)
      return { kind: "copy", source, replaces: undefined, ...place, reason: `it is there; ${why}` };
    return untouched(place, {
      kind: "obstacle",
      problem: `the tag is there, and overwrite is ${snapshot.overwrite}; ${why}`,
    });
  }
  if (source === undefined) {
    const trouble = destination.unanswered?.get(key);
    if (present === undefined)
      return failing(
        place,
        trouble ?? { kind: "obstacle", problem: "no source other than this destination has it" },
      );
    if (trouble !== undefined) return planUncompared(place, destination, trouble);
    return lacking === undefined
      ? { kind: "skip", digest: present, ...place, reason: "it is in place; no other source has it" }
      : failing(place, beyondRepair(lacking));
  }
  const { overwrite } = snapshot;
  const unlessMoved = overwrite === true ? {} : { overwrite };
  const copy = { kind: "copy", source, replaces: undefined, ...place, ...unlessMoved } as const;
  if (present === undefined) return { ...copy, reason: "it is not there yet" };
  if (present === source.digest) {
    if (lacking !== undefined)
      return { ...copy, reason: `its tag is right, but it lacks ${listOf(lacking, namedLimit)}` };
    return destination.withoutAttachments.has(key)
      ? { ...copy, attachmentsOnly: true, reason: "signatures or other referrers are not there yet" }
      : {
          kind: "skip",
          digest: present,
          ...place,
          reason: "it is in place",
          ...(source.isChart && { isChart: true }),
        };
  }
  if (snapshot.overwrite === true)
    return { ...copy, replaces: present, reason: `the tag holds another digest, ${present}` };
  const problem = `the tag holds another digest, and overwrite is ${snapshot.overwrite}`;
  return untouched(place, { kind: "obstacle", problem, subject: present });
}

function keepStep(
  destination: DestinationSnapshot,
  version: Version,
  ownership: Ownership,
  planned: readonly ImageStep[],
): KeepStep {
  const { keep, keepBy } = destination.retention;
  const digests = new Map(
    planned.flatMap((step) => {
      const digest = digestOfStep(step);
      return digest === undefined ? [] : [[imageKey(step.image, step.tag), digest] as const];
    }),
  );
  return {
    kind: "keep",
    destination: destination.name,
    version: version.tag,
    images: ownership.brought(version).map(({ to, toTag }) => {
      const digest = digests.get(imageKey(to, toTag));
      return { image: to, tag: toTag, ...(digest && { digest }) };
    }),
    reason: `among the newest ${keep} by ${keepBy}`,
  };
}

function failEverything(
  snapshot: Snapshot,
  destination: DestinationSnapshot,
  failure: Failure,
): readonly FailStep[] {
  return snapshot.wanted.flatMap(({ version, components }) => {
    const planned = plannedFor(destination, version);
    return components.map((component) => failing(planned(component), failure));
  });
}
