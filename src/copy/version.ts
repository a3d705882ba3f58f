import type { Failure } from "../errors.ts";
import { type CopyStep, heldBackBy } from "../plan/plan.ts";
import type { CopyOutcome, MovedBytes, MovingTime } from "./outcome.ts";
import {
  askToPublish,
  lookAtTags,
  type ReadyImage,
  type Tagging,
  type TagLook,
  tagAttachments,
  tagImages,
} from "./publish.ts";

/** What became of one image at one destination, before its tag is set. */
export type ImageResult = {
  readonly step: CopyStep;
  readonly bytes: MovedBytes;
  /** In milliseconds since the epoch; undefined where nothing was tried. */
  readonly moved: MovingTime | undefined;
} & ({ readonly ready: ReadyImage } | { readonly failure: Failure });

/** What became of one image, before it is told how long that took. Its moments are in milliseconds since the epoch. */
export type VersionOutcome = Omit<CopyOutcome, "milliseconds">;

/**
 * Sets the tags of a version's images at one destination. None is set while an image is incomplete (P3). After that, a tag
 * that the registry refuses or loses fails by itself: the others stay set.
 */
export async function publishVersion(
  results: readonly ImageResult[],
  context: Omit<Tagging, "overwrite">,
): Promise<readonly VersionOutcome[]> {
  const failed = results.find((result) => "failure" in result);
  if (failed !== undefined) {
    const reason = heldBack(failed.step);
    return results.map((result) => untouched(result, "failure" in result ? result.failure : reason));
  }
  const [first] = results;
  if (first === undefined) return [];
  const consequence = "no tag of this version is moved";
  const tagging: Tagging = { ...context, overwrite: first.step.overwrite ?? true };
  const refusal = await askToPublish(first.step, tagging.whyNotPublish, consequence);
  if (refusal !== undefined) {
    const { failure } = refusal;
    return results.map((result) =>
      refusal.kind === "unwanted"
        ? { ...outcomeOf(result, undefined), withheld: failure }
        : untouched(result, failure),
    );
  }
  const ready = results.flatMap((result) => ("ready" in result ? [result] : []));
  const images = ready.map((result) => result.ready);
  const attached = await tagAttachments(images, tagging);
  const { failures, leftAlone, held }: TagLook =
    attached.failures.size > 0
      ? { failures: attached.failures, leftAlone: new Map(), held: new Map() }
      : await lookAtTags(images, tagging);
  const unready = ready.find((result) => failures.has(result.ready));
  if (unready !== undefined) {
    const reason = heldBack(unready.step);
    return ready.map((result) => untouched(result, failures.get(result.ready) ?? reason));
  }
  const foreign = ready.find((result) => leftAlone.has(result.ready));
  if (foreign !== undefined) {
    const reason = heldBackBy(foreign.step, "is left alone");
    return ready.map((result) => ({
      ...outcomeOf(result, undefined),
      withheld: leftAlone.get(result.ready) ?? reason,
    }));
  }
  const unset = await tagImages(images, tagging);
  return ready.map((result) => {
    const outcome = outcomeOf(result, unset.get(result.ready));
    const refused = [...result.ready.refused, ...(attached.refused.get(result.ready) ?? [])];
    return { ...outcome, refused, replaced: held.get(result.ready) };
  });
}

/** The outcome of an image whose tag another job sets: it is there, or it is not. */
export function untagged(result: ImageResult): VersionOutcome {
  return "failure" in result
    ? outcomeOf(result, result.failure)
    : { ...outcomeOf(result, undefined), refused: result.ready.refused };
}

function outcomeOf({ step, bytes, moved }: ImageResult, failure: Failure | undefined): VersionOutcome {
  return { step, bytes, failure, moved };
}

/** A failure before the first tag of the version. */
function untouched(result: ImageResult, failure: Failure): VersionOutcome {
  return { ...outcomeOf(result, failure), untouched: true };
}

function heldBack({ image, tag }: CopyStep): Failure {
  const problem = `held back, its tag is not moved: ${image}:${tag} of this version is not complete there`;
  return { kind: "held-back", problem };
}
