import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { applyRules, applyRulesOnce, hasTags, renderTemplate } from "../../src/plan/component.ts";
import { version } from "./versions.ts";

describe("renderTemplate", () => {
  test.each([
    ["{{tag}}", "v2.15.2", "v2.15.2"],
    ["{{version}}", "v2.15.2", "2.15.2"],
    ["{{ version }}-alpine", "v2.15.0-rc1", "2.15.0-rc1-alpine"],
    ["{{major}}.{{minor}}.{{patch}}", "1.10.19", "1.10.19"],
    ["{{major}}{{major}}", "v2.15.2", "22"],
    ["stable", "v2.15.2", "stable"],
  ])("%s of %s gives %s", (template, tag, expected) => {
    expect(renderTemplate(template, version(tag))).toBe(expected);
  });

  test.each([
    ["build metadata is no part of a tag", "{{tag}}", "v1.0.0+build"],
    ["too long", `${"x".repeat(125)}{{tag}}`, "v1.0.0"],
    ["a placeholder that does not exist", "{{digest}}", "v1.0.0"],
    ["a name that every object has", "{{toString}}", "v1.0.0"],
  ])("%s: refused", (_why, template, tag) => {
    expect(() => renderTemplate(template, version(tag))).toThrow(InputError);
  });

  test("what a tag brings in is not filled in again", () => {
    expect(renderTemplate("{{version}}", version("v1.0.0-major"))).toBe("1.0.0-major");
  });
});

test.each([
  ["auto", "v1.0.0", true],
  ["auto", "v1.0.0+x", false],
  [[{ from: "a", fromTag: "{{tag}}", to: "a", toTag: "{{version}}" }], "v1.0.0+x", false],
  [[{ from: "a", fromTag: "{{version}}", to: "a", toTag: "{{version}}" }], "v1.0.0+x", true],
] as const)("whether the images %j of %s have tags: %s", (images, tag, expected) => {
  expect(hasTags(images, version(tag))).toBe(expected);
});

test("applyRules fills both sides of each rule, in order", () => {
  const rules = [
    { from: "a", fromTag: "{{tag}}", to: "b", toTag: "{{version}}" },
    { from: "c", fromTag: "x-{{tag}}", to: "c", toTag: "x-{{tag}}" },
    { from: "d", fromTag: "7.1", to: "d", toTag: "{{major}}" },
  ];
  expect(applyRules(rules, version("v1.2.3"))).toEqual([
    { from: "a", fromTag: "v1.2.3", to: "b", toTag: "1.2.3" },
    { from: "c", fromTag: "x-v1.2.3", to: "c", toTag: "x-v1.2.3" },
    { from: "d", fromTag: "7.1", to: "d", toTag: "1", fixed: true },
  ]);
});

test("two lines whose templates give the same tag are a mistake, where they do", () => {
  const rules = ["{{major}}", "2"].map((toTag, index) => ({
    from: `app${index}`,
    fromTag: "{{tag}}",
    to: "app",
    toTag,
  }));
  expect(applyRulesOnce(rules, version("v1.2.3")).map(({ toTag }) => toTag)).toEqual(["1", "2"]);
  expect(() => applyRulesOnce(rules, version("v2.0.0"))).toThrow(
    "images: two lines write the image app:2 of v2.0.0",
  );
});
