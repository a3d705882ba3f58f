import { parseArgs, styleText } from "node:util";
import type { ActionMetadata } from "./readme-sections.ts";

/** What the command line asks for. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "mistake"; readonly message: string }
  | {
      readonly kind: "run";
      /** Whether anything is written; otherwise the plan is shown. */
      readonly apply: boolean;
      /** Inputs that were given, by their names in `action.yml`. */
      readonly inputs: Readonly<Record<string, string>>;
    };

type Inputs = ActionMetadata["inputs"];

/** The input that `--apply` stands for the other way round: on this command line, nothing is written unless asked for. */
const dryRun = "dry-run";

/** The input that is a flag without a value. */
const check = "check";

/** Inputs that are never flags: other users of a machine see command lines, and shells remember them. */
const secretName = /(^|-)(token|key|password|secret)(-|$)/;

/** The variable that gives a secret input: `DOCKERHUB_TOKEN` for `dockerhub-token`. */
function variableOf(input: string): string {
  return input.toUpperCase().replaceAll("-", "_");
}

function isFlag(input: string): boolean {
  return input !== dryRun && input !== check && !secretName.test(input);
}

/**
 * Reads a command line whose flags are the inputs of `action.yml`, by the same names. A flag that is given more than once
 * makes an input of several lines.
 */
export function readCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  inputs: Inputs,
): Command {
  const names = Object.keys(inputs);
  const options = Object.fromEntries([
    ...names.filter(isFlag).map((name) => [name, { type: "string", multiple: true }] as const),
    ["apply", { type: "boolean" }] as const,
    [check, { type: "boolean" }] as const,
    ["help", { type: "boolean", short: "h" }] as const,
  ]);
  const misused = names.find(
    (name) => name !== check && !isFlag(name) && args.some((arg) => arg.split("=")[0] === `--${name}`),
  );
  if (misused !== undefined) return { kind: "mistake", message: insteadOf(misused) };
  const parsed = parse(args, options);
  if (typeof parsed === "string") return { kind: "mistake", message: parsed };
  if (parsed.help === true) return { kind: "help" };
  if (parsed.apply === true && parsed[check] === true)
    return {
      kind: "mistake",
      message: "--check tries out what a run needs, --apply runs: give one of them.",
    };
  const given = names.flatMap((name) => {
    const value = isFlag(name) ? linesOf(parsed[name]) : secretIn(environment, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const checks = parsed[check] === true ? { [check]: "true" } : {};
  return { kind: "run", apply: parsed.apply === true, inputs: { ...Object.fromEntries(given), ...checks } };
}

function insteadOf(name: string): string {
  return name === dryRun
    ? "Every run is a dry run unless --apply is given, so there is no --dry-run."
    : `A secret does not belong on a command line, where others can read it: put it into the variable ${variableOf(name)}.`;
}

/** The values of flags, or what is wrong with them. */
function parse(
  args: readonly string[],
  options: NonNullable<Parameters<typeof parseArgs>[0]>["options"],
): Readonly<Record<string, unknown>> | string {
  try {
    return parseArgs({ args: [...args], ...(options === undefined ? {} : { options }) }).values;
  } catch (error) {
    // The parser's own message names the flag, and in some cases how to write a value that begins with a hyphen.
    return error instanceof Error ? error.message : String(error);
  }
}

function linesOf(values: unknown): string | undefined {
  return Array.isArray(values) ? values.join("\n") : undefined;
}

function secretIn(
  environment: Readonly<Record<string, string | undefined>>,
  name: string,
): string | undefined {
  return secretName.test(name) ? environment[variableOf(name)] : undefined;
}

/** Widest text of the help, in characters: longer lines are hard to read even where there is room. */
const widest = 100;
const indent = 6;

/** The help, made from `action.yml`. @param columns width of the terminal. */
export function helpText(inputs: Inputs, columns: number): string {
  const width = Math.min(columns, widest) - indent;
  const entry = (heading: string, text: string): readonly string[] => [
    `  ${styleText("bold", heading)}`,
    ...wrapped(text.replaceAll("`", ""), width).map((line) => " ".repeat(indent) + line),
  ];
  const described = Object.entries(inputs);
  const flags = described.filter(([name]) => isFlag(name));
  const secrets = described.filter(([name]) => secretName.test(name));
  return [
    "Mirrors the images of a release from this machine, as the Action does on a runner.",
    "",
    "  npm run mirror -- --version <version> --destinations <registry>/<namespace> [flags] [--apply]",
    "",
    "Without --apply the plan is shown and nothing is written anywhere. Logins are those of docker login.",
    "",
    "Flags:",
    ...entry("--apply", "Carry the plan out."),
    ...entry("--check", inputs[check]?.description ?? ""),
    ...entry("--help", "Show this text."),
    ...flags.flatMap(([name, { description, default: text }]) =>
      entry(`--${name}`, `${description}${defaultOf(text)}`),
    ),
    "",
    "Secrets, each from a variable of the environment:",
    ...secrets.flatMap(([name, { description }]) => entry(variableOf(name), description)),
    "",
    "A flag may be given several times where the input has several lines. Exit status: 0 only if nothing failed.",
  ].join("\n");
}

function defaultOf(text: string): string {
  return text === "" || text.includes("${{") ? "" : ` Default: ${text.trim().split("\n").join(", ")}.`;
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.trim().split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
