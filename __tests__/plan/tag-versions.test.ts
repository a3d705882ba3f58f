import { describe, expect, test } from "vitest";
import type { ImageRule } from "../../src/plan/component.ts";
import { areFixed, fixedVersions, tellingRule, versionsOfTags } from "../../src/plan/tag-versions.ts";

const rule = (from: string, fromTag = "{{tag}}", toTag = fromTag): ImageRule => ({
  from,
  fromTag,
  to: from,
  toTag,
});

describe("the versions of a list of images", () => {
  const tags: Readonly<Record<string, readonly string[]>> = {
    server: ["v1.0.0", "v1.1.0", "latest", `sha256-${"a".repeat(64)}.sig`, `sha256-${"a".repeat(64)}`],
    worker: ["v1.0.0", "latest", "1.0.0"],
    plain: ["1.0.0", "1.1.0-alpine", "1.1.0", "01.0.0", "v1.0.0"],
    suffixed: ["1.0.0-rc.3", "1.0.0-rc.2", "2.0.0", "x-rc.3"],
    affixed: ["r-v1.0.0", `r-sha256-${"a".repeat(64)}.sig`],
    tool: ["7.1"],
  };
  test.each<[what: string, rules: readonly ImageRule[], versions: readonly string[]]>([
    [
      "are the tags of one image, without those of signatures",
      [rule("server")],
      ["v1.0.0", "v1.1.0", "latest"],
    ],
    ["are the tags that all have", [rule("server"), rule("worker")], ["v1.0.0", "latest"]],
    ["come with other templates", [rule("server"), rule("plain", "{{version}}")], ["v1.0.0", "v1.1.0"]],
    ["come from the numbers", [rule("plain", "{{version}}")], ["1.0.0", "1.1.0-alpine", "1.1.0"]],
    ["come from between what a template adds", [rule("suffixed", "{{version}}-rc.3")], ["1.0.0"]],
    ["are never written as signatures", [rule("affixed", "r-{{tag}}", "{{tag}}")], ["v1.0.0"]],
    ["need fixed tags to be there", [rule("server"), rule("tool", "7.1")], ["v1.0.0", "v1.1.0", "latest"]],
    ["are none where a fixed tag is not there", [rule("server"), rule("tool", "7.2")], []],
    ["are none where a repository is not there", [rule("server"), rule("nothing")], []],
  ])("%s", (_what, rules, versions) => {
    const found = versionsOfTags(rules, ({ from }) => new Set(tags[from]));
    expect(found.map(({ tag }) => tag)).toEqual(versions);
  });
});

test("a line with {{tag}} tells the versions, else one with {{version}} alone", () => {
  const [tag, version, both] = [rule("a"), rule("b", "x{{ version }}"), rule("c", "{{major}}.{{minor}}")];
  expect(tellingRule([both, version, tag])).toBe(tag);
  expect(tellingRule([both, version])).toBe(version);
  expect(tellingRule([both])).toBeUndefined();
});

test("lines that name their tags are versions of those tags", () => {
  const rules = [rule("a", "1.0"), rule("b", "1.0", "x"), rule("c", `sha256:${"0".repeat(64)}`, "v2")];
  expect(areFixed(rules)).toBe(true);
  expect(areFixed([...rules, rule("d")])).toBe(false);
  expect([...fixedVersions(rules)]).toEqual([
    ["1.0", rules.slice(0, 2)],
    ["v2", rules.slice(2)],
  ]);
});
