import { parseArgs } from "node:util";
import { nearest, quoted } from "../inputs/suggestions.ts";
import { didYouMean } from "../wording.ts";
import type { ActionMetadata } from "./action-metadata.ts";
import { check, isFlag, isSecret, ownDefaults, variableOf, whyNoFlag } from "./flags.ts";

/** What the command line asks for. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "mistake"; readonly message: string }
  | {
      readonly kind: "run";
      /** Whether anything is written; otherwise the plan is shown. */
      readonly apply: boolean;
      /** Whether the report goes to standard output, and the log to standard error. */
      readonly json: boolean;
      /** Whether the log has warnings and errors only. */
      readonly quiet: boolean;
      /** Inputs that were given, by their names in `action.yml`. */
      readonly inputs: Readonly<Record<string, string>>;
    };

type Inputs = ActionMetadata["inputs"];
type Environment = Readonly<Record<string, string | undefined>>;
type Token = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number];

/** Flags without a value. */
const switches = ["apply", check, "json", "quiet", "help"] as const;

/**
 * Reads a command line whose flags are the inputs of `action.yml`, by the same names. A flag that is given more than once
 * makes an input of several lines.
 */
export function readCommand(args: readonly string[], environment: Environment, inputs: Inputs): Command {
  const [first, ...others] = args;
  // `--version v2.15.2` is the input, as in a workflow; alone it is what every program tells by it.
  if (others.length === 0 && (first === "--version" || first === "-V")) return { kind: "version" };
  const names = Object.keys(inputs);
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries([
      ...names.filter(isFlag).map((name) => [name, { type: "string" }] as const),
      ...switches.map((name) => [name, { type: "boolean" }] as const),
      ["quiet", { type: "boolean", short: "q" }] as const,
      ["help", { type: "boolean", short: "h" }] as const,
    ]),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const options = tokens.filter((token) => token.kind === "option");
  const given = (name: string): boolean => options.some((option) => option.name === name);
  if (given("help")) return { kind: "help" };
  const [mistake] = tokens.flatMap((token) => mistakeIn(token, names) ?? []);
  if (mistake !== undefined) return { kind: "mistake", message: mistake };
  if (given("apply") && given(check))
    return {
      kind: "mistake",
      message: "--check tries out what a run needs, --apply runs: give one of them.",
    };
  const linesOf = (name: string): string | undefined => {
    const values = options.filter((option) => option.name === name).map(({ value }) => value);
    return values.length === 0 ? undefined : values.join("\n");
  };
  const entries = names.flatMap((name) => {
    const value = isSecret(name) ? environment[variableOf(name)] : isFlag(name) && linesOf(name);
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  return {
    kind: "run",
    apply: given("apply"),
    json: given("json"),
    quiet: given("quiet"),
    inputs: { ...ownDefaults, ...Object.fromEntries(entries), ...(given(check) && { [check]: "true" }) },
  };
}

/** What is wrong with one piece of the command line. */
function mistakeIn(token: Token, names: readonly string[]): string | undefined {
  if (token.kind === "positional") return withoutFlag(token.value);
  if (token.kind !== "option") return undefined;
  const { name, rawName, value, inlineValue } = token;
  if (switches.some((each) => each === name))
    return value === undefined ? undefined : `${rawName} takes no value.`;
  if (!names.includes(name)) {
    const flags = [...names.filter((each) => isFlag(each) || isSecret(each)), ...switches];
    const meant = nearest(name, flags);
    return `There is no flag ${quoted(rawName)}${didYouMean(meant && (isSecret(meant) ? variableOf(meant) : `--${meant}`))}`;
  }
  if (isSecret(name))
    return `A secret does not belong on a command line, where others can read it: put it into the variable ${variableOf(name)}.`;
  if (!isFlag(name)) return whyNoFlag(name);
  if (value === undefined) return `${rawName} has no value.`;
  if (inlineValue !== true && value.startsWith("-"))
    return `${rawName} has no value: ${quoted(value)} is the next flag. A value that begins with a hyphen is given as ${rawName}=VALUE.`;
  return undefined;
}

/** Words that no flag stands before are mostly a version or a destination. */
function withoutFlag(text: string): string {
  const place = /^[^/\s]+[./:][^\s]*\//.test(text) || /^[\w.-]+\.[a-z]+\//i.test(text);
  const version = /^(v?\d|newest:)/.test(text);
  const meant = place ? `--destinations ${text}` : version ? `--version ${text}` : undefined;
  return `${quoted(text)} has no flag before it${didYouMean(meant)}`;
}
