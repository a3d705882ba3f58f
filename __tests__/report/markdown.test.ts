import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { code, escapeMarkdown, table } from "../../src/report/markdown.ts";

describe("foreign text", () => {
  test.each([
    ["<script>alert(1)</script>", "&#60;script&#62;alert&#40;1&#41;&#60;/script&#62;"],
    ["one | two", "one &#124; two"],
    ["[x](javascript:alert)", "&#91;x&#93;&#40;javascript&#58;alert&#41;"],
    ["![x](https://evil.example/p.png)", "&#33;&#91;x&#93;&#40;https&#58;//evil.example/p.png&#41;"],
    [
      "`code` **bold** _it_ ~~no~~",
      "&#96;code&#96; &#42;&#42;bold&#42;&#42; &#95;it&#95; &#126;&#126;no&#126;&#126;",
    ],
    ["&lt; \\| $x$ :rocket: @you #1", "&#38;lt; &#92;&#124; &#36;x&#36; &#58;rocket&#58; &#64;you &#35;1"],
    ["one\n\n# two", "one &#35; two"],
    ["::set-output name=x::y", "&#58; &#58;set-output name&#61;x&#58; &#58;y"],
    ["plain text, 12.5 MB - fine", "plain text, 12.5 MB - fine"],
  ])("%j", (text, expected) => {
    expect(escapeMarkdown(text)).toBe(expected);
  });

  test("never leaves a character that begins markup, and never a second line", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const withoutReferences = escapeMarkdown(text).replace(/&#[0-9]+;/g, "");
        expect(withoutReferences).not.toMatch(/[&<>"'`|\\*_[\](){}#!~:@$\u0000-\u001f\u2028\u2029]/);
      }),
    );
  });

  test("is cut", () => {
    expect(escapeMarkdown("x".repeat(10_000)).length).toBeLessThan(1000);
  });
});

test.each([
  ["harbor-core:v2.15.2", "`harbor-core:v2.15.2`"],
  ["a__b/c@sha256:0", "`a__b/c@sha256:0`"],
  ["[::1]:5000/x", "`[::1]:5000/x`"],
  ["a`<b>", "<code>a&#96;&#60;b&#62;</code>"],
])("%j in code type", (text, expected) => {
  expect(code(text)).toBe(expected);
});

test("a table counts the rows that it does not show", () => {
  const rows = Array.from({ length: 260 }, (_none, index) => [String(index)]);
  const lines = table([{ title: "N", align: "right" }], rows).split("\n");
  expect(lines.slice(0, 3)).toEqual(["| N |", "| ---: |", "| 0 |"]);
  expect(lines.filter((line) => /^\| \d+ \|$/.test(line))).toHaveLength(200);
  expect(lines.at(-1)).toContain("60 more rows");
});
