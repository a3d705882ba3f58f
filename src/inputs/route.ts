import { isDigest } from "../oci/digest.ts";
import { isChartRepository, type Namespace, printNamespace, sameNamespace } from "../oci/reference.ts";
import { areFixed, tellingRule } from "../plan/tag-versions.ts";
import { parseDestinations } from "./destinations.ts";
import { namedSources, parseImages, parseRepositories } from "./images.ts";
import { homesOf, refuseOwnRepositories, refuseWithoutNamespace } from "./places.ts";
import type { RouteInputName, RoutesFile } from "./routes/route-text.ts";
import { parseSources } from "./sources.ts";
import type { Inputs, RouteInputs } from "./types.ts";
import {
  type Mistake,
  parseBoolean,
  parseDuration,
  parseKeep,
  parseKeepBy,
  parseLimit,
  parseOverwrite,
  parsePlatforms,
  parseRepository,
  parseVerify,
  parseVersionInput,
  parseVersionsFrom,
} from "./values.ts";
import { readValue } from "./wrapped.ts";

/** Where the inputs of one route are read. */
export interface RouteTexts {
  readonly name: string | undefined;
  /** What the route says, else what the step says, else the default. */
  readonly text: (name: RouteInputName) => string;
  /** What the route itself says; empty where it leaves that to the step. */
  readonly ownText: (name: RouteInputName) => string;
  readonly mistakeIn: (name: RouteInputName) => Mistake;
}

/**
 * Reads the inputs of all routes.
 * @param file what the input `routes` says; undefined: the step itself describes the only one.
 * @param text gives what the step says, else the default.
 * @param mistakeIn notes a mistake in an input; `where` says in which route.
 */
export function readRoutes(
  file: Pick<RoutesFile, "routes"> | undefined,
  text: (name: RouteInputName) => string,
  mistakeIn: (name: RouteInputName, where?: string) => Mistake,
): readonly RouteInputs[] {
  if (file === undefined) return [readRoute({ name: undefined, text, ownText: text, mistakeIn })];
  return file.routes.map(({ name, line, inputs }) =>
    readRoute({
      name,
      text: (input) => inputs[input]?.trim() || text(input),
      ownText: (input) => inputs[input]?.trim() ?? "",
      mistakeIn: (input) => mistakeIn(input, `routes, line ${line} (${name}): `),
    }),
  );
}

/** Reads the inputs of one route, and notes every mistake in them. */
function readRoute({ name, text, ownText, mistakeIn }: RouteTexts): RouteInputs {
  const read = <T>(input: RouteInputName, parse: (text: string, mistake: Mistake) => T): T =>
    readValue(text(input), parse, mistakeIn(input));
  const retention = { keep: read("keep", parseKeep), keepBy: read("keep-by", parseKeepBy) };
  const repositories = read("images", parseRepositories);
  const images = repositories === undefined ? read("images", parseImages) : [];
  const sources = sourcesFor(images, read("source", parseSources));
  const charts = sources.filter(({ registry }) => isChartRepository(registry));
  if (charts.length > 0 && charts.length < sources.length)
    mistakeIn("source")(
      "a chart repository and a registry do not go together: their versions are not the same",
    );
  // A chart repository lists its versions itself, and nothing else does.
  const versionsFrom = charts.length > 0 ? "tags" : read("versions-from", parseVersionsFrom);
  // Tags may have no other copy: they are pruned only where the destination's own line says so.
  const unsaid = versionsFrom === "tags" ? ({ ...retention, keep: "all" } as const) : retention;
  const homes = homesOf(sources);
  const destinations = read("destinations", (lines, mistake) =>
    parseDestinations(lines, unsaid, homes, mistake),
  );
  refuseOwnRepositories({ images, sources, destinations }, mistakeIn("images"));
  refuseWithoutNamespace({ images, destinations }, mistakeIn("images"));
  if (versionsFrom === "tags") refuseReleases({ images, retention, destinations, ownText, mistakeIn });
  else if (repositories !== undefined) mistakeIn("images")("a pattern needs versions-from: tags");
  return {
    name,
    destinations,
    version: read("version", parseVersionInput),
    versionsFrom,
    repository: read("repository", parseRepository),
    sources,
    images,
    repositories,
    repositoryLimit: read("repository-limit", parseLimit),
    retention,
    prereleases: read("prereleases", parseBoolean),
    overwrite: read("overwrite", parseOverwrite),
    verify: read("verify", parseVerify),
    platforms: read("platforms", parsePlatforms),
    referrers: read("referrers", parseBoolean),
    wait: read("wait", parseDuration),
  };
}

