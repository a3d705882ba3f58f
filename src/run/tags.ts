import type { Destination } from "../destinations/destination.ts";
import { type Failure, failureOf, InputError, messageOf, OperationError } from "../errors.ts";
import { type Catalogue, listedCatalogue } from "../harbor/catalogue.ts";
import type { RouteInputs } from "../inputs/inputs.ts";
import { type Route, routesAtOnce } from "../inventory/snapshot.ts";
import { type SourceToList, type TagReader, tagsAtSources } from "../inventory/source-tags.ts";
import { foreseeReading, sourcesOf } from "../inventory/sources.ts";
import { type Log, printable } from "../log/log.ts";
import { isDigest } from "../oci/digest.ts";
import {
  isChartRepository,
  type Namespace,
  printNamespace,
  printReference,
  sameNamespace,
} from "../oci/reference.ts";
import { PatternError } from "../pattern.ts";
import { applyRules, type ImageRule } from "../plan/component.ts";
import { demanding, idleLines, namedTags, type Selection, select, withinFilter } from "../plan/selection.ts";
import { areFixed, fixedVersions, shareTags, versionsOfTags } from "../plan/tag-versions.ts";
import { type AnyVersion, type Version, versionOfChartTag, versionOfTag } from "../plan/version.ts";
import { inTurns } from "../turns.ts";
import { listOf } from "../wording.ts";
import type { Wanted } from "./wanted.ts";

/** What the sources say of versions, where their tags are the versions. */

/** The registries that say of versions. */
export interface PlacesOfTags {
  readonly sources: readonly SourceToList[];
  readonly destinations: readonly Pick<Destination, "registry" | "path" | "retention">[];
  readonly attachments: TagReader | undefined;
}

interface LogAndSignal {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The inputs that say which versions of which images are wanted. */
type InputsOfTags = Pick<RouteInputs, "images" | "sources" | "destinations" | "prereleases">;

/** A repository that fits a pattern: what is mirrored of it, or why that is not known. */
export type RepositoryLook = { readonly name: string } & (
  | { readonly route: Route }
  | { readonly failure: Failure }
);

/**
 * What is mirrored of patterns: every repository that fits, each with versions of its own. One without a version that is wanted is
 * left out.
 * @throws InputError when nothing fits; PatternError when a pattern takes too long.
 */
export async function lookAtRepositories(
  wanted: Pick<Wanted, "selection">,
  inputs: InputsOfTags,
  names: readonly string[],
  places: PlacesOfTags,
  context: LogAndSignal,
): Promise<readonly RepositoryLook[]> {
  const without: string[] = [];
  const looks: (TagsLook & { readonly name: string })[] = [];
  const found = await inTurns(names, routesAtOnce, async (name): Promise<readonly RepositoryLook[]> => {
    const rule = { from: name, fromTag: "{{tag}}", to: name, toTag: "{{tag}}" };
    try {
      const look = await lookAtImages(wanted, { ...inputs, images: [rule] }, places, context, "present");
      looks.push({ name, ...look });
      return [{ name, route: look.route }];
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof OperationError) return [{ name, failure: failureOf(error) }];
      if (!(error instanceof InputError) || error instanceof PatternError) throw error;
      context.log.debug(`${name}: ${error.message}`);
      without.push(name);
      return [];
    }
  });
  const isAllKnown = looks.length + without.length === names.length;
  for (const tag of namedTags(wanted.selection)) {
    const lacking = looks.filter(({ route }) => !route.wanted.some((version) => version.tag === tag));
    // One that could not be asked may have it.
    if (isAllKnown && lacking.length === looks.length)
      throw new InputError(
        `None of the ${names.length} repositories that the input "images" fits has the tag ${printable(tag)}.`,
      );
    if (lacking.length > 0)
      context.log.info(`Without ${printable(tag)}: ${listed(lacking.map(({ name }) => name))}`);
  }
  if (found.flat().length === 0)
    throw new InputError(
      `None of the ${names.length} repositories that the input "images" fits has a version that is wanted.`,
    );
  if (without.length > 0) context.log.info(`Without a version that is wanted: ${listed(without)}`);
  const [first] = looks;
  const idle = first?.idle.filter((line) => looks.every((look) => look.idle.includes(line))) ?? [];
  if (isAllKnown) warnOfIdleLines(idle, "tag", nameOfSources(inputs), context.log);
  return found.flat();
}

