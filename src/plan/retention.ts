import { byPublished, bySemver, type Version } from "./version.ts";

/** How many versions a destination keeps, and which ones count as newest. */
export interface Retention {
  readonly keep: number | "all";
  readonly keepBy: KeepBy;
  /** The destination's own line says how many: only there is what an overwritten tag leaves untagged deleted. */
  readonly ownLine?: true;
}

export const keepByChoices = ["semver", "published", "minor"] as const;
export type KeepBy = (typeof keepByChoices)[number];

/** The versions that a destination keeps of those that it holds or is about to hold, newest first. */
export function newest(versions: readonly Version[], retention: Retention): readonly Version[] {
  const ordered = [...versions].sort(retention.keepBy === "published" ? byPublished : bySemver);
  const candidates = retention.keepBy === "minor" ? newestOfEachMinor(ordered) : ordered;
  return retention.keep === "all" ? ordered : candidates.slice(0, retention.keep);
}

/** The first, that is newest, patch of each `major.minor`, from versions in semver order. */
function newestOfEachMinor(ordered: readonly Version[]): readonly Version[] {
  const seen = new Set<string>();
  return ordered.filter((version) => {
    const minor = `${version.major}.${version.minor}`;
    if (seen.has(minor)) return false;
    seen.add(minor);
    return true;
  });
}
