import type { PlaceLogin } from "../destinations/place-logins.ts";
import type { TencentCloudKey } from "../destinations/tencent/tencent-keys.ts";
import { InputError } from "../errors.ts";
import type { Login } from "../oci/credentials.ts";
import type { Environment } from "../oci/helper-environment.ts";
import { isLoopback, type Namespace, parseNamespace, printNamespace } from "../oci/reference.ts";
import { didYouMean } from "../wording.ts";
import { expanded, type GivenLogins } from "./given-logins.ts";
import type { LoginText } from "./routes/route-text.ts";
import { nearest, wrongPlace } from "./suggestions.ts";
import { checkSecretId, checkUsername } from "./tcr.ts";
import type { Mistake } from "./values.ts";
import type { YamlEntry, YamlNode } from "./yaml.ts";

/**
 * The input `logins`: a map from places to logins. The files of image-transfer (of logins, and of keys) and of image-syncer are of the
 * same form. No message repeats a value, nor a key that may be a piece of one.
 */

/** What the login of a place may have. */
const entryKeys = [
  "username",
  "password",
  "insecure",
  "tcr-secret-id",
  "tcr-secret-key",
  "tcr-session-token",
] as const;

/** The hosts that the keys of image-transfer's quick mode are for, by its names of TCR's two editions. */
const editions: ReadonlyMap<string, string> = new Map([
  ["ccr", "*.ccs.tencentyun.com"],
  ["tcr", "*.tencentcloudcr.com"],
]);

interface Reading {
  readonly what: string;
  readonly environment: Environment;
  /** Notes a mistake of a line. */
  readonly at: (line: number) => Mistake;
}

/** The logins that were given, those of a longer path not before those of a shorter one: the order means nothing. */
export function parseLogins(
  given: GivenLogins | undefined,
  environment: Environment,
  mistake: Mistake,
): readonly PlaceLogin[] {
  if (given === undefined) return [];
  const { what, content } = given;
  if (content instanceof InputError) {
    mistake(content.message);
    return [];
  }
  const at =
    (line: number): Mistake =>
    (problem) =>
      mistake(`${what}, line ${line}: ${problem}`);
  const entries = entriesOf(content, at(content.line));
  const logins = entries.flatMap((entry) => parseEntry(entry, { what, environment, at }));
  const lines = new Map<string, number>();
  for (const { name, line } of logins) {
    const first = lines.get(name);
    if (first === undefined) lines.set(name, line);
    else at(line)(`${name} is in line ${first} already`);
  }
  return withBothEditions(logins.map(({ login }) => login));
}

/**
 * The logins that a file of routes carries. Those of `logins` for the same place come before them.
 * @param from how messages name the file.
 */
export function loginsOfRoutes(
  texts: readonly LoginText[],
  from: string,
  mistake: Mistake,
): readonly PlaceLogin[] {
  return texts.flatMap(({ place: text, username, password }) => {
    const place = parseNamespace(text);
    if (place !== undefined) return [{ ...place, login: { username, password, from }, key: undefined, from }];
    mistake(`${from}: ${wrongPlace(text)}`);
    return [];
  });
}

/** The entries of a file, or of the part of image-syncer's file that has them. */
function entriesOf(content: YamlNode, mistake: Mistake): readonly YamlEntry[] {
  if (content.kind !== "map") {
    mistake(content.kind === "text" && content.empty ? "is empty" : "is no map from places to logins");
    return [];
  }
  const auth = content.entries.find(({ key }) => key === "auth");
  if (auth?.value.kind === "map" && content.entries.some(({ key }) => key === "images"))
    return auth.value.entries;
  const docker = content.entries.find(({ key }) => ["auths", "credHelpers", "credsStore"].includes(key));
  if (docker === undefined) return content.entries;
  mistake("is a Docker configuration: set the variable DOCKER_CONFIG to its folder instead");
  return [];
}

