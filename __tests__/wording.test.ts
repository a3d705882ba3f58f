import { expect, test } from "vitest";
import { countOf, formatBytes, formatDuration, listOf } from "../src/wording.ts";

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

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [999_949, "999.9 kB"],
  [999_960, "1.0 MB"],
  [999_950_001, "1.0 GB"],
  [1_500_000_000_000_000, "1500.0 TB"],
  [41_234_567, "41.2 MB"],
  [5_000_000_000_000_000, "5000.0 TB"],
])("%d bytes are %s", (bytes, expected) => {
  expect(formatBytes(bytes)).toBe(expected);
});

test.each([
  [0, "0.0 s"],
  [41_234, "41.2 s"],
  [59_949, "59.9 s"],
  [59_950, "1 min 0 s"],
  [192_400, "3 min 12 s"],
  [3_599_600, "1 h 0 min"],
  [3_860_000, "1 h 4 min"],
])("%d milliseconds are %s", (milliseconds, expected) => {
  expect(formatDuration(milliseconds)).toBe(expected);
});
