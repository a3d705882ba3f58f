import { printable } from "../log/log.ts";
import { parseNamespace, printNamespace } from "../oci/reference.ts";
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

/** The end of a message about a text that is none of some choices. */
export function noneOf(text: string, choices: readonly string[]): string {
  return `${quoted(text)} is none of ${choices.join(", ")}${didYouMean(nearest(text, choices))}`;
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
  ["it names the API /v2/", (text) => text.replace(/^([^/]+)\/v2\//, "$1/")],
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
  const attributes = rest.length === 0 ? "" : `,${printable(rest.join(","), restLimit)}`;
  const meant = (place: string): string => didYouMean(`${place}${attributes}`);
  const place = parseNamespace(mended);
  if (place !== undefined) return `${problem}: ${wrong.join(", ")}${meant(printNamespace(place))}`;
  if (mended.includes("/") || parseNamespace(`${mended}/x`) === undefined) return problem;
  return `${problem}: it has no registry${meant(`docker.io/${mended}`)}`;
}
