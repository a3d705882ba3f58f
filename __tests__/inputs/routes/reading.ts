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

/** What is read where and written where by a file's routes, after their inputs were read: `host/repository:tag -> host/repository:tag`. */
export async function copiesOf(
  text: string,
  variables: Readonly<Record<string, string>> = {},
  given = destinations,
): Promise<readonly string[]> {
  const { routes } = await read(text, variables, given);
  return routes.flatMap(({ inputs }) => {
    const route = load({ destinations: given, ...inputs });
    const [source] = route.sources;
    if (source === undefined) throw new Error("no source");
    const rules = route.images === "auto" ? [] : route.images;
    const places = route.destinations.map(
      ({ registry, path }) => `${registry}/${path === "" ? "" : `${path}/`}`,
    );
    const home = `${source.registry}/${source.path === "" ? "" : `${source.path}/`}`;
    return places.flatMap((place) => [
      ...rules.map(({ from, fromTag, to, toTag }) => `${home}${from}:${fromTag} -> ${place}${to}:${toTag}`),
      ...(route.repositories ?? []).map(({ text: pattern }) => `${home}${pattern} -> ${place}`),
    ]);
  });
}
