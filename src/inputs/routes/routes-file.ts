import { InputError } from "../../errors.ts";
import { readYaml, type YamlNode } from "../yaml.ts";
import { readOwnRoutes } from "./own-routes.ts";
import type { Remarks, RoutesFile, RoutesShape, Translated } from "./route-text.ts";

/** Largest text of routes, in bytes: a thousand routes have some 200 kB. */
export const routesFileLimit = 1024 * 1024;

/** Most mistakes that a message lists. */
const mistakesShown = 50;

export interface RoutesReading {
  /** How messages name the text: its file, or the input. */
  readonly file: string;
  /** The environment, for files that name variables. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** The input `destinations` of the step: some files have none of their own. */
  readonly destinations: string;
}

/**
 * Reads a file of routes: our own form, or by its shape one of another tool.
 * @throws InputError that lists all mistakes, each with its line and key. It repeats no value of a login.
 */
export async function readRoutesFile(text: string, reading: RoutesReading): Promise<RoutesFile> {
  const mistakes: { readonly line: number; readonly problem: string }[] = [];
  const notices = new Set<string>();
  const remarks: Remarks = {
    mistake: (line, problem) => mistakes.push({ line, problem }),
    notice: (notice) => notices.add(notice),
  };
  const { shape, ...translated } = await translate(text, reading, remarks);
  if (mistakes.length === 0) return { shape, ...translated, notices: [...notices] };
  const lines = mistakes
    .toSorted((one, other) => one.line - other.line)
    .map(({ line, problem }) => `\n- line ${line}: ${problem}`);
  const more = lines.length > mistakesShown ? `\n- and ${lines.length - mistakesShown} more` : "";
  throw new InputError(`${reading.file} needs mending:${lines.slice(0, mistakesShown).join("")}${more}`);
}

async function translate(
  text: string,
  reading: RoutesReading,
  remarks: Remarks,
): Promise<Translated & { readonly shape: RoutesShape }> {
  const node = await readYaml(text, { what: reading.file, limit: routesFileLimit });
  if (isEmpty(node)) throw new InputError(`${reading.file} is empty`);
  if (node.kind === "list") return { shape: "routes", ...readOwnRoutes(node, remarks) };
  throw new InputError(`${reading.file} is no list of routes, nor a file of another tool that is read here`);
}

function isEmpty(node: YamlNode): boolean {
  if (node.kind === "text") return node.empty || node.text.trim() === "";
  return node.kind === "map" ? node.entries.length === 0 : node.items.length === 0;
}
