import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { Clock } from "../clock.ts";
import { InputError, messageOf } from "../errors.ts";
import { BodyError, parseJson } from "../http/http.ts";
import { printable } from "../log/log.ts";
import type { Credential, Credentials } from "./credentials.ts";
import { type Environment, helperEnvironment } from "./helper-environment.ts";
import { canonicalRegistry } from "./reference.ts";

const text = v.nullish(v.string());

const entrySchema = v.nullish(v.object({ auth: text, username: text, password: text, identitytoken: text }));

const helperNameSchema = v.nullish(v.string());

/**
 * The values are not checked until their registry is asked for, so a broken one concerns that registry alone. `null` counts
 * as absent, as in Go.
 */
const configSchema = v.object({
  auths: v.nullish(v.record(v.string(), v.unknown()), {}),
  credsStore: text,
  credHelpers: v.nullish(v.record(v.string(), v.unknown()), {}),
});

type DockerConfig = v.InferOutput<typeof configSchema>;

const noConfig: DockerConfig = { auths: {}, credsStore: undefined, credHelpers: {} };

/** What a credential helper prints for `get`. https://github.com/docker/docker-credential-helpers#development */
const helperSchema = v.object({ Username: v.string(), Secret: v.string() });

/** Helpers print this, in one casing or another, when they have no login for a server. That is no failure. */
const notFoundText = /credentials not found|no credentials server URL/i;

/** The key under which Docker keeps Docker Hub's login. */
const dockerHubKey = "https://index.docker.io/v1/";

/** Time for a helper to answer, in milliseconds: cloud helpers ask their vendor over the network. */
const helperTimeout = 30_000;

/** A helper's name becomes part of a program name, so it must not hold a path. */
const helperName = /^[A-Za-z0-9._-]+$/;

/** Asks a credential helper for the login of a server; undefined when it has none. */
export type RunHelper = (helper: string, serverUrl: string) => Promise<Credential | undefined>;

/**
 * Gives the credentials of a registry by its canonical name.
 * @param namespace path on the registry that they are for; without it, what is kept for single paths is left out.
 */
export type DockerLogins = (registry: string, namespace?: string) => Credentials;

/**
 * The logins in a Docker configuration, as `docker login`, docker/login-action and the vendors' login actions leave
 * them: `auths`, `credsStore`, `credHelpers`. The file is read once; helpers are asked anew each time, because theirs run out.
 * @throws InputError (from the returned credentials) when the file is there and cannot be used, or the entry of the registry.
 */
export function dockerConfiguration(folder: string, runHelper: RunHelper): DockerLogins {
  const path = join(folder, "config.json");
  let loading: Promise<DockerConfig> | undefined;
  return (registry, namespace) => async () => {
    loading ??= loadConfig(path);
    return credentialFor(await loading, { path, registry, namespace }, runHelper);
  };
}

async function loadConfig(path: string): Promise<DockerConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return noConfig;
    throw new InputError(`The Docker configuration ${path} cannot be read: ${messageOf(error)}`);
  }
  // A login that was interrupted can leave an empty file behind, which holds no login:
  // https://github.com/docker/for-win/issues/808
  if (text.trim() === "") return noConfig;
  try {
    return parseJson(text, configSchema);
  } catch (error) {
    // The parser's message is left out: it could quote a part of a password.
    const why = error instanceof BodyError ? "it is not a valid configuration" : "unknown reason";
    throw new InputError(
      `The Docker configuration ${path} cannot be used: ${why}. Log in again with docker login.`,
    );
  }
}

/** The place that a login is looked for, and the file that is searched. */
interface Sought {
  readonly path: string;
  readonly registry: string;
  readonly namespace: string | undefined;
}

async function credentialFor(
  config: DockerConfig,
  sought: Sought,
  runHelper: RunHelper,
): Promise<Credential | undefined> {
  const helper = valueFor(config.credHelpers, helperNameSchema, sought);
  // An empty name means the file, and keeps `credsStore` out, too: getConfiguredCredentialStore in
  // https://github.com/docker/cli/blob/master/cli/config/configfile/file.go
  if (helper?.value) return runHelper(helper.value, helper.key);
  const entry = valueFor(config.auths, entrySchema, sought);
  const stored = entry === undefined ? undefined : credentialOf(entry.value ?? {}, sought.path);
  if (stored !== undefined) return stored;
  if (helper !== undefined || !config.credsStore) return undefined;
  const { registry } = sought;
  return runHelper(config.credsStore, entry?.key ?? (registry === "docker.io" ? dockerHubKey : registry));
}

/**
 * The entry whose key names this registry, whatever its form (`ghcr.io`, `https://index.docker.io/v1/`), or the path on it that is
 * sought, or the longest one that leads there; never another. Of keys that are as long, the first.
 * https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
 * @throws InputError when its value cannot be used.
 */
