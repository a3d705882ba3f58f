import { OperationError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import type { Repository } from "../oci/repository.ts";

/** What the proof that an image is whole asks of a repository. */
export type RepositoryToProve = Pick<Repository, "resolve" | "manifest" | "hasBlob">;

/**
 * Proves of tags of one repository that what they hold is there whole: manifests are read, children at any depth, and each
 * blob is asked for by HEAD; nothing twice.
 * @returns asks about a tag and, where that is known, about the digest that it has to lead to. Names what is missing: the tag
 * itself, or digests.
 */
export function wholenessOf(
  repository: RepositoryToProve,
  signal: AbortSignal,
): (tag: string, held?: Digest) => Promise<readonly string[]> {
  const manifests = new Map<Digest, Promise<readonly string[]>>();
  const blobs = new Map<Digest, Promise<readonly string[]>>();

  async function missingBelow(digest: Digest): Promise<readonly string[]> {
    const manifest = await unlessGone(repository.manifest(digest, signal));
    if (manifest === undefined) return [digest];
    const below = [
      ...manifest.children.map((child) => once(manifests, child.digest, missingBelow)),
      ...manifest.blobs.map((blob) => once(blobs, blob.digest, () => missingBlob(blob))),
    ];
    return [...new Set((await Promise.all(below)).flat())];
  }

  async function missingBlob(blob: Descriptor): Promise<readonly string[]> {
    return (await repository.hasBlob(blob, signal)) ? [] : [blob.digest];
  }

  return async (tag, held) => {
    const found = await repository.resolve(tag, signal);
    if (found === undefined) return [tag];
    return held === undefined || found.digest === held ? once(manifests, found.digest, missingBelow) : [held];
  };
}

function once<T>(
  known: Map<Digest, Promise<T>>,
  digest: Digest,
  ask: (digest: Digest) => Promise<T>,
): Promise<T> {
  const asking = known.get(digest) ?? ask(digest);
  known.set(digest, asking);
  return asking;
}

async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof OperationError && error.status === 404) return undefined;
    throw error;
  }
}
