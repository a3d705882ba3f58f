import { type Failure, failureOf } from "../errors.ts";
import { referrersTag } from "../inventory/attachments.ts";
import type { Log } from "../log/log.ts";
import type { Digest } from "../oci/digest.ts";
import { buildIndex, type Descriptor, type Manifest } from "../oci/manifest.ts";
import type { Repository } from "../oci/repository.ts";
import { unlessWithheld } from "../oci/withheld.ts";
import type { ImageContent } from "./image-copy.ts";

/** An image that is complete at a destination, with everything below it, and only lacks its tag. */
export interface ReadyImage {
  readonly repository: Repository;
  readonly tag: string;
  /** What the tag led to when the plan was made; undefined: nothing, or the image's own digest. */
  readonly replaces: Digest | undefined;
  readonly content: ImageContent;
  /** Manifests with a subject that the registry does not track itself. */
  readonly untracked: readonly Manifest[];
}

/** Why a version must not be published. `withdrawn`: it failed. `unwanted`: by the user's own choice, so nothing failed. */
export interface Refusal {
  readonly kind: "withdrawn" | "unwanted";
  readonly reason: string;
}

/**
 * Asks, right before the first tag of a version moves, why the version must not be published; undefined: it may.
 * @throws OperationError when nobody knows; then no tag moves either.
 */
export type PublicationCheck = (version: string) => Promise<Refusal | undefined>;

/**
 * Asks whether a version may be published.
 * @param consequence what is not done where it may not, or where nobody knows.
 * @returns undefined: it may.
 */
export async function askToPublish(
  version: string,
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
export interface Tagging {
  readonly whyNotPublish: PublicationCheck;
  /** Whether a tag is replaced, with a warning, that somebody else has set since the plan was made. */
  readonly overwrite: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Why a tag could not be set, by image; nothing for one that is set. */
export type TagFailures = ReadonlyMap<ReadyImage, Failure>;

/**
 * Sets the tags of the images' attachments. They come first, so that nobody sees an image without its signature. If the
 * signature of one image cannot be published, the whole version is not published (P3).
 */
export function tagAttachments(images: readonly ReadyImage[], { signal }: Tagging): Promise<TagFailures> {
  return forEach(images, (image) => tagAttachmentsOf(image, signal));
}

/**
 * Looks at the images' tags right before they are set: others push as well, and the plan can be hours old.
 * @returns the images whose tag was moved since the plan was made, where overwrite is false.
 */
export function lookAtTags(images: readonly ReadyImage[], tagging: Tagging): Promise<TagFailures> {
  const { overwrite, log, signal } = tagging;
  return forEach(images, async ({ repository, tag, content, replaces }) => {
    const found = await unlessWithheld(repository.resolve(tag, signal));
    if (found === "withheld") {
      // A plan that may replace nothing was made when this tag was not there.
      if (!overwrite) throw tagFailure(repository, tag, "another has set the tag, and overwrite is false");
      return;
    }
    const present = found?.digest;
    if (present === undefined || present === replaces || present === content.root.manifest.digest) return;
    const moved = `the tag was moved to ${present} after the plan was made`;
    if (!overwrite) throw tagFailure(repository, tag, `${moved}, and overwrite is false`);
    log.warning(`${repository.reference}:${tag}: ${moved}; it is replaced`);
  });
}

/**
 * Sets the images' own tags, all at once, and reads each back: a registry's 201 is a promise, and only what it then shows
 * is called published (P6).
 */
export function tagImages(images: readonly ReadyImage[], { signal }: Tagging): Promise<TagFailures> {
  return forEach(images, ({ repository, tag, content }) =>
    setTag(repository, tag, content.root.manifest, signal),
  );
}

/**
 * Sets a tag and reads it back. One that is not there afterwards is set once more.
 * @throws OperationError when the tag does not lead to the manifest.
 */
async function setTag(
  repository: Repository,
  tag: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  for (const again of [true, false]) {
    await repository.putManifest(tag, manifest, signal);
    const found = await unlessWithheld(repository.resolve(tag, signal));
    // The tag is there, and its digest is the one that the answer to the PUT has confirmed.
    if (found === "withheld") return;
    const present = found?.digest;
    if (present === manifest.digest) return;
    if (present !== undefined)
      throw tagFailure(repository, tag, `the tag was set, and now leads to ${present}: another has moved it`);
    if (!again)
      throw tagFailure(repository, tag, "the registry said that it had set the tag, and does not have it");
  }
}

function tagFailure(repository: Repository, tag: string, problem: string): Error {
  const request = {
    scopes: [{ repository: repository.name, actions: ["pull"] }] as const,
    operation: "setting the tag",
    subject: tag,
  };
  return repository.registry.failure(request, { problem });
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

async function tagAttachmentsOf(
  { repository, content, untracked }: ReadyImage,
  signal: AbortSignal,
): Promise<void> {
  for (const { tag, root } of content.attachments) {
    if (tag !== undefined) await setTag(repository, tag, root.manifest, signal);
  }
  const fallbackTags = new Set(content.attachments.map(({ tag }) => tag));
  const bySubject = Map.groupBy(untracked, (manifest) => manifest.subject);
  for (const [subject, manifests] of bySubject) {
    if (subject === undefined || fallbackTags.has(referrersTag(subject))) continue;
    await addToFallbackIndex(repository, subject, manifests, signal);
  }
}

/**
 * Lists manifests under the tag that stands in for the referrers API.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests-with-subject
 */
async function addToFallbackIndex(
  repository: Repository,
  subject: Digest,
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<void> {
  const tag = referrersTag(subject);
  const present =
    (await repository.resolve(tag, signal)) === undefined
      ? []
      : (await repository.manifest(tag, signal)).children;
  const known = new Set(present.map(({ digest }) => digest));
  const missing = manifests.filter(({ digest }) => !known.has(digest)).map(descriptorOf);
  if (missing.length === 0) return;
  const index = buildIndex([...present, ...missing]);
  await setTag(repository, tag, index, signal);
}

function descriptorOf(manifest: Manifest): Descriptor {
  const { mediaType, digest, bytes, artifactType, annotations } = manifest;
  return { mediaType, digest, size: bytes.length, artifactType, annotations };
}
