import { isDigest } from "../../oci/digest.ts";
import { printNamespace, printReference } from "../../oci/reference.ts";
import type { Surroundings } from "./fields.ts";
import { firstParts, lastPart, type Place } from "./reference.ts";
import { nameRoutes, type Remarks, type RouteInputs, type RouteText } from "./route-text.ts";

/** A tag or digest, and the tag that it gets. */
export interface TagPair {
  readonly from: string;
  readonly to: string;
}

/** A repository from there to here, as a line of another tool's file says it. */
export interface Rule {
  readonly line: number;
  readonly from: Place;
  /** A text: the name below the destinations of the step. */
  readonly to: Place | string;
  /** Those that are named; undefined: `version` chooses. */
  readonly tags: readonly TagPair[] | undefined;
  /** As the input `version`. */
  readonly version: string;
  readonly more?: RouteInputs;
}

/** All tags: an empty `version` would be the newest, or that of the step. */
export const allTags = "glob:*";

/** What is read by its digest and given no tag: it can be pulled by its digest all the same, but every image has a tag here. */
export function digestPair(digest: string, { notice }: Remarks): TagPair {
  const to = digest.replace(/^.*:/, "");
  notice(`${digest} gets the tag ${to}: every image has a tag here, and its digest stays`);
  return { from: digest, to };
}

/**
 * The routes of rules. What goes from one repository to another is one route, each tag a version of its own: so no tag waits for
 * another, and what has several destinations is read once.
 */
export function routesOf(rules: readonly Rule[], surroundings: Surroundings): readonly RouteText[] {
  const { remarks } = surroundings;
  refuseClashes(rules, surroundings);
  const byPair = Map.groupBy(rules, ({ from, to, tags, version, more }) =>
    JSON.stringify([from, to, tags === undefined, version, more]),
  );
  const pairs = [...byPair.values()].flatMap(([first, ...others]) => {
    if (first === undefined || !isElsewhere(first, remarks)) return [];
    const tags = first.tags && distinct([first, ...others].flatMap((rule) => rule.tags ?? []));
    return [{ line: first.line, from: first.from, inputs: inputsOf({ ...first, tags }, surroundings) }];
  });
  const byContent = Map.groupBy(pairs, ({ inputs: { destinations, ...rest } }) =>
    JSON.stringify([rest, destinations === undefined]),
  );
  const routes = [...byContent.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { line, from, inputs } = first;
    const destinations = [...new Set(group.flatMap((pair) => pair.inputs.destinations ?? []))].join("\n");
    const name = `${from.registry}/${from.repository}`;
    return [{ name, line, inputs: destinations === "" ? inputs : { ...inputs, destinations } }];
  });
  return nameRoutes(routes);
}

function distinct(pairs: readonly TagPair[]): readonly TagPair[] {
  return [...new Map(pairs.map((pair) => [`${pair.from} ${pair.to}`, pair])).values()];
}

function inputsOf({ from, to, tags, version, more }: Rule, { destinationLine }: Surroundings): RouteInputs {
  const isNamed = typeof to === "string";
  const target = isNamed ? to : lastPart(to.repository);
  const home = { registry: from.registry, path: firstParts(from.repository) };
  const away = isNamed ? undefined : { registry: to.registry, path: firstParts(to.repository) };
  // A destination without a namespace takes that of the source. A source that is the destination would be passed over.
  const atRoot = away !== undefined && (away.path === "" || printNamespace(away) === printNamespace(home));
  const name = atRoot ? from.repository : lastPart(from.repository);
  const lines = (tags ?? [undefined]).map((pair) => imageLine(name, target, pair));
  return {
    source: atRoot ? from.registry : printNamespace(home),
    images: lines.join("\n"),
    ...(away !== undefined && { destinations: destinationLine(away) }),
    version,
    "versions-from": "tags",
    ...more,
  };
}

/** One line of the input `images`. */
function imageLine(name: string, target: string, pair: TagPair | undefined): string {
  if (pair === undefined) return name === target ? name : `${name} => ${target}`;
  const from = isDigest(pair.from) ? `${name}@${pair.from}` : `${name}:${pair.from}`;
  return name === target && pair.from === pair.to ? from : `${from} => ${target}:${pair.to}`;
}

/** A repository is not mirrored onto itself, and where source and destination have no namespace, nothing tells them apart. */
function isElsewhere({ line, from, to }: Rule, { mistake }: Remarks): boolean {
  if (typeof to === "string" || from.registry !== to.registry) return true;
  const isSame = from.repository === to.repository;
  if (!isSame && (firstParts(from.repository) !== "" || firstParts(to.repository) !== "")) return true;
  mistake(
    line,
    `${from.registry}/${from.repository} is ${isSame ? "source and target at once" : "beside its target, and both have no namespace"}: that is not mirrored`,
  );
  return false;
}

/** Two rules that write one tag of two images: which one would be there is chance. */
function refuseClashes(rules: readonly Rule[], { remarks, keepsNamespaces }: Surroundings): void {
  const written = new Map<string, { readonly line: number; readonly image: string }>();
  for (const { line, from, to, tags = [] } of rules) {
    const below = keepsNamespaces ? `${firstParts(from.repository)}/` : "";
    const place = typeof to === "string" ? `${below}${to}` : `${to.registry}/${to.repository}`;
    for (const pair of tags) {
      const image = printReference(`${from.registry}/${from.repository}`, pair.from);
      const target = `${place}:${pair.to}`;
      const known = written.get(target);
      if (known !== undefined && known.image !== image)
        remarks.mistake(
          line,
          `it writes ${target} from ${image}, and line ${known.line} from ${known.image}`,
        );
      if (known === undefined) written.set(target, { line, image });
    }
  }
}