/** An entry with its name for messages; none after a mistake. */
function parseEntry(
  { key, line, value }: YamlEntry,
  reading: Reading,
): readonly { readonly name: string; readonly line: number; readonly login: PlaceLogin }[] {
  const mistake = reading.at(line);
  const hosts = editions.get(key);
  const place = hosts === undefined ? parseNamespace(key) : { registry: hosts, path: "" };
  if (place === undefined) {
    mistake(wrongPlace(key));
    return [];
  }
  const name = hosts === undefined ? printNamespace(place) : key;
  if (value.kind !== "map") {
    mistake(`${name} has no map of username and password`);
    return [];
  }
  const from = `${reading.what}, line ${line}`;
  const values = valuesOf(
    value.entries,
    hosts === undefined ? entryKeys : ["secretId", "secretKey"],
    name,
    reading,
  );
  if (values === undefined) return [];
  const inEntry: Mistake = (problem) => mistake(`${name}: ${problem}`);
  if (hosts !== undefined) {
    const key = keyOf(values, ["secretId", "secretKey"], inEntry);
    return key === undefined ? [] : [{ name, line, login: { ...place, login: undefined, key, from } }];
  }
  checkInsecure(values.get("insecure"), place, inEntry);
  const login = loginOf(values, from, inEntry);
  const tcrKey = keyOf(values, ["tcr-secret-id", "tcr-secret-key"], inEntry);
  if (
    login === undefined &&
    tcrKey === undefined &&
    ![...values.keys()].some((each) => each !== "insecure")
  ) {
    inEntry("there is neither username and password, nor tcr-secret-id and tcr-secret-key");
    return [];
  }
  return [{ name, line, login: { ...place, login, key: tcrKey, from } }];
}

/** The values of an entry by their keys, with variables filled in; undefined after a mistake. */
function valuesOf(
  entries: readonly YamlEntry[],
  keys: readonly string[],
  name: string,
  { environment, at }: Reading,
): ReadonlyMap<string, string> | undefined {
  const values = new Map<string, string>();
  for (const { key, line, value } of entries) {
    const mistake = at(line);
    if (!keys.includes(key))
      mistake(`${name} has a key that is none of ${keys.join(", ")}${didYouMean(nearest(key, keys))}`);
    else if (value.kind !== "text" || value.text === "") mistake(`${key} of ${name} is empty`);
    else {
      const text = expanded(value.text, environment);
      if (text === undefined)
        mistake(`${key} of ${name} names a variable that the environment does not have`);
      else values.set(key, text);
    }
  }
  return values.size === entries.length ? values : undefined;
}

function loginOf(values: ReadonlyMap<string, string>, from: string, mistake: Mistake): Login | undefined {
  const [username, password] = [values.get("username"), values.get("password")];
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined) {
    mistake(
      username === undefined
        ? "there is no username beside the password"
        : "there is no password beside the username",
    );
    return undefined;
  }
  checkUsername(username, (problem) => mistake(`username ${problem}`));
  return { username, password, from };
}

function keyOf(
  values: ReadonlyMap<string, string>,
  [idKey, keyKey]: readonly [id: string, key: string],
  mistake: Mistake,
): TencentCloudKey | undefined {
  const [secretId, secretKey] = [values.get(idKey), values.get(keyKey)];
  const sessionToken = values.get("tcr-session-token");
  if (secretId === undefined && secretKey === undefined && sessionToken === undefined) return undefined;
  if (secretId === undefined || secretKey === undefined) {
    mistake(`there is no ${secretId === undefined ? idKey : keyKey} of the API key`);
    return undefined;
  }
  checkSecretId(secretId, (problem) => mistake(`${idKey} ${problem}`));
  return { secretId, secretKey, sessionToken };
}

/** `insecure` allows plain HTTP, or a certificate that nobody has checked: anybody on the way would get the login. */
function checkInsecure(text: string | undefined, { registry }: Namespace, mistake: Mistake): void {
  const wanted = text?.toLowerCase() ?? "false";
  if (wanted === "false") return;
  if (wanted !== "true") mistake("insecure is neither true nor false");
  else if (!isLoopback(registry))
    mistake(
      "insecure: true would give the login to anybody on the way. Logins go over HTTPS with a certificate that the runner trusts: for one of your own, set NODE_EXTRA_CA_CERTS",
    );
}

/** In image-transfer's file of keys, one edition's key stands in for that of the other. */
function withBothEditions(logins: readonly PlaceLogin[]): readonly PlaceLogin[] {
  const only = logins.filter(({ registry }) => registry.startsWith("*"));
  const [first] = only;
  if (first === undefined || only.length > 1) return logins;
  const others = [...editions.values()].filter((registry) => registry !== first.registry);
  return [...logins, ...others.map((registry) => ({ ...first, registry }))];
}
