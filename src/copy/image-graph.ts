import type { OperationError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { type Descriptor, indexDepthLimit, type Manifest } from "../oci/manifest.ts";
import type { Repository } from "../oci/repository.ts";

/** Reads a manifest of a source. */
export type ReadManifest = (source: Repository, digest: Digest, signal: AbortSignal) => Promise<Manifest>;

/** A manifest with everything below it. */
export interface ManifestNode {
  readonly manifest: Manifest;
  readonly children: readonly ManifestNode[];
}

/** Most manifests of one image: 40 platforms with an attestation each are 81. */
const manifestLimit = 1000;

/**
 * Reads the manifests of an image, children in parallel, each digest once.
 * @param root the image's manifest, as it is to stand at the destination.
 * @throws OperationError
 */
export async function readImageGraph(
  source: Repository,
  root: Manifest,
  signal: AbortSignal,
  read: ReadManifest,
): Promise<ManifestNode> {
  const nodes = new Map<Digest, Promise<ManifestNode>>();

  function nodeOf(descriptor: Descriptor, depth: number): Promise<ManifestNode> {
    const known = nodes.get(descriptor.digest);
    if (known !== undefined) return known;
    const reading = read(source, descriptor.digest, signal).then((manifest) => withChildren(manifest, depth));
    nodes.set(descriptor.digest, reading);
    return reading;
  }

  async function withChildren(manifest: Manifest, depth: number): Promise<ManifestNode> {
    const { children } = manifest;
    const fresh = children.filter(({ digest }) => !nodes.has(digest)).length;
    // Checked before the first child is read: an image that is too large is not copied, so nobody wants any of them.
    if ((children.length > 0 && depth >= indexDepthLimit) || nodes.size + fresh > manifestLimit)
      throw tooLarge();
    return { manifest, children: await Promise.all(children.map((child) => nodeOf(child, depth + 1))) };
  }

  function tooLarge(): OperationError {
    const problem = `it has more than ${indexDepthLimit} levels or ${manifestLimit} manifests`;
    const scopes = [{ repository: source.name, actions: ["pull"] }] as const;
    const named = { scopes, operation: "reading the index", subject: root.digest };
    return source.registry.failure(named, { problem });
  }

  return withChildren(root, 0);
}

/** The manifests of an image in the order in which they can be put: children before parents, each once. */
export function manifestsInOrder(root: ManifestNode): readonly Manifest[] {
  const ordered = new Map<Digest, Manifest>();
  const visit = (node: ManifestNode): void => {
    // Indexes that share children can have more paths through them than a run has time for.
    if (ordered.has(node.manifest.digest)) return;
    node.children.forEach(visit);
    ordered.set(node.manifest.digest, node.manifest);
  };
  visit(root);
  return [...ordered.values()];
}

/** The blobs that must be in a repository before the image can be put there, each once. */
export function blobsOf(root: ManifestNode): readonly Descriptor[] {
  const blobs = new Map<Digest, Descriptor>();
  for (const manifest of manifestsInOrder(root)) {
    for (const blob of manifest.blobs) blobs.set(blob.digest, blob);
  }
  return [...blobs.values()];
}
