import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { parseSelection, select } from "../../src/plan/selection.ts";
import { harborUniverse } from "./snapshot-builder.ts";
import { harborReleases, version } from "./versions.ts";

const repository = "goharbor/harbor";

function selected(text: string, universe = harborUniverse): readonly string[] {
  return select(parseSelection(text), universe, repository).map(({ tag }) => tag);
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

test("a range takes the prereleases that the universe has, and no others", () => {
  const tags = ["v2.15.2", "v2.15.3-rc1"].map((tag) => version(tag));
  expect(selected(">=2.15", tags)).toEqual(["v2.15.3-rc1", "v2.15.2"]);
  expect(selected(">=2.15", tags.slice(0, 1))).toEqual(["v2.15.2"]);
});

describe("what does not exist is refused", () => {
  test.each(["v2.15.99", "v2.15.2,v9.9.9", "v2.15.2-rc1", "2.15.2", "baseline"])("%s", (text) => {
    const given = parseSelection(text);
    expect(() => select(given, harborUniverse, repository)).toThrow(InputError);
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
    ">=3 <2",
  ])("%j is refused", (text) => {
    expect(() => parseSelection(text)).toThrow(InputError);
  });

  test("two tags without a comma are refused: semver would read a range that nothing is in", () => {
    expect(() => parseSelection("v2.15.2 v2.14.4")).toThrow(/commas/);
  });

  test.each(harborReleases.map((one) => one.tag))("Harbor's tag %s selects itself", (tag) => {
    expect(parseSelection(tag)).toEqual({ kind: "tags", tags: [tag] });
  });
});
