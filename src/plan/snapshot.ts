import type { Failure } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Descriptor, Manifest } from "../oci/manifest.ts";
import type { Namespace } from "../oci/reference.ts";
import type { Component } from "./component.ts";
import type { Retention } from "./retention.ts";
import type { AnyVersion, Version } from "./version.ts";

/** An image as found at a source: what a destination is to hold afterwards, and where its content is read. */
export interface SourceImage {
  readonly source: Namespace;
  /** Path of the repository at the source. */
  readonly repository: string;
  readonly tag: string;
  /** Digest that the destination's tag is to have. */
  readonly digest: Digest;
  readonly mediaType: string;
  /** Present where its source has nothing but Helm charts. */
  readonly isChart?: true;
  /**
   * The new index of a platform subset, or without attestations, which is put in place of the source's manifest; `digest` is then its digest.
   * Undefined: the source's manifest, untouched.
   */
  readonly rewritten: Manifest | undefined;
  /** The new indexes below it, in place of those that the source's lists. Absent: none. */
  readonly rewrittenBelow?: readonly Manifest[] | undefined;
  /** Signatures, attestations and the like that point at the image. */
  readonly attachments: readonly Attachment[];
  /** Nothing that points at the image, or at what it lists, is brought along. Absent: it is. */
  readonly unattached?: true;
}

/** The new indexes of an image: they are at no source. */
export function madeHere({ rewritten, rewrittenBelow = [] }: SourceImage): readonly Manifest[] {
  return rewritten === undefined ? [] : [rewritten, ...rewrittenBelow];
}

/** What the new indexes of an image list and the source has: everything but one another. */
export function listedAtSource(image: SourceImage): readonly Descriptor[] {
  const made = madeHere(image);
  return made
    .flatMap(({ children }) => children)
    .filter(({ digest }) => made.every((manifest) => manifest.digest !== digest));
}

/** A manifest that belongs to an image: a referrer, or one that cosign or the referrers fallback keeps under its own tag. */
export interface Attachment {
  readonly digest: Digest;
  /** The tag that leads to it; undefined for one that only the referrers API lists. */
  readonly tag: string | undefined;
}

/** How far attachments of attachments are followed: a signature of an SBOM is the second level, and nobody signs that again. */
export const attachmentDepth = 4;

/** An image of a wanted version that no source has, and what each source said. */
export interface MissingImage {
  readonly component: Component;
  readonly failure: Failure;
  /** A source has it, and the inputs leave nothing of it. */
  readonly isMistake?: boolean;
}

export interface WantedVersion {
  readonly version: AnyVersion;
  readonly components: readonly Component[];
  readonly missing: readonly MissingImage[];
}

/** What a destination held when the run began. The plan knows nothing else about it. */
export interface DestinationSnapshot extends Namespace {
  readonly name: string;
  readonly retention: Retention;
  readonly deletion: "by-tag" | "last-tag-takes-manifest" | "shared-digest-unsafe" | "unavailable";
  readonly deletionUnavailable: string | undefined;
  /** Why a manifest that has no tag cannot be deleted here; undefined: it can. */
  readonly untaggedStays: string | undefined;
  /** Another mechanism fills it: nothing is written or deleted here, and images are waited for. */
  readonly filledBySync?: true | undefined;
  /** Why this destination could not be asked; then nothing is planned for it but failures. */
  readonly failure: Failure | undefined;
  /** What each wanted tag points to here, by `image:tag`; absent when the tag does not exist. */
  readonly digests: ReadonlyMap<string, Digest>;
  /** `image:tag` of the wanted images that are here, and that a policy lets nobody pull now: their digests are not known. */
  readonly withheld: ReadonlySet<string>;
  /** `image:tag` of the wanted images whose attachments are not all here. */
  readonly withoutAttachments: ReadonlySet<string>;
  /** The wanted images whose tag is in place and that lack content, by `image:tag`: which digests. Only what was proven. */
  readonly broken: ReadonlyMap<string, readonly string[]>;
  /**
   * Where each wanted image is read for this destination, by the image's `image:tag` here; absent when only the
   * destination itself has it.
   */
  readonly images: ReadonlyMap<string, SourceImage>;
  /** Why nobody knows whether another source than the destination itself has a wanted image, by `image:tag`. Absent: everybody answered. */
  readonly unanswered?: ReadonlyMap<string, Failure>;
  /** All tags by image, for destinations that prune; empty for others. */
  readonly tags: ReadonlyMap<string, readonly string[]>;
  /**
   * What the tags point to that may be deleted, by `image:tag`; where deleting a tag may take others along, what all tags of
   * their repositories point to.
   */
  readonly heldDigests: ReadonlyMap<string, Digest>;
  /** Which rule of the registry protects a tag that would go, by `image:tag`; absent for tags that none is known to protect. */
  readonly protectedTags: ReadonlyMap<string, string>;
}

/** Whether a tag that holds another digest is replaced, or fails; `skip`: its version is left alone, with a warning. */
export type Overwrite = boolean | "skip";

/** Everything the plan is made from. It depends on nothing else: no clock, no network, no environment. */
export interface Snapshot {
  /** `owner/name` whose releases count, or the sources whose tags do. */
  readonly repository: string;
  /** Names the route where a run has several. */
  readonly route?: string;
  /** All versions that count: published, prereleases only by choice. A wanted one that is not among them takes no place of `keep`. */
  readonly universe: readonly Version[];
  /**
   * Versions at the sources that the filter of a route leaves out: they take no place of `keep` and are never deleted, but a tag that
   * several versions share belongs to one of them where it is the newest. Absent: none.
   */
  readonly outside?: readonly Version[];
  /** No source says which versions there are, so nothing is deleted. */
  readonly unlisted?: true;
  readonly wanted: readonly WantedVersion[];
  /** The images of each version of the universe that some destination may hold, wanted ones included, by tag. */
  readonly components: ReadonlyMap<string, readonly Component[]>;
  readonly destinations: readonly DestinationSnapshot[];
  readonly overwrite: Overwrite;
  /** Most versions that are deleted at a destination in one run. */
  readonly pruneLimit: number | "all";
}

/** Key of a destination's image in the maps above. */
export function imageKey(image: string, tag: string): string {
  return `${image}:${tag}`;
}
