import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { InputError, messageOf } from "../errors.ts";
import { BodyError, parseJson } from "../http/http.ts";
import { printable } from "../log/log.ts";
import type { Credential, Credentials } from "./credentials.ts";
import { type Environment, helperEnvironment } from "./helper-environment.ts";
import { canonicalRegistry } from "./reference.ts";

const entrySchema = v.object({
  auth: v.optional(v.string()),
  username: v.optional(v.string()),
  password: v.optional(v.string()),
  identitytoken: v.optional(v.string()),
});

const configSchema = v.object({
  auths: v.optional(v.record(v.string(), entrySchema), {}),
  credsStore: v.optional(v.string()),
  credHelpers: v.optional(v.record(v.string(), v.string()), {}),
});

type DockerConfig = v.InferOutput<typeof configSchema>;

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
 * The logins in a Docker configuration, as `docker login`, docker/login-action and the vendors' login actions leave
 * them: `auths`, `credsStore`, `credHelpers`. The file is read once; helpers are asked anew each time, because theirs run out.
 * @returns the credentials of a registry by its canonical name.
 * @throws InputError (from the returned credentials) when the file is there and cannot be used.
 */
export function dockerConfiguration(folder: string, runHelper: RunHelper): (registry: string) => Credentials {
  const path = join(folder, "config.json");
  let loading: Promise<DockerConfig> | undefined;
  return (registry) => async () => {
    loading ??= loadConfig(path);
    return credentialFor(await loading, registry, runHelper);
  };
}

async function loadConfig(path: string): Promise<DockerConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { auths: {}, credHelpers: {} };
    throw new InputError(`The Docker configuration ${path} cannot be read: ${messageOf(error)}`);
  }
  try {
    return parseJson(text, configSchema);
  } catch (error) {
    // Not the parser's own words: they could quote a part of a password.
    const why = error instanceof BodyError ? "it is not a valid configuration" : "unknown reason";
    throw new InputError(
      `The Docker configuration ${path} cannot be used: ${why}. Log in again with docker login.`,
    );
  }
}

async function credentialFor(
  config: DockerConfig,
  registry: string,
  runHelper: RunHelper,
): Promise<Credential | undefined> {
  const helper = valueFor(config.credHelpers, registry);
  // An empty name means the file, and keeps `credsStore` out, too: getConfiguredCredentialStore in
  // https://github.com/docker/cli/blob/master/cli/config/configfile/file.go
  if (helper !== undefined && helper.value !== "") return runHelper(helper.value, helper.key);
  const entry = valueFor(config.auths, registry);
  const stored = entry === undefined ? undefined : credentialOf(entry.value);
  if (stored !== undefined) return stored;
  if (helper !== undefined || config.credsStore === undefined || config.credsStore === "") return undefined;
  return runHelper(config.credsStore, entry?.key ?? (registry === "docker.io" ? dockerHubKey : registry));
}

/** The entry whose key names exactly this registry, whatever its form: `ghcr.io`, `https://index.docker.io/v1/`. Never a part of it. */
function valueFor<T>(
  entries: Readonly<Record<string, T>>,
  registry: string,
): { key: string; value: T } | undefined {
  for (const [key, value] of Object.entries(entries)) {
    const host = key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
    if (canonicalRegistry(host) === registry) return { key, value };
  }
  return undefined;
}

function credentialOf(entry: v.InferOutput<typeof entrySchema>): Credential | undefined {
  const decoded = Buffer.from(entry.auth ?? "", "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  const username = entry.username ?? (colon < 0 ? "" : decoded.slice(0, colon));
  // Docker pads some passwords with NUL bytes.
  const password = entry.password ?? (colon < 0 ? "" : decoded.slice(colon + 1).replace(/\0+$/, ""));
  const identityToken = entry.identitytoken === "" ? undefined : entry.identitytoken;
  if (identityToken === undefined && (username === "" || password === "")) return undefined;
  return { username, password, identityToken };
}

/** Runs credential helpers as programs, each with what it needs of these variables and no secret of others. */
export function credentialHelpers(environment: Environment): RunHelper {
  return (helper, serverUrl) => runCredentialHelper(helper, serverUrl, environment);
}

/** Runs `docker-credential-<helper> get`. The server goes in by standard input, never on a command line. */
async function runCredentialHelper(
  helper: string,
  serverUrl: string,
  environment: Environment,
): Promise<Credential | undefined> {
  if (!helperName.test(helper))
    throw new InputError(
      `The Docker configuration names a credential helper "${printable(helper)}" that cannot be one.`,
    );
  const program = `docker-credential-${helper}`;
  const { code, output } = await runProgram(program, serverUrl, helperEnvironment(helper, environment));
  if (code !== 0) {
    if (notFoundText.test(output)) return undefined;
    throw new InputError(
      `The credential helper ${program} failed for ${serverUrl} (exit status ${code}). Log in to that registry again in an earlier step.`,
    );
  }
  try {
    const answer = parseJson(output, helperSchema);
    // By convention, this user name marks an identity token.
    return answer.Username === "<token>"
      ? { username: "", password: "", identityToken: answer.Secret }
      : { username: answer.Username, password: answer.Secret };
  } catch {
    throw new InputError(`The credential helper ${program} gave no usable answer for ${serverUrl}.`);
  }
}

function runProgram(
  program: string,
  input: string,
  env: Environment,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "ignore"], env });
    // Not the option `timeout`: its timer outlives a program that cannot be started, and keeps this process alive.
    const timer = setTimeout(() => child.kill(), helperTimeout);
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(
        new InputError(
          `The credential helper ${program} cannot be run: ${messageOf(error)}. Install it in an earlier step.`,
        ),
      );
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
    // A helper that ends without reading its input is judged by its exit status, not by the broken pipe.
    child.stdin.on("error", () => undefined).end(input);
  });
}
