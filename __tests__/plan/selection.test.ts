import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { makePlan } from "../../src/plan/plan.ts";
import { type KeepBy, keepByChoices } from "../../src/plan/retention.ts";
import { idleLines, parseSelection, select, withinFilter } from "../../src/plan/selection.ts";
import { roughNumber, versionOf, versionOfTag, whyNoVersion } from "../../src/plan/version.ts";
import { harborUniverse, snapshotOf, stepsOf, versionsIn } from "./snapshot-builder.ts";
import { harborReleases, version } from "./versions.ts";

const repository = "goharbor/harbor";

function selected(
  text: string,
  universe = harborUniverse,
  keepBys: readonly KeepBy[] = ["semver"],
): readonly string[] {
  const retentions = keepBys.map((keepBy) => ({ keepBy }));
  return select(parseSelection(text), { universe, passedOver: [] }, repository, retentions).map(
    ({ tag }) => tag,
  );
}

describe("of Harbor's releases", () => {
  test.each([
    ["v2.15.2", ["v2.15.2"]],
    ["v2.14.4, v2.15.2", ["v2.15.2", "v2.14.4"]],
    ["newest:3", ["v2.15.2", "v2.15.1", "v2.15.0"]],
    ["newest:1", ["v2.15.2"]],
    [">=2.15 <2.16", ["v2.15.2", "v2.15.1", "v2.15.0"]],
    ["2.15", ["v2.15.2", "v2.15.1", "v2.15.0"]],
    ["~1.10.18 || >=2.15.2", ["v2.15.2", "v1.10.19", "v1.10.18"]],
  ])("%j selects %j, newest first", (text, expected) => {
    expect(selected(text)).toEqual(expected);
  });

  test("more than there are: all of them", () => {
    expect(selected("newest:9999")).toHaveLength(harborUniverse.length);
  });

  test("the order of the list of releases does not matter", () => {
    expect(selected("newest:3", [...harborUniverse].reverse())).toEqual(selected("newest:3"));
  });
});

describe("the newest are those that destinations would keep", () => {
  test.each<[KeepBy[], readonly string[]]>([
    [["semver"], ["v2.15.2", "v2.15.1", "v2.15.0"]],
    [["published"], ["v2.15.2", "v2.15.1", "v2.14.4"]],
    [["minor"], ["v2.15.2", "v2.14.4", "v2.13.5"]],
    [
      ["minor", "semver"],
      ["v2.15.2", "v2.15.1", "v2.15.0", "v2.14.4", "v2.13.5"],
    ],
  ])("newest:3 by %j", (keepBys, expected) => {
    expect(selected("newest:3", harborUniverse, keepBys)).toEqual(expected);
  });

  test.each(keepByChoices)("so that none is copied in vain to an empty destination, by %s", (keepBy) => {
    const retention = { keep: 3, keepBy };
    const released = { universe: harborUniverse, passedOver: [] };
    const wanted = select({ kind: "kept", retentions: [retention] }, released, repository, [retention]);
    const plan = makePlan(
      snapshotOf({ wanted: wanted.map(({ tag }) => tag), destinations: [{ keep: 3, keepBy }] }),
    );
    expect(wanted).toHaveLength(3);
    expect(versionsIn(stepsOf(plan, "copy"))).toEqual(wanted.map(({ tag }) => tag));
    expect(stepsOf(plan, "skip")).toEqual([]);
  });

  test("what any destination keeps is chosen", () => {
    const retentions = [
      { keep: 2, keepBy: "minor" },
      { keep: 2, keepBy: "semver" },
    ] as const;
    const released = { universe: harborUniverse, passedOver: [] };
    const wanted = select({ kind: "kept", retentions }, released, repository, retentions);
    expect(wanted.map(({ tag }) => tag)).toEqual(["v2.15.2", "v2.15.1", "v2.14.4"]);
  });
});

test("a range takes the prereleases that the universe has, and no others", () => {
  const tags = ["v2.15.2", "v2.15.3-rc1"].map((tag) => version(tag));
  expect(selected(">=2.15", tags)).toEqual(["v2.15.3-rc1", "v2.15.2"]);
  expect(selected(">=2.15", tags.slice(0, 1))).toEqual(["v2.15.2"]);
});

