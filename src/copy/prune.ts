import type { Clock } from "../clock.ts";
import type { Destination, TagDeletion, TagToDelete } from "../destinations/destination.ts";
import { type Failure, failureOf } from "../errors.ts";
import { type RepositoryToProve, wholenessOf } from "../inventory/wholeness.ts";
import type { Digest } from "../oci/digest.ts";
import { attachmentTags, repositoryOf } from "../oci/reference.ts";
import { isUntagged, type KeepStep, type PruneStep } from "../plan/plan.ts";
import { countOf, listOf } from "../wording.ts";
import type { Aftermath, CopyOutcome, KeepOutcome, PruneOutcome } from "./outcome.ts";
import { type RepositoryToPrune, verdictsOn, verdictsOnUntagged } from "./prune-proof.ts";
import { withoutAttached, withoutUnreplaced } from "./untagged.ts";

/** What pruning needs of a destination. */
export interface DestinationToPrune
  extends Pick<Destination, "registry" | "path" | "deletion" | "deleteTags" | "deleteUntagged"> {
  readonly repository: (name: string) => RepositoryToPrune & RepositoryToProve;
}

/** What a run has done at a destination before it prunes. */
export interface DoneBefore {
  /** How many images failed there; with one, nothing is deleted (P5). */
  readonly failures: number;
  /** What was copied there: only what this run has left untagged goes. */
  readonly copies: readonly CopyOutcome[];
}

/** Most tags that are deleted on one look: few enough for all to be sent within a minute of it. */
const tagsPerLook = 20;

/**
 * A third of a minute, in milliseconds: so old may the look at what is kept be, so long may the look at a portion take, and so
 * long its deletions. A look is then a minute old at the most, in which hardly anybody pushes or deletes.
 */
const third = 20_000;

/** How long a look allows deletions, in milliseconds. A registry that asks for a pause can make them wait longer than planned. */
const minute = 3 * third;

/**
 * Deletes the tags that a plan prunes at one destination, and what overwritten tags held, repository by repository. Before
 * that, it looks whether everything that is to be kept there still is there whole: others delete as well, and the plan can be
 * hours old. A look is good for a minute; then it is taken again.
 * @param kept what stays at this destination.
 */
export async function prune(
  steps: readonly PruneStep[],
  kept: readonly KeepStep[],
  destination: DestinationToPrune,
  { failures, copies }: DoneBefore,
  clock: Pick<Clock, "now" | "timeout">,
  signal: AbortSignal,
): Promise<Aftermath> {
  if (failures > 0) {
    const problem = `${countOf(failures, "image")} failed at this destination, so nothing is deleted there`;
    const failure: Failure = { kind: "held-back", problem };
    return { prunes: steps.map((step) => ({ step, status: "not-tried", failure })), keeps: [] };
  }
  const sorted = withoutUnreplaced(steps, copies);
  const outcomes: PruneOutcome[] = [...sorted.left];
  const left = [...groupsOf(sorted.going)];
  const leaveRest = ({ keeps = [], ...ending }: Ending): Aftermath => ({
    prunes: [...outcomes, ...left.flat().map((step) => ({ step, ...ending }))],
    keeps,
  });
  let most = tagsPerLook;
  let lookedAt = Number.NEGATIVE_INFINITY;
  for (let slowLooks = 0; left.length > 0; ) {
    // Who cancels still gets to know what has been deleted by then.
    if (signal.aborted) return leaveRest({ status: "not-tried", failure: failureOf(signal.reason) });
    if (slowLooks > slowLooksLimit) return leaveRest({ status: "left", failure: tooSlow });
    if (clock.now() - lookedAt > third) {
      lookedAt = clock.now();
      const verdict = await lookAtKept(kept, destination, signal);
      if (verdict !== undefined) return leaveRest(verdict);
      if (clock.now() - lookedAt > third) {
        slowLooks += 1;
        continue;
      }
    }
    const groups = left.splice(0, groupsIn(left, most));
    const until = lookedAt + minute;
    const pruned = await prunePortion(groups.flat(), outcomes, destination, until, clock, signal);
    if (pruned === "slow") {
      slowLooks += 1;
      left.unshift(...groups);
      most = Math.ceil(Math.min(most, groups.flat().length) / 2);
      continue;
    }
    slowLooks = 0;
    outcomes.push(...pruned.outcomes);
    left.unshift(...groupsOf(pruned.later));
    most = Math.min(tagsPerLook, Math.max(1, Math.floor(third / Math.max(1, pruned.millisecondsPerTag))));
    if (pruned.notOffered !== undefined) return leaveRest({ status: "left", failure: pruned.notOffered });
    const staying = pruned.outcomes.flatMap(({ step, status }) => (status === "pruned" ? [] : [step]));
    const rest = withoutAttached(left.flat(), staying);
    outcomes.push(...rest.left);
    left.splice(0, left.length, ...groupsOf(rest.going));
  }
  return { prunes: outcomes, keeps: [] };
}

