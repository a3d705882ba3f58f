import semver from "semver";
import { InputError } from "../errors.ts";
import { printable } from "../log/log.ts";
import { bySemver, type Version } from "./version.ts";

/** Which versions the user wants, as the `version` input says. */
export type Selection =
  | { readonly kind: "tags"; readonly tags: readonly string[] }
  | { readonly kind: "range"; readonly range: string }
  | { readonly kind: "newest"; readonly count: number };

/**
 * Reads a `version` input that is not empty.
 * @throws InputError when it is neither tags, nor a semver range that can hold a version, nor `newest:N`.
 */
export function parseSelection(text: string): Selection {
  const trimmed = text.trim();
  const newest = /^newest:(.*)$/.exec(trimmed);
  if (newest !== null) {
    const count = Number(newest[1]);
    if (!/^[0-9]+$/.test(newest[1] ?? "") || count < 1) {
      throw new InputError(`"${trimmed}" needs a whole number of at least 1, for example newest:3`);
    }
    return { kind: "newest", count };
  }
  const items = trimmed.split(/[,\n]/).map((item) => item.trim());
  const tags = items.filter((item) => item !== "");
  if (
    tags.length > 0 &&
    tags.every((tag) => semver.parse(tag) !== null || /^v?[0-9]+\.[0-9]+\.[0-9]+[\w.-]*$/.test(tag))
  ) {
    return { kind: "tags", tags: [...new Set(tags)] };
  }
  if (semver.validRange(trimmed) !== null) {
    // `v2.15.2 v2.14.4` is a range too, but one that no version is in: semver reads a space as "and".
    if (semver.minVersion(trimmed) === null) {
      throw new InputError(
        `"${trimmed}" is a range without any version; several tags need commas between them`,
      );
    }
    return { kind: "range", range: trimmed };
  }
  if (tags.every((tag) => /^[a-zA-Z0-9_][\w.-]*$/.test(tag)) && tags.length > 0) {
    return { kind: "tags", tags: [...new Set(tags)] };
  }
  throw new InputError(`"${trimmed}" is not a tag, a list of tags, a semver range or newest:N`);
}

/**
 * The wanted versions, newest first, of all that the repository has released.
 * @param universe published versions; prereleases are among them only by the user's choice, or as the event's own release.
 * @throws InputError when a wanted version does not exist, or nothing fits.
 */
export function select(
  selection: Selection,
  universe: readonly Version[],
  repository: string,
): readonly Version[] {
  const ordered = [...universe].sort(bySemver);
  const chosen = chosenOf(selection, ordered, repository);
  if (chosen.length === 0) {
    throw new InputError(
      `No release of ${repository} fits version "${printable(describe(selection))}". ${newestKnown(ordered)}`,
    );
  }
  return chosen;
}

function chosenOf(selection: Selection, ordered: readonly Version[], repository: string): readonly Version[] {
  if (selection.kind === "newest") return ordered.slice(0, selection.count);
  if (selection.kind === "range") {
    // Whether prereleases count was decided with the universe; the range must not leave them out a second time.
    return ordered.filter((version) =>
      semver.satisfies(version.number, selection.range, { includePrerelease: true }),
    );
  }
  const unknown = selection.tags.filter((tag) => !ordered.some((version) => version.tag === tag));
  if (unknown.length > 0) {
    throw new InputError(
      `${repository} has no published release ${printable(unknown.join(", "))}: a draft, a tag without a release, a prerelease without prereleases: true, or a typing error. ${newestKnown(ordered)}`,
    );
  }
  return ordered.filter((version) => selection.tags.includes(version.tag));
}

function describe(selection: Selection): string {
  if (selection.kind === "newest") return `newest:${selection.count}`;
  return selection.kind === "range" ? selection.range : selection.tags.join(", ");
}

function newestKnown(ordered: readonly Version[]): string {
  const tags = ordered.slice(0, 3).map((version) => version.tag);
  return tags.length === 0 ? "It has no published releases." : `Its newest are ${tags.join(", ")}.`;
}
