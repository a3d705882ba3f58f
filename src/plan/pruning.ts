import type { Digest } from "../oci/digest.ts";
import { attachmentTags } from "../oci/reference.ts";
import type { Component } from "./component.ts";
import { isHeld, presentImages } from "./holding.ts";
import type { Ownership } from "./ownership.ts";
import { newest } from "./retention.ts";
import { attachmentDepth, type DestinationSnapshot, imageKey } from "./snapshot.ts";
import {
  type CopyStep,
  type ImageStep,
  isLeftAlone,
  isUncompared,
  isUntagged,
  type LeaveStep,
  type PruneStep,
  placeOf,
  versionKey,
} from "./step.ts";
import type { AnyVersion, Version } from "./version.ts";

/** The versions that stay at a destination, whatever else is there. */
interface Staying {
  readonly kept: readonly Version[];
  /** Those that have no place in the order of versions: no deletion may take a tag of theirs. */
  readonly others: readonly AnyVersion[];
}

/**
 * What happens to the tags of versions that a destination does not keep. Only tags that belong to a published version
 * come up at all; everything else in the repositories is not looked at (P5).
 * @param planned what happens to the wanted images here; with a failure among them nothing is deleted.
 */
export function planPruning(
  universe: readonly Version[],
  destination: DestinationSnapshot,
  ownership: Ownership,
  { kept, others }: Staying,
  planned: readonly ImageStep[],
): readonly (PruneStep | LeaveStep)[] {
  if (destination.retention.keep === "all") return [];
  const candidates = universe
    .filter((version) => !kept.includes(version))
    .map((version) => ({ version, present: presentImages(destination, ownership, version) }))
    .filter(({ present }) => present.length > 0)
    .map(({ version, present }) => ({
      version,
      present,
      leave:
        reasonToLeave(destination, ownership, kept, version, planned) ?? ruleToLeave(destination, present),
    }));
  const remaining = [
    ...kept,
    ...others,
    ...candidates.flatMap(({ version, leave }) => (leave === undefined ? [] : [version])),
  ];
  const going = candidates.flatMap(({ present, leave }) =>
    present.filter(
      (component) => leave === undefined && listedReason(component, ownership, remaining) === undefined,
    ),
  );
  const overwritten = overwrittenBy(destination, planned);
  const staying = stayingDigests(destination, [...going.map(keyOf), ...overwritten.map(keyOfStep)], planned);
  const steps: readonly (PruneStep | LeaveStep)[] = candidates.flatMap(({ version, present, leave }) =>
    present.map((component) => {
      const reason = leave ?? listedReason(component, ownership, remaining);
      const image = {
        destination: destination.name,
        version: version.tag,
        image: component.to,
        tag: component.toTag,
      };
      if (reason !== undefined) return { kind: "leave", ...image, reason };
      const shared = sharedReason(destination, component, staying);
      if (shared !== undefined) return { kind: "leave", ...image, reason: shared, goesButShared: true };
      const digest = destination.heldDigests.get(imageKey(component.to, component.toTag));
      return { kind: "prune", ...image, digest, reason: `not among the newest ${keptNames(kept)}` };
    }),
  );
  const subjects = [...steps, ...planUntagged(destination, overwritten, staying, planned)];
  return [...subjects, ...planAttachments(destination, subjects, staying)];
}

/** The copies that leave something untagged where that is to go: the destination's own line says how many versions it keeps. */
function overwrittenBy(
  { retention }: DestinationSnapshot,
  planned: readonly ImageStep[],
): readonly Overwrite[] {
  if (retention.ownLine !== true) return [];
  return planned.filter((step): step is Overwrite => step.kind === "copy" && step.replaces !== undefined);
}

/** A copy whose tag held something else. */
type Overwrite = CopyStep & { readonly replaces: Digest };

/**
 * What happens to the manifests that overwritten tags held, each once. A tag that moves with every release mostly leaves what
 * a version's own tag has as well: that is no news.
 */
function planUntagged(
  destination: DestinationSnapshot,
  overwritten: readonly Overwrite[],
  staying: ReadonlyMap<string, string>,
  planned: readonly ImageStep[],
): readonly (PruneStep | LeaveStep)[] {
  const nothingGoes = whyNothingGoes(destination, planned) ?? destination.untaggedStays;
  const once = new Map(overwritten.map((step) => [digestKey(step.image, step.replaces), step]));
  return [...once].flatMap(
    ([key, { version, image, tag, replaces, floating }]): (PruneStep | LeaveStep)[] => {
      const other = staying.get(key);
      if (floating === true && other !== undefined) return [];
      const place = { destination: destination.name, version, image, tag, untagged: replaces };
      const rule = destination.protectedTags.get(imageKey(image, tag));
      const why = other === undefined ? (nothingGoes ?? rule) : `${other}, which stays, has it too`;
      return why === undefined
        ? [
            {
              kind: "prune",
              ...place,
              digest: replaces,
              reason: "its tag is overwritten, and it has no other",
            },
          ]
        : [{ kind: "leave", ...place, reason: `${overwrittenBut}${why}` }];
    },
  );
}

