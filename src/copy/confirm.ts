import type { Digest } from "../oci/digest.ts";
import type { Descriptor, Manifest } from "../oci/manifest.ts";
import type { Repository } from "../oci/repository.ts";
import type { ImageContent } from "./image-copy.ts";
import { manifestsInOrder } from "./image-graph.ts";

/** What a destination turns out not to have of an image. */
export interface Missing {
  readonly manifests: readonly Manifest[];
  readonly blobs: readonly Descriptor[];
}

/**
 * Asks a destination, by HEAD, for everything that this run has put there for an image: each manifest by digest and each
 * blob. What the destination said it had before is not asked for a second time. A registry's 201 is a promise; tags are
 * moved on an answer (P3).
 * @param placed blobs that were uploaded or mounted in this run.
 * @throws OperationError when it cannot be asked.
 */
export async function findMissing(
  content: ImageContent,
  repository: Repository,
  placed: ReadonlySet<Digest>,
  signal: AbortSignal,
): Promise<Missing> {
  const nodes = [content.root, ...content.attachments.map(({ root }) => root)];
  const manifests = nodes.flatMap((node) => manifestsInOrder(node));
  const blobs = content.blobs.filter(({ digest }) => placed.has(digest));
  const [absentManifests, absentBlobs] = await Promise.all([
    absent(manifests, async ({ digest }) => (await repository.resolve(digest, signal))?.digest === digest),
    absent(blobs, ({ digest }) => repository.hasBlob(digest, signal)),
  ]);
  return { manifests: absentManifests, blobs: absentBlobs };
}

async function absent<T>(items: readonly T[], isThere: (item: T) => Promise<boolean>): Promise<readonly T[]> {
  const present = await Promise.all(items.map(isThere));
  return items.filter((_, index) => present[index] === false);
}

export function isComplete({ manifests, blobs }: Missing): boolean {
  return manifests.length === 0 && blobs.length === 0;
}

/** Says what a registry has taken and lost, for good. */
export function lossFailure(repository: Repository, { manifests, blobs }: Missing): Error {
  const names = [...manifests, ...blobs].map(({ digest }) => digest).join(", ");
  const request = {
    scopes: [{ repository: repository.name, actions: ["pull"] }] as const,
    operation: "confirming the image",
  };
  return repository.registry.failure(request, {
    problem: `the registry took these twice and does not have them: ${names}`,
    advice:
      "No tag of this version was moved there. Run again; if it happens again, tell the registry's operator.",
  });
}