/** Names, in an order that does not depend on which answer came first. */
function listed(names: readonly string[]): string {
  return listOf([...names].sort(), namedLimit);
}

/** What the sources say of a list of images. */
interface TagsLook {
  readonly route: Route;
  /** The lines of the input `version` that choose nothing. */
  readonly idle: readonly string[];
}

/**
 * Lists the tags at the sources, and chooses.
 * @throws InputError when what is wanted does not exist; OperationError when no source says it.
 */
export async function lookAtTags(
  wanted: Pick<Wanted, "selection">,
  inputs: InputsOfTags,
  places: PlacesOfTags,
  context: LogAndSignal,
): Promise<Route> {
  const { route, idle } = await lookAtImages(wanted, inputs, places, context, "all");
  warnOfIdleLines(idle, "tag", nameOfSources(inputs), context.log);
  return route;
}

/** @param demands whether a tag that is named has to be there, or is waited for. */
async function lookAtImages(
  { selection }: Pick<Wanted, "selection">,
  inputs: InputsOfTags,
  places: PlacesOfTags,
  { log, signal }: LogAndSignal,
  demands: "all" | "present",
): Promise<TagsLook> {
  const sources = unpruned(places);
  const rules = inputs.images === "auto" ? [] : inputs.images;
  const name = nameOfSources(inputs);
  const versionOf = readerOfTags(sources);
  const retentions = inputs.destinations.map(({ retention }) => retention);
  const choose = (chosen: Selection, versions: readonly AnyVersion[], untagged: readonly string[] = []) => {
    const universe = versions.filter((version) => countsAsNewest(version));
    const otherTags = versions.filter((version) => !countsAsNewest(version));
    const released = { universe, otherTags, untagged, passedOver: [] };
    const wanted = select(chosen, released, name, retentions);
    return { universe, wanted, idle: idleLines(selection, released, retentions) };
  };
  if (areFixed(rules)) {
    const { wanted, idle } = choose(selection, [...fixedVersions(rules).keys()].map(versionOf));
    return { route: { repository: name, universe: [], wanted, catalogue: fixedCatalogue(rules) }, idle };
  }
  const list = await listVersions();
  const known = new Set(list?.listed.map(({ tag }) => tag));
  const isDemanded = demands === "all" || list === undefined;
  const chosen = isDemanded ? selection : demanding(selection, known);
  // One that is not there yet is waited for, and need not be in the list.
  const named = namedTags(chosen).filter((tag) => !known.has(tag));
  const versions = [...(list?.listed ?? []), ...named.map(versionOf)];
  const { universe, wanted, idle } = choose(chosen, versions, list?.untagged);
  const catalogue = listedCatalogue(rules);
  // Without a list, what is named has no place in an order: nothing is left out or pruned for it.
  if (list === undefined)
    return { route: { repository: name, universe: [], unlisted: true, wanted, catalogue }, idle };
  const counted = withinFilter(selection, universe);
  const outside = universe.filter((version) => !counted.includes(version));
  return { route: { repository: name, universe: counted, outside, wanted, catalogue }, idle };

  function countsAsNewest(version: AnyVersion): version is Version {
    return version.number !== undefined && (!version.prerelease || inputs.prereleases);
  }

  /**
   * Who names tags and prunes nothing needs no list, unless it takes one to know whose a tag of several versions is, or which
   * of them are there.
   */
  async function listVersions(): Promise<
    { readonly listed: readonly AnyVersion[]; readonly untagged?: readonly string[] } | undefined
  > {
    const isNamed = selection.kind === "tags" && !shareTags(rules);
    const needsNone = isNamed && demands === "all";
    if (needsNone && retentions.every(({ keep }) => keep === "all")) return { listed: [] };
    try {
      const tagsOf = await listTags(rules, { ...places, sources }, { log, signal });
      const untagged = rules.filter((rule) => !isDigest(rule.fromTag) && tagsOf(rule).size === 0);
      return { listed: versionsOfTags(rules, tagsOf, versionOf), untagged: untagged.map(({ from }) => from) };
    } catch (error) {
      signal.throwIfAborted();
      if (!isNamed || !(error instanceof OperationError)) throw error;
      log.warning(
        `Nothing is pruned, because the versions at the sources are not known. ${messageOf(error)}`,
      );
      return undefined;
    }
  }
}

