import { describe, expect, test } from "vitest";
import { keepByChoices, newest } from "../../src/plan/retention.ts";
import { type Version, versionOf } from "../../src/plan/version.ts";
import { harborReleases, version } from "./versions.ts";

const harborVersions: readonly Version[] = harborReleases.flatMap((release) => {
  const made = versionOf(release);
  return made === undefined || made.prerelease ? [] : [made];
});

function tags(versions: readonly Version[]): readonly string[] {
  return versions.map((one) => one.tag);
}

describe("the newest three Harbor versions", () => {
  test.each([
    ["semver", ["v2.15.2", "v2.15.1", "v2.15.0"]],
    ["published", ["v2.15.2", "v2.14.4", "v2.15.1"]],
    ["minor", ["v2.15.2", "v2.14.4", "v2.13.5"]],
  ] as const)("by %s are %j", (keepBy, expected) => {
    expect(tags(newest(harborVersions, { keep: 3, keepBy }))).toEqual(expected);
  });
});

describe("newest", () => {
  const line = ["v1.10.19", "v2.14.4", "v2.15.0", "v2.15.2", "v2.13.5"].map((tag, day) => version(tag, day));

  test.each(keepByChoices)("keep all by %s keeps every version, older patches too", (keepBy) => {
    expect([...tags(newest(line, { keep: "all", keepBy }))].sort()).toEqual([...tags(line)].sort());
  });

  test.each(keepByChoices)("fewer versions than kept by %s: those there are", (keepBy) => {
    expect(tags(newest(line.slice(0, 1), { keep: 3, keepBy }))).toEqual(["v1.10.19"]);
    expect(newest([], { keep: 3, keepBy })).toEqual([]);
  });

  test("a late patch of an old line is newest by date, but not by number", () => {
    const late = [...line, version("v1.10.20", 99)];
    expect(tags(newest(late, { keep: 1, keepBy: "published" }))).toEqual(["v1.10.20"]);
    expect(tags(newest(late, { keep: 3, keepBy: "semver" }))).not.toContain("v1.10.20");
    expect(tags(newest(late, { keep: 9, keepBy: "minor" }))).toEqual([
      "v2.15.2",
      "v2.14.4",
      "v2.13.5",
      "v1.10.20",
    ]);
  });

  test("leaves its argument as it was", () => {
    const before = tags(line);
    newest(line, { keep: 2, keepBy: "minor" });
    expect(tags(line)).toEqual(before);
  });
});