/**
 * The destinations of all routes, each once. What one keeps, and whether it takes attestations, each route says for itself.
 * Anything else is about the registry and must be the same in all.
 */
export function destinationsOf(routes: readonly RouteInputs[], mistake: Mistake): Inputs["destinations"] {
  const all = Map.groupBy(
    routes.flatMap(({ destinations }) => destinations),
    printNamespace,
  );
  return [...all].flatMap(([name, [first, ...others]]) => {
    if (first === undefined) return [];
    const registryOf = ({ retention: _, attestations: __, ...rest }: typeof first): string =>
      JSON.stringify(rest);
    if (others.some((other) => registryOf(other) !== registryOf(first)))
      mistake(
        `${name} has other attributes in one route than in another: only keep, keep-by and attestations may differ`,
      );
    return [first];
  });
}

/** The sources of all routes, each once. */
export function sourcesOf(routes: readonly RouteInputs[], mistake: Mistake): Inputs["sources"] {
  const all = Map.groupBy(
    routes.flatMap(({ sources }) => sources),
    printNamespace,
  );
  return [...all].flatMap(([name, [first, ...others]]) => {
    if (first === undefined) return [];
    if (others.some(({ tokenServer }) => tokenServer?.href !== first.tokenServer?.href))
      mistake(`${name} has another token-server in one route than in another`);
    return [first];
  });
}

/** The sources of all images, where an image has any; then those that only some lines name. */
function sourcesFor(images: RouteInputs["images"], listed: RouteInputs["sources"]): RouteInputs["sources"] {
  const serving =
    images !== "auto" && images.length > 0 && images.every(({ source }) => source !== undefined)
      ? []
      : listed;
  const named = namedSources(images).filter((source) => !serving.some((each) => sameNamespace(each, source)));
  const tokenServerOf = (source: Namespace) =>
    listed.find((each) => sameNamespace(each, source))?.tokenServer;
  return [
    ...serving,
    ...named.map((source) => ({ ...source, tokenServer: tokenServerOf(source), onlyNamed: true })),
  ];
}

/** What only releases have means nothing, or something else than was meant, where tags at the sources are the versions. */
function refuseReleases({
  images,
  retention,
  destinations,
  ownText,
  mistakeIn,
}: Pick<RouteInputs, "images" | "retention" | "destinations"> &
  Pick<RouteTexts, "ownText" | "mistakeIn">): void {
  if (images === "auto")
    mistakeIn("images")("auto knows the images of releases; with versions-from: tags, list them");
  else if (!areFixed(images) && tellingRule(images) === undefined)
    mistakeIn("images")(
      "no line tells which tags are versions: one needs {{tag}} or {{version}}, and no other placeholder",
    );
  const digests =
    images === "auto" || !areFixed(images) ? [] : images.filter(({ fromTag }) => isDigest(fromTag));
  for (const { from, toTag } of digests.filter((rule) => rule.toTag.includes("{{")))
    mistakeIn("images")(`no line tells a version for ${toTag}: give ${from} a tag of its own`);
  if (ownText("repository") !== "")
    mistakeIn("repository")("means nothing with versions-from: tags, which asks no repository at GitHub");
  const published = [retention, ...destinations.map((destination) => destination.retention)].some(
    ({ keepBy }) => keepBy === "published",
  );
  if (published) mistakeIn("keep-by")("published needs releases: a tag has no date of publication");
}
