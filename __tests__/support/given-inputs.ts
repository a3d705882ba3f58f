import { InputError } from "../../src/errors.ts";
import { loadInputs } from "../../src/inputs/inputs.ts";

export type Given = Readonly<Record<string, string>>;

const destination = "registry.example/harbor";

/** Inputs as the runner hands them on, with a destination unless the case has its own; with those of their only route. */
export function load(inputs: Given = {}, variables: Given = {}) {
  const environment: Record<string, string> = { INPUT_DESTINATIONS: destination, ...variables };
  for (const [name, value] of Object.entries(inputs)) environment[`INPUT_${name.toUpperCase()}`] = value;
  const loaded = loadInputs(environment);
  const [first] = loaded.routes;
  if (first === undefined) throw new Error("inputs without a route");
  const { name: _, ...route } = first;
  return { ...route, ...loaded };
}

/** The message about the mistakes in these inputs; empty when there is none. */
export function mistakesOf(inputs: Given, variables: Given = {}): string {
  try {
    load(inputs, variables);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return "";
}

/** One line for each mistake in a message. */
export function mistakeLines(message: string): readonly string[] {
  return message.split("\n").filter((line) => line.startsWith("- "));
}