describe("what does not exist is refused", () => {
  test.each(["v2.15.99", "v2.15.2,v9.9.9", "v2.15.2-rc1", "2.15.2", "baseline"])("%s", (text) => {
    const given = parseSelection(text);
    const released = { universe: harborUniverse, passedOver: [] };
    expect(() => select(given, released, repository, [{ keepBy: "semver" }])).toThrow(InputError);
  });

  test("the message names what is unknown, the repository, and what there is", () => {
    const message =
      /goharbor\/harbor has no published release v9\.9\.9:.*newest are v2\.15\.2, v2\.15\.1, v2\.15\.0/;
    expect(() => selected("v2.15.2,v9.9.9")).toThrow(message);
  });

  test.each([
    [">=3", />=3.*newest are v2\.15\.2/],
    ["newest:2", /newest:2.*no published releases/],
  ])("%s where nothing fits", (text, message) => {
    const universe = text === ">=3" ? harborUniverse : [];
    expect(() => selected(text, universe)).toThrow(message);
    expect(() => selected(text, universe)).toThrow(InputError);
  });
});

describe("parseSelection", () => {
  test.each([
    ["v2.15.2", { kind: "tags", tags: ["v2.15.2"] }],
    [" 2.15.2 ", { kind: "tags", tags: ["2.15.2"] }],
    ["v2.15.2,v2.14.4, v2.15.2", { kind: "tags", tags: ["v2.15.2", "v2.14.4"] }],
    ["v2.15.2\r\nv2.14.4\n", { kind: "tags", tags: ["v2.15.2", "v2.14.4"] }],
    ["v2.3.0.-rc1", { kind: "tags", tags: ["v2.3.0.-rc1"] }],
    ["baseline", { kind: "tags", tags: ["baseline"] }],
    [">=2.14 <2.16", { kind: "range", range: ">=2.14 <2.16" }],
    ["2.15", { kind: "range", range: "2.15" }],
    ["~2.14 || 1.10.x", { kind: "range", range: "~2.14 || 1.10.x" }],
    ["newest:1", { kind: "newest", count: 1 }],
    ["newest:12", { kind: "newest", count: 12 }],
    [
      ">=2.14 <2.16\nlatest",
      {
        kind: "any",
        of: [
          { kind: "range", range: ">=2.14 <2.16" },
          { kind: "tags", tags: ["latest"] },
        ],
      },
    ],
    [">=2.14\n<2.16", { kind: "range", range: ">=2.14\n<2.16" }],
    // A line means the same alone and among others.
    [
      "1.27\nlatest",
      {
        kind: "any",
        of: [
          { kind: "range", range: "1.27" },
          { kind: "tags", tags: ["latest"] },
        ],
      },
    ],
    [
      "edge\n2.x",
      {
        kind: "any",
        of: [
          { kind: "tags", tags: ["edge"] },
          { kind: "range", range: "2.x" },
        ],
      },
    ],
    [
      "1.27\n1.28",
      {
        kind: "any",
        of: [
          { kind: "range", range: "1.27" },
          { kind: "range", range: "1.28" },
        ],
      },
    ],
    [
      "2.15.2\n2.14",
      {
        kind: "any",
        of: [
          { kind: "tags", tags: ["2.15.2"] },
          { kind: "range", range: "2.14" },
        ],
      },
    ],
    ["edge\nlatest, edge", { kind: "tags", tags: ["edge", "latest"] }],
    [">=2.14 ||\n1.10.x", { kind: "range", range: ">=2.14 ||\n1.10.x" }],
    ["1.27, 1.28", { kind: "tags", tags: ["1.27", "1.28"] }],
    [
      "glob: 1.27.* ",
      { kind: "pattern", pattern: { text: "glob: 1.27.*", expression: /^(?:1\.27\.[^/]*)$/ } },
    ],
  ])("%j", (text, expected) => {
    expect(parseSelection(text)).toEqual(expected);
  });

  test.each([
    "newest:",
    "newest:0",
    "newest:-1",
    "newest:x",
    "newest:1.5",
    ",",
    "a b",
    "-x",
    "v1/x",
    "latest\nnewest:0",
    ">=1 newest:2\nlatest",
    ">=3 <2",
  ])("%j is refused", (text) => {
    expect(() => parseSelection(text)).toThrow(InputError);
  });

  test("two tags without a comma are refused: semver would read a range that nothing is in", () => {
    expect(() => parseSelection("v2.15.2 v2.14.4")).toThrow(/commas/);
  });

  test.each([
    ["glob:", "is an empty pattern"],
    ["glob: ", "is an empty pattern"],
    ["//", "is an empty pattern"],
    ["/1\\.27.*/i", "has flags"],
    ["1.27 1.28", "did you mean 1.27, 1.28?"],
    [">=3\n<2", "is a range without any version"],
  ])("%j is refused with a word about it: %s", (text, message) => {
    expect(() => parseSelection(text)).toThrow(message);
  });

  test.each(harborReleases.map((one) => one.tag))("Harbor's tag %s selects itself", (tag) => {
    expect(parseSelection(tag)).toEqual({ kind: "tags", tags: [tag] });
  });
});

