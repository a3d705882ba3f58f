import { InputError } from "../../../src/errors.ts";
import type { RouteInputs, RoutesFile } from "../../../src/inputs/routes/route-text.ts";
import { readRoutesFile } from "../../../src/inputs/routes/routes-file.ts";
import { load } from "../../support/given-inputs.ts";

export const destinations = "registry.example.com/mirror";

/** Reads a file of routes in a step with one destination. */
export function read(
  text: string,
  variables: Readonly<Record<string, string>> = {},
  given = destinations,
): Promise<RoutesFile> {
  return readRoutesFile(text, { file: "routes.yaml", variables, destinations: given });
}

/** The message about the mistakes in a file. */
export async function problemsIn(
  text: string,
  variables: Readonly<Record<string, string>> = {},
  given = destinations,
): Promise<string> {
  const error: unknown = await read(text, variables, given).catch((thrown: unknown) => thrown);
  if (!(error instanceof InputError)) throw new Error(`not refused: ${JSON.stringify(error)}`);
  return error.message;
}

/** What the inputs of a route mean, as the step's own inputs are read. */
export function loaded(inputs: RouteInputs) {
  return load({ destinations, ...inputs });
}