/**
 * The tags of what is attached to manifests whose tags all go: signatures, attestations, SBOMs, and theirs. They come after
 * the tags of their subjects, so that nothing that is there lacks its signature.
 */
function planAttachments(
  destination: DestinationSnapshot,
  subjects: readonly (PruneStep | LeaveStep)[],
  staying: ReadonlyMap<string, string>,
): readonly PruneStep[] {
  const steps = new Map<string, PruneStep>();
  let level = subjects.filter((step) => step.kind === "prune");
  for (let depth = 0; depth < attachmentDepth && level.length > 0; depth += 1) {
    const next: PruneStep[] = [];
    for (const { image, version, digest } of level) {
      const other = digest && staying.get(digestKey(image, digest));
      if (digest === undefined || (other !== undefined && !steps.has(other))) continue;
      const there = new Set(destination.tags.get(image));
      for (const tag of attachmentTags(digest)) {
        const key = imageKey(image, tag);
        if (!there.has(tag) || steps.has(key)) continue;
        const held = destination.heldDigests.get(key);
        const place = { destination: destination.name, version, image, tag };
        const step = {
          kind: "prune",
          ...place,
          digest: held,
          reason: "what it is attached to goes",
        } as const;
        steps.set(key, step);
        next.push(step);
      }
    }
    level = next;
  }
  return [...steps.values()];
}

/**
 * Leaves everything where more versions would go than the limit allows (P5). Pruning after each release deletes one or two
 * versions, after missed runs a few more: in its busiest quarter since 2020, Harbor tagged nine releases. More at once is the
 * first pruning of an old namespace, or a slip: `keep=3` meant for a mirror on the line of the archive, `keep-by` changed,
 * another repository's releases. The one is a number to set once; the other cannot be taken back. All is left rather than
 * some, because a few versions a run would delete the same history, only later.
 */
export function withinLimit(
  steps: readonly (PruneStep | LeaveStep)[],
  limit: number | "all",
): readonly (PruneStep | LeaveStep)[] {
  const going = new Set(steps.filter(goes).map(versionKey)).size;
  if (limit === "all" || going <= limit) return steps;
  const what = steps.some(({ untagged }) => untagged !== undefined) ? "deleted or overwritten" : "deleted";
  const reason =
    `${going} versions would be ${what} here in one run, and prune-limit is ${limit}, so nothing is deleted: if all of them ` +
    `are to go, set prune-limit to ${going} for one run; if not, raise keep`;
  return steps.map((step) => {
    return goes(step) ? leaving(step, reason) : step;
  });
}

/** Whether the version of a tag goes. */
function goes(step: PruneStep | LeaveStep): boolean {
  return step.kind === "prune" || step.goesButShared === true;
}

/** Leaves everything of all routes at a destination where an image of one cannot be copied. */
export function leavingBesideFailures(
  steps: readonly (PruneStep | LeaveStep)[],
  planned: readonly ImageStep[],
): readonly (PruneStep | LeaveStep)[] {
  if (!planned.some(({ kind }) => kind === "fail")) return steps;
  return steps.map((step) =>
    goes(step) ? leaving(step, `${isUntagged(step) ? overwrittenBut : notKeptBut}${besideFailure}`) : step,
  );
}

const notKeptBut = "not kept, but ";
const overwrittenBut = "its tag is overwritten, but ";
const besideFailure = "a wanted image cannot be copied here, so nothing is deleted";

/** The steps of versions of which an image must stay: all of each version stays. */
export function leavingVersions(
  steps: readonly (PruneStep | LeaveStep)[],
  whyItStays: (step: PruneStep | LeaveStep) => string | undefined,
): readonly (PruneStep | LeaveStep)[] {
  const reasons = new Map<string, string>();
  for (const step of steps) {
    const reason = goes(step) ? whyItStays(step) : undefined;
    if (reason !== undefined) reasons.set(versionKey(step), reason);
  }
  return steps.map((step) => {
    const reason = reasons.get(versionKey(step));
    return goes(step) && reason !== undefined
      ? leaving(step, `${isUntagged(step) ? overwrittenBut : notKeptBut}${reason}`)
      : step;
  });
}

