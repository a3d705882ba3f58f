import { messageOf } from "../errors.ts";
import { referrersTag } from "../inventory/attachments.ts";
import type { Digest } from "../oci/digest.ts";
import { buildIndex, type Descriptor, type Manifest } from "../oci/manifest.ts";
import type { Repository } from "../oci/repository.ts";
import type { ImageContent } from "./image-copy.ts";

/** An image that is complete at a destination, with everything below it, and only lacks its tag. */
export interface ReadyImage {
  readonly repository: Repository;
  readonly tag: string;
  readonly content: ImageContent;
  /** Manifests with a subject that the registry does not keep track of. */
  readonly untracked: readonly Manifest[];
}

/** Why a tag could not be set, by image; nothing for one that is set. */
export type TagFailures = ReadonlyMap<ReadyImage, string>;

/**
 * Sets the tags of what belongs to the images: first, so that nobody sees an image without its signature. An image whose
 * signature cannot be published keeps the whole version from being published (P3).
 */
export function tagAttachments(images: readonly ReadyImage[], signal: AbortSignal): Promise<TagFailures> {
  return forEach(images, (image) => tagAttachmentsOf(image, signal));
}

/** Sets the images' own tags, all at once. */
export function tagImages(images: readonly ReadyImage[], signal: AbortSignal): Promise<TagFailures> {
  return forEach(images, async ({ repository, tag, content }) => {
    await repository.putManifest(tag, content.root.manifest, signal);
  });
}

async function forEach(
  images: readonly ReadyImage[],
  work: (image: ReadyImage) => Promise<void>,
): Promise<TagFailures> {
  const failures = new Map<ReadyImage, string>();
  await Promise.all(
    images.map((image) => work(image).catch((error: unknown) => failures.set(image, messageOf(error)))),
  );
  return failures;
}

async function tagAttachmentsOf(
  { repository, content, untracked }: ReadyImage,
  signal: AbortSignal,
): Promise<void> {
  for (const { tag, root } of content.attachments) {
    if (tag !== undefined) await repository.putManifest(tag, root.manifest, signal);
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
  await repository.putManifest(tag, index, signal);
}

function descriptorOf(manifest: Manifest): Descriptor {
  const { mediaType, digest, bytes, artifactType, annotations } = manifest;
  return { mediaType, digest, size: bytes.length, artifactType, annotations };
}