describe("idleLines", () => {
  const versions = ["v1.27.0", "v2.0.0"].map((tag) => versionOf({ tag, prerelease: false, publishedAt: 0 }));
  const universe = versions.flatMap((version) => version ?? []);
  const idle = (text: string): readonly string[] =>
    idleLines(parseSelection(text), { universe, otherTags: ["edge"].map(versionOfTag) }, [
      { keepBy: "semver" },
    ]);

  test.each<[string, readonly string[]]>([
    ["edge\n2.x", []],
    ["edge\n3.x\nglob:nightly-*\n/v1\\.2.*/", ["3.x", "glob:nightly-*"]],
    ["2.x\nnewest:1\nabsent", ["absent"]],
    // What is left out is not chosen, and leaving out nothing is no mistake.
    ["1.x\n2.x\n!v2.0.0\n!glob:*-rc*", ["2.x"]],
    ["glob:*\n!v2.0.0", []],
  ])("%j has %j", (text, lines) => {
    expect(idle(text)).toEqual(lines);
  });

  test("a line alone that fits nothing is a mistake of its own", () => {
    expect(idle("3.x")).toEqual([]);
  });
});

describe("latest", () => {
  const chosenOf = (released: Parameters<typeof select>[1], text = "latest"): readonly string[] =>
    select(parseSelection(text), released, repository, [{ keepBy: "semver" }]).map(({ tag }) => tag);
  const versions = harborReleases.flatMap((release) => versionOf(release) ?? []);

  test("is another word for newest:1 where releases are the versions", () => {
    expect(() => chosenOf({ universe: versions, passedOver: [] })).toThrow("did you mean newest:1?");
  });

  test.each([
    ["newest", "newest:1"],
    ["last", "newest:1"],
    ["Latest", "newest:1"],
    ["all", "glob:*"],
    ["everything", "glob:*"],
    ["2.15.2", "v2.15.2"],
  ])("%s is no release either: %s", (text, meant) => {
    expect(() => chosenOf({ universe: versions, passedOver: [] }, text)).toThrow(`did you mean ${meant}?`);
    expect(chosenOf({ universe: versions, passedOver: [] }, meant).length).toBeGreaterThan(0);
  });

  test("is a tag where tags are the versions", () => {
    const otherTags = ["latest", "1.27"].map(versionOfTag);
    expect(chosenOf({ universe: versions, otherTags, passedOver: [] })).toEqual(["latest"]);
  });

  test("is missing where the lines of the images name other tags, and no release is spoken of", () => {
    const otherTags = ["1.27-alpine", "v2.53.0"].map(versionOfTag);
    const choosing = () => chosenOf({ universe: [], otherTags, passedOver: [] }, "latest, v2.53.0");
    expect(choosing).toThrow(
      'No line of the input "images" has the tag latest. Theirs are 1.27-alpine, v2.53.0: without a version, all of them are wanted.',
    );
  });
});

describe("a repository whose releases do not count", () => {
  const passedOver = ["v1.2", "2026.07.01", "operator/v1.2.3", "1.2.3.4", "latest"].map((tag) => ({
    tag,
    reason: whyNoVersion(tag),
  }));
  const refused = (text: string, others = passedOver): string => {
    try {
      select(parseSelection(text), { universe: [], passedOver: others }, repository, [{ keepBy: "semver" }]);
    } catch (error) {
      return String(error);
    }
    return "";
  };

  test("is told what it has, and why that is no version", () => {
    expect(refused("newest:3")).toContain(
      "It has 5 published releases, but none that counts: v1.2, 1.2.3.4 (not a version: three numbers are, such as v1.2.3); " +
        "2026.07.01 (not a version: no number of one begins with 0); operator/v1.2.3 (not a version: something stands in front of one); " +
        "latest (not of the form v1.2.3).",
    );
    expect(refused("newest:3", passedOver.slice(0, 1))).toContain(
      "It has 1 published release, but none that counts: v1.2",
    );
  });

  test("is told of that very release, when it was asked for", () => {
    expect(refused("2026.07.01")).toContain(
      "has no published release 2026.07.01 that counts: 2026.07.01 is not a version: no number of one begins with 0.",
    );
    expect(refused("v9.9.9, 2026.07.01")).toContain("has no published release v9.9.9: a draft");
  });

  test("of many, some are named", () => {
    const many = Array.from({ length: 50 }, (_, index) => ({
      tag: `v1.${index}`,
      reason: "not a version",
    }));
    expect(refused(">=1", many)).toContain("v1.0, v1.1, v1.2 and 47 more (not a version)");
  });
});

