import type { Component } from "./component.ts";
import { imageKey } from "./snapshot.ts";
import { type AnyVersion, bySemver, type Version } from "./version.ts";

/**
 * Which version each destination tag belongs to. With a template such as `{{major}}.{{minor}}`, several versions make the
 * same tag. It belongs to the newest of them. So a late patch of an old line never moves it back, and pruning an old version
 * never deletes it. Where both read the very same fixed tag, the old version may bring it as well: the image is the same.
 */
export interface Ownership {
  /** Tag of the version that an image's tag belongs to; undefined for a tag that is of no version. */
  ownerOf(image: string, tag: string): string | undefined;
  /** The images of a version whose tags belong to it. */
  owned(version: AnyVersion): readonly Component[];
  /** The images that a version is complete with: those it owns, and those it reads from the same fixed tag as their owner. */
  brought(version: AnyVersion): readonly Component[];
  /** Whether a version has a tag, also where the tag belongs to another version. */
  lists(version: AnyVersion, image: string, tag: string): boolean;
}

/** The newest version that lists a tag, and its image there. */
interface Owner {
  readonly version: string;
  readonly component: Component;
}

/**
 * @param components images of each version, by the version's tag.
 * @param others versions that do not count, after those that do: a tag that both list belongs to the one that counts.
 */
export function ownershipOf(
  universe: readonly Version[],
  components: ReadonlyMap<string, readonly Component[]>,
  others: readonly AnyVersion[] = [],
): Ownership {
  const owners = new Map<string, Owner>();
  for (const version of [...[...universe].sort(bySemver), ...[...others].sort(bySemver)]) {
    for (const component of components.get(version.tag) ?? []) {
      const key = imageKey(component.to, component.toTag);
      if (!owners.has(key)) owners.set(key, { version: version.tag, component });
    }
  }
  const owner = (image: string, tag: string): Owner | undefined => owners.get(imageKey(image, tag));
  const listed = (version: AnyVersion): readonly Component[] => components.get(version.tag) ?? [];
  const owns = (version: AnyVersion, { to, toTag }: Component): boolean =>
    owner(to, toTag)?.version === version.tag;
  const shares = ({ source, from, fromTag, fixed, to, toTag }: Component): boolean => {
    const other = owner(to, toTag)?.component;
    const isFixed = fixed === true && other?.fixed === true;
    return isFixed && other.source === source && other.from === from && other.fromTag === fromTag;
  };
  return {
    ownerOf: (image, tag) => owner(image, tag)?.version,
    owned: (version) => listed(version).filter((component) => owns(version, component)),
    brought: (version) =>
      listed(version).filter((component) => owns(version, component) || shares(component)),
    lists: (version, image, tag) => listed(version).some(({ to, toTag }) => to === image && toTag === tag),
  };
}
