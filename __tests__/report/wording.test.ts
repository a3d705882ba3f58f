import { expect, test } from "vitest";
import { countOf, listOf } from "../../src/report/wording.ts";

test.each([
  [0, "0 images"],
  [1, "1 image"],
  [12, "12 images"],
])("%d: %s", (number, expected) => {
  expect(countOf(number, "image")).toBe(expected);
});

test.each([
  [[], ""],
  [["a"], "a"],
  [["a", "b"], "a, b"],
  [["a", "b", "c", "d"], "a, b and 2 more"],
])("of %j at most two are named: %s", (names, expected) => {
  expect(listOf(names, 2)).toBe(expected);
});
