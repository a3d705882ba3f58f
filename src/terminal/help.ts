import { styleText } from "node:util";
import type { ActionMetadata } from "./action-metadata.ts";
import { check, describe, isFlag, isSecret, ownDefaults, variableOf } from "./flags.ts";

type Inputs = ActionMetadata["inputs"];

/** Widest text of the help, in characters: longer lines are hard to read even where there is room. */
const widest = 100;
const indent = 6;

/** What the exit status says, for scripts. */
export const exitStatuses = [
  [0, "everything is in place, or the plan can be carried out"],
  [1, "something failed; the last lines say what, and what is in place"],
  [2, "a mistake in flags, variables or inputs, or a version that there is not: nothing was written"],
  [130, "interrupted by Ctrl+C, in good order; the last lines say what is in place"],
] as const;

/**
 * The help, made from `action.yml`.
 * @param program how this program is called.
 * @param columns width of the terminal.
 */
export function helpText(program: string, inputs: Inputs, columns: number): string {
  const width = Math.min(columns, widest) - indent;
  const entry = (heading: string, text: string): readonly string[] => [
    `  ${styleText("bold", heading)}`,
    ...wrapped(text, width).map((line) => " ".repeat(indent) + line),
  ];
  const described = Object.entries(inputs);
  const flags = described.filter(([name]) => isFlag(name));
  const secrets = described.filter(([name]) => isSecret(name));
  return [
    "Mirrors the images of a release from this machine, as the Action does on a runner.",
    "",
    `  ${program} --version <version> --destinations <registry>/<namespace> [flags] [--apply]`,
    "",
    "Without --apply the plan is shown and nothing is written anywhere. Logins are those of docker login.",
    "",
    "Flags:",
    ...entry("--apply", "Carry the plan out."),
    ...entry("--check", describe(check, inputs[check]?.description ?? "")),
    ...entry("--json", "Write the report to standard output, as JSON, and the log to standard error."),
    ...entry("--quiet, -q", "Log warnings and errors only."),
    ...entry("--help, -h", "Show this text."),
    ...flags.flatMap(([name, { description, default: text }]) =>
      entry(`--${name}`, `${describe(name, description)}${defaultOf(ownDefaults[name] ?? text)}`),
    ),
    "",
    "A flag may be given several times where the input has several lines.",
    "",
    "Secrets, each from a variable of the environment:",
    ...secrets.flatMap(([name, { description }]) => entry(variableOf(name), describe(name, description))),
    "",
    "Exit status:",
    ...exitStatuses.flatMap(([status, meaning]) => entry(String(status), meaning)),
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