/** What makes a version of a tag: those of charts are written in another way. */
function readerOfTags(sources: readonly Namespace[]): (tag: string) => AnyVersion {
  return sources.some(({ registry }) => isChartRepository(registry)) ? versionOfChartTag : versionOfTag;
}

/** Says which lines of several in the input `version` choose nothing. */
export function warnOfIdleLines(
  lines: readonly string[],
  what: "tag" | "release",
  where: string,
  log: Log,
): void {
  for (const line of lines)
    log.warning(`The line "${printable(line)}" of version fits no ${what} of ${where}`);
}

/** The sources where nothing is pruned: what a destination holds that prunes is no other copy of it. */
function unpruned<Place extends Namespace>({
  sources,
  destinations,
}: {
  readonly sources: readonly Place[];
  readonly destinations: PlacesOfTags["destinations"];
}): readonly Place[] {
  const pruned = destinations.filter(({ retention }) => retention.keep !== "all");
  return sources.filter((source) => !pruned.some((each) => sameNamespace(each, source)));
}

/** The tags of each image at its sources. An image that several lines read is asked for once, and none that is named by digest. */
async function listTags(
  images: readonly ImageRead[],
  { sources, attachments }: Pick<PlacesOfTags, "sources" | "attachments">,
  { log, signal }: LogAndSignal,
): Promise<(image: ImageRead) => ReadonlySet<string>> {
  const keyOf = ({ source, from }: ImageRead) =>
    `${source === undefined ? "" : printNamespace(source)} ${from}`;
  const listed = images
    .filter(({ fromTag }) => !isDigest(fromTag))
    .map((image) => [keyOf(image), image] as const);
  const read = [...new Map(listed)];
  foreseeReading(
    read.map(([, image]) => image),
    sources,
  );
  const lists = read.map(async ([key, { source, from }]) => {
    return [key, await tagsAtSources(from, sourcesOf(source, sources), attachments, log, signal)] as const;
  });
  const tags = new Map(await Promise.all(lists));
  return (image) => tags.get(keyOf(image)) ?? new Set();
}

/** Where an image is read. */
type ImageRead = Pick<ImageRule, "source" | "from" | "fromTag">;

/** Most names that a line has. */
const namedLimit = 3;

/** What a plan is about where no repository of GitHub is asked. */
export function nameOfSources({ sources }: Pick<RouteInputs, "sources">): string {
  return listOf(sources.map(printNamespace), namedLimit);
}

/** The images of each tag that lines without placeholders write. */
function fixedCatalogue(rules: readonly ImageRule[]): Catalogue {
  const byTag = fixedVersions(rules);
  const known = (version: AnyVersion) => applyRules(byTag.get(version.tag) ?? [], version);
  return {
    images: [...new Set(rules.map(({ to }) => to))],
    known,
    read: (version) => Promise.resolve(known(version)),
  };
}

/**
 * Makes a function that says, right before tags are deleted, why those of a version must stay: an image of it is at no other
 * place any more, and this may be the last copy, or nobody knows.
 * @param going what this run deletes at destinations, as `registry/path:tag`: a source that is one of them has it no longer.
 */
export function lastCopyCheck(
  catalogue: Pick<Catalogue, "read">,
  places: Pick<PlacesOfTags, "sources" | "destinations">,
  going: ReadonlySet<string>,
  { log, signal }: LogAndSignal,
): (version: string) => Promise<Failure | undefined> {
  const all = unpruned(places);
  const versionOf = readerOfTags(all);
  return async (version) => {
    try {
      const components = await catalogue.read(versionOf(version));
      const sources = all.filter(
        (source) =>
          !components.some(({ from, fromTag }) =>
            going.has(printReference(`${printNamespace(source)}/${from}`, fromTag)),
          ),
      );
      const tagsOf = await listTags(components, { sources, attachments: undefined }, { log, signal });
      const gone = components.find(
        (component) => !isDigest(component.fromTag) && !tagsOf(component).has(component.fromTag),
      );
      if (gone === undefined) return undefined;
      const subject = printReference(gone.from, gone.fromTag);
      const problem = "it is at no source any more, so what is here may be the last copy";
      return { kind: "obstacle", problem, subject };
    } catch (error) {
      signal.throwIfAborted();
      return failureOf(error, "what is here may be the last copy, so it is not deleted");
    }
  };
}
