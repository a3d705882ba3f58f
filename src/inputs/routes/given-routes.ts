import { InputError } from "../../errors.ts";
import type { Environment } from "../../oci/helper-environment.ts";
import { readTextOrPath } from "../text-or-path.ts";
import type { Mistake } from "../values.ts";
import type { RoutesFile } from "./route-text.ts";
import { readRoutesFile, routesFileLimit } from "./routes-file.ts";

/** The input `routes` as it was read; or why it could not be. */
export type GivenRoutes = RoutesFile | InputError;

/** Variables that are for this step alone: its inputs, and what gives it id tokens. */
const ownVariables = /^(?:INPUT_|ACTIONS_)/;

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
  const variables = Object.fromEntries(
    Object.entries(environment).filter(([name]) => !ownVariables.test(name)),
  );
  try {
    const reading = { input: "routes", workspace, limit: routesFileLimit };
    const { text, file } = await readTextOrPath(given, reading);
    const what = file === undefined ? "routes" : `routes: ${file}`;
    return await readRoutesFile(text, { file: what, variables, destinations });
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

/** What the input says; undefined where it is not given, or cannot be read, which is noted as a mistake. */
export function contentOf(given: GivenRoutes | undefined, mistake: Mistake): RoutesFile | undefined {
  if (!(given instanceof InputError)) return given;
  mistake(given.message);
  return { shape: "routes", routes: [], notices: [], logins: [] };
}
