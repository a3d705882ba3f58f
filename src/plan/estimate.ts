import type { Digest } from "../oci/digest.ts";
import type { Plan } from "./plan.ts";
import { type PullsNeeded, pullsNeeded } from "./pulls.ts";
import type { SourceImage } from "./snapshot.ts";
import type { CopyStep } from "./step.ts";

/** What is known of an image once its manifests have been read. */
export interface ImageSize {
  /** All blobs, those of signatures and the like included, each once. Sizes in bytes. */
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
  /** Manifests that copying it reads at the source. */
  readonly manifests: number;
}

/** The size of an image; undefined where it is not known. */
export type SizeOf = (image: SourceImage) => ImageSize | undefined;

/**
 * What some copies need. `mostBytes` is an upper bound, not a forecast. It includes blobs that a destination holds already:
 * asking for each of them would take more requests than the whole plan, and a mount to another repository may be refused.
 * A blob that several images share counts once.
 */
export interface Need {
  /** Images to copy. */
  readonly images: number;
  /** Those of them that `mostBytes` does not cover: their manifests were not read. */
  readonly unsizedImages: number;
  /** Bytes of all blobs of the other ones, each blob once. */
  readonly mostBytes: number;
  /** Pulls at the sources that count them, above all Docker Hub. An image counts once, however many destinations get it. */
  readonly pulls: readonly PullsNeeded[];
}

/** What the copies to one destination need: bytes to send there, and pulls if it were the only one. */
export interface DestinationNeed extends Need {
  readonly destination: string;
}

/** What carrying out a plan needs, before anything of it is done. */
export interface Estimate {
  /** In the order of the plan; those that nothing is copied to are left out. */
  readonly destinations: readonly DestinationNeed[];
  /** Bytes to read at the sources, and pulls there: each blob and each image once for all destinations. */
  readonly sources: Need;
}

/**
 * What the copies of a plan need, as far as sizes are known.
 * @param countsPulls whether a registry counts how much is read from it.
 */
export function estimateOf(
  plan: Pick<Plan, "steps">,
  sizeOf: SizeOf,
  countsPulls: (registry: string) => boolean,
): Estimate {
  const copies = plan.steps.filter((step) => step.kind === "copy");
  const destinations = [...Map.groupBy(copies, (step) => step.destination)].map(([destination, own]) => ({
    destination,
    ...needOf(own, own.length, sizeOf, countsPulls),
  }));
  const images = new Set(copies.map(({ source }) => source)).size;
  return { destinations, sources: needOf(copies, images, sizeOf, countsPulls) };
}

function needOf(
  steps: readonly CopyStep[],
  images: number,
  sizeOf: SizeOf,
  countsPulls: (registry: string) => boolean,
): Need {
  const sizes = new Map(steps.map(({ source }) => [source, sizeOf(source)]));
  const blobs = new Map(
    [...sizes.values()].flatMap((size) => size?.blobs ?? []).map(({ digest, size }) => [digest, size]),
  );
  return {
    images,
    unsizedImages: [...sizes.values()].filter((size) => size === undefined).length,
    mostBytes: [...blobs.values()].reduce((sum, size) => sum + size, 0),
    pulls: pullsNeeded({ steps }, (image) => sizeOf(image)?.manifests).filter(({ registry }) =>
      countsPulls(registry),
    ),
  };
}
