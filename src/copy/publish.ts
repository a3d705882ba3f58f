import type { Clock } from "../clock.ts";
import { type Failure, failureOf, sentenceOf } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Repository } from "../oci/repository.ts";
import { unlessWithheld } from "../oci/withheld.ts";
import type { PlannedPlace } from "../plan/step.ts";
import { type AttachmentTagging, tagAttachmentsOf } from "./attachment-tags.ts";
import type { PutImage } from "./image-copy.ts";
import { setTag, tagFailure } from "./set-tag.ts";

/** An image that is complete at a destination, with everything below it, and only lacks its tag. */
export interface ReadyImage extends PutImage {
  readonly repository: Repository;
  readonly tag: string;
  /** What the tag led to when the plan was made; undefined: nothing, or the image's own digest. */
  readonly replaces: Digest | undefined;
}

/** Why a version must not be published. `withdrawn`: it failed. `unwanted`: by the user's own choice, so nothing failed. */
export interface Refusal {
  readonly kind: "withdrawn" | "unwanted";
  readonly reason: string;
}

/** A version, and the route that it is of. */
export type VersionOfRoute = Pick<PlannedPlace, "route" | "version">;

/**
 * Asks, right before the first tag of a version moves, why the version must not be published; undefined: it may.
 * @throws OperationError when nobody knows; then no tag moves either.
 */
export type PublicationCheck = (version: VersionOfRoute) => Promise<Refusal | undefined>;

/**
 * Asks whether a version may be published.
 * @param consequence what is not done where it may not, or where nobody knows.
 * @returns undefined: it may.
 */
export async function askToPublish(
  version: VersionOfRoute,
  whyNotPublish: PublicationCheck,
  consequence: string,
): Promise<{ readonly kind: Refusal["kind"]; readonly failure: Failure } | undefined> {
  try {
    const refusal = await whyNotPublish(version);
    if (refusal === undefined) return undefined;
    const problem = `${consequence}: ${refusal.reason}`;
    return { kind: refusal.kind, failure: { kind: "obstacle", problem } };
  } catch (error) {
    return { kind: "withdrawn", failure: failureOf(error, consequence) };
  }
}

/** How tags are set. */
export interface Tagging extends AttachmentTagging {
  readonly clock: Clock;
  readonly whyNotPublish: PublicationCheck;
}

/** Why a tag could not be set, by image; nothing for one that is set. */
export type TagFailures = ReadonlyMap<ReadyImage, Failure>;

/**
 * Sets the tags of the images' attachments. They come first, so that nobody sees an image without its signature. If the
 * signature of one image cannot be published, the whole version is not published (P3), unless the registry refuses it.
 * @returns beside the failures, the tags that the registry refuses.
 */
export async function tagAttachments(
  images: readonly ReadyImage[],
  tagging: Tagging,
): Promise<{ failures: TagFailures; refused: ReadonlyMap<ReadyImage, readonly Failure[]> }> {
  const refused = new Map<ReadyImage, readonly Failure[]>();
  const failures = await forEach(images, async (image) => {
    const { repository, content, untracked } = image;
    refused.set(image, await tagAttachmentsOf(repository, content, untracked, tagging));
  });
  return { failures, refused };
}

/**
 * What a look at tags has shown: those that others have moved and that are not to be replaced, why others cannot be set, and
 * what those hold that lead to something else than their image.
 */
export interface TagLook {
  readonly leftAlone: TagFailures;
  readonly failures: TagFailures;
  readonly held: ReadonlyMap<ReadyImage, Digest>;
}

/** Looks at the images' tags right before they are set: others push as well, and the plan can be hours old. */
export async function lookAtTags(images: readonly ReadyImage[], tagging: Tagging): Promise<TagLook> {
  const leftAlone = new Map<ReadyImage, Failure>();
  const held = new Map<ReadyImage, Digest>();
  const failures = await forEach(images, async (image) => {
    const other = await otherThan(image, tagging.signal);
    if (other === undefined) return;
    if (other !== "withheld") held.set(image, other);
    const failure = whyLeaveAlone(image, other, tagging);
    if (failure !== undefined) leftAlone.set(image, failure);
  });
  return { leftAlone, failures, held };
}

