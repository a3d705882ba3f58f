/** What is copied: releases of Harbor's shape, described before a single byte of them exists. Pure. */
import { componentsOf, harborImage } from "../sandbox/harbor.ts";

export const variantNames = ["cold", "patch", "unchanged", "large", "three"] as const;
export type VariantName = (typeof variantNames)[number];

/** A blob of random bytes: the same seed and size give the same bytes. */
export interface LayerShape {
  readonly seed: string;
  /** In bytes. */
  readonly size: number;
}

export interface ImageShape {
  /** Name below the namespace: `harbor-core`. */
  readonly name: string;
  readonly layers: readonly LayerShape[];
}

export interface ReleaseShape {
  /** The tag of all its images. */
  readonly version: string;
  readonly images: readonly ImageShape[];
}

export interface Variant {
  readonly name: VariantName;
  /** One sentence for the output. */
  readonly title: string;
  /** What the source holds and every tool has to copy. */
  readonly releases: readonly ReleaseShape[];
  /** What both destinations hold before. */
  readonly held: readonly ReleaseShape[];
}

export const namespace = "goharbor";

const version = "v2.15.2";
const previousVersion = "v2.15.1";
const threeVersions = ["v2.15.0", previousVersion, version];

/**
 * How much larger the large layers are than the sandbox's: a release is then 0.5 GB. Harbor's own is 0.6 GB
 * compressed (the offline installer of v2.10.1).
 */
const enlargement = 100;

/** Part of an image's own bytes that its packages have; the programs of Harbor, in the next layer, have the rest. */
const packagesPart = 0.6;

/** 2 GiB, as the issue trackers of all peers have it: past the limit of a signed 32-bit length. */
const largeLayerBytes = 2 ** 31;

/**
 * The work of a variant.
 * @param scale multiplies the sizes of the large layers; 1 is the benchmark, less is for trying it out.
 */
export function variantOf(name: VariantName, scale = 1): Variant {
  const current = [releaseShape(version, scale)];
  switch (name) {
    case "cold":
      return { name, title: "a release to empty destinations", releases: current, held: [] };
    case "patch":
      return {
        name,
        title: "the next patch release: the destinations hold the one before",
        releases: current,
        held: [releaseShape(previousVersion, scale)],
      };
    case "unchanged":
      return { name, title: "everything is in place already", releases: current, held: current };
    case "large":
      return { name, title: "one image with one large layer", releases: [largeRelease(scale)], held: [] };
    case "three":
      return {
        name,
        title: "three releases at once to empty destinations",
        releases: threeVersions.map((each) => releaseShape(each, scale)),
        held: [],
      };
  }
}

/** A release of Harbor's twelve images. */
export function releaseShape(tag: string, scale: number): ReleaseShape {
  const images = componentsOf(version).map((name, index) => imageShape(name, index, tag, scale));
  return { version: tag, images };
}

/**
 * An image: the base that all share, packages, programs, and the small layers that scripts leave. Harbor builds its
 * images anew for every patch release, so most layers differ; what stays here are the small layers at even positions,
 * and the packages of every third image.
 */
function imageShape(name: string, index: number, tag: string, scale: number): ImageShape {
  const [base = 0, own = 0, ...small] = harborImage(name, tag).layers.map(({ size }) => size);
  const minor = tag.split(".").slice(0, 2).join(".");
  const large = Math.round(own * enlargement * scale);
  const packages = small.length === 0 ? large : Math.round(large * packagesPart);
  const sizes = [packages, ...(small.length === 0 ? [] : [large - packages]), ...small.slice(1)];
  const layers = sizes.map((size, position) => {
    const stays = position === 0 ? index % 3 === 0 : position > 1 && position % 2 === 0;
    return { seed: `${name}#${position}:${stays ? minor : tag}`, size };
  });
  return {
    name,
    layers: [{ seed: `photon:${minor}`, size: Math.round(base * enlargement * scale) }, ...layers],
  };
}

function largeRelease(scale: number): ReleaseShape {
  const layer = { seed: "large", size: Math.round(largeLayerBytes * scale) };
  return { version, images: [{ name: "large-layer", layers: [layer] }] };
}
