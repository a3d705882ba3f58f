import { InputError } from "../../errors.ts";
import type { Environment } from "../../oci/helper-environment.ts";
import { writtenSecrets } from "../given-logins.ts";
import { readTextOrPath } from "../text-or-path.ts";
import type { Mistake } from "../values.ts";
import type { RoutesFile } from "./route-text.ts";
import { readRoutesFile, routesFileLimit } from "./routes-file.ts";

/** The input `routes` as it was read. */
export interface GivenRoutes {
  /** What it says; or why that cannot be read. */
  readonly content: RoutesFile | InputError;
  /** What is hidden before anything is printed, whatever is wrong with it: files of other tools may carry logins. */
  readonly secrets: readonly string[];
}

/**
 * Reads the text of the input `routes`, or its file. What is wrong with it is told with the mistakes of all inputs.
 * @param destinations the input of that name: some files have none of their own.
 * @param workspace folder that a path is relative to.
 */
export async function readGivenRoutes(
  given: string,
  destinations: string,
  workspace: string | undefined,
  environment: Environment,
): Promise<GivenRoutes | undefined> {
  if (given === "") return undefined;
  let text = given;
  try {
    const reading = { input: "routes", workspace, limit: routesFileLimit };
    const read = await readTextOrPath(given, reading);
    text = read.text;
    const what = read.file === undefined ? "routes" : `routes: ${read.file}`;
    const content = await readRoutesFile(text, { file: what, variables: environment, destinations });
    return { content, secrets: [...writtenSecrets(text), ...content.logins.map(({ password }) => password)] };
  } catch (error) {
    if (error instanceof InputError) return { content: error, secrets: writtenSecrets(text) };
    throw error;
  }
}

/** What the input says; undefined where it is not given, or cannot be read, which is noted as a mistake. */
export function contentOf(given: GivenRoutes | undefined, mistake: Mistake): RoutesFile | undefined {
  const content = given?.content;
  if (!(content instanceof InputError)) return content;
  mistake(content.message);
  return { shape: "routes", routes: [], notices: [], logins: [] };
}