/** What the tag of an image holds that is something else; withheld: nobody may look. */
async function otherThan(
  { repository, tag, content }: ReadyImage,
  signal: AbortSignal,
): Promise<Digest | "withheld" | undefined> {
  const found = await unlessWithheld(repository.resolve(tag, signal));
  if (found === undefined || found === "withheld") return found;
  return found.digest === content.root.manifest.digest ? undefined : found.digest;
}

/**
 * Why an image is left alone, where another has moved its tag.
 * @param other what the tag holds, which is something else than the image.
 * @throws OperationError where that is a failure.
 */
function whyLeaveAlone(
  { repository, tag, replaces }: ReadyImage,
  other: Digest | "withheld",
  { overwrite, log }: Tagging,
): Failure | undefined {
  const leave = (problem: string, subject?: Digest): Failure => ({
    kind: "obstacle",
    problem: `${problem}, and overwrite is skip`,
    subject,
  });
  if (other === "withheld") {
    // A plan that may replace nothing was made when this tag was not there.
    if (overwrite === "skip") return leave("another has set the tag");
    if (overwrite === false)
      throw tagFailure(repository, tag, "another has set the tag, and overwrite is false");
    return undefined;
  }
  if (other === replaces) return undefined;
  if (overwrite === "skip") return leave("the tag was moved after the plan was made", other);
  const moved = `the tag was moved to ${other} after the plan was made`;
  if (!overwrite) throw tagFailure(repository, tag, `${moved}, and overwrite is false`);
  log.warning(`${repository.reference}:${tag}: ${moved}; it is replaced`);
  return undefined;
}

/**
 * Sets the images' own tags, all at once, and reads each back: a registry's 201 is a promise, and only what it then shows
 * is called published (P6).
 */
export async function tagImages(images: readonly ReadyImage[], tagging: Tagging): Promise<TagFailures> {
  const done = new AbortController();
  const signal = later(tagging.signal, tagging.clock, done.signal);
  try {
    return await forEach(images, (image) => tagImage(image, { ...tagging, signal }));
  } finally {
    done.abort();
  }
}

function tagImage(image: ReadyImage, tagging: Tagging): Promise<void> {
  const { repository, tag, content } = image;
  const lookAgain = async (): Promise<void> => {
    const other = await otherThan(image, tagging.signal);
    const failure = other && whyLeaveAlone(image, other, tagging);
    // Other tags of the version are set by now, so this is a failure, whatever was wanted.
    if (failure !== undefined) throw tagFailure(repository, tag, sentenceOf(failure));
  };
  return setTag(repository, tag, content.root.manifest, lookAgain, tagging.signal);
}

/** Time to set the rest of a version's tags in a run that is cancelled, in milliseconds: a runner ends the process after ten seconds. */
const lastTagsTime = 5_000;

/**
 * A signal that follows another after a while: a version of which the first tags are set is not left half there for a Ctrl+C.
 * @param done aborts when nobody listens any more.
 */
function later(signal: AbortSignal, clock: Clock, done: AbortSignal): AbortSignal {
  if (signal.aborted) return signal;
  const late = new AbortController();
  const end = (): void => late.abort(signal.reason);
  const wait = (): void => clock.timeout(lastTagsTime).addEventListener("abort", end, { signal: done });
  signal.addEventListener("abort", wait, { signal: done });
  return late.signal;
}

async function forEach(
  images: readonly ReadyImage[],
  work: (image: ReadyImage) => Promise<void>,
): Promise<TagFailures> {
  const failures = new Map<ReadyImage, Failure>();
  await Promise.all(
    images.map((image) => work(image).catch((error: unknown) => failures.set(image, failureOf(error)))),
  );
  return failures;
}
