import harborTags from "../../sandbox/data/harbor-tags.json" with { type: "json" };
import { type Release, type Version, versionOf } from "../../src/plan/version.ts";

/** A published release of that tag. */
export function release(tag: string, publishedAt = 0): Release {
  return { tag, prerelease: false, publishedAt };
}

/** The version of a tag; fails the test when it is none. */
export function version(tag: string, publishedAt = 0): Version {
  const made = versionOf(release(tag, publishedAt));
  if (made === undefined) throw new Error(`${tag} is not a version`);
  return made;
}

/** Every tag of goharbor/harbor that looks like a version, odd ones included, as a release of the day of its commit. */
export const harborReleases: readonly Release[] = harborTags.map(({ tag, date }) =>
  release(tag, Date.parse(date)),
);
