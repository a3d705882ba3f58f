import * as v from "valibot";
import { BodyError } from "../http/http.ts";
import { printable } from "../log/log.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import { isRepository, isTag } from "../oci/reference.ts";
import { listOf } from "../wording.ts";
import { helmText, parseHelmYaml } from "./helm-yaml.ts";

/** What `index.yaml` says of one version of a chart. */
export interface ChartVersion {
  readonly version: string;
  /** Where its archive is, as it stands there: unchecked. */
  readonly urls: readonly string[];
  /** Of the archive; undefined where the index does not tell it, as old ones do not. */
  readonly digest: Digest | undefined;
}

/** The `index.yaml` of a chart repository: https://helm.sh/docs/topics/chart_repository/#the-index-file */
export interface ChartIndex {
  /** The names of all charts that can be repositories of a registry. */
  readonly names: readonly string[];
  /**
   * The versions of a chart by their tags, each with what is said of it: mostly once.
   * @throws BodyError when the entry is not of Helm's form.
   */
  versions(name: string): Promise<ReadonlyMap<string, readonly ChartVersion[]>>;
}

/** Most names that a warning has. */
const namedLimit = 3;

const entrySchema = v.nullable(
  v.array(
    v.nullable(
      v.object({
        version: v.nullish(helmText, ""),
        urls: v.nullish(v.array(helmText), []),
        digest: v.nullish(helmText, ""),
      }),
    ),
  ),
);

const indexSchema = v.object({
  apiVersion: v.string("it has no apiVersion"),
  entries: v.nullish(v.record(v.string(), v.unknown()), {}),
});

/**
 * Reads an index. Of a large one in the form that Helm writes, only the entries that are asked for are parsed: the parser takes seconds
 * for each megabyte, and there are indexes of 50 MB (https://github.com/fluxcd/flux2/issues/4635).
 * @param warn is told of what is left out.
 * @throws BodyError when it is none.
 */
export async function readIndex(text: string, warn: (message: string) => void): Promise<ChartIndex> {
  const sections = sectionsOf(text);
  const parsed = await parse(sections === undefined ? text : sections.rest);
  const { entries } = checked(indexSchema, parsed ?? {});
  const all = sections === undefined ? Object.keys(entries) : [...sections.entries.keys()];
  const names = all.filter((name) => isRepository(name) && !name.includes("/"));
  const refused = all.filter((name) => !names.includes(name)).map((name) => printable(name, 100));
  if (refused.length > 0)
    warn(`left out, because no registry takes such a name: ${listOf(refused, namedLimit)}`);
  const read = new Map<string, Promise<ReadonlyMap<string, readonly ChartVersion[]>>>();
  const readEntry = async (name: string) => {
    const section = sections?.entries.get(name);
    const entry = section === undefined ? entries[name] : checked(sectionSchema, await parse(section))[name];
    return versionsOf(name, checked(entrySchema, entry ?? null) ?? [], warn);
  };
  return {
    names,
    versions: (name) => {
      if (!names.includes(name)) return Promise.resolve(new Map());
      const reading = read.get(name) ?? readEntry(name);
      read.set(name, reading);
      return reading;
    },
  };
}

const sectionSchema = v.record(v.string(), v.unknown());

/** JSON is YAML, too, and read a hundred times as fast. */
async function parse(text: string): Promise<unknown> {
  if (/^\s*\{/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // A mapping of YAML may begin like that.
    }
  }
  return parseHelmYaml(text, "index.yaml");
}

function checked<T>(schema: v.GenericSchema<unknown, T>, value: unknown): T {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = printable(`${v.getDotPath(issue) ?? "top level"}: ${issue.message}`);
  throw new BodyError(`index.yaml is not of the form that Helm writes (${where})`);
}

/** The form of versions that Helm takes: `NewVersion` of https://github.com/Masterminds/semver/blob/v3.3.0/version.go */
const versionForm =
  /^v?[0-9]+(?:\.[0-9]+)?(?:\.[0-9]+)?(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

function versionsOf(
  name: string,
  entry: NonNullable<v.InferOutput<typeof entrySchema>>,
  warn: (message: string) => void,
): ReadonlyMap<string, readonly ChartVersion[]> {
  const refused: string[] = [];
  const listed = entry.flatMap((item) => {
    const version = item?.version ?? "";
    if (item !== null && versionForm.test(version) && isTag(tagOf(version)))
      return [{ ...item, digest: parseDigest(`sha256:${item.digest.replace(/^sha256:/, "")}`) }];
    refused.push(item === null ? "an empty entry" : `version "${printable(version, 100)}"`);
    return [];
  });
  if (refused.length > 0) warn(`left out of ${name}: ${listOf(refused, namedLimit)}`);
  return Map.groupBy(listed, ({ version }) => tagOf(version));
}

/** The tag of a version: https://helm.sh/docs/topics/registries/#the-push-subcommand */
export function tagOf(version: string): string {
  return version.replaceAll("+", "_");
}

/** The text of each chart's entry, and all else with `entries` empty. */
interface Sections {
  readonly entries: ReadonlyMap<string, string>;
  readonly rest: string;
}

/**
 * Cuts an index where the names of its charts stand, each on a line of its own and as far to the right: whatever belongs to one is further to
 * the right, or is an item of its list. Undefined where it is of another form.
 * @throws BodyError when a chart is there twice.
 */
function sectionsOf(text: string): Sections | undefined {
  // A line ends with a line feed: `^` and `.` of regular expressions know other ends as well.
  const head = /(?:^|\n)entries:[ \t]*\r?\n/.exec(text);
  if (head === null) return undefined;
  const start = head.index + head[0].length;
  const length = `\n${text.slice(start)}`.search(/\n[^\s#-]/);
  const end = length < 0 ? text.length : start + length;
  const body = `\n${text.slice(start, end)}`;
  const [, indent] = /\n( +)(?=[^\s#])/.exec(body) ?? [];
  if (indent === undefined) return undefined;
  const names = [...body.matchAll(new RegExp(`\\n${indent}(?![ #-])([^\\n]*)`, "g"))];
  const entries = new Map<string, string>();
  for (const [position, { 1: line = "", index }] of names.entries()) {
    const [, , name] = /^(["']?)([^"':#{}&*!|>%@,[\]\s][^"':#\s]*)\1:(?:\s.*)?$/s.exec(line) ?? [];
    if (name === undefined) return undefined;
    if (entries.has(name)) throw new BodyError(`index.yaml has the chart ${printable(name, 100)} twice`);
    const next = names[position + 1];
    entries.set(name, body.slice(index + 1, next === undefined ? body.length : next.index + 1));
  }
  return { entries, rest: `${text.slice(0, start)}${text.slice(end)}` };
}
