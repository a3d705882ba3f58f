import type { Digest } from "../oci/digest.ts";
import type { Descriptor, Manifest } from "../oci/manifest.ts";
import type { Repository } from "../oci/repository.ts";
import { unlessWithheld } from "../oci/withheld.ts";
import { type ImageContent, rootsOf } from "./image-copy.ts";
import { manifestsInOrder } from "./image-graph.ts";

/** Priority of a request that all others go before: an opened upload lets bytes move, the answer to a question does not. */
const lowestPriority = -1;

/** What a destination lacks of an image. */
export interface Missing {
  readonly manifests: readonly Manifest[];
  readonly blobs: readonly Descriptor[];
}

/** For each blob of an image, whether a destination says that it has it. False also where it could not be asked. */
export type Confirmations = ReadonlyMap<Digest, Promise<boolean>>;

/**
 * Asks a destination for each blob of an image as soon as it was placed there, while others are still on their way. Nothing
 * moves at the end of an image, so as little as possible is left to ask for then. All other requests go before these.
 * @param placing for each blob, whether this run placed it there, once that is known; rejects where that failed.
 */
export function confirmAhead(
  placing: ReadonlyMap<Descriptor, Promise<boolean>>,
  repository: Repository,
  signal: AbortSignal,
): Confirmations {
  return new Map(
    [...placing].map(([blob, placed]) => {
      const ask = (isPlaced: boolean): boolean | Promise<boolean> =>
        isPlaced && repository.hasBlob(blob, signal, lowestPriority);
      // No failure is reported here: `findMissing` asks again and reports what is wrong.
      return [blob.digest, placed.then(ask).catch(() => false)] as const;
    }),
  );
}

/**
 * Asks a destination, by HEAD, for everything that this run has put there for an image: each manifest by digest, and each
 * blob. Blobs that the destination had before are not asked for a second time. A registry's 201 is only a promise; tags move
 * after an answer (P3).
 * @param placed blobs that were uploaded or mounted in this run.
 * @param confirmations blobs that have been asked for already; a yes counts.
 * @throws OperationError when it cannot be asked.
 */
export async function findMissing(
  content: ImageContent,
  repository: Repository,
  placed: ReadonlySet<Digest>,
  signal: AbortSignal,
  confirmations: Confirmations = new Map(),
): Promise<Missing> {
  const manifests = rootsOf(content).flatMap((root) => manifestsInOrder(root));
  const blobs = content.blobs.filter(({ digest }) => placed.has(digest));
  const [absentManifests, absentBlobs] = await Promise.all([
    absent(manifests, async ({ digest }) => {
      // Withheld counts: the registry names this very digest, and the answer to the PUT has confirmed it.
      const found = await unlessWithheld(
        repository
          .resolve(digest, signal)
          .then((resolved) => resolved ?? repository.resolveInDoubt(digest, signal)),
      );
      return found === "withheld" || found?.digest === digest;
    }),
    absent(
      blobs,
      async (blob) => (await confirmations.get(blob.digest)) === true || repository.hasBlob(blob, signal),
    ),
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

/** The failure of a registry that has taken content twice and does not have it. */
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
