import { describe, expect, test } from "vitest";
import { terminalLog } from "../src/terminal-log.ts";

/** What a log has printed. */
function printed(use: (log: ReturnType<typeof terminalLog>) => unknown, options = {}): string {
  const pieces: string[] = [];
  use(terminalLog({ write: (text) => pieces.push(text) }, { debug: false, colours: false, ...options }));
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
    const log = terminalLog({ write: (text) => pieces.push(text) }, { debug: false, colours: false });
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
    expect(printed((log) => log.warning("slow"), { colours: true })).toBe("\u001b[33m⚠ slow\u001b[39m\n");
  });
});