/** What goes together: the tags of one digest. A manifest without a tag is looked at by itself, when those are gone. */
function groupsOf(steps: readonly PruneStep[]): readonly (readonly PruneStep[])[] {
  const keyOf = ({ image, digest, tag, untagged }: PruneStep): string =>
    untagged === undefined ? `${image} ${digest ?? tag}` : `${image} untagged ${untagged}`;
  return [...Map.groupBy(steps, keyOf).values()];
}

/** How it ends for all that is left, and the kept versions that are not whole, where that is the reason. */
interface Ending extends Pick<PruneOutcome, "status" | "failure"> {
  readonly keeps?: readonly KeepOutcome[];
}

/** Portions in succession that take too long before the rest is left: they are of one digest by then. */
const slowLooksLimit = 6;

const tooSlow: Failure = {
  kind: "obstacle",
  problem: `what a deletion needs to be proven takes longer than ${third / 1000} seconds here, or the deletion itself does, so the proof may be wrong by then`,
  advice: "Run again when the registry is less busy, or delete it there.",
};

/**
 * How many groups from the first on make one portion: of one repository, of tags or of manifests without one, and with `most` of
 * them if there is more than one. What is attached to a manifest comes after it, in a portion of its own: a subject that is
 * not deleted after all keeps its signatures.
 */
function groupsIn(groups: readonly (readonly PruneStep[])[], most: number): number {
  const [first] = groups[0] ?? [];
  let tags = 0;
  const attached = new Set<string>();
  const beyond = groups.findIndex((group, index) => {
    tags += group.length;
    const [one] = group;
    if (one?.image !== first?.image || (one?.untagged === undefined) !== (first?.untagged === undefined))
      return true;
    if (index > 0 && tags > most) return true;
    if (group.some(({ tag }) => attached.has(tag))) return true;
    for (const { digest } of group)
      if (digest !== undefined) for (const tag of attachmentTags(digest)) attached.add(tag);
    return false;
  });
  return beyond < 0 ? groups.length : beyond;
}

/** Most things that a message names: more than any Harbor release has images. */
const namedLimit = 30;

/** Why nothing may be deleted: a kept version lacks a tag, a manifest or a blob, or it is not known whether it does. */
async function lookAtKept(
  kept: readonly KeepStep[],
  destination: DestinationToPrune,
  signal: AbortSignal,
): Promise<Ending | undefined> {
  try {
    const images = kept.flatMap((step) => step.images.map((image) => ({ step, image })));
    const looks = [...Map.groupBy(images, ({ image }) => image.image)].flatMap(([name, ofImage]) => {
      const missingOf = wholenessOf(destination.repository(repositoryOf(destination, name)), signal);
      return ofImage.map(async ({ step, image }) => {
        const missing = await missingOf(image.tag, image.digest);
        return missing.length === 0 ? [] : [{ step, image, missing }];
      });
    });
    const gone = (await Promise.all(looks)).flat();
    if (gone.length === 0) return undefined;
    const names = listOf(
      gone.flatMap(({ image: { image, tag }, missing }) =>
        missing.map((each) => (each === tag ? `${image}:${tag}` : `${each} of ${image}:${tag}`)),
      ),
      namedLimit,
    );
    const ofStep = Map.groupBy(gone, ({ step }) => step);
    const versions = [...ofStep.keys()].map(({ version }) => version).join(", ");
    const problem = `what is to be kept here is gone, so nothing is deleted: ${names}`;
    const advice = `Run with version: ${versions} to bring it back.`;
    const failure: Failure = { kind: "obstacle", problem, advice };
    const keeps = [...ofStep].map(([step, some]) => ({
      step,
      missing: some.map(({ image }) => image),
      failure,
    }));
    return { status: "failed", failure, keeps };
  } catch (error) {
    if (signal.aborted) return { status: "not-tried", failure: failureOf(error) };
    const consequence = "it is not known whether what is to be kept is there, so nothing is deleted";
    return { status: "left", failure: failureOf(error, consequence) };
  }
}

