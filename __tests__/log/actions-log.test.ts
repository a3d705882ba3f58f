import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { actionsLog } from "../../src/log/actions-log.ts";
import { colourPaint, plainPaint } from "../../src/log/paint.ts";

let written: string[];

beforeEach(() => {
  written = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("the log of a runner", () => {
  test.each([
    [true, "::debug::asked\n"],
    [false, ""],
  ])("with debugging %j, writes %j for a debug message", (debug, text) => {
    actionsLog({ debug, paint: plainPaint, clock: systemClock }).debug("asked");
    expect(written.join("")).toBe(text);
  });

  test("shows progress every ten seconds, as it is then, until it is stopped", () => {
    vi.useFakeTimers();
    let bytes = 0;
    const stop = actionsLog({ debug: false, paint: plainPaint, clock: systemClock }).progress(() => [
      `at ${bytes}`,
      "and so on",
    ]);
    bytes = 1;
    vi.advanceTimersByTime(9_999);
    expect(written.join("")).toBe("");
    vi.advanceTimersByTime(1);
    bytes = 2;
    vi.advanceTimersByTime(10_000);
    stop();
    vi.advanceTimersByTime(60_000);
    expect(written.join("")).toBe("at 1\nand so on\nat 2\nand so on\n");
  });

  test("shows progress in a colour of its own, and no command or secret in it", () => {
    vi.useFakeTimers();
    const log = actionsLog({ debug: false, paint: colourPaint, clock: systemClock });
    log.mask("secret-in-progress");
    written = [];
    log.progress(() => ["##[error] secret-in-progress"]);
    vi.advanceTimersByTime(10_000);
    expect(written.join("")).toBe("\u001b[90m# #[error] ***\u001b[39m\n");
  });
});
