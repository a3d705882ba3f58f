import { expect, test } from "vitest";
import { colourPaint, paintFor, plainPaint } from "../../src/log/paint.ts";

test.each([
  ["a terminal", {}, true, colourPaint],
  ["a file", {}, false, plainPaint],
  ["a runner", { GITHUB_ACTIONS: "true" }, false, colourPaint],
  ["a terminal without colours", { NO_COLOR: "1" }, true, plainPaint],
  ["a runner without colours", { GITHUB_ACTIONS: "true", NO_COLOR: "yes" }, false, plainPaint],
  ["an empty NO_COLOR", { NO_COLOR: "" }, true, colourPaint],
])("the colours of %s", (_where, environment, isTerminal, expected) => {
  expect(paintFor(environment, isTerminal)).toBe(expected);
});

test("colours end with the piece, and nothing is no piece", () => {
  expect(colourPaint.good("✓")).toBe("\u001b[32m✓\u001b[39m");
  expect(colourPaint.bad("")).toBe("");
});