describe("lines that leave out", () => {
  const universe = ["v1.2.0", "v1.1.1", "v1.1.0", "v1.0.0"].map((tag) => version(tag));
  const otherTags = ["latest", "1.27", "1.27-alpine", "1.28.0-rc1", "2026.01.15", "nightly-1"].map(
    versionOfTag,
  );

  function chosen(text: string): readonly string[] {
    const released = { universe, otherTags, passedOver: [] };
    return select(parseSelection(text), released, repository, [{ keepBy: "semver" }]).map(({ tag }) => tag);
  }

  test.each([
    ["!glob:v1.1.*", ["v1.2.0", "v1.0.0", ...otherTags.map(({ tag }) => tag)]],
    ["!/[^v].*/", ["v1.2.0", "v1.1.1", "v1.1.0", "v1.0.0"]],
    [">=1.1\n!v1.1.1", ["v1.2.0", "v1.1.0"]],
    [">=1.1\n!>=1.2", ["v1.1.1", "v1.1.0"]],
    ["glob:v*\n!semver:~1.1", ["v1.2.0", "v1.0.0"]],
    ["newest:2\n!v1.2.0", ["v1.1.1", "v1.1.0"]],
    ["! glob:v1.1.*\nnewest:1\nglob:1.27*\n!/.*alpine/", ["v1.2.0", "1.27"]],
    // Who asks for a tag by its name means it.
    ["v1.1.0\n!glob:v1.1.*", ["v1.1.0"]],
  ])("%j chooses %j", (text, tags) => {
    expect([...chosen(text)].sort()).toEqual([...tags].sort());
  });

  test.each([
    ["semver:>=1.2", ["1.27", "1.27-alpine", "1.28.0-rc1", "2026.01.15", "v1.2.0"]],
    ["semver:~1.27", ["1.27", "1.27-alpine"]],
    ["semver:>=1.27 <2 || 1.0.x", ["1.27", "1.27-alpine", "1.28.0-rc1", "v1.0.0"]],
    ["semver:2026.1.x", ["2026.01.15"]],
  ])("%s takes tags as other tools do", (text, tags) => {
    expect([...chosen(text)].sort()).toEqual(tags);
  });

  test("what is left out is counted and pruned by nobody", () => {
    const counted = (text: string) => withinFilter(parseSelection(text), universe).map(({ tag }) => tag);
    expect(counted("newest:1\n!v1.1.1")).toEqual(["v1.2.0", "v1.1.0", "v1.0.0"]);
    expect(counted(">=1.1\n!v1.1.1")).toEqual(["v1.2.0", "v1.1.0"]);
    expect(counted("semver:1.1\n!v1.1.1")).toEqual(["v1.1.0"]);
  });

  test.each([
    ["!newest:3", '"!newest:3" leaves out no tags, range or pattern'],
    ["!", '"!" leaves out no tags, range or pattern'],
    ["!!glob:a", "leaves out no tags, range or pattern"],
    ["semver:", '"semver:" is not a semver range'],
    ["semver:a b", '"semver:a b" is not a semver range'],
    ["!/(/", "is not a regular expression"],
  ])("%j is refused", (text, message) => {
    expect(() => parseSelection(text)).toThrow(message);
  });

  test("a message about nothing that fits names them", () => {
    expect(() => chosen("semver:>3000\n!glob:a*")).toThrow('version "semver:>3000; !glob:a*"');
  });
});

test.each([
  ["1", "1.0.0"],
  ["v1.27", "1.27.0"],
  ["1.27-alpine3.19", "1.27.0-alpine3.19"],
  ["1.2.3-rc.01", "1.2.3-rc.1"],
  ["007.08.09", "7.8.9"],
  ["1.2.3_4", undefined],
  ["1.2.3-a_b", "1.2.3-a.b"],
  ["1.2.3.4", undefined],
  ["latest", undefined],
  ["1-", undefined],
  ["99999999999999999999", undefined],
])("the rough number of %s is %s", (tag, number) => {
  expect(roughNumber(tag)).toBe(number);
});
