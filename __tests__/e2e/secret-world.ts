/** The sandbox with a secret of its own in every place that can hold one, and with ears at every server. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ActionResult, actionEnvironment, type RunOptions, runAction } from "../../sandbox/action.ts";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { fullAccess, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { actionInputs, releaseEvent, type Sandbox, startSandbox } from "../../sandbox/sandbox.ts";
import { json, type SandboxServer, startServer } from "../../sandbox/server.ts";
import { marked, random, type Secret } from "./secret.ts";

/**
 * What is given to the Action. Each value has the characters that JSON, URLs and logs escape, as far as the place where it
 * is used takes them: headers take no spaces.
 */
export const given = {
  hubUser: marked("dockerhub-username", "Mk01hubuser", "-robot"),
  hubToken: marked("dockerhub-token", "Mk02hubtoken", ' "a"+b/c%d&e=f ü'),
  secretId: marked("tcr-secret-id", "Mk03secretid", "AKID"),
  secretKey: marked("tcr-secret-key", "Mk04secretkey", ' "a"+b/c%d&e=f ü'),
  sessionToken: marked("tcr-session-token", "Mk05session", "+/%&=="),
  githubToken: marked("github-token", "Mk06github", "_token"),
  tcrUser: marked("tcr-username", "Mk07tcruser", "$robot"),
  tcrPassword: marked("tcr-password", "Mk08tcrpassword", ' "a":b/c%d'),
  variableId: marked("TENCENTCLOUD_SECRET_ID", "Mk09variableid", "AKID"),
  variableKey: marked("TENCENTCLOUD_SECRET_KEY", "Mk10variablekey", ' "a"+b/c'),
  variableToken: marked("TENCENTCLOUD_TOKEN", "Mk11variabletoken", "+/=="),
  /** One line of a key file; the file as a whole is the password. */
  sourceKey: marked("login of the source", "Mk12sourcekey", " BEGIN+b/c%d"),
  helperUser: marked("user name of the credential helper", "Mk13helperuser", "-robot"),
  helperPassword: marked("password of the credential helper", "Mk14helperpassword", ' "a"+b/c%d ü'),
  identityToken: marked("identity token", "Mk15identity", " a+b/c%d&e=f"),
  unusedHub: marked("unused login of Docker Hub", "Mk16unusedhub", " a+b"),
  unusedTcr: marked("unused login of TCR", "Mk17unusedtcr", " a+b"),
  stranger: marked("login of a registry that is not in the workflow", "Mk18stranger", " a+b"),
  /** In `logins`, for a path of the first destination that nothing of this run is in. */
  unusedPlace: marked("login of a place that is not in the workflow", "Mk19place", " a+b: #c"),
} as const;

/** As the keys of Google's service accounts: JSON on several lines, used as password. */
const sourcePassword = `{\n  "type": "service_account",\n  "private_key": "${given.sourceKey.value}"\n}`;

export interface SecretWorld extends AsyncDisposable {
  readonly sandbox: Sandbox;
  /** By name, those of the sandbox and: a registry with Basic, one with OAuth2, and a stranger whom nothing is due. */
  readonly servers: ReadonlyMap<string, SandboxServer>;
  /** @throws Error for an unknown name. */
  server(name: string): SandboxServer;
  /** Folder for the files of the scenario: Docker configuration, credential helper, files of the run. */
  readonly folder: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
}

