import { InputError } from "../../errors.ts";
import { quoted } from "../suggestions.ts";
import type { Surroundings } from "./fields.ts";

/** Variables of the environment that files of other tools name. */

type Variables = Readonly<Record<string, string | undefined>>;

/** What only this process is to know: the inputs, and what the runner gives for its own services. */
const withheld = /^(?:INPUT_|ACTIONS_|STATE_)/i;

/** Names of what is no part of an address: in a place it would be sent to whoever is named there, and be read in every log. */
const secretive = /TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH/i;

/** Where a value goes. */
type Use = "login" | "place";

/**
 * Fills in `{{env "NAME"}}` of Go's templates, as regsync does.
 * @throws InputError for any other template, and a variable that is not set or not for this use.
 */
export function fillTemplate(text: string, variables: Variables, use: Use): string {
  // Without braces inside, a text of nothing but {{ is read in linear time.
  return text.replace(/\{\{([^{}]*)\}\}/g, (_whole, inner: string) => {
    const [, name] = /^-?\s*env\s+["`]([A-Za-z_][A-Za-z0-9_]*)["`]\s*-?$/.exec(inner.trim()) ?? [];
    if (name === undefined) {
      // Nothing of a login is repeated but a word that everybody knows.
      const [word = ""] = /\b(?:file|default|join|lower|split|env)\b|\.[A-Z]\w*/.exec(inner) ?? [];
      throw new InputError(`the template {{${word}…}} is not filled in here, only {{env "NAME"}}`);
    }
    return variableOf(name, variables, use);
  });
}

/**
 * Fills in `$NAME` and `${NAME}`, as image-syncer does.
 * @throws InputError for a variable that is not set or not for this use.
 */
export function fillShell(text: string, variables: Variables, use: Use): string {
  return text.replace(
    /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g,
    (_whole, braced?: string, bare?: string) => variableOf(braced ?? bare ?? "", variables, use),
  );
}

function variableOf(name: string, variables: Variables, use: Use): string {
  if (withheld.test(name))
    throw new InputError(`the variable ${quoted(name)} is not given to a file of routes`);
  if (use === "place" && secretive.test(name))
    throw new InputError(
      `the variable ${quoted(name)} has the name of a secret, and this is no place for one`,
    );
  const value = variables[name];
  if (value === undefined || value === "")
    throw new InputError(`the variable ${quoted(name)} is not set: give it to the step by env:`);
  return value;
}

/** A text with its templates filled in; undefined after a mistake. */
export function filledIn(
  text: string,
  line: number,
  use: Use,
  { variables, remarks }: Surroundings,
): string | undefined {
  try {
    return fillTemplate(text, variables, use).trim();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    remarks.mistake(line, error.message);
    return undefined;
  }
}
