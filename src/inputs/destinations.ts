import { type DestinationInput, isPlainRegistry } from "../destinations/destination-input.ts";
import { parseNamespace, printNamespace } from "../oci/reference.ts";
import type { Retention } from "../plan/retention.ts";
import { type VendorId, vendorIds } from "../vendors/vendor.ts";
import { vendorOf } from "../vendors/vendors.ts";
import { didYouMean } from "../wording.ts";
import { parseAttributes, parseTokenServer } from "./attributes.ts";
import { hubNamespace, lineOf, noneOf, notRegistry, quoted, wrongPlace } from "./suggestions.ts";
import {
  linesOf,
  type Mistake,
  parseApiUrl,
  parseBoolean,
  parseKeep,
  parseKeepBy,
  repeated,
} from "./values.ts";

type DestinationType = DestinationInput["type"];

const destinationTypes: readonly DestinationType[] = [...vendorIds, "registry"];

/** Attributes after the commas of a line, and the types of destination that each has a meaning for; undefined: all. */
const attributeTypes: ReadonlyMap<string, readonly DestinationType[] | undefined> = new Map<
  string,
  readonly DestinationType[] | undefined
>([
  ["keep", undefined],
  ["keep-by", undefined],
  ["type", undefined],
  ["api", undefined],
  ["token-server", undefined],
  ["registry-id", ["tcr"]],
  ["region", ["tcr", "tcr-personal"]],
  ["public", ["tcr"]],
  ["attestations", destinationTypes],
  ["filled-by", undefined],
]);

/** What can fill a destination in place of this Action. */
const fillers = ["sync"];

/** Attributes about what is written or deleted: they would have no effect at a destination that another mechanism fills. */
const writingAttributes = ["keep", "keep-by", "public"];

/**
 * The lines of the `destinations` input.
 * @param defaults the `keep` and `keep-by` inputs, for lines that say nothing of their own.
 * @param homes the namespaces that images come from, each once: a line without a namespace takes it where it is one.
 */
export function parseDestinations(
  text: string,
  defaults: Retention,
  homes: readonly string[],
  mistake: Mistake,
): readonly DestinationInput[] {
  const lines = linesOf(text);
  if (lines.length === 0) mistake("is empty");
  const destinations: DestinationInput[] = [];
  for (const line of lines) {
    const destination = parseDestination(line, defaults, homes, mistake);
    if (destination !== undefined) destinations.push(destination);
  }
  for (const name of repeated(destinations.map(printNamespace))) mistake(`${name} is given more than once`);
  return destinations;
}

function parseDestination(
  line: string,
  defaults: Retention,
  homes: readonly string[],
  mistake: Mistake,
): DestinationInput | undefined {
  const [place = "", ...rest] = line.split(",").map((item) => item.trim());
  const given = parseNamespace(place);
  if (given === undefined) {
    mistake(wrongPlace(place, rest));
    return undefined;
  }
  const wrongRegistry = notRegistry(given, rest);
  if (wrongRegistry !== undefined) {
    mistake(wrongRegistry);
    return undefined;
  }
  const [home = ""] = homes;
  const namespace = given.path === "" ? { ...given, path: home } : given;
  const inLine: Mistake = (problem) => mistake(`${printNamespace(namespace)}: ${problem}`);
  const attributes = parseAttributes(rest, [...attributeTypes.keys()], inLine);
  const type = parseType(attributes.get("type"), namespace.registry, inLine);
  refuseForeignAttributes(attributes, type, inLine);
  if (attributes.has("api") && isPlainRegistry({ type }) && !hasOwnApi(namespace.registry, type))
    inLine("api means nothing for this registry: what it needs is on the registry's own host");
  if (!attributes.has("api")) needOwnApi(namespace.registry, type, inLine);
  if (given.path === "") checkHome(type, homes, inLine);
  if (namespace.registry === "docker.io" && namespace.path.includes("/")) {
    const meant = lineOf(`docker.io/${hubNamespace(namespace.path)}`, rest);
    inLine(`Docker Hub has no namespaces inside namespaces${didYouMean(meant)}`);
  }
  const filledBySync = parseFilledBy(attributes, inLine);
  const retention = parseRetention(attributes, vendorOf(namespace.registry, type).id, defaults, inLine);
  const api = attributes.get("api");
  const tokenServer = attributes.get("token-server");
  return {
    ...namespace,
    type,
    retention: filledBySync ? { keep: "all", keepBy: retention.keepBy } : retention,
    api: api === undefined ? undefined : parseApiUrl(api, inLine),
    tokenServer: tokenServer === undefined ? undefined : parseTokenServer(tokenServer, inLine),
    registryId: parseIdentifier(attributes, "registry-id", inLine),
    region: parseIdentifier(attributes, "region", inLine),
    public: parseBoolean(attributes.get("public") ?? "false", inAttribute("public", inLine)),
    attestations: parseBoolean(attributes.get("attestations") ?? "true", inAttribute("attestations", inLine)),
    ...(filledBySync && { filledBySync }),
  };
}

