import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, OperationError } from "../errors.ts";
import { printable } from "../log/log.ts";

/**
 * Makes a folder for the spool below the runner's temporary folder.
 * @throws OperationError when there is none, or it cannot be written to.
 */
export function makeSpoolFolder(temporaryFolder: string): Promise<string> {
  return onDisk(temporaryFolder, "making a folder for blobs on their way", () =>
    mkdtemp(join(temporaryFolder, "spool-")),
  );
}

/**
 * Does something with a file of the spool.
 * @param operation as a gerund, for the message.
 * @throws OperationError of the side "runner": neither another registry nor another try helps then.
 */
export async function onDisk<T>(folder: string, operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw new OperationError(
      {
        side: "runner",
        host: printable(folder),
        operation,
        problem: printable(messageOf(error)),
        advice: adviceFor(code),
      },
      { cause: error },
    );
  }
}

function adviceFor(code: string): string {
  if (code === "ENOSPC" || code === "EDQUOT") {
    return (
      "The disk of the runner is full: lower `spool-limit`, make room in an earlier step, or take a runner with a larger " +
      "disk. At the least, the largest layer has to fit."
    );
  }
  return "The runner's temporary folder (`RUNNER_TEMP`) has to exist, and the user of the job has to be able to write there.";
}
