import { InputError } from "../../errors.ts";
import { noneOf, quoted } from "../suggestions.ts";
import type { YamlEntry, YamlMap } from "../yaml.ts";
import { allBut, anchored, regsyncRange } from "./expressions.ts";
import {
  asksNothing,
  fieldsOf,
  flagIn,
  mapIn,
  mapsIn,
  type Surroundings,
  textIn,
  textsIn,
} from "./fields.ts";
import { parseBelowHost, parseImageName } from "./reference.ts";
import { remarkOn } from "./regsync-keys.ts";
import { readLogin } from "./regsync-login.ts";
import { nameRoutes, type RouteInputs, type RouteText, type Translated } from "./route-text.ts";
import { allTags, type Rule, routesOf } from "./rules.ts";
import { filledIn } from "./variables.ts";

/** Files of regsync: https://regclient.org/usage/regsync/, cmd/regsync/config.go and root.go of regclient/regclient. */

type Fields = ReadonlyMap<string, YamlEntry>;

const topKeys = ["version", "creds", "defaults", "sync"] as const;
const entryKeys = ["source", "target", "type", "tags", "tagSets", "repos", "platform", "platforms"] as const;
const sharedKeys = ["referrers", "digestTags", "forceRecursive"] as const;
const types = ["image", "repository", "registry"] as const;

/** Whether a map has a list of what to synchronise. */
export function isRegsync(map: YamlMap): boolean {
  const keys = new Set(map.entries.map(({ key }) => key));
  return keys.has("sync") || (keys.has("creds") && keys.has("version"));
}

export function readRegsync(map: YamlMap, surroundings: Surroundings): Translated {
  const { remarks } = surroundings;
  const fields = fieldsOf(map);
  const version = textIn(fields.get("version"), remarks) ?? "1";
  if (version !== "1")
    remarks.mistake(fields.get("version")?.line ?? 1, "version: files of regsync have the version 1");
  // Anchors stand below keys with x-, as in files of Compose.
  remarkOn(
    map.entries.filter(({ key }) => !key.startsWith("x-")),
    topKeys,
    surroundings,
  );
  const defaults = mapIn(fields.get("defaults"), remarks);
  remarkOn(defaults?.entries ?? [], sharedKeys, surroundings);
  const entries = mapsIn(fields.get("sync"), remarks);
  if (entries.length === 0)
    remarks.mistake(fields.get("sync")?.line ?? map.line, "sync: it holds no image, repository or registry");
  const parts = entries.map((entry) => readEntry(entry, fieldsOf(defaults), surroundings));
  const routes = [
    ...routesOf(
      parts.flatMap(({ rules }) => rules),
      surroundings,
    ),
    ...parts.flatMap(({ routes }) => routes),
  ];
  const logins = mapsIn(fields.get("creds"), remarks).flatMap((login) => readLogin(login, surroundings));
  return { routes: nameRoutes(routes.toSorted((one, other) => one.line - other.line)), logins };
}

interface Part {
  readonly rules: readonly Rule[];
  readonly routes: readonly RouteText[];
}

function readEntry(map: YamlMap, defaults: Fields, surroundings: Surroundings): Part {
  const { remarks } = surroundings;
  const fields = fieldsOf(map);
  remarkOn(map.entries, [...entryKeys, ...sharedKeys], surroundings);
  const nothing: Part = { rules: [], routes: [] };
  const kind = textIn(fields.get("type"), remarks) ?? "";
  const type = types.find((each) => each === kind);
  if (type === undefined)
    remarks.mistake(fields.get("type")?.line ?? map.line, `type: ${noneOf(kind, types)}`);
  const [source, target] = [placeIn("source"), placeIn("target")];
  if (type === undefined || source === undefined || target === undefined) return nothing;
  const shared = (key: string) => fields.get(key) ?? defaults.get(key);
  const more = moreOf(fields, shared, surroundings);
  try {
    if (type === "image") return { rules: [imageRule(map.line, source, target, more)], routes: [] };
    const versions = versionsOf(fields, surroundings);
    if (type === "registry") {
      const images = repositoriesOf(fields.get("repos"), surroundings);
      return {
        rules: [],
        routes: versions.map((version) =>
          registryRoute(map.line, source, target, surroundings, { images, version, ...more }),
        ),
      };
    }
    const [from, to] = [placeOf(source), placeOf(target)];
    return {
      rules: versions.map((version) => ({ line: map.line, from, to, tags: undefined, version, more })),
      routes: [],
    };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    remarks.mistake(map.line, error.message);
    return nothing;
  }

  function placeIn(key: "source" | "target"): string | undefined {
    const entry = fields.get(key);
    const text = textIn(entry, remarks)?.trim() ?? "";
    if (text === "") remarks.mistake(entry?.line ?? map.line, `${key}: it is missing`);
    if (text === "") return undefined;
    return filledIn(text, entry?.line ?? map.line, "place", surroundings);
  }
}

