import { messageOf } from "../errors.ts";
import type { CopyStep } from "../plan/plan.ts";
import type { CopyOutcome, MovedBytes, MovingTime } from "./outcome.ts";
import {
  lookAtTags,
  type ReadyImage,
  type Refusal,
  type Tagging,
  tagAttachments,
  tagImages,
} from "./publish.ts";

/** What became of one image at one destination, before its tag is set. */
export type ImageResult = {
  readonly step: CopyStep;
  readonly bytes: MovedBytes;
  /** On the clock of `performance.now`; undefined where nothing was tried. */
  readonly moved: MovingTime | undefined;
} & ({ readonly ready: ReadyImage } | { readonly failure: string });

/** An outcome with the moment at which it was known. All its moments are on the clock of `performance.now`. */
export type TimedOutcome = Omit<CopyOutcome, "milliseconds"> & { readonly at: number };

/**
 * Sets the tags of a version's images at one destination. None is set while an image is incomplete (P3). After that, a tag
 * that the registry refuses or loses fails by itself: the others stay set.
 */
export async function publishVersion(
  results: readonly ImageResult[],
  tagging: Tagging,
): Promise<readonly TimedOutcome[]> {
  const failed = results.find((result) => "failure" in result);
  if (failed !== undefined) {
    const reason = heldBack(failed.step);
    return results.map((result) => outcomeOf(result, "failure" in result ? result.failure : reason));
  }
  const refusal = await whyNot(results, tagging);
  if (refusal !== undefined) {
    const reason = `no tag of this version is moved: ${refusal.reason}`;
    return results.map((result) =>
      refusal.kind === "unwanted"
        ? { ...outcomeOf(result, undefined), withheld: reason }
        : outcomeOf(result, reason),
    );
  }
  const ready = results.flatMap((result) => ("ready" in result ? [result] : []));
  const images = ready.map((result) => result.ready);
  for (const prepare of [tagAttachments, lookAtTags]) {
    const failures = await prepare(images, tagging);
    const first = ready.find((result) => failures.has(result.ready));
    if (first === undefined) continue;
    const reason = heldBack(first.step);
    return ready.map((result) => outcomeOf(result, failures.get(result.ready) ?? reason));
  }
  const failures = await tagImages(images, tagging);
  return ready.map((result) => outcomeOf(result, failures.get(result.ready)));
}

/** Why a version that is complete must not be published after all. */
async function whyNot(
  results: readonly ImageResult[],
  { mayPublish }: Tagging,
): Promise<Refusal | undefined> {
  const [first] = results;
  if (first === undefined) return undefined;
  return mayPublish(first.step.version).catch((error: unknown) => ({
    kind: "withdrawn",
    reason: messageOf(error),
  }));
}

/** The outcome of an image whose tag another job sets: it is there, or it is not. */
export function untagged(result: ImageResult): TimedOutcome {
  return outcomeOf(result, "failure" in result ? result.failure : undefined);
}

function outcomeOf({ step, bytes, moved }: ImageResult, failure: string | undefined): TimedOutcome {
  return { step, bytes, failure, moved, at: performance.now() };
}

function heldBack({ image, tag }: CopyStep): string {
  return `held back, its tag is not moved: ${image}:${tag} of this version is not complete there`;
}
