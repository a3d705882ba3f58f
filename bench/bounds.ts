/** Times below which nobody can get, from the bytes and the links alone. Pure. */
import type { StoredImage } from "./content.ts";
import { uniqueBlobs } from "./content.ts";
import type { LinkModel, Profile } from "./profiles.ts";

export interface Bound {
  /** Until everything is tagged at the destination, in seconds. */
  readonly nearSeconds: number;
  readonly farSeconds: number;
  /** The larger of the two. */
  readonly wallSeconds: number;
}

/** What a destination lacks. */
export interface Missing {
  /** Bytes of unique blobs and of manifests. */
  readonly bytes: number;
  /** Bytes of the largest blob: a blob goes over one connection. */
  readonly largest: number;
}

/**
 * What is missing where `held` is in place already.
 * @returns bytes; 0 when nothing is missing.
 */
export function missingBytes(wanted: readonly StoredImage[], held: readonly StoredImage[]): Missing {
  const has = new Set([
    ...uniqueBlobs(held).map(({ digest }) => digest),
    ...held.map(({ digest }) => digest),
  ]);
  const blobs = uniqueBlobs(wanted).filter(({ digest }) => !has.has(digest));
  const manifests = wanted.filter(({ digest }) => !has.has(digest));
  const sizes = [...blobs.map(({ size }) => size), ...manifests.map(({ manifest }) => manifest.length)];
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), largest: Math.max(0, ...sizes) };
}

/**
 * Round trips that cannot overlap with bytes. At the source: handshake, manifest, first byte of a blob. At the
 * destination: the last byte's way and its answer, the manifest, and the tag after that.
 */
const roundTrips = 3;

/** The bound of a profile whose links have rates; undefined where they have none: then curl is asked. */
export function linkBound(profile: Profile, missing: Missing): Bound | undefined {
  const { source, near, far } = profile.links;
  if (source.totalRate === undefined) return undefined;
  const secondsTo = (destination: LinkModel) => {
    const waiting = (roundTrips * (source.roundTripMs + destination.roundTripMs)) / 1000;
    if (missing.bytes === 0) return (source.roundTripMs + destination.roundTripMs) / 1000;
    return Math.max(secondsOver(source, missing), secondsOver(destination, missing)) + waiting;
  };
  const [nearSeconds, farSeconds] = [secondsTo(near), secondsTo(far)];
  return { nearSeconds, farSeconds, wallSeconds: Math.max(nearSeconds, farSeconds) };
}

/** Time that the bytes take on one link, and the largest blob on one of its connections. */
function secondsOver(link: LinkModel, { bytes, largest }: Missing): number {
  const total = link.totalRate === undefined ? 0 : bytes / link.totalRate;
  const single = link.connectionRate === undefined ? 0 : largest / link.connectionRate;
  return Math.max(total, single);
}
