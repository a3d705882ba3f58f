import type { Component } from "./component.ts";
import type { Ownership } from "./ownership.ts";
import type { DestinationSnapshot } from "./snapshot.ts";
import type { AnyVersion } from "./version.ts";

/** The images of a version that a destination has, of those whose tags belong to that version. */
export function presentImages(
  destination: Pick<DestinationSnapshot, "tags">,
  ownership: Ownership,
  version: AnyVersion,
): readonly Component[] {
  return ownership.owned(version).filter((component) => isPresent(destination, component));
}

/** Whether a destination has all images of a version; a version that has no tag of its own is never held. */
export function isHeld(
  destination: Pick<DestinationSnapshot, "tags">,
  ownership: Ownership,
  version: AnyVersion,
): boolean {
  const owned = ownership.owned(version);
  return (
    owned.length > 0 && ownership.brought(version).every((component) => isPresent(destination, component))
  );
}

function isPresent({ tags }: Pick<DestinationSnapshot, "tags">, { to, toTag }: Component): boolean {
  return tags.get(to)?.includes(toTag) ?? false;
}