/** Inputs that an entry sets whatever it is about. What neither it nor the defaults say is left to the step. */
function moreOf(
  fields: Fields,
  shared: (key: string) => YamlEntry | undefined,
  { remarks }: Surroundings,
): RouteInputs {
  const [referrers, digestTags] = [
    flagIn(shared("referrers"), remarks),
    flagIn(shared("digestTags"), remarks),
  ];
  const single = textIn(fields.get("platform"), remarks);
  if (single !== undefined)
    remarks.notice("platform: an image of several platforms stays an index, with this one only");
  const platforms =
    single === undefined ? textsIn(fields.get("platforms"), remarks).map(({ text }) => text) : [single];
  const attached =
    referrers === undefined && digestTags === undefined
      ? undefined
      : referrers === true || digestTags === true;
  return {
    ...(attached !== undefined && { referrers: String(attached) }),
    ...(flagIn(shared("forceRecursive"), remarks) === true && { verify: "full" }),
    ...(platforms.length > 0 && { platforms: platforms.join("\n") }),
  };
}

/** @throws InputError for what is no image. */
function imageRule(line: number, source: string, target: string, more: RouteInputs): Rule {
  const [from, to] = [imageOf(source), imageOf(target)];
  if (to.digest !== undefined) throw new InputError(`target: ${quoted(target)} has a digest: it takes a tag`);
  const tag = to.tag ?? "latest";
  return {
    line,
    from: { registry: from.registry, repository: from.repository },
    to: { registry: to.registry, repository: to.repository },
    tags: [{ from: from.digest ?? from.tag ?? "latest", to: tag }],
    version: allTags,
    more,
  };
}

function imageOf(text: string) {
  refuseFolder(text);
  const image = parseImageName(text);
  if ("problem" in image) throw new InputError(image.problem);
  return image;
}

/** A repository, whose tags `tags` chooses: one that stands there is passed over in regsync too. */
function placeOf(text: string) {
  const { registry, repository } = imageOf(text);
  return { registry, repository };
}

function refuseFolder(text: string): void {
  if (/^oci(?:dir|file):/.test(text))
    throw new InputError(`${quoted(text)} is a folder on a disk: images go from registry to registry here`);
}

/** All repositories of a registry, each below the target under its own path. */
function registryRoute(
  line: number,
  source: string,
  target: string,
  { destinationLine }: Surroundings,
  inputs: RouteInputs,
): RouteText {
  for (const place of [source, target]) refuseFolder(place);
  const [from, to] = [parseBelowHost(source), parseBelowHost(target)];
  if (from === undefined || from.path !== "")
    throw new InputError(`source: ${quoted(source)} is not the host of a registry`);
  if (to === undefined)
    throw new InputError(`target: ${quoted(target)} is not of the form <registry> or <registry>/<namespace>`);
  const places = { source: from.registry, destinations: destinationLine(to), "versions-from": "tags" };
  return { name: from.registry, line, inputs: { ...places, ...inputs } };
}

/** The patterns of `images`. */
function repositoriesOf(entry: YamlEntry | undefined, surroundings: Surroundings): string {
  const fields = fieldsOf(mapIn(entry, surroundings.remarks));
  const allow = expressionsIn(fields.get("allow"), surroundings).map((expression) => `/${expression}/`);
  const deny = expressionsIn(fields.get("deny"), surroundings).map((expression) => `!/${expression}/`);
  return [...(allow.length === 0 ? ["**"] : allow), ...deny].join("\n");
}

function expressionsIn(entry: YamlEntry | undefined, { remarks }: Surroundings): readonly string[] {
  return textsIn(entry, remarks).flatMap(({ text, line }) => lineOf(line, text, anchored, remarks));
}

function lineOf(
  line: number,
  text: string,
  read: (text: string) => string,
  { mistake }: Surroundings["remarks"],
): readonly string[] {
  try {
    return [read(text)];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    mistake(line, error.message);
    return [];
  }
}

/** The input `version` for each set of tags: what any of them chooses is copied. */
function versionsOf(fields: Fields, surroundings: Surroundings): readonly string[] {
  const { remarks } = surroundings;
  const tags = mapIn(fields.get("tags"), remarks);
  const sets = [
    ...mapsIn(fields.get("tagSets"), remarks),
    ...(tags === undefined || tags.entries.every(asksNothing) ? [] : [tags]),
  ];
  return sets.length === 0 ? [allTags] : [...new Set(sets.map((set) => versionOf(set, surroundings)))];
}

function versionOf(set: YamlMap, surroundings: Surroundings): string {
  const { remarks } = surroundings;
  const fields = fieldsOf(set);
  for (const { key, line } of set.entries)
    if (key !== "allow" && key !== "deny" && key !== "semverRange")
      remarks.mistake(line, noneOf(key, ["allow", "deny", "semverRange"]));
  const ranges = textsIn(fields.get("semverRange"), remarks)
    .filter(({ text }) => text !== "")
    .flatMap(({ text, line }) => lineOf(line, text, regsyncRange, remarks));
  const allow = expressionsIn(fields.get("allow"), surroundings);
  const deny = expressionsIn(fields.get("deny"), surroundings);
  // A tag has to be in a range and to be allowed.
  const chosen =
    ranges.length > 0 ? ranges.map((range) => `semver:${range}`) : allow.map((each) => `/${each}/`);
  const lines = [
    ...chosen,
    ...(ranges.length > 0 && allow.length > 0 ? [allBut(allow)] : []),
    ...deny.map((each) => `!/${each}/`),
  ];
  return lines.length === 0 ? allTags : lines.join("\n");
}
