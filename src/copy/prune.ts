import type { Destination } from "../destinations/destination.ts";
import { messageOf } from "../errors.ts";
import { repositoryOf } from "../oci/reference.ts";
import type { PruneStep } from "../plan/plan.ts";
import type { PruneOutcome } from "./outcome.ts";

/**
 * Deletes the tags that a plan gives up at one destination, repository by repository.
 * @param failures how many images of this run failed there; with one, nothing is deleted (P5).
 */
export async function prune(
  steps: readonly PruneStep[],
  destination: Destination,
  failures: number,
  signal: AbortSignal,
): Promise<readonly PruneOutcome[]> {
  if (failures > 0) {
    const reason = `${failures} image${failures === 1 ? "" : "s"} failed at this destination, so nothing is deleted there`;
    return steps.map((step) => ({ step, status: "not-tried", reason }));
  }
  const outcomes: PruneOutcome[] = [];
  for (const [image, ofImage] of Map.groupBy(steps, (step) => step.image)) {
    outcomes.push(...(await pruneRepository(image, ofImage, destination, signal)));
  }
  return outcomes;
}

async function pruneRepository(
  image: string,
  steps: readonly PruneStep[],
  destination: Destination,
  signal: AbortSignal,
): Promise<readonly PruneOutcome[]> {
  const tags = steps.map(({ tag, digest }) => ({ tag, digest }));
  try {
    const deletions = await destination.deleteTags(repositoryOf(destination, image), tags, signal);
    const failures = new Map(deletions.map(({ tag, failure }) => [tag, failure]));
    return steps.map((step) => {
      const reason = failures.has(step.tag)
        ? failures.get(step.tag)
        : "the destination gave no answer for this tag";
      return { step, status: reason === undefined ? "pruned" : "failed", reason };
    });
  } catch (error) {
    return steps.map((step) => ({ step, status: "failed", reason: messageOf(error) }));
  }
}
