import { printable } from "../log/log.ts";
import { type Namespace, parseNamespace, printNamespace } from "../oci/reference.ts";
import { didYouMean } from "../wording.ts";

/** Foreign text in quotation marks, fit for a message. */
export function quoted(text: string): string {
  return `"${printable(text, 100)}"`;
}

/**
 * The choice that a text was meant to be: it differs only in capitals and separators, or by at most two letters, and no other
 * choice is as near.
 */
export function nearest(text: string, choices: readonly string[]): string | undefined {
  const plain = (name: string): string => name.toLowerCase().replace(/[\s_./-]/g, "");
  const ranked = choices
    .map((choice) => ({ choice, steps: stepsBetween(plain(text), plain(choice)) }))
    .sort((one, other) => one.steps - other.steps);
  const [first, second] = ranked;
  // A third of a word may be wrong: two letters of `tcr` are another word.
  const limit = Math.min(2, Math.floor(plain(text).length / 3));
  if (first === undefined || first.steps > limit || first.steps === second?.steps) return undefined;
  return first.choice;
}

/**
 * The end of a message about a text that is none of some choices.
 * @param otherNames what a choice is called elsewhere, in small letters.
 */
export function noneOf(
  text: string,
  choices: readonly string[],
  otherNames: Readonly<Record<string, string>> = {},
): string {
  const meant = otherNames[text.toLowerCase()] ?? nearest(text, choices);
  return `${quoted(text)} is none of ${choices.join(", ")}${didYouMean(meant)}`;
}

/** What stands in the place of a registry's address, and the address: names of vendors, and websites of theirs. */
const otherRegistries: ReadonlyMap<string, string> = new Map([
  ["dockerhub", "docker.io"],
  ["docker-hub", "docker.io"],
  ["docker", "docker.io"],
  ["docker.com", "docker.io"],
  ["www.docker.com", "docker.io"],
  ["hub.docker.com", "docker.io"],
  ["ghcr", "ghcr.io"],
  ["github", "ghcr.io"],
  ["github.com", "ghcr.io"],
  ["quay", "quay.io"],
  ["gcr", "gcr.io"],
  ["gitlab", "registry.gitlab.com"],
  ["gitlab.com", "registry.gitlab.com"],
]);

/** What is wrong with a place whose registry is a vendor's name or website; undefined where nothing is. */
export function notRegistry(place: Namespace, rest: readonly string[]): string | undefined {
  const meant = meantRegistry(place);
  return (
    meant &&
    `${place.registry} is not the address of a registry${didYouMean(lineOf(printNamespace(meant), rest))}`
  );
}

/**
 * The place that was meant by one whose registry is a vendor's name or website, where no registry answers; undefined for any
 * other. Docker Hub's website has pages of users (`u/`) and of repositories (`r/`).
 */
function meantRegistry({ registry, path }: Namespace): Namespace | undefined {
  const meant = otherRegistries.get(registry);
  if (meant === undefined) return undefined;
  return { registry: meant, path: meant === "docker.io" ? hubNamespace(path) : path };
}

function withHubNamespace(place: Namespace): Namespace {
  return place.registry === "docker.io" ? { ...place, path: hubNamespace(place.path) } : place;
}

/** Docker Hub has no namespaces inside namespaces: what follows is the name of an image. */
export function hubNamespace(path: string): string {
  return path.replace(/^(?:u|r|repository\/docker)\//, "").replace(/\/.*$/, "");
}

/** Letters to add, drop, change or swap with their neighbour (optimal string alignment distance). */
function stepsBetween(one: string, other: string): number {
  // Further apart than anything that is suggested, whatever their letters.
  if (Math.abs(one.length - other.length) > 2 || one.length > 60) return Number.POSITIVE_INFINITY;
  const rows = [Array.from({ length: other.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= one.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const changed = one[row - 1] === other[column - 1] ? 0 : 1;
      const swapped =
        row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      line.push(
        Math.min(
          (rows[row - 1]?.[column] ?? 0) + 1,
          (line[column - 1] ?? 0) + 1,
          (rows[row - 1]?.[column - 1] ?? 0) + changed,
          swapped ? (rows[row - 2]?.[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    rows.push(line);
  }
  return rows[one.length]?.[other.length] ?? 0;
}

/** Slips in the name of a place, and how each is mended. */
const slips: readonly (readonly [what: string, mended: (text: string) => string])[] = [
  ["it begins with a command", (text) => text.replace(/^(?:docker|podman|crane|helm) \S+ +/, "")],
  ["it begins with a scheme", (text) => text.replace(/^[a-z][a-z0-9+.-]*:\/\/+/i, "")],
  [
    "it names a user (a login stands in the input logins, never on a line)",
    (text) => text.replace(/^[^/]*@(?=[^/]*\/)/, ""),
  ],
  ["it has backslashes", (text) => text.replaceAll("\\", "/")],
  ["it has the path of an API", (text) => text.replace(/^([^/]+)\/v[12]\//, "$1/")],
  ["it ends with a slash", (text) => text.replace(/\/+$/, "")],
  ["it has slashes side by side", (text) => text.replace(/\/{2,}/g, "/")],
  ["it ends with a tag or a digest", (text) => text.replace(/(\/[^/:@]+)(?::[\w.-]+)?(?:@[\w:.-]+)?$/, "$1")],
  [
    "its IPv6 address has no brackets",
    (text) => text.replace(/^((?:[0-9a-f]*:){2,}[0-9a-f.]*)(?=\/)/i, "[$1]"),
  ],
  ["it has capital letters", (text) => text.toLowerCase()],
];

/** Longest text that is taken for a place with a slip, in characters: a registry and a repository have 255 together. */
const longestPlace = 300;

/** Most of the attributes of a line that a message repeats, in characters: all of them on any line that is no accident. */
const restLimit = 200;

/** A line with another place. @param rest what follows the name of the place. */
export function lineOf(place: string, rest: readonly string[]): string {
  return rest.length === 0 ? place : `${place},${printable(rest.join(","), restLimit)}`;
}

/**
 * What is wrong with the name of a place, `<registry>/<namespace>`, and the line as it should be where that can be told.
 *
 * @param rest what follows the name on its line.
 */
export function wrongPlace(text: string, rest: readonly string[] = []): string {
  let mended = text;
  const wrong: string[] = [];
  for (const [what, mend] of text.length > longestPlace ? [] : slips) {
    const next = mend(mended);
    if (next !== mended) wrong.push(what);
    mended = next;
  }
  // Before an @ there may be a password. The search starts only after a slash: from each letter, a long text would take minutes.
  const problem = `${quoted(text.replace(/(?<![^/])[^/]*@/, "…@"))} is not of the form <registry>/<namespace>`;
  const meant = (place: string): string => didYouMean(lineOf(place, rest));
  const named = parseNamespace(mended);
  const place = named && (meantRegistry(named) ?? withHubNamespace(named));
  if (place !== undefined) return `${problem}: ${wrong.join(", ")}${meant(printNamespace(place))}`;
  const address = otherRegistries.get(mended);
  if (address !== undefined) return `${problem}${meant(address)}`;
  if (mended.includes("/") || parseNamespace(`${mended}/x`) === undefined) return problem;
  return `${problem}: it has no registry${meant(`docker.io/${mended}`)}`;
}
