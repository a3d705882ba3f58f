import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { select } from "../../src/plan/selection.ts";
import { parseSelection } from "../../src/plan/version.ts";
import { harborUniverse } from "./snapshot-builder.ts";
import { version } from "./versions.ts";

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