/** Starts everything, with a release to mirror and an older one to prune at Docker Hub and at TCR. */
export async function startSecretWorld(): Promise<SecretWorld> {
  const folder = mkdtempSync(join(tmpdir(), "secrets-"));
  const sandbox = await startMarkedSandbox();
  const { helperUser, helperPassword, identityToken } = given;
  const basic = await startRegistry({
    authentication: { kind: "basic", users: [fullAccess(helperUser.value, helperPassword.value)] },
  });
  const oauth = await startRegistry({
    authentication: {
      kind: "bearer",
      users: [{ ...fullAccess("nobody", "no password"), identityToken: identityToken.value }],
    },
  });
  const stranger = await startServer(() => json(200, {}));
  if (oauth.tokenServer === undefined) throw new Error("a bearer registry has a token server");
  const servers = new Map<string, SandboxServer>([
    ...sandbox.servers,
    ["Basic registry", basic],
    ["OAuth registry", oauth],
    ["OAuth token server", oauth.tokenServer],
    ["stranger", stranger],
  ]);
  for (const server of servers.values()) server.recordBytes();
  seed(sandbox);
  writeLogins(folder, { sandbox, basic, oauth });
  return {
    sandbox,
    servers,
    server: (name) => {
      const server = servers.get(name);
      if (server === undefined) throw new Error(`no server is called ${name}`);
      return server;
    },
    folder,
    inputs: inputsFor(sandbox, basic, oauth),
    env: environmentFor(folder),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([sandbox.close(), basic.close(), oauth.close(), stranger.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function startMarkedSandbox(): Promise<Sandbox> {
  const key = (id: Secret, secret: Secret, token: Secret) => ({
    secretId: id.value,
    secretKey: secret.value,
    sessionToken: token.value,
  });
  return startSandbox({
    github: { tokens: [given.githubToken.value] },
    source: {
      anonymousPull: false,
      authentication: { kind: "bearer", users: [fullAccess("_json_key", sourcePassword)], service: "source" },
    },
    dockerHub: { accounts: [{ identifier: given.hubUser.value, secret: given.hubToken.value }] },
    tcr: {
      namespaces: { goharbor: false },
      users: [fullAccess(given.tcrUser.value, given.tcrPassword.value)],
      keys: [
        key(given.secretId, given.secretKey, given.sessionToken),
        key(given.variableId, given.variableKey, given.variableToken),
      ],
    },
  });
}

function seed({ source, dockerHub, tcr }: Sandbox): void {
  for (const image of ["app", "tool"]) {
    const of = (tag: string) => buildImage({ seed: `${image}:${tag}`, layers: [{ size: 2000 }] });
    pushTo(source, `goharbor/${image}`, of("v2.15.2"), "v2.15.2");
    for (const { registry } of [dockerHub, tcr])
      pushTo(registry, `goharbor/${image}`, of("v2.15.1"), "v2.15.1");
  }
}

/** The Docker configuration, and a credential helper that writes down all that it is given. */
function writeLogins(
  folder: string,
  registries: { sandbox: Sandbox; basic: RegistryServer; oauth: RegistryServer },
): void {
  const { sandbox, basic, oauth } = registries;
  const auth = (username: string, password: string) => ({
    auth: Buffer.from(`${username}:${password}`).toString("base64"),
  });
  mkdirSync(join(folder, "docker"));
  writeFileSync(
    join(folder, "docker", "config.json"),
    JSON.stringify({
      auths: {
        [sandbox.source.host]: auth("_json_key", sourcePassword),
        [oauth.host]: { identitytoken: given.identityToken.value },
        "https://index.docker.io/v1/": auth("someone", given.unusedHub.value),
        [sandbox.tcr.registry.host]: auth("someone", given.unusedTcr.value),
        "registry.example": auth("someone", given.stranger.value),
      },
      credHelpers: { [basic.host]: "marked" },
    }),
  );
  mkdirSync(join(folder, "bin"));
  const answer = { Username: given.helperUser.value, Secret: given.helperPassword.value };
  writeFileSync(join(folder, "bin", "answer.json"), JSON.stringify(answer));
  writeHelper(folder, "process.stdout.write(answer)");
}

/**
 * Makes the credential helper end with this code, in which `answer` is the right one. No shell: that would keep variables
 * from sight whose names it does not take, such as `INPUT_DOCKERHUB-TOKEN`.
 */
export function writeHelper(folder: string, code: string): void {
  const path = join(folder, "bin", "docker-credential-marked");
  const lines = [
    `#!${process.execPath}`,
    'const { appendFileSync, readFileSync } = require("node:fs");',
    'const heard = [process.argv.join(" "), readFileSync(0, "utf8"), JSON.stringify(process.env)];',
    'appendFileSync(__dirname + "/heard", heard.join("\\n"));',
    'const answer = readFileSync(__dirname + "/answer.json", "utf8");',
    code,
  ];
  writeFileSync(path, lines.join("\n"));
  chmodSync(path, 0o755);
}

function inputsFor(
  sandbox: Sandbox,
  basic: RegistryServer,
  oauth: RegistryServer,
): Readonly<Record<string, string>> {
  const [hub = "", tcr = ""] = (actionInputs(sandbox).destinations ?? "").split("\n");
  return {
    destinations: [`${hub},keep=1`, `${tcr},keep=1`, `${basic.host}/goharbor`, `${oauth.host}/goharbor`].join(
      "\n",
    ),
    source: `${sandbox.source.host}/goharbor`,
    images: "app\ntool",
    wait: "0",
    "dockerhub-username": given.hubUser.value,
    "dockerhub-token": given.hubToken.value,
    "tcr-secret-id": given.secretId.value,
    "tcr-secret-key": given.secretKey.value,
    "tcr-session-token": given.sessionToken.value,
    "github-token": given.githubToken.value,
    logins: loginsOf({ [`${sandbox.dockerHub.registry.host}/other`]: ["someone", given.unusedPlace.value] }),
  };
}

/** The text of `logins`, for places with user name and password. */
export function loginsOf(
  places: Readonly<Record<string, readonly [username: string, password: string]>>,
): string {
  return Object.entries(places)
    .map(
      ([place, [username, password]]) =>
        `${place}:\n  username: ${JSON.stringify(username)}\n  password: ${JSON.stringify(password)}\n`,
    )
    .join("");
}

/** Debug logging is on, by every variable that there is for it. */
function environmentFor(folder: string): Readonly<Record<string, string>> {
  return {
    RUNNER_DEBUG: "1",
    ACTIONS_STEP_DEBUG: "true",
    ACTIONS_RUNNER_DEBUG: "true",
    DOCKER_CONFIG: join(folder, "docker"),
    PATH: [join(folder, "bin"), dirname(process.execPath), "/usr/bin", "/bin"].join(":"),
    TENCENTCLOUD_SECRET_ID: given.variableId.value,
    TENCENTCLOUD_SECRET_KEY: given.variableKey.value,
    TENCENTCLOUD_TOKEN: given.variableToken.value,
  };
}

export interface Heard {
  readonly result: ActionResult;
  /** Given and issued. */
  readonly secrets: readonly Secret[];
  /** What each server was sent, and what the credential helper was given, by name. */
  readonly sent: ReadonlyMap<string, string>;
  /** What is in each file that the run has left behind, by path. */
  readonly files: ReadonlyMap<string, string>;
}

/** Runs the built Action and gives all that anyone has come to know. */
export async function listen(
  world: SecretWorld,
  more: { inputs?: Readonly<Record<string, string>>; env?: Readonly<Record<string, string>> } & RunOptions,
): Promise<Heard> {
  const folder = join(world.folder, "run");
  mkdirSync(folder);
  const environment = actionEnvironment(world.sandbox, {
    event: releaseEvent(world.sandbox, "v2.15.2"),
    inputs: { ...world.inputs, ...more.inputs },
    env: { ...world.env, ...more.env },
    folder,
  });
  const result = await runAction(environment, more);
  const sent = new Map(
    [...world.servers].map(([name, { received }]) => [name, received.map(String).join("\n")]),
  );
  const helper = join(world.folder, "bin", "heard");
  sent.set("credential helper", readIfThere(helper));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return {
    result,
    secrets: [...Object.values(given), ...issuedSecrets(world)],
    sent,
    files: new Map(files.map((path) => [path.slice(folder.length), readFileSync(path, "utf8")])),
  };
}

function readIfThere(path: string): string {
  const there = readdirSync(dirname(path)).includes(path.slice(dirname(path).length + 1));
  return there ? readFileSync(path, "utf8") : "";
}

/** What the servers gave out in this run, and the signatures that were made with the API key. */
function issuedSecrets({ sandbox, servers }: SecretWorld): readonly Secret[] {
  const { source, dockerHub, tcr } = sandbox;
  const oauth = servers.get("OAuth registry") as RegistryServer;
  const tokens = (name: string, registry: RegistryServer) =>
    (registry.tokenServer?.issued ?? []).map((token) => random(name, token));
  const signatures = tcr.api.requests.flatMap(({ headers }) =>
    [/Signature=([0-9a-f]{64})/.exec(headers.authorization ?? "")?.[1] ?? []].flat(),
  );
  return [
    ...tokens("registry token of the source", source),
    ...tokens("registry token of Docker Hub", dockerHub.registry),
    ...tokens("registry token of TCR", tcr.registry),
    ...tokens("registry token by OAuth2", oauth),
    ...dockerHub.apiTokens.map((token) => random("token of the Hub API", token)),
    ...tcr.logins.map(({ password }) => random("temporary login of TCR", password)),
    ...(source.contentServer?.signatures ?? []).map((text) => random("signature of a blob's address", text)),
    ...signatures.map((text) => random("signature with the API key", text)),
  ];
}
