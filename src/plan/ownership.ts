import type { Component } from "./component.ts";
import { imageKey } from "./snapshot.ts";
import { bySemver, type Version } from "./version.ts";

/**
 * Which version each destination tag belongs to. With a template such as `{{major}}.{{minor}}`, several versions make
 * the same tag; it belongs to the newest of them, so that a late patch of an old line never moves it back, and that
 * pruning an old version never takes it away.
 */
export interface Ownership {
  /** Tag of the version that an image's tag belongs to; undefined for a tag that is of no version. */
  ownerOf(image: string, tag: string): string | undefined;
  /** The images of a version whose tags belong to it. */
  owned(version: Version): readonly Component[];
  /** Whether a tag is one of a version's, be it that version's own or not. */
  lists(version: Version, image: string, tag: string): boolean;
}

/** @param components images of each version, by the version's tag. */
export function ownershipOf(
  universe: readonly Version[],
  components: ReadonlyMap<string, readonly Component[]>,
): Ownership {
  const owners = new Map<string, string>();
  for (const version of [...universe].sort(bySemver)) {
    for (const { to, toTag } of components.get(version.tag) ?? []) {
      const key = imageKey(to, toTag);
      if (!owners.has(key)) owners.set(key, version.tag);
    }
  }
  const ownerOf = (image: string, tag: string): string | undefined => owners.get(imageKey(image, tag));
  return {
    ownerOf,
    lists: (version, image, tag) =>
      (components.get(version.tag) ?? []).some(({ to, toTag }) => to === image && toTag === tag),
    owned: (version) =>
      (components.get(version.tag) ?? []).filter(({ to, toTag }) => ownerOf(to, toTag) === version.tag),
  };
}
