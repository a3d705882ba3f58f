import { InputError } from "../errors.ts";
import type { Environment } from "../oci/helper-environment.ts";
import { parseNamespace } from "../oci/reference.ts";
import { readTextOrPath } from "./text-or-path.ts";
import { readYaml, type YamlNode } from "./yaml.ts";

/** The input `logins` as it was read: what it says is not checked yet. */
export interface GivenLogins {
  /** How messages name it: the input, or its file. */
  readonly what: string;
  /** Its content; or why there is none. */
  readonly content: YamlNode | InputError;
  /** What is hidden before anything is printed, whatever is wrong with it. */
  readonly secrets: readonly string[];
}

/** Largest text of logins, in bytes: some two thousand. */
const loginsLimit = 250_000;

/** Keys whose values are no secrets. */
const plainKeys: ReadonlySet<string> = new Set(["username", "insecure"]);

/** All other keys that an entry may have, in our form and in those of image-transfer and image-syncer. */
const secretKeys: ReadonlySet<string> = new Set([
  "password",
  "pass",
  "tcr-secret-id",
  "tcr-secret-key",
  "tcr-session-token",
  "secretId",
  "secretKey",
]);

/** What groups entries: image-transfer's file of keys, and image-syncer's file of everything. */
const groups: ReadonlySet<string> = new Set(["ccr", "tcr", "auth", "images"]);

/**
 * Reads the text of the input `logins`, or its file. What is wrong with it is told with the mistakes of all inputs.
 * @param workspace folder that a path is relative to.
 */
export async function readGivenLogins(
  given: string,
  workspace: string | undefined,
  environment: Environment,
): Promise<GivenLogins | undefined> {
  if (given === "") return undefined;
  let what = "logins";
  let text = given;
  try {
    const read = await readTextOrPath(given, { input: "logins", workspace, limit: loginsLimit });
    if (read.file !== undefined) what = `logins: ${read.file}`;
    text = read.text;
    const content = await readYaml(text, { what, limit: loginsLimit });
    return { what, content, secrets: [...secretsIn(content, environment), ...writtenSecrets(text)] };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { what, content: error, secrets: anySecretsIn(text) };
  }
}

/** Everything but hosts, paths and user names. */
function secretsIn(content: YamlNode, environment: Environment): readonly string[] {
  if (content.kind === "text") return withVariables(content.text, environment);
  if (content.kind === "list") return content.items.flatMap((item) => secretsIn(item, environment));
  return content.entries.flatMap(({ key, value }) => {
    if (plainKeys.has(key) && value.kind === "text") return [];
    const own = isKnownKey(key) || parseNamespace(key) !== undefined ? [] : [key, ...secretsInLine(key)];
    return [...own, ...secretsIn(value, environment)];
  });
}

/** Longest value that is taken from a line, in characters: a line of JSON may be a whole file. */
const writtenLimit = 1000;

/**
 * What stands in a text where secrets stand, whatever else is wrong with it: behind their keys, and before the `@` of a place. YAML may
 * take the beginning of a value for a tag or an anchor, and leave it out.
 */
export function writtenSecrets(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const values = [...line.matchAll(/(?<![\w-])([\w-]{1,40})["']?\s{0,9}:\s*/g)].flatMap(
      ({ 0: found, 1: key = "", index }) => {
        if (!secretKeys.has(key)) return [];
        const start = index + found.length;
        const rest = line.slice(start, start + writtenLimit).trim();
        const [, quoted] = /^"((?:[^"\\]|\\.)*)"/.exec(rest) ?? /^'([^']*)'/.exec(rest) ?? [];
        return quoted === undefined ? [rest, rest.replace(/[,}\]].*$/, "").trim()] : [quoted];
      },
    );
    return [...values, ...secretsInLine(line)];
  });
}

function withVariables(text: string, environment: Environment): readonly string[] {
  return [text, expanded(text, environment) ?? ""];
}

/** The pieces of a text of which nobody knows what they are, but for the words that messages use, and the name of a file. */
function anySecretsIn(text: string): readonly string[] {
  if (/^[\w./-]+\.(?:ya?ml|json)$/i.test(text)) return [];
  const pieces = text
    .slice(0, loginsLimit)
    .split("\n")
    .flatMap((line) => [line, line.replace(/^[^:]*:/, ""), ...line.split(/[\s,{}[\]"']+/)])
    .map((piece) => piece.trim().replace(/^["'*&!]{1,9}|["':]{1,9}$/g, ""));
  return [...new Set(pieces)].filter((piece) => !isKnownKey(piece));
}

function isKnownKey(text: string): boolean {
  return plainKeys.has(text) || secretKeys.has(text) || groups.has(text);
}

/** Variables that hold no login of a registry. */
const foreignVariables = /^(?:INPUT_|ACTIONS_)/;

/**
 * A text with the variables of the environment that it names: `$NAME` alone, as image-syncer's files have it, or `${NAME}`
 * anywhere. A dollar sign elsewhere is one, as in the name of a robot account.
 * @returns undefined where there is no such variable, or it is not for logins.
 */
export function expanded(text: string, environment: Environment): string | undefined {
  const found = (name: string): string | undefined =>
    foreignVariables.test(name) ? undefined : environment[name] || undefined;
  const [, alone] = /^\$([A-Za-z_]\w*)$/.exec(text) ?? [];
  if (alone !== undefined) return found(alone);
  let isWhole = true;
  const filled = text.replace(/\$\{([A-Za-z_]\w*)\}/g, (_, name: string) => {
    const value = found(name);
    if (value === undefined) isWhole = false;
    return value ?? "";
  });
  return isWhole ? filled : undefined;
}

/**
 * The secrets of lines that name places, where none belongs: `user:password@host`, and attributes such as `password=`.
 */
export function secretsInLines(text: string): readonly string[] {
  return text.split("\n").flatMap(secretsInLine);
}

function secretsInLine(line: string): readonly string[] {
  const whole = line
    .split(",")
    .slice(1)
    .flatMap((item) => {
      const [name = "", ...value] = item.split("=");
      return isSecretAttribute(name.trim()) ? [value.join("=").trim()] : [];
    });
  // With other signs between them than belong there.
  const slips = [...line.matchAll(/(?<![\w-])([\w-]+)[ \t]*[=:][ \t]*([^,;\s"'`]+)/g)];
  const attributes = [
    ...whole,
    ...slips.flatMap(([, name = "", value = ""]) => (isSecretAttribute(name) ? [value] : [])),
  ];
  const at = line.lastIndexOf("@");
  // What comes before a digest is a name and a tag.
  if (at < 0 || /^sha[0-9]+:/.test(line.slice(at + 1))) return attributes;
  const before = line.slice(0, at).replace(/^.*(?:\s|:\/\/)/, "");
  const colon = before.indexOf(":");
  return [...attributes, ...(colon < 0 ? [] : [before.slice(colon + 1)])];
}

/** Whether somebody who gives this attribute means a part of a login. */
export function isSecretAttribute(name: string): boolean {
  return /^(?:pass(?:word)?|pwd|token|secret.*|.*-(?:password|token|secret|key))$/i.test(name);
}
