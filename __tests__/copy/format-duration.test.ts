import { expect, test } from "vitest";
import { formatDuration } from "../../src/copy/format-duration.ts";

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
