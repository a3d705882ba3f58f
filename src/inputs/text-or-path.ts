import { open } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { InputError, messageOf } from "../errors.ts";
import { formatBytes } from "../wording.ts";
import { quoted } from "./suggestions.ts";

/** What an input holds, itself or in the file that it names. */
export interface GivenText {
  readonly text: string;
  /** The path as the input has it; undefined: the input is the text itself. */
  readonly file: string | undefined;
}

export interface TextOrPathReading {
  /** The name of the input, for messages. */
  readonly input: string;
  /** Folder that a path is relative to: `GITHUB_WORKSPACE`, where a checkout puts the repository. Undefined: the working directory. */
  readonly workspace: string | undefined;
  /** Largest file, in bytes. */
  readonly limit: number;
}

/**
 * Reads an input that is a text, or the path of a file with it: one line that a file has as its name, or that no text of rules or
 * logins looks like.
 * @throws InputError when there is no such file, or it cannot be read or is too large. The message does not repeat a line that may
 *   be a text.
 */
export async function readTextOrPath(given: string, reading: TextOrPathReading): Promise<GivenText> {
  const line = given.trim();
  // No name of a file is longer: https://man7.org/linux/man-pages/man3/pathconf.3.html
  if (line === "" || /[\r\n\0]/.test(line) || line.length > 4096) return { text: given, file: undefined };
  try {
    return { text: await readBounded(line, reading), file: line };
  } catch (error) {
    if (error instanceof InputError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "";
    const isMissing = code === "ENOENT" || code === "ENOTDIR" || code === "ENAMETOOLONG";
    if (isMissing && !looksLikePath(line)) return { text: given, file: undefined };
    throw new InputError(
      isMissing
        ? `${reading.input}: there is no file ${quoted(line)} in ${reading.workspace ?? "the working directory"}: a checkout step has to come first`
        : `${reading.input}: the file ${quoted(line)} cannot be read: ${messageOf(error)}`,
    );
  }
}

/** One line of YAML or JSON, or an image with its tag, has signs that the path of a file of rules has not. */
export function looksLikePath(line: string): boolean {
  return line !== "" && !/[\s:{}[\]"'<>@#]/.test(line);
}

async function readBounded(path: string, { input, workspace, limit }: TextOrPathReading): Promise<string> {
  const file = await open(isAbsolute(path) ? path : join(workspace ?? "", path));
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new InputError(`${input}: ${quoted(path)} is not a file`);
    if (status.size > limit)
      throw new InputError(
        `${input}: the file ${quoted(path)} has ${formatBytes(status.size)}: it may have ${formatBytes(limit)} at the most`,
      );
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