function valueFor<T>(
  entries: Readonly<Record<string, unknown>>,
  schema: v.GenericSchema<unknown, T>,
  { path, registry, namespace }: Sought,
): { key: string; value: T } | undefined {
  let best: { readonly key: string; readonly of: string } | undefined;
  for (const key of Object.keys(entries)) {
    const of = pathOf(key, registry);
    if (of === undefined || (of !== "" && !`${namespace ?? ""}/`.startsWith(`${of}/`))) continue;
    if (best === undefined || of.length > best.of.length) best = { key, of };
  }
  if (best === undefined) return undefined;
  const { key } = best;
  const parsed = v.safeParse(schema, entries[key]);
  if (parsed.success) return { key, value: parsed.output };
  throw new InputError(
    `The Docker configuration ${path} cannot be used for ${registry}: what is below ${printable(key, 100)} is no login. Log in ` +
      `again with docker login ${registry}.`,
  );
}

/** Where the Docker CLI keeps the tokens of a login in a browser: https://github.com/docker/cli, internal/oauth/manager */
const browserTokens = /^v1\/(access|refresh)-token$/;

/** The path on a registry that a key is for: empty for the whole registry, undefined where it is for another one. */
function pathOf(key: string, registry: string): string | undefined {
  const bare = key.replace(/^https?:\/\//, "");
  const [host = "", ...rest] = bare.split("/");
  if (canonicalRegistry(host) !== registry) return undefined;
  const path = rest.join("/").replace(/\/+$/, "");
  if (registry === "docker.io" && browserTokens.test(path)) return undefined;
  // A URL is Docker's old form of a registry's name. Its path is only the version of the API.
  return bare !== key || /^v[12]$/.test(path) ? "" : path;
}

function credentialOf(
  entry: NonNullable<v.InferOutput<typeof entrySchema>>,
  path: string,
): Credential | undefined {
  const decoded = Buffer.from(entry.auth ?? "", "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  const username = entry.username ?? (colon < 0 ? "" : decoded.slice(0, colon));
  // Docker pads some passwords with NUL bytes.
  const password = entry.password ?? (colon < 0 ? "" : decoded.slice(colon + 1).replace(/\0+$/, ""));
  const identityToken = entry.identitytoken || undefined;
  if (identityToken === undefined && (username === "" || password === "")) return undefined;
  return { username, password, identityToken, from: `the Docker configuration ${path}` };
}

/** Runs credential helpers as programs, each with what it needs of these variables and no secret of others. */
export function credentialHelpers(environment: Environment, clock: Clock): RunHelper {
  return (helper, serverUrl) => runCredentialHelper(helper, serverUrl, environment, clock);
}

/** Runs `docker-credential-<helper> get`. The server goes in by standard input, never on a command line. */
async function runCredentialHelper(
  helper: string,
  serverUrl: string,
  environment: Environment,
  clock: Clock,
): Promise<Credential | undefined> {
  if (!helperName.test(helper))
    throw new InputError(
      `The Docker configuration names a credential helper "${printable(helper)}" that cannot be one.`,
    );
  const program = `docker-credential-${helper}`;
  const { code, output } = await runProgram(
    program,
    serverUrl,
    helperEnvironment(helper, environment),
    clock.timeout(helperTimeout),
  );
  if (code !== 0) {
    if (notFoundText.test(output)) return undefined;
    throw new InputError(
      `The credential helper ${program} failed for ${serverUrl} (exit status ${code}). Log in to that registry again in an earlier step.`,
    );
  }
  try {
    const answer = parseJson(output, helperSchema);
    const from = `the credential helper ${program}`;
    // By convention, this user name marks an identity token.
    return answer.Username === "<token>"
      ? { username: "", password: "", identityToken: answer.Secret, from }
      : { username: answer.Username, password: answer.Secret, from };
  } catch {
    throw new InputError(`The credential helper ${program} gave no usable answer for ${serverUrl}.`);
  }
}

function runProgram(
  program: string,
  input: string,
  env: Environment,
  timeout: AbortSignal,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "ignore"], env });
    // The option `timeout` is not used: its timer outlives a program that cannot be started, and keeps this process alive.
    timeout.addEventListener("abort", () => child.kill());
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.on("error", (error) => {
      reject(
        new InputError(
          `The credential helper ${program} cannot be run: ${messageOf(error)}. Install it in an earlier step.`,
        ),
      );
    });
    child.on("close", (code) => resolve({ code, output }));
    // A helper that ends without reading its input is judged by its exit status, not by the broken pipe.
    child.stdin.on("error", () => undefined).end(input);
  });
}
