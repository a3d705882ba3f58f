import { messageOf, OperationError } from "../errors.ts";
import type { Log } from "../log/log.ts";
import type { Digest } from "../oci/digest.ts";
import { type Descriptor, indexDepthLimit } from "../oci/manifest.ts";
import { isIndexType } from "../oci/media-types.ts";
import { isFallbackTag } from "../oci/reference.ts";
import type { Repository } from "../oci/repository.ts";
import { type Attachment, attachmentDepth, listedAtSource, type SourceImage } from "../plan/snapshot.ts";
import type { AttachmentFinder, SearchedRepository } from "./attachments.ts";

/** What a search at every level reads of a source's repository. */
export type RepositoryWithManifests = SearchedRepository & Pick<Repository, "name" | "manifest" | "registry">;

/** Most attachments of one image: 40 platforms with a signature, an attestation and an SBOM each, all signed, are 240. */
const attachmentLimit = 1000;

/**
 * Finds what is attached to the manifests below an image, and to attachments themselves: the signature of an SBOM. It asks
 * once for each manifest and each attachment, as the finder does, and reads the index of each fallback tag.
 * @param known the attachments of the image itself; they are in the answer as well.
 * @param below manifests below the image.
 * @throws OperationError
 */
export async function withAttachedBelow(
  known: readonly Attachment[],
  below: readonly Digest[],
  repository: RepositoryWithManifests,
  finder: AttachmentFinder,
  signal: AbortSignal,
): Promise<readonly Attachment[]> {
  const found = new Map<string, Attachment>();
  const asked = new Set<Digest>();

  async function subjectsIn(attachments: readonly Attachment[]): Promise<readonly Digest[]> {
    const digests = await Promise.all(
      attachments.map(async ({ digest, tag }) => {
        if (tag === undefined || !isFallbackTag(tag)) return [digest];
        const { children, blobs } = await repository.manifest(digest, signal);
        return finder.copyable(repository, [...children, ...blobs]).map((child) => child.digest);
      }),
    );
    return digests.flat();
  }

  function fresh(attachments: readonly Attachment[]): readonly Attachment[] {
    const added = attachments.filter((attachment) => {
      const key = `${attachment.tag ?? ""}@${attachment.digest}`;
      return !found.has(key) && found.set(key, attachment);
    });
    if (found.size > attachmentLimit) throw tooMany(repository);
    return added;
  }

  let level = [...below, ...(await subjectsIn(fresh(known)))];
  for (let depth = 1; depth < attachmentDepth && level.length > 0; depth += 1) {
    const subjects = level.filter((digest) => !asked.has(digest) && asked.add(digest));
    const attached = await Promise.all(subjects.map((digest) => finder.find(repository, digest, signal)));
    level = [...(await subjectsIn(fresh(attached.flat())))];
  }
  return [...found.values()];
}

/**
 * Looks for what came to an image at its source after it was mirrored. An index is read for that, once for all destinations,
 * but only where something of its repository may be attached to a platform.
 * @returns the image's attachments, those of its platforms and of attachments included.
 */
export function lateAttachments(
  sourceOf: (image: SourceImage) => RepositoryWithManifests,
  finder: AttachmentFinder | undefined,
  log: Log,
  signal: AbortSignal,
): (image: SourceImage) => Promise<readonly Attachment[]> {
  const known = new Map<SourceImage, Promise<readonly Attachment[]>>();

  async function look(image: SourceImage): Promise<readonly Attachment[]> {
    if (finder === undefined) return image.attachments;
    const repository = sourceOf(image);
    try {
      if (!(await finder.mayFind(repository, image.digest, signal))) return image.attachments;
      const below = await childrenOf(image, repository, signal);
      return await withAttachedBelow(image.attachments, below, repository, finder, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof OperationError)) throw error;
      log.warning(
        `Late signatures of ${image.repository}:${image.tag} are not looked for: ${messageOf(error)}`,
      );
      return image.attachments;
    }
  }

  return (image) => {
    const looking = known.get(image) ?? look(image);
    known.set(image, looking);
    return looking;
  };
}

/** The manifests below an image, at any depth, each once. */
async function childrenOf(
  image: SourceImage,
  repository: RepositoryWithManifests,
  signal: AbortSignal,
): Promise<readonly Digest[]> {
  const children = new Set<Digest>();
  let level: readonly Descriptor[] = await listedBy(image, repository, signal);
  for (let depth = 1; depth < indexDepthLimit && level.length > 0; depth += 1) {
    const fresh = level.filter((child) => !children.has(child.digest) && children.add(child.digest));
    const indexes = fresh.filter((child) => isIndexType(child.mediaType));
    const read = await Promise.all(indexes.map((index) => repository.manifest(index.digest, signal)));
    level = read.flatMap((index) => index.children);
  }
  return [...children];
}

async function listedBy(
  image: SourceImage,
  repository: RepositoryWithManifests,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  if (image.rewritten !== undefined) return listedAtSource(image);
  return isIndexType(image.mediaType) ? (await repository.manifest(image.digest, signal)).children : [];
}

function tooMany(repository: RepositoryWithManifests): OperationError {
  const request = {
    scopes: [{ repository: repository.name, actions: ["pull"] }] as const,
    operation: "looking for signatures",
  };
  return repository.registry.failure(request, {
    problem: `an image has more than ${attachmentLimit} of them`,
    advice: "Set referrers: false to copy it without them.",
  });
}
