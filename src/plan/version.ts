import semver from "semver";

/** A published release of the mirrored repository, as GitHub tells it, or a tag at a source. Drafts never get this far. */
export interface Release {
  readonly tag: string;
  /** The release's own flag; a tag such as `v2.15.0-rc1` counts as prerelease even without it. */
  readonly prerelease: boolean;
  /** When it was published, in milliseconds since the epoch; 0 for a tag, which has no date. */
  readonly publishedAt: number;
}

/** A release whose tag is a version number. */
export interface Version extends Release {
  /** Canonical `major.minor.patch[-prerelease]`, without the `v`. */
  readonly number: string;
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** A tag without a number of three parts, such as `latest`, `1.27` or `sha-abc1234`: there is no order among such. */
export interface UnnumberedVersion extends Release {
  readonly number: undefined;
}

/** What is mirrored as one: all images of a release, or of a tag. */
export type AnyVersion = Version | UnnumberedVersion;

/**
 * The version of a release, or undefined when its tag is not one. Strict semver with an optional `v`: Harbor's odd tags
 * (`v2.3.0.-rc1`, `baseline`) are not versions; `v2.1.0-tech-preview` and `v1.5.2-RC1` are prereleases.
 */
export function versionOf(release: Release): Version | undefined {
  const parsed = semver.parse(release.tag, { loose: false });
  if (parsed === null || !/^v?[0-9]/.test(release.tag)) return undefined;
  return {
    tag: release.tag,
    prerelease: release.prerelease || parsed.prerelease.length > 0,
    publishedAt: release.publishedAt,
    number: parsed.version,
    major: parsed.major,
    minor: parsed.minor,
    patch: parsed.patch,
  };
}

/** The version of a tag at a source, with a number or without. */
export function versionOfTag(tag: string): AnyVersion {
  const release = { tag, prerelease: false, publishedAt: 0 };
  return versionOf(release) ?? { ...release, number: undefined };
}

/** The version of a chart's tag, where Helm writes the `+` of a version as `_`. */
export function versionOfChartTag(tag: string): AnyVersion {
  return { ...versionOfTag(tag.replaceAll("_", "+")), tag };
}

/**
 * The number of a tag as other tools read it: one to three numbers, with zeros in front or not, and anything as its prerelease.
 * `1.27-alpine` is 1.27.0-alpine, `2026.01.15` is 2026.1.15. Undefined where it begins with no number.
 */
export function roughNumber(tag: string): string | undefined {
  const [, major, minor = "0", patch = "0", rest] =
    /^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-(.+))?$/.exec(tag) ?? [];
  if (major === undefined) return undefined;
  const numbers = [major, minor, patch].map((number) => number.replace(/^0+(?=.)/, ""));
  const parts = (rest ?? "").split(/[._]+/).filter((part) => part !== "");
  const prerelease = parts.map((part) => part.replace(/^0+(?=[0-9]+$)/, "")).join(".");
  return semver.valid(`${numbers.join(".")}${prerelease === "" ? "" : `-${prerelease}`}`) ?? undefined;
}

/** What a release's tag is that is no version. */
export function whyNoVersion(tag: string): string {
  const numbers = /^v?((?:[0-9]+\.)*[0-9]+)(?:[-+].*)?$/.exec(tag)?.[1]?.split(".");
  if (numbers !== undefined) {
    if (numbers.length !== 3) return "not a version: three numbers are, such as v1.2.3";
    if (numbers.some((number) => /^0[0-9]/.test(number)))
      return "not a version: no number of one begins with 0";
  }
  const tail = tag.slice(tag.search(/v?[0-9]/));
  return versionOf({ tag: tail, prerelease: false, publishedAt: 0 }) === undefined
    ? "not of the form v1.2.3"
    : "not a version: something stands in front of one";
}

/**
 * Newest first by semver. Equal numbers (`1.0.0` and `v1.0.0`) are ordered by tag, so that the order is total. Tags without a
 * number come last.
 */
export function bySemver(one: AnyVersion, other: AnyVersion): number {
  if (one.number === undefined || other.number === undefined) {
    if (one.number !== other.number) return one.number === undefined ? 1 : -1;
    return one.tag < other.tag ? -1 : Number(one.tag > other.tag);
  }
  // The three numbers mostly decide; `semver` parses both texts anew for each comparison.
  const byNumber =
    other.major - one.major ||
    other.minor - one.minor ||
    other.patch - one.patch ||
    semver.rcompare(one.number, other.number);
  if (byNumber !== 0 || one.tag === other.tag) return byNumber;
  return one.tag < other.tag ? 1 : -1;
}

/** Newest first by date of publication; releases of the same moment by semver. */
export function byPublished(one: Version, other: Version): number {
  return other.publishedAt - one.publishedAt || bySemver(one, other);
}
