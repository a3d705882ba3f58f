import {
  type Destination,
  isDeletionRefused,
  type TagDeletion,
  type TagToDelete,
} from "../destinations/destination.ts";
import { type Failure, failureOf } from "../errors.ts";
import { type RepositoryToProve, wholenessOf } from "../inventory/wholeness.ts";
import { repositoryOf } from "../oci/reference.ts";
import type { KeepStep, PruneStep } from "../plan/plan.ts";
import { countOf, listOf } from "../wording.ts";
import type { PruneOutcome } from "./outcome.ts";
import { type RepositoryToPrune, reasonsToStay } from "./prune-proof.ts";

/** What pruning needs of a destination. */
export interface DestinationToPrune
  extends Pick<Destination, "registry" | "path" | "deletion" | "deleteTags"> {
  readonly repository: (name: string) => RepositoryToPrune & RepositoryToProve;
}

/** Most tags that are deleted on one look: few enough for all to be sent within a minute of it. */
const tagsPerLook = 20;

/**
 * Deletes the tags that a plan prunes at one destination, repository by repository. Before that, it looks whether everything
 * that is to be kept there still is there whole: others delete as well, and the plan can be hours old.
 * @param kept what stays at this destination.
 * @param failures how many images of this run failed there; with one, nothing is deleted (P5).
 */
export async function prune(
  steps: readonly PruneStep[],
  kept: readonly KeepStep[],
  destination: DestinationToPrune,
  failures: number,
  signal: AbortSignal,
): Promise<readonly PruneOutcome[]> {
  if (failures > 0) {
    const problem = `${countOf(failures, "image")} failed at this destination, so nothing is deleted there`;
    return steps.map((step) => ({ step, status: "not-tried", failure: { kind: "held-back", problem } }));
  }
  if (steps.length === 0) return [];
  const verdict = await lookAtKept(kept, destination, signal);
  if (verdict !== undefined) return steps.map((step) => ({ step, ...verdict }));
  const outcomes: PruneOutcome[] = [];
  for (const [image, ofImage] of Map.groupBy(steps, (step) => step.image)) {
    for (const portion of portionsOf(ofImage)) {
      const pruned = await pruneRepository(image, portion, destination, signal);
      outcomes.push(...pruned.outcomes);
      if (pruned.notOffered === undefined) continue;
      const failure = pruned.notOffered;
      const untried = steps.filter((step) => outcomes.every((outcome) => outcome.step !== step));
      return [...outcomes, ...untried.map((step) => ({ step, status: "left" as const, failure }))];
    }
  }
  return outcomes;
}

/** Most things that a message names: more than any Harbor release has images. */
const namedLimit = 30;

/** Why nothing may be deleted: a kept version lacks a tag, a manifest or a blob, or it is not known whether it does. */
async function lookAtKept(
  kept: readonly KeepStep[],
  destination: DestinationToPrune,
  signal: AbortSignal,
): Promise<Pick<PruneOutcome, "status" | "failure"> | undefined> {
  try {
    const images = kept.flatMap((step) => step.images.map(({ image, tag }) => ({ ...step, image, tag })));
    const looks = [...Map.groupBy(images, ({ image }) => image)].flatMap(([image, ofImage]) => {
      const missingOf = wholenessOf(destination.repository(repositoryOf(destination, image)), signal);
      return ofImage.map(async ({ version, tag }) =>
        (await missingOf(tag)).map((missing) => ({
          version,
          reference: missing === tag ? `${image}:${tag}` : `${missing} of ${image}:${tag}`,
        })),
      );
    });
    const gone = (await Promise.all(looks)).flat();
    const [first] = gone;
    if (first === undefined) return undefined;
    const names = listOf(
      gone.map(({ reference }) => reference),
      namedLimit,
    );
    const versions = [...new Set(gone.map(({ version }) => version))].join(", ");
    const problem = `what is to be kept here is gone, so nothing is deleted: ${names}`;
    const advice = `Run with version: ${versions} to bring it back.`;
    return { status: "failed", failure: { kind: "obstacle", problem, advice } };
  } catch (error) {
    signal.throwIfAborted();
    const consequence = "it is not known whether what is to be kept is there, so nothing is deleted";
    return { status: "left", failure: failureOf(error, consequence) };
  }
}

/** Steps in portions for one look each; tags of one digest stay together, because they go together. */
function portionsOf(steps: readonly PruneStep[]): readonly (readonly PruneStep[])[] {
  const portions: PruneStep[][] = [];
  for (const group of Map.groupBy(steps, ({ digest, tag }) => digest ?? tag).values()) {
    const last = portions.at(-1);
    if (last !== undefined && last.length + group.length <= tagsPerLook) last.push(...group);
    else portions.push([...group]);
  }
  return portions;
}

const unanswered: Failure = { kind: "obstacle", problem: "the destination gave no answer for this tag" };

interface PrunedRepository {
  readonly outcomes: readonly PruneOutcome[];
  /** Why no tag can be deleted at this destination, where that turned out. */
  readonly notOffered?: Failure | undefined;
}

async function pruneRepository(
  image: string,
  steps: readonly PruneStep[],
  destination: DestinationToPrune,
  signal: AbortSignal,
): Promise<PrunedRepository> {
  const name = repositoryOf(destination, image);
  const tags = steps.map(({ tag, digest }) => ({ tag, digest }));
  try {
    const staying = await reasonsToStay(tags, destination.repository(name), destination.deletion, signal);
    const deleted = await deleteTags(
      tags.filter(({ tag }) => !staying.has(tag)),
      name,
      destination,
      signal,
    );
    const outcomes = steps.map((step): PruneOutcome => {
      const stays = staying.get(step.tag);
      if (stays !== undefined) return { step, status: "left", failure: stays };
      const deletion = deleted.get(step.tag);
      const failure = deletion === undefined ? unanswered : deletion.failure;
      if (failure === undefined) return { step, status: "pruned", failure };
      const isLeft = deletion?.notOffered === true || isDeletionRefused(failure);
      return { step, status: isLeft ? "left" : "failed", failure };
    });
    const notOffered = [...deleted.values()].find((deletion) => deletion.notOffered === true)?.failure;
    return { outcomes, notOffered };
  } catch (error) {
    return { outcomes: steps.map((step) => ({ step, status: "failed", failure: failureOf(error) })) };
  }
}

/** What became of each tag. */
async function deleteTags(
  tags: readonly TagToDelete[],
  repository: string,
  destination: Pick<Destination, "deleteTags">,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TagDeletion>> {
  if (tags.length === 0) return new Map();
  const deletions = await destination.deleteTags(repository, tags, signal);
  return new Map(deletions.map((deletion) => [deletion.tag, deletion]));
}
