import { spawnSync } from "node:child_process";
import { it } from "vitest";

/** Whether a program is on the path. */
export function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/**
 * Stands for tests that need a program which is not there: a test that is skipped, and says how to get it; a failure where
 * `FORBID_SKIPS` is set, because continuous integration has to have everything.
 */
export function skipWithout(program: string, installation: string): void {
  if (process.env.FORBID_SKIPS) {
    it(`has ${program}`, () => {
      throw new Error(`${program} must be installed where FORBID_SKIPS is set: ${installation}`);
    });
  } else {
    console.warn(`Skipped: these tests need ${program}, which is not installed (${installation}).`);
    it.skip(`skipped: ${program} is not installed`);
  }
}
