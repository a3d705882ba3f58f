import type { Environment } from "../oci/helper-environment.ts";
import { type GivenLogins, readGivenLogins } from "./given-logins.ts";
import { type GivenRoutes, readGivenRoutes } from "./routes/given-routes.ts";

/** The inputs that are a text or the path of a file, as they were read: before anything is printed, and before they are checked. */
export interface GivenFiles {
  /** Undefined: the input is not given. */
  readonly logins: GivenLogins | undefined;
  /** Undefined: the input is not given. */
  readonly routes: GivenRoutes | undefined;
}

/** What a run has that gives no such input. */
export const noFiles: GivenFiles = { logins: undefined, routes: undefined };

/**
 * Reads them. What is wrong with one is told with the mistakes of all inputs.
 * @param text gives the text of an input.
 */
export async function readFiles(
  text: (name: "logins" | "routes" | "destinations") => string,
  environment: Environment,
): Promise<GivenFiles> {
  const workspace = environment.GITHUB_WORKSPACE || undefined;
  return {
    logins: await readGivenLogins(text("logins"), workspace, environment),
    routes: await readGivenRoutes(text("routes"), text("destinations"), workspace, environment),
  };
}