const unanswered: Failure = { kind: "obstacle", problem: "the destination gave no answer for this tag" };

interface PrunedPortion {
  readonly outcomes: readonly PruneOutcome[];
  /** Those that had to wait until others of this portion are gone. */
  readonly later: readonly PruneStep[];
  /** How long a deletion took. */
  readonly millisecondsPerTag: number;
  /** Why no tag can be deleted at this destination, where that turned out. */
  readonly notOffered?: Failure | undefined;
}

/**
/**
 * Tags of one repository, those of one digest together, because they go together; or manifests without a tag, by their digests.
 * @param before what became of others: a manifest that was to go and stays has no tag that would show what it needs.
 * @param until when the look at what is kept is too old for a deletion, in milliseconds since the epoch.
 * @returns "slow": it is not known which of them were deleted. All are looked at anew, and what is gone by then counts as deleted.
 */
async function prunePortion(
  steps: readonly PruneStep[],
  before: readonly PruneOutcome[],
  destination: DestinationToPrune,
  until: number,
  clock: Pick<Clock, "now" | "timeout">,
  signal: AbortSignal,
): Promise<PrunedPortion | "slow"> {
  const name = repositoryOf(destination, steps[0]?.image ?? "");
  const tags = steps.map((step) => ({ tag: nameOf(step), digest: step.digest }));
  const repository = destination.repository(name);
  const areUntagged = steps.some(isUntagged);
  const startedAt = clock.now();
  const late = clock.timeout(Math.max(0, until - startedAt));
  try {
    const verdicts = areUntagged
      ? await verdictsOnUntagged(tags, stayingUntagged(before, steps[0]?.image), repository, signal)
      : await verdictsOn(tags, repository, destination.deletion, signal);
    const provenAt = clock.now();
    if (provenAt - startedAt > third) return "slow";
    const going = tags.filter(({ tag }) => !verdicts.has(tag));
    const remove = areUntagged ? destination.deleteUntagged : destination.deleteTags;
    const deleted = await deleteTags(going, name, remove, AbortSignal.any([signal, late]));
    const millisecondsPerTag = (clock.now() - provenAt) / Math.max(1, going.length);
    const isLater = (step: PruneStep): boolean => verdicts.get(nameOf(step))?.kind === "later";
    const settled = steps.filter((step) => !isLater(step));
    const outcomes = settled.map((step): PruneOutcome => {
      const verdict = verdicts.get(nameOf(step));
      if (verdict?.kind === "stays") return { step, status: "left", failure: verdict.failure };
      if (verdict?.kind === "gone") return { step, status: "pruned", failure: undefined };
      const deletion = deleted.get(nameOf(step));
      const failure = deletion === undefined ? unanswered : deletion.failure;
      if (failure === undefined) return { step, status: "pruned", failure };
      return { step, status: deletion?.refused === undefined ? "failed" : "left", failure };
    });
    // That a registry deletes nothing by digest says nothing of its tags.
    const notOffered = areUntagged
      ? undefined
      : [...deleted.values()].find(({ refused }) => refused === "destination")?.failure;
    return { outcomes, later: steps.filter(isLater), millisecondsPerTag, notOffered };
  } catch (error) {
    if (late.aborted && !signal.aborted) return "slow";
    const failure = failureOf(error);
    const outcomes = steps.map((step): PruneOutcome => ({ step, status: "failed", failure }));
    return { outcomes, later: [], millisecondsPerTag: 0 };
  }
}

/** The manifests without a tag that were to go from a repository and stay. */
function stayingUntagged(outcomes: readonly PruneOutcome[], image: string | undefined): readonly Digest[] {
  return outcomes.flatMap(({ step, status }) =>
    status === "pruned" || step.untagged === undefined || step.image !== image ? [] : [step.untagged],
  );
}

/** What a deletion is asked for by: a tag, or the digest of what has none. */
function nameOf({ tag, untagged }: PruneStep): string {
  return untagged ?? tag;
}

/** What became of each tag. A text: why none can be deleted. */
async function deleteTags(
  tags: readonly TagToDelete[],
  repository: string,
  remove: Destination["deleteUntagged"],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TagDeletion>> {
  if (tags.length === 0) return new Map();
  const deletions =
    typeof remove === "string"
      ? tags.map(({ tag }) => ({ tag, failure: { kind: "obstacle", problem: remove } }) as const)
      : await remove(repository, tags, signal);
  return new Map(deletions.map((deletion) => [deletion.tag, deletion]));
}
