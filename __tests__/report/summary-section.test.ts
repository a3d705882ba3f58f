import { expect, test } from "vitest";
import { joinSections, type Section } from "../../src/report/summary-section.ts";

function section(name: string, rank: Section["rank"], size = 10): Section {
  return { name, rank, markdown: `(${name})`.padEnd(size, ".") };
}

function kept(summary: string): readonly string[] {
  return [...summary.matchAll(/^\((\w+)\)/gm)].map(([, name = ""]) => name);
}

const sections = [section("head", 0), section("first", 3), section("second", 3), section("pull", 5)];

test.each([
  [48, ["head", "first", "second", "pull"]],
  [47, ["head", "first", "second"]],
  [35, ["head", "first"]],
  [12, ["head"]],
  [0, ["head"]],
])("in %d bytes the highest rank goes first, of equals the last", (limit, expected) => {
  expect(kept(joinSections(sections, limit))).toEqual(expected);
});

test("bytes count, not characters", () => {
  const wide = { name: "wide", rank: 1, markdown: "拒绝访问" } as const;
  expect(joinSections([section("head", 0), wide], 26)).toContain("拒绝访问");
  expect(joinSections([section("head", 0), wide], 25)).not.toContain("拒绝访问");
});

test("what is left out is named, escaped, in a bounded sentence", () => {
  const many = Array.from({ length: 500 }, (_none, index) => section(`<${index}>`, 4, 1000));
  const summary = joinSections([section("head", 0), ...many], 5000);
  expect(summary).toMatch(/left out here: &#60;4&#62;, .* and 476 more\./);
  expect(Buffer.byteLength(summary)).toBeLessThan(7000);
});
