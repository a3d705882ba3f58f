import { InputError } from "../../errors.ts";
import { isDigest } from "../../oci/digest.ts";
import { isTag } from "../../oci/reference.ts";
import { parseSelection } from "../../plan/selection.ts";
import { noneOf, quoted } from "../suggestions.ts";
import type { YamlEntry, YamlMap } from "../yaml.ts";
import { fromGo, mastermindsRange } from "./expressions.ts";
import {
  fieldsOf,
  flagIn,
  mapIn,
  refuseCertificates,
  refuseInsecure,
  type Surroundings,
  textIn,
  textsIn,
} from "./fields.ts";
import { lastPart, notATag, parsePlace } from "./reference.ts";
import type { LoginText, Translated } from "./route-text.ts";
import { allTags, digestPair, type Rule, routesOf, type TagPair } from "./rules.ts";

/**
 * Files of skopeo sync: registries with their images. They name no destination: those of the step are meant.
 * https://github.com/containers/skopeo/blob/main/docs/skopeo-sync.1.md
 */

const registryKeys = [
  "images",
  "images-by-tag-regex",
  "images-by-semver",
  "credentials",
  "tls-verify",
  "cert-dir",
] as const;

/** Whether a map is one of registries, by the keys below them. */
export function isSkopeo(map: YamlMap): boolean {
  const known: readonly string[] = registryKeys;
  return map.entries.some(
    ({ value }) => value.kind === "map" && value.entries.some(({ key }) => known.includes(key)),
  );
}

export function readSkopeo(map: YamlMap, surroundings: Surroundings): Translated {
  const parts = map.entries.map((entry) => readRegistry(entry, surroundings));
  const rules = parts.flatMap((part) => part.rules);
  refuseSameNames(rules, surroundings);
  return { routes: routesOf(rules, surroundings), logins: parts.flatMap((part) => part.logins) };
}

interface Part {
  readonly rules: readonly Rule[];
  readonly logins: readonly LoginText[];
}

function readRegistry(entry: YamlEntry, surroundings: Surroundings): Part {
  const { remarks } = surroundings;
  const { key: registry } = entry;
  const map = mapIn(entry, remarks);
  const fields = fieldsOf(map);
  for (const { key, line } of map?.entries ?? [])
    if (!registryKeys.some((known) => known === key)) remarks.mistake(line, noneOf(key, registryKeys));
  const verify = fields.get("tls-verify");
  if (verify !== undefined && flagIn(verify, remarks) === false) refuseInsecure(registry, verify, remarks);
  refuseCertificates(fields.get("cert-dir"), remarks);
  const imagesOf = (key: string) => mapIn(fields.get(key), remarks)?.entries ?? [];
  const rules = [
    ...imagesOf("images").flatMap((image) => listed(registry, image, surroundings)),
    ...imagesOf("images-by-tag-regex").flatMap((image) =>
      chosen(registry, image, (text) => [`/${fromGo(text)}/`], surroundings),
    ),
    ...imagesOf("images-by-semver").flatMap((image) =>
      chosen(registry, image, mastermindsRange, surroundings),
    ),
  ];
  if (rules.length === 0 && map !== undefined)
    remarks.notice(`${quoted(registry)} has no images in the file`);
  return { rules, logins: loginOf(registry, fields.get("credentials"), surroundings) };
}

/** The repository of an image, and what it is called at the destinations; undefined after a mistake. */
function placesOf(registry: string, { key, line }: YamlEntry, { remarks }: Surroundings) {
  const from = parsePlace(`${registry}/${key}`);
  if (!("problem" in from)) return { line, from, to: lastPart(from.repository) };
  remarks.mistake(line, from.problem);
  return undefined;
}

/** Tags and digests; without any, all tags. */
function listed(registry: string, entry: YamlEntry, surroundings: Surroundings): readonly Rule[] {
  const { remarks } = surroundings;
  const places = placesOf(registry, entry, surroundings);
  const references = textsIn(entry, remarks);
  if (places === undefined) return [];
  if (references.length === 0) return [{ ...places, tags: undefined, version: allTags }];
  const tags = references.flatMap(({ text, line }): readonly TagPair[] => {
    if (isDigest(text)) return [digestPair(text, remarks)];
    if (isTag(text)) return [{ from: text, to: text }];
    remarks.mistake(line, notATag(text));
    return [];
  });
  return [{ ...places, tags, version: allTags }];
}

/** Those that an expression or a range chooses. */
function chosen(
  registry: string,
  entry: YamlEntry,
  linesOf: (text: string) => readonly string[],
  surroundings: Surroundings,
): readonly Rule[] {
  const { remarks } = surroundings;
  const places = placesOf(registry, entry, surroundings);
  const text = textIn(entry, remarks);
  if (text === undefined) remarks.mistake(entry.line, `${quoted(entry.key)} takes a text`);
  if (places === undefined || text === undefined) return [];
  try {
    const version = linesOf(text).join("\n");
    parseSelection(version);
    return [{ ...places, tags: undefined, version }];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    remarks.mistake(entry.line, error.message);
    return [];
  }
}

/** Without `--scoped`, skopeo writes one over the other, in no order. */
function refuseSameNames(rules: readonly Rule[], { remarks, keepsNamespaces }: Surroundings): void {
  const known = new Map<string, string>();
  for (const { line, from, to } of rules) {
    const name = keepsNamespaces ? from.repository : String(to);
    const image = `${from.registry}/${from.repository}`;
    const other = known.get(name);
    const remedy = keepsNamespaces
      ? `make one a route of its own, with images: ${lastPart(name)} => another-name`
      : "give destinations without a namespace, so that each keeps its own";
    if (other !== undefined && other !== image)
      remarks.mistake(line, `${image} and ${other} are both ${name} at the destination: ${remedy}`);
    if (other === undefined) known.set(name, image);
  }
}

function loginOf(
  registry: string,
  entry: YamlEntry | undefined,
  { remarks }: Surroundings,
): readonly LoginText[] {
  const fields = fieldsOf(mapIn(entry, remarks));
  const username = textIn(fields.get("username"), remarks) ?? "";
  const password = textIn(fields.get("password"), remarks) ?? "";
  const place = parsePlace(`${registry}/x`);
  if ("problem" in place || (username === "" && password === "")) return [];
  return [{ place: place.registry, username, password }];
}
