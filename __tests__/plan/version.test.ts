import { describe, expect, test } from "vitest";
import { byPublished, bySemver, versionOf } from "../../src/plan/version.ts";
import { harborReleases, release, version } from "./versions.ts";

describe("versionOf", () => {
  test.each([
    ["v2.15.2", "2.15.2", false],
    ["1.10.19", "1.10.19", false],
    ["v2.15.0-rc1", "2.15.0-rc1", true],
    ["v1.5.2-RC1", "1.5.2-RC1", true],
    ["v2.11.2-rc.1", "2.11.2-rc.1", true],
    ["v2.1.0-tech-preview", "2.1.0-tech-preview", true],
    ["0.3.5-rc", "0.3.5-rc", true],
    ["v2.15.2-dev", "2.15.2-dev", true],
    ["v2.16.0-amd64", "2.16.0-amd64", true],
  ])("%s is %s, prerelease: %s", (tag, number, prerelease) => {
    expect(versionOf(release(tag))).toMatchObject({ tag, number, prerelease });
  });

  test.each([
    "v2.3.0.-rc1",
    "baseline",
    "dev",
    "latest",
    "remote-debug-edition",
    "src/v2.2.1",
    "v2",
    "v2.15",
    "=v1.0.0",
    "V1.0.0",
    "v01.2.3",
    "v1.2.3.4",
    "",
    `v${"9".repeat(20)}.0.0`,
  ])("%j is no version", (tag) => {
    expect(versionOf(release(tag))).toBeUndefined();
  });

  test("a release's own flag makes a plain number a prerelease", () => {
    expect(versionOf({ ...release("v3.0.0"), prerelease: true })?.prerelease).toBe(true);
  });

  test("of Harbor's 366 tags exactly the plain X.Y.Z ones are releases", () => {
    expect(harborReleases).toHaveLength(366);
    const counted = harborReleases
      .filter((one) => versionOf(one)?.prerelease === false)
      .map((one) => one.tag);
    expect(counted).toEqual(
      harborReleases.map((one) => one.tag).filter((tag) => /^v?[0-9]+\.[0-9]+\.[0-9]+$/.test(tag)),
    );
    const noVersions = harborReleases.filter((one) => versionOf(one) === undefined).map((one) => one.tag);
    expect(noVersions).toEqual(["v2.3.0.-rc1"]);
  });
});

describe("order", () => {
  test("bySemver is by number, newest first, prereleases below their release", () => {
    const tags = ["v1.9.0", "v1.10.0-rc2", "v1.10.0", "v1.10.0-rc10", "v1.10.1"];
    expect(sorted(tags)).toEqual(["v1.10.1", "v1.10.0", "v1.10.0-rc2", "v1.10.0-rc10", "v1.9.0"]);
  });

  test("is the same whatever the order before, and a version equals itself", () => {
    expect(sorted(["v1.0.0", "1.0.0"])).toEqual(sorted(["1.0.0", "v1.0.0"]));
    expect(bySemver(version("v1.0.0"), version("v1.0.0"))).toBe(0);
    expect(byPublished(version("v1.0.0", 5), version("v1.0.0", 5))).toBe(0);
  });

  test("byPublished is by date, then by number", () => {
    const versions = [version("v2.0.0", 1), version("v1.0.1", 2), version("v1.0.2", 2)];
    expect(versions.sort(byPublished).map((one) => one.tag)).toEqual(["v1.0.2", "v1.0.1", "v2.0.0"]);
  });

  function sorted(tags: readonly string[]): readonly string[] {
    return tags
      .map((tag) => version(tag))
      .sort(bySemver)
      .map((one) => one.tag);
  }
});
