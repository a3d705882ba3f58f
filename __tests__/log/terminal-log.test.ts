import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { colourPaint, plainPaint } from "../../src/log/paint.ts";
import { terminalLog } from "../../src/log/terminal-log.ts";

const plain = { debug: false, paint: plainPaint, live: false, clock: systemClock };

/** What a log has printed. */
function printed(use: (log: ReturnType<typeof terminalLog>) => unknown, options = {}): string {
  const pieces: string[] = [];
  use(terminalLog({ write: (text) => pieces.push(text) }, { ...plain, ...options }));
  return pieces.join("");
}

describe("the log on a terminal", () => {
  test("prints lines as they are, and marks warnings and errors", () => {
    const text = printed((log) => {
      log.info("Mirroring\n  v2.15.2");
      log.warning("slow");
      log.error("broken");
    });
    expect(text).toBe("Mirroring\n  v2.15.2\n⚠ slow\n✖ broken\n");
  });

  test("shows a group by its title and indentation, which end with it, also when it fails", async () => {
    const pieces: string[] = [];
    const log = terminalLog({ write: (text) => pieces.push(text) }, plain);
    const failure = log.group("Copy", async () => {
      log.info("one\ntwo");
      throw new Error("no");
    });
    await expect(failure).rejects.toThrow("no");
    log.info("three");
    expect(pieces.join("")).toBe("▸ Copy\n  one\n  two\nthree\n");
  });

  test.each([
    [true, "asked\n"],
    [false, ""],
  ])("with debug %j, a debug message is %j", (debug, text) => {
    expect(printed((log) => log.debug("asked"), { debug })).toBe(text);
  });

  test("hides every line of a secret, everywhere", () => {
    const text = printed((log) => {
      log.mask("first-line-of-key\nsecond-line-of-key");
      log.info("a first-line-of-key b");
      log.error("second-line-of-key");
    });
    expect(text).toBe("a *** b\n✖ ***\n");
  });

  test("has colours only where they are wanted", () => {
    expect(printed((log) => log.warning("slow"), { paint: colourPaint })).toBe(
      "\u001b[33m⚠ slow\u001b[39m\n",
    );
  });
});

/** What a terminal shows after all that was written to it: lines, with the two codes obeyed that a log moves about by. */
function screenOf(text: string): readonly string[] {
  const lines: string[] = [];
  for (const [, up, line] of text.matchAll(/(?:\u001b\[(\d+)A\u001b\[J)|([^\n]*)\n/g)) {
    if (up === undefined) lines.push(line ?? "");
    else lines.length -= Number(up);
  }
  return lines;
}

describe("progress", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const live = { ...plain, live: true };

  function terminalOf(columns: number): { columns: number; write(text: string): void; text: string } {
    return {
      columns,
      text: "",
      write(text) {
        this.text += text;
      },
    };
  }

  test("stands below the last line, is drawn anew each second, and goes away", () => {
    const terminal = terminalOf(80);
    const log = terminalLog(terminal, live);
    let percent = 10;
    const stop = log.progress(() => [`near ${percent} %`, `far ${percent} %`]);
    log.info("begun");
    vi.advanceTimersByTime(1_000);
    expect(screenOf(terminal.text)).toEqual(["begun", "near 10 %", "far 10 %"]);
    percent = 20;
    vi.advanceTimersByTime(1_000);
    expect(screenOf(terminal.text)).toEqual(["begun", "near 20 %", "far 20 %"]);
    log.warning("slow\nindeed");
    expect(screenOf(terminal.text)).toEqual(["begun", "⚠ slow", "indeed", "near 20 %", "far 20 %"]);
    stop();
    log.info("done");
    vi.advanceTimersByTime(60_000);
    expect(screenOf(terminal.text)).toEqual(["begun", "⚠ slow", "indeed", "done"]);
  });

  test("is cut at the edge, colours or not, so that it stays one line", () => {
    const terminal = terminalOf(10);
    terminalLog(terminal, { ...live, paint: colourPaint }).progress(() => ["0123456789abc"]);
    vi.advanceTimersByTime(1_000);
    expect(terminal.text).toBe("\u001b[90m0123456789\u001b[39m\n");
  });

  test("is cut at 80 characters where the terminal does not know its width", () => {
    const terminal = terminalOf(0);
    terminalLog(terminal, live).progress(() => ["x".repeat(100)]);
    vi.advanceTimersByTime(1_000);
    expect(terminal.text).toBe(`${"x".repeat(80)}\n`);
  });

  test("is a line every ten seconds where nothing can be drawn anew", () => {
    const terminal = terminalOf(80);
    const stop = terminalLog(terminal, plain).progress(() => ["near 10 %"]);
    vi.advanceTimersByTime(20_000);
    stop();
    vi.advanceTimersByTime(20_000);
    expect(terminal.text).toBe("near 10 %\nnear 10 %\n");
  });
});