/** Notes a mistake in the value of an attribute. */
function inAttribute(name: string, mistake: Mistake): Mistake {
  return (problem) => mistake(`${name} ${problem}`);
}

/** Whether another mechanism fills a destination. */
function parseFilledBy(attributes: ReadonlyMap<string, string>, mistake: Mistake): boolean {
  const value = attributes.get("filled-by");
  if (value === undefined) return false;
  if (!fillers.includes(value)) mistake(`filled-by ${noneOf(value, fillers)}`);
  for (const name of writingAttributes)
    if (attributes.has(name))
      mistake(`${name} means nothing with filled-by=${value}: nothing is written or deleted there`);
  return true;
}

/** What keeps a line without a namespace from taking that of the images. */
function checkHome(type: DestinationType, homes: readonly string[], mistake: Mistake): void {
  if (homes.length > 1) {
    mistake(
      `without a namespace it takes that of the images, and they are of several (${homes.map((home) => home || "none").join(", ")}): name one`,
    );
  } else if (homes[0] === "" && !isPlainRegistry({ type }) && type !== "tcr") {
    mistake("it needs a namespace, and the images have none to take: name one");
  }
}

/** The type that a line names, else that of its host name. On a domain of one's own the name tells nothing. */
function parseType(text: string | undefined, registry: string, mistake: Mistake): DestinationType {
  const named = destinationTypes.find((candidate) => candidate === text);
  if (named !== undefined) return named;
  if (text !== undefined) mistake(`type ${noneOf(text, destinationTypes)}`);
  return vendorOf(registry).id;
}

/** Whether a registry has an API on another host that is used here. */
function hasOwnApi(registry: string, type: DestinationType): boolean {
  const { route } = vendorOf(registry, type).deletion;
  return route === "ecr" || route === "packages";
}

/**
 * Some vendors' APIs are on another host and take the registry's login. The login of another registry is not for them (P7).
 */
function needOwnApi(registry: string, type: DestinationType, mistake: Mistake): void {
  const { id, host, deletion } = vendorOf(registry, type);
  if (deletion.route !== "docker-hub" && deletion.route !== "packages") return;
  if (host?.test(registry) === false)
    mistake(`type=${id} for another host needs api=, the API that may have the login of ${registry}`);
}

/** An attribute that would have no effect is a mistake: the user expects something of it. */
function refuseForeignAttributes(
  attributes: ReadonlyMap<string, string>,
  type: DestinationType,
  mistake: Mistake,
): void {
  for (const name of attributes.keys()) {
    const types = attributeTypes.get(name);
    if (types !== undefined && !types.includes(type)) {
      mistake(`${name} means nothing for a destination of type ${type}, only for ${types.join(" and ")}`);
    }
  }
}

/** Docker Hub is the home of every old version, not a mirror: it is pruned only where its own line says so. */
function parseRetention(
  attributes: ReadonlyMap<string, string>,
  vendor: VendorId,
  defaults: Retention,
  mistake: Mistake,
): Retention {
  const keep = attributes.get("keep");
  const keepBy = attributes.get("keep-by");
  const keepUnsaid = vendor === "docker-hub" ? "all" : defaults.keep;
  return {
    keep: keep === undefined ? keepUnsaid : parseKeep(keep, inAttribute("keep", mistake)),
    keepBy: keepBy === undefined ? defaults.keepBy : parseKeepBy(keepBy, inAttribute("keep-by", mistake)),
    ...(keep !== undefined && { ownLine: true }),
  };
}

/** `tcr-xxxxxxxx` or `ap-guangzhou`: letters, digits and hyphens, as they end in headers and host names. */
function parseIdentifier(
  attributes: ReadonlyMap<string, string>,
  name: "registry-id" | "region",
  mistake: Mistake,
): string | undefined {
  const value = attributes.get(name);
  if (value === undefined || /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(value)) return value;
  mistake(`${name} ${quoted(value)} is not made of small letters, digits and hyphens`);
  return undefined;
}