/** The step of what was to go and stays. */
function leaving(step: PruneStep | LeaveStep, reason: string): LeaveStep {
  const about = isUntagged(step) ? { untagged: step.untagged } : {};
  return { kind: "leave", ...placeOf(step), ...about, reason };
}

function keptNames(kept: readonly Version[]): string {
  return `${kept.length}: ${kept.map(({ tag }) => tag).join(", ")}`;
}

function reasonToLeave(
  destination: DestinationSnapshot,
  ownership: Ownership,
  kept: readonly Version[],
  version: Version,
  planned: readonly ImageStep[],
): string | undefined {
  const nothingGoes = whyNothingGoes(destination, planned);
  if (nothingGoes !== undefined) return `${notKeptBut}${nothingGoes}`;
  if (planned.some((step) => step.version === version.tag && isLeftAlone(step))) {
    return "not kept, but left alone, because overwrite is skip and a tag of it holds another digest";
  }
  // Kept are whole versions only. One that lacks an image here but would be kept if it were whole is somebody's
  // half-finished work, not an old version.
  const wouldBeKept = newest([...kept, version], destination.retention).includes(version);
  return wouldBeKept && !isHeld(destination, ownership, version)
    ? "it is incomplete here but new enough to be kept; mirror it again to complete it"
    : undefined;
}

/** A version of which a rule protects one tag stays as it is: with the others gone it would be half there. */
function ruleToLeave(
  { protectedTags }: DestinationSnapshot,
  present: readonly Component[],
): string | undefined {
  const rule = present
    .map(({ to, toTag }) => protectedTags.get(imageKey(to, toTag)))
    .find((each) => each !== undefined);
  return rule && `not kept, but ${rule}, and a version goes whole or not at all`;
}

/** Why nothing at all is deleted at a destination. */
function whyNothingGoes(destination: DestinationSnapshot, planned: readonly ImageStep[]): string | undefined {
  if (destination.deletion === "unavailable") {
    return `this login cannot delete tags: ${destination.deletionUnavailable ?? "the registry offers no way"}`;
  }
  if (planned.some(({ kind }) => kind === "fail")) {
    return besideFailure;
  }
  // A source that does not answer, or is gone, is no time to delete what may be the last copy of something.
  if (planned.some(isUncompared)) {
    return "a wanted image could not be compared with any source, so nothing is deleted";
  }
  // What such a tag holds is not known. Before a deletion it could not be proven either, so the plan says it at once (P9).
  const [withheld] = [...destination.withheld].sort();
  return withheld === undefined
    ? undefined
    : `a policy of the registry lets nobody pull ${withheld} now, so nothing is deleted`;
}

/**
 * Each digest that is in use after the run, by image, with a tag that uses it. These are tags that are not touched, tags that
 * are left, and tags that this run sets.
 * @param losing tags that do not hold any more what they hold now.
 */
function stayingDigests(
  destination: DestinationSnapshot,
  losing: readonly string[],
  planned: readonly ImageStep[],
): ReadonlyMap<string, string> {
  const without = new Set(losing);
  const after = [
    ...[...destination.heldDigests].filter(([key]) => !without.has(key)),
    ...planned.flatMap((step) =>
      step.kind === "copy" ? [[keyOfStep(step), step.source.digest] as const] : [],
    ),
  ];
  // Of several tags, the first by name is reported, so that the plan does not depend on the order of the registry's answers.
  const byName = after.sort(([one], [other]) => (one < other ? 1 : -1));
  return new Map(byName.map(([key, digest]) => [digestKey(imageOf(key), digest), key]));
}

/**
 * Why a tag must stay although the version that it belongs to goes: a version that stays has the same floating tag. That can
 * be an older one, kept by `keep-by: published`, or an incomplete one.
 * @param remaining the versions that stay, kept or left.
 */
function listedReason(
  { to, toTag }: Component,
  ownership: Ownership,
  remaining: readonly AnyVersion[],
): string | undefined {
  const lister = remaining.find((version) => ownership.lists(version, to, toTag));
  return lister === undefined ? undefined : `${lister.tag}, which stays, has this tag too`;
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

function keyOf({ to, toTag }: Component): string {
  return imageKey(to, toTag);
}

function keyOfStep({ image, tag }: ImageStep): string {
  return imageKey(image, tag);
}

function digestKey(image: string, digest: string): string {
  return `${image}@${digest}`;
}

function imageOf(key: string): string {
  return key.slice(0, key.lastIndexOf(":"));
}
