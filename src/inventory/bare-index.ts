import type { Digest } from "../oci/digest.ts";
import {
  indexDepthLimit,
  isAttestation,
  type Manifest,
  withoutAttestations,
  withReplaced,
} from "../oci/manifest.ts";
import { isIndexType } from "../oci/media-types.ts";

/** An index without attestations, and the new indexes below it. */
export interface BareIndex {
  readonly top: Manifest;
  readonly below: readonly Manifest[];
}

/** Most indexes that are read below one: an image of more manifests is not copied. */
const indexLimit = 1000;

/**
 * An index without attestations, its own and those of the indexes that it lists: BuildKit wraps each platform in one, where
 * platforms are built apart and put together. Reads each of those indexes once, up to the depth that is copied.
 * @param read reads a manifest of the source.
 * @returns the very index where it has none.
 * @throws what `read` throws.
 */
export async function bareIndex(
  index: Manifest,
  read: (digest: Digest) => Promise<Manifest>,
): Promise<BareIndex> {
  const made = new Map<Digest, Manifest>();
  const known = new Map<Digest, Promise<Manifest>>();

  const bareOnce = (digest: Digest, depth: number): Promise<Manifest> => {
    const baring = known.get(digest) ?? read(digest).then((manifest) => bare(manifest, depth));
    known.set(digest, baring);
    return baring;
  };
  const bare = async (manifest: Manifest, depth: number): Promise<Manifest> => {
    const nested = manifest.children.filter((child) => isIndexType(child.mediaType) && !isAttestation(child));
    // What goes too deep or too far is refused when it is copied.
    if (depth >= indexDepthLimit || known.size + nested.length > indexLimit) return manifest;
    const replaced = new Map<Digest, Manifest>();
    await Promise.all(
      nested.map(async ({ digest }) => {
        const child = await bareOnce(digest, depth + 1);
        if (child.digest !== digest) replaced.set(digest, child);
      }),
    );
    for (const child of replaced.values()) made.set(child.digest, child);
    return withoutAttestations(withReplaced(manifest, replaced));
  };
  return { top: await bare(index, 0), below: [...made.values()] };
}
