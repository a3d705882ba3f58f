import semver from "semver";
import { InputError } from "../errors.ts";
import { printable } from "../log/log.ts";
import { bySemver, type Selection, type Version } from "./version.ts";

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
