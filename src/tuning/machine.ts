import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { printable } from "../log/log.ts";

/** What of the runner's system is looked at and changed: an argument, so that a test has a system of its own. */
export interface Machine {
  /** The text of a small file, such as those of `/proc`, without blanks at its ends; undefined where it cannot be read. */
  readonly read: (path: string) => Promise<string | undefined>;
  /** Runs a program to its end. A program that cannot be run is an answer, too. */
  readonly run: (program: string, parameters: readonly string[]) => Promise<Ended>;
}

/** How a program ended. */
export interface Ended {
  readonly succeeded: boolean;
  /** What it wrote, or why it could not be run, fit for a log line. */
  readonly words: string;
}

/** Longest time for a program, in milliseconds: `sudo` may ask a directory service about the user. */
const programTime = 10_000;

/** Most that is kept of what a program writes, in characters. */
const wordsLimit = 300;

/**
 * The system that this process runs on.
 * @param searchPath where programs are looked for, as `PATH` has it. They get this and no other variable of the environment.
 */
export function thisMachine(searchPath: string | undefined, clock: Pick<Clock, "timeout">): Machine {
  return {
    read: async (path) => {
      try {
        return (await readFile(path, "utf8")).trim();
      } catch {
        return undefined;
      }
    },
    run: (program, parameters) =>
      runProgram(program, parameters, { PATH: searchPath, LC_ALL: "C" }, clock.timeout(programTime)),
  };
}

function runProgram(
  program: string,
  parameters: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  timeout: AbortSignal,
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, { stdio: ["ignore", "pipe", "pipe"], env });
    let text = "";
    const end = (succeeded: boolean, words: string): void =>
      resolve({ succeeded, words: printable(words, wordsLimit) });
    timeout.addEventListener("abort", () => {
      end(false, `it did not end within ${programTime / 1000} s`);
      // Root's process cannot be killed by this one's user: it must not keep this one alive.
      child.kill();
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (piece: string) => {
        if (text.length < wordsLimit) text += piece;
      });
    }
    child.on("error", (error) => end(false, messageOf(error)));
    child.on("close", (code) => end(code === 0, text.trim() === "" ? `it ended with status ${code}` : text));
  });
}
