import type { Digest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";

/** Bytes of blobs by digest. */
type Blobs = ReadonlyMap<Digest, number>;

/** Something that is copied as a whole, with the blobs below it. */
export interface Load<T> {
  readonly item: T;
  readonly blobs: readonly Pick<Descriptor, "digest" | "size">[];
}

/**
 * Cuts images into shares with about the same number of bytes; each share is a job of its own. Jobs know nothing of each
 * other, so a blob in two shares is read and uploaded twice. Images with much in common stay together for that, even where
 * shares get uneven. The largest image comes first, and each goes to the share where it costs least.
 * @param most number of shares; there are fewer where another would only move bytes twice. None is empty.
 */
export function cutIntoShares<T>(loads: readonly Load<T>[], most: number): readonly (readonly T[])[] {
  const sized = loads.map(({ item, blobs }) => {
    const own: Blobs = new Map(blobs.map(({ digest, size }) => [digest, size]));
    return { item, blobs: own, size: total(own) };
  });
  // Equal sizes in the order of the plan, so that the same plan is cut the same way again.
  const largestFirst = sized.toSorted((one, other) => other.size - one.size);
  const shares = Array.from({ length: most }, () => ({ items: [] as T[], blobs: new Map<Digest, number>() }));
  const taken = new Map<Digest, number>();
  for (const { item, blobs } of largestFirst) {
    const [cheapest] = shares
      .map((share) => ({ share, cost: costOf(blobs, share, taken) }))
      .toSorted((one, other) => one.cost - other.cost);
    cheapest?.share.items.push(item);
    for (const [digest, size] of blobs) {
      cheapest?.share.blobs.set(digest, size);
      taken.set(digest, size);
    }
  }
  return shares.map(({ items }) => items).filter((items) => items.length > 0);
}

/** Bytes of the share with this image in it. Those of the image's blobs that another share moves as well count twice. */
function costOf(
  blobs: Blobs,
  share: { readonly items: readonly unknown[]; readonly blobs: Blobs },
  taken: Blobs,
): number {
  const fresh = new Map([...blobs].filter(([digest]) => !share.blobs.has(digest)));
  const twice = new Map([...fresh].filter(([digest]) => taken.has(digest)));
  return total(share.blobs) + total(fresh) + total(twice);
}

function total(blobs: Blobs): number {
  return [...blobs.values()].reduce((sum, size) => sum + size, 0);
}
