import { InputError } from "../../errors.ts";
import { readYaml, type YamlList, type YamlMap, type YamlNode } from "../yaml.ts";
import type { Surroundings } from "./fields.ts";
import { linesOfList, listLines, readList } from "./list.ts";
import { readOwnRoutes } from "./own-routes.ts";
import { isRegsync, readRegsync } from "./regsync.ts";
import {
  type Remarks,
  type RoutesFile,
  type RoutesShape,
  routeInputNames,
  type Translated,
} from "./route-text.ts";
import { isSkopeo, readSkopeo } from "./skopeo.ts";
import { readSourceToTarget, readSyncerConfig, shapeOf } from "./source-to-target.ts";
import { stepDestinations } from "./step-destinations.ts";

/** Largest text of routes, in bytes: a thousand routes have some 200 kB. */
export const routesFileLimit = 1024 * 1024;

/** Most routes of a run: each asks for its tags, and has lines in the log and the summary. */
const routeLimit = 5000;

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
  const { length } = translated.routes;
  if (length > routeLimit)
    throw new InputError(`${reading.file} has ${length} routes: ${routeLimit} are the most of a run`);
  if (mistakes.length === 0) return { shape, ...translated, notices: [...notices] };
  const lines = mistakes
    .toSorted((one, other) => one.line - other.line)
    .map(({ line, problem }) => `\n- line ${line}: ${problem}`);
  const more = lines.length > mistakesShown ? `\n- and ${lines.length - mistakesShown} more` : "";
  throw new InputError(`${reading.file} needs mending:${lines.slice(0, mistakesShown).join("")}${more}`);
}

async function translate(
  text: string,
  { file, variables, destinations }: RoutesReading,
  remarks: Remarks,
): Promise<Translated & { readonly shape: RoutesShape }> {
  const surroundings = { remarks, variables, ...stepDestinations(destinations) };
  const list = text.length > routesFileLimit ? undefined : linesOfList(text);
  if (list !== undefined) return { shape: "list", ...readList(list, surroundings) };
  // regsync takes a key twice. What else has one twice is a mistake.
  const repeated: InputError[] = [];
  const onRepeatedKey = (mistake: InputError) => repeated.push(mistake);
  const node = await readYaml(text, { what: file, limit: routesFileLimit, onRepeatedKey });
  if (isEmpty(node)) throw new InputError(`${file} is empty`);
  if (node.kind === "map" && isRegsync(node)) return { shape: "regsync", ...readRegsync(node, surroundings) };
  if (repeated[0] !== undefined) throw repeated[0];
  if (node.kind === "text") return { shape: "list", ...readList(listLines(text), surroundings) };
  if (node.kind === "list") return readListNode(node, surroundings);
  return readMap(node, file, surroundings);
}

/** A list is our own form, or one of images. */
function readListNode(
  { items, ...list }: YamlList,
  surroundings: Surroundings,
): Translated & { readonly shape: RoutesShape } {
  const images = items.flatMap((item) => (item.kind === "text" ? [item] : []));
  if (images.length < items.length)
    return { shape: "routes", ...readOwnRoutes({ ...list, items }, surroundings.remarks) };
  return { shape: "list", ...readList(images, surroundings) };
}

/** A map is a file of another tool, by its keys and the kinds of its values. */
function readMap(
  map: YamlMap,
  file: string,
  surroundings: Surroundings,
): Translated & { readonly shape: RoutesShape } {
  const keys = new Map(map.entries.map(({ key, value }) => [key, value]));
  if (isSkopeo(map)) return { shape: "skopeo", ...readSkopeo(map, surroundings) };
  if (keys.get("images")?.kind === "map")
    return { shape: "image-syncer", ...readSyncerConfig(map, surroundings) };
  if (["name", ...routeInputNames].some((name) => keys.has(name)))
    throw new InputError(`${file} is one map, and routes are a list: put "- " in front of each`);
  if (map.entries.every(({ value }) => value.kind !== "map"))
    return { shape: shapeOf(map), ...readSourceToTarget(map, surroundings) };
  throw new InputError(
    `${file} is none of what is read here: a list of routes or of images, or a file of image-transfer, image-syncer, regsync or skopeo sync`,
  );
}

function isEmpty(node: YamlNode): boolean {
  if (node.kind === "text") return node.empty || node.text.trim() === "";
  return node.kind === "map" ? node.entries.length === 0 : node.items.length === 0;
}
