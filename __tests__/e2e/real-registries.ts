import { type ChildProcess, spawn } from "node:child_process";
import { statfsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { selfSigned } from "../../sandbox/certificate.ts";
import { startGitHub } from "../../sandbox/github.ts";
import { harborFiles, harborReleases } from "../../sandbox/harbor.ts";
import { digestOf, type PushTarget } from "../../sandbox/images.ts";
import { isInstalled } from "../support/programs.ts";
import type { Place, World } from "./world.ts";

/** A registry that nobody here wrote. */
export interface RealRegistry {
  readonly name: string;
  /** Programs that it takes, and how each is installed. */
  readonly programs: Readonly<Record<string, string>>;
  /** Starts it in a folder of its own. */
  start(folder: string): Promise<Running>;
}

/**
 * Where registries keep what they hold. A disk is waited for at each write, 10 ms on a machine of continuous integration:
 * memory it is, wherever Linux gives enough of it.
 */
const scratch = freeBytes("/dev/shm") > 500_000_000 ? "/dev/shm" : tmpdir();

function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

/** Does something for each item, for eight of them at a time. */
async function abreast<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}

/** A registry that has been started. */
interface Running {
  /** `host:port` at which the test fills and judges it. */
  readonly host: string;
  /** `host` and path by which the Action names it. */
  readonly name: string;
  readonly processes: readonly ChildProcess[];
  /** Whether blobs are mounted there. Default: yes. */
  readonly mounts?: boolean;
  /** Where that name leads, when it is one of the internet: `host:port` that speaks TLS by the certificate below. */
  readonly front?: string;
}

/** The names of the registries that speak TLS: a loopback address would be spoken to over HTTP. */
const tlsNames = ["source", "near", "far"].map((place) => `${place}.example.com`);
/** Of no known authority. */
const { certificate, key } = selfSigned(...tlsNames);

const debian = (name: string): string => `Debian's package ${name}`;
const skopeo = { skopeo: debian("skopeo") };
const nginx = { nginx: debian("nginx-light") };
const crane = "go install github.com/google/go-containerregistry/cmd/crane@v0.22.1";
/** Judges beside skopeo where they are installed. */
export const otherJudges: Readonly<Record<string, string>> = { crane };
const distribution3 = "go install github.com/distribution/distribution/v3/cmd/registry@v3.0.0";

/** Those that the main cases run on. */
export const realRegistries: readonly RealRegistry[] = [
  {
    name: "the distribution project's registry, 2.8",
    programs: { ...skopeo, "docker-registry": debian("docker-registry") },
    start: (folder) => startDistribution("docker-registry", folder),
  },
  {
    name: "the distribution project's registry, 3.0",
    programs: { ...skopeo, registry: distribution3 },
    start: (folder) => startDistribution("registry", folder),
  },
  {
    name: "go-containerregistry's registry behind nginx",
    programs: {
      ...skopeo,
      ...nginx,
      crane,
    },
    start: startGoContainerRegistry,
  },
  {
    name: "the distribution project's registry behind nginx with TLS and a path",
    programs: { ...skopeo, ...nginx, registry: distribution3 },
    start: startBehindTls,
  },
];

/** A front that takes less at a time than a layer has: 1 MiB is what nginx takes unless it is told otherwise. */
export const behindBodyLimit: RealRegistry = {
  name: "the distribution project's registry behind nginx with a limit for bodies",
  programs: { ...skopeo, ...nginx, registry: distribution3 },
  start: startBehindBodyLimit,
};

const username = "mirror";
const password = "sandbox-password";
/** bcrypt of the password with four rounds, as `htpasswd -B` makes it: the registry takes no other form. */
const htpasswd = `${username}:$2b$04$LlY9QDQrizMBY0uTD0s1z.tDroz0un9Iy6pyNa1iPX7jJBIsHNkAq\n`;
const login = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** A place with crane as a judge of the bytes of layers, which have to be archives for that. */
export interface RealPlace extends Place {
  /** What is wrong with an image, in crane's words. */
  validate(repository: string, tag: string): Promise<readonly string[]>;
}

export interface RealWorld extends World {
  readonly near: RealPlace;
  readonly far: RealPlace;
}

/** A world of real processes: logins by the Docker configuration, skopeo and, where it is installed, crane as judges. */
export async function startRealWorld(registry: RealRegistry): Promise<RealWorld> {
  const folder = await mkdtemp(join(scratch, "registries-"));
  const start = (name: string) => startAnew(join(folder, name), (inside) => registry.start(inside));
  const github = await startGitHub({
    repository: "goharbor/harbor",
    releases: harborReleases(),
    files: harborFiles,
  });
  const running = await Promise.all([start("source"), start("near"), start("far")]);
  const judges = await dockerConfig(
    folder,
    running.map(({ host }) => host),
    password,
  );
  const places = running.map((each) => placeOf(each, judges));
  const [source, near, far] = places as [RealPlace, RealPlace, RealPlace];
  const fronts = running.flatMap(({ name, front }) => (front === undefined ? [] : [[name, front] as const]));
  const tunnel = await startTunnel(new Map(fronts.map(([name, front]) => [name.replace(/\/.*/, ""), front])));
  const certificatePath = join(folder, "certificate.pem");
  await writeFile(certificatePath, certificate);
  const more =
    fronts.length === 0 ? {} : { HTTPS_PROXY: tunnel.origin, NODE_EXTRA_CA_CERTS: certificatePath };
  const env = { ...more, DOCKER_CONFIG: await dockerConfig(folder, places.map(registryOf), password) };
  const wrong = {
    ...more,
    DOCKER_CONFIG: await dockerConfig(
      join(folder, "near"),
      [registryOf(near)],
      "wrong-password",
      [source, far].map(registryOf),
    ),
  };
  return {
    github,
    source,
    near: { ...near, line: `${near.line},keep=all` },
    far,
    mounts: running.every(({ mounts = true }) => mounts),
    inputs: { source: source.name, wait: "60s" },
    env,
    wrongLogin: { inputs: {}, env: wrong },
    async [Symbol.asyncDispose]() {
      await Promise.all([github.close(), tunnel.close(), ...places.map((place) => place.stop())]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function registryOf({ name }: Place): string {
  return name.replace(/\/.*/, "");
}

/** Between the choice of a free port and its use, another process may have taken it: then all starts once more. */
async function startAnew<Started>(
  folder: string,
  start: (folder: string) => Promise<Started>,
  tries = 3,
): Promise<Started> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  try {
    return await start(folder);
  } catch (error) {
    if (tries === 1) throw error;
    return startAnew(folder, start, tries - 1);
  }
}

/** Starts a registry of the distribution project that asks for no login. */
export async function startOpenDistribution(
  program: string,
): Promise<{ readonly host: string; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(scratch, "registry-"));
  const { host, processes } = await startAnew(join(folder, "registry"), (inside) =>
    startDistribution(program, inside, true),
  );
  return {
    host,
    stop: async () => {
      await Promise.all(processes.map(stop));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function dockerConfig(
  folder: string,
  registries: readonly string[],
  secret: string,
  others: readonly string[] = [],
): Promise<string> {
  const auth = (text: string): { auth: string } => ({
    auth: Buffer.from(`${username}:${text}`).toString("base64"),
  });
  const auths = Object.fromEntries([
    ...registries.map((registry) => [registry, auth(secret)]),
    ...others.map((registry) => [registry, auth(password)]),
  ]);
  const path = await mkdtemp(join(folder, "docker-"));
  await writeFile(join(path, "config.json"), JSON.stringify({ auths }));
  return path;
}

/** @param folder of a Docker configuration: crane takes a login from nothing else. */
function placeOf({ host, name, processes }: Running, folder: string): RealPlace {
  const env = { ...process.env, DOCKER_CONFIG: folder };
  return {
    name: `${name}/goharbor`,
    line: `${name}/goharbor`,
    seed: (fill) => seedOver(host, fill),
    state: () => stateOf(host),
    problems: async (repository, tag) => [
      ...(await judge(host, repository, tag)),
      ...(isInstalled("crane") ? await judgeByCrane(reference(host, repository, tag), env) : []),
    ],
    validate: (repository, tag) => askCrane(["validate", "--remote", reference(host, repository, tag)], env),
    stop: async () => {
      await Promise.all(processes.map(stop));
    },
  };
}

/** Without a login where another program in front asks for it. */
async function startDistribution(program: string, folder: string, open = false): Promise<Running> {
  const host = `127.0.0.1:${await freePort()}`;
  const config = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
    http: { addr: host },
    ...(open ? {} : { auth: { htpasswd: { realm: "sandbox", path: await passwords(folder) } } }),
  };
  // The configuration is YAML, of which JSON is a part.
  await writeFile(join(folder, "config.yml"), JSON.stringify(config));
  const child = spawn(program, ["serve", join(folder, "config.yml")], { stdio: "ignore" });
  await untilItAnswers(host, child);
  return { host, name: host, processes: [child] };
}

/** It asks for no login, so nginx does. It mounts nothing. */
async function startGoContainerRegistry(folder: string): Promise<Running> {
  const host = `127.0.0.1:${await freePort()}`;
  const child = spawn("crane", ["registry", "serve", "--address", host], { stdio: "ignore" });
  await untilItAnswers(host, child);
  const front = `127.0.0.1:${await freePort()}`;
  const location = `location / { ${pass(host)} proxy_set_header Host $http_host; }`;
  const server = await startNginx(
    folder,
    front,
    `listen ${front}; ${basic(await passwords(folder))} ${location}`,
  );
  return { host: front, name: front, processes: [server, child], mounts: false };
}

/**
 * Names below `/team/` are passed on without it, and a Location gets it back, as behind an Artifactory or an ingress with a
 * path for each team. The query of a mount names the other repository as the Action knows it, so nothing is mounted.
 */
async function startBehindTls(folder: string): Promise<Running> {
  const { host, processes } = await startDistribution("registry", folder, true);
  const front = `127.0.0.1:${await freePort()}`;
  await writeFile(join(folder, "certificate.pem"), certificate);
  await writeFile(join(folder, "key.pem"), key);
  const settings = [
    `listen ${front} ssl; ssl_certificate certificate.pem; ssl_certificate_key key.pem;`,
    basic(await passwords(folder)),
    "client_max_body_size 0;",
    `location = /v2/ { ${pass(host)} }`,
    `location /v2/team/ { ${pass(`${host}/v2/`)} proxy_redirect ~^(?:http://[^/]+)?/v2/(.*)$ https://$host/v2/team/$1; }`,
  ];
  const server = await startNginx(folder, front, settings.join(" "));
  return {
    host,
    name: `${basename(folder)}.example.com/team`,
    front,
    processes: [server, ...processes],
    mounts: false,
  };
}

async function startBehindBodyLimit(folder: string): Promise<Running> {
  const { host, processes } = await startDistribution("registry", folder, true);
  const front = `127.0.0.1:${await freePort()}`;
  const login = basic(await passwords(folder));
  const location = `location / { client_max_body_size 1m; ${pass(host)} proxy_set_header Host $http_host; }`;
  const server = await startNginx(folder, front, `listen ${front}; ${login} ${location}`);
  return { host, name: front, processes: [server, ...processes] };
}

function pass(to: string): string {
  return `proxy_pass http://${to}; proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off;`;
}

function basic(file: string): string {
  return `auth_basic sandbox; auth_basic_user_file ${file};`;
}

async function startNginx(folder: string, host: string, server: string): Promise<ChildProcess> {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  const http = `http { access_log off; ${paths.join(" ")} client_max_body_size 0; server { ${server} } }`;
  // As root, the worker would become another user, who may not read the folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const main = `${user} daemon off; pid ${join(folder, "nginx.pid")}; error_log ${join(folder, "error.log")};`;
  await writeFile(join(folder, "nginx.conf"), `${main} events {} ${http}\n`);
  const child = spawn(
    "nginx",
    ["-e", join(folder, "error.log"), "-p", folder, "-c", join(folder, "nginx.conf")],
    {
      stdio: "ignore",
    },
  );
  await untilItAnswers(host, child);
  return child;
}

/** A proxy that leads names of the internet, at port 443, to servers of this machine, and refuses all others. */
async function startTunnel(
  names: ReadonlyMap<string, string>,
): Promise<{ readonly origin: string; close(): Promise<void> }> {
  const server = createHttpServer((_request, answer) => answer.writeHead(501).end());
  const sockets = new Set<Duplex>();
  server.on("connect", ({ url = "" }, socket, head) => {
    const [address, port] = (names.get(url.replace(/:443$/, "")) ?? "").split(":");
    if (port === undefined) {
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
      return;
    }
    const onward = connect(Number(port), address, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      if (head.length > 0) onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    for (const [one, other] of [[socket, onward] as const, [onward, socket] as const]) {
      sockets.add(one);
      one.on("error", () => one.destroy()).on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

async function passwords(folder: string): Promise<string> {
  const path = join(folder, "htpasswd");
  await writeFile(path, htpasswd);
  return path;
}

async function stop(child: ChildProcess): Promise<void> {
  // The worker of nginx ends only where its master may tell it to; a registry would take its time at SIGTERM.
  child.kill(child.spawnfile === "nginx" ? "SIGTERM" : "SIGKILL");
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once("exit", resolve));
}

/** Ports that were given out: what is free is free until whoever asked for it has started. */
const givenPorts = new Set<number>();

async function freePort(): Promise<number> {
  for (;;) {
    const port = await anyPort();
    if (givenPorts.has(port)) continue;
    givenPorts.add(port);
    return port;
  }
}

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function untilItAnswers(host: string, child: ChildProcess): Promise<void> {
  const [address = "", port] = host.split(":");
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) break;
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), address, () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    await delay(50);
    // Who answers at a port that is taken is another process, and this one ends.
    if (isThere && child.exitCode === null) return;
  }
  throw new Error(`${child.spawnfile} does not answer at ${host}`);
}

async function request(
  host: string,
  method: string,
  path: string,
  more: RequestInit = {},
): Promise<Response> {
  const headers = { authorization: login, ...(more.headers as Record<string, string>) };
  const response = await fetch(new URL(path, `http://${host}`), { ...more, method, headers });
  if (response.status >= 400 && response.status !== 404)
    throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

/** Pushes what `fill` puts: blobs first, then the manifests of each repository in their order. */
async function seedOver(host: string, fill: (target: PushTarget) => void): Promise<void> {
  const blobs = new Map<string, () => Promise<void>>();
  const manifests = new Map<string, (() => Promise<void>)[]>();
  fill({
    putBlob(repository, bytes) {
      const digest = digestOf(bytes);
      blobs.set(`${repository}@${digest}`, async () => {
        const started = await request(host, "POST", `/v2/${repository}/blobs/uploads/`);
        const location = new URL(started.headers.get("location") ?? "", `http://${host}`);
        location.searchParams.set("digest", digest);
        const headers = { "content-type": "application/octet-stream" };
        await request(host, "PUT", location.href, { headers, body: Buffer.from(bytes) });
      });
      return digest;
    },
    putManifest(repository, bytes, mediaType, tag) {
      const digest = digestOf(bytes);
      const put = async () => {
        const headers = { "content-type": mediaType };
        await request(host, "PUT", `/v2/${repository}/manifests/${tag ?? digest}`, {
          headers,
          body: Buffer.from(bytes),
        });
      };
      manifests.set(repository, [...(manifests.get(repository) ?? []), put]);
      return digest;
    },
  });
  await abreast([...blobs.values()], (push) => push());
  await abreast([...manifests.values()], async (puts) => {
    for (const put of puts) await put();
  });
}

async function stateOf(host: string): Promise<Record<string, Record<string, string>>> {
  const { repositories } = (await (await request(host, "GET", "/v2/_catalog?n=1000")).json()) as {
    repositories: string[] | null;
  };
  const state: Record<string, Record<string, string>> = {};
  for (const repository of (repositories ?? []).sort()) {
    const list = (await (await request(host, "GET", `/v2/${repository}/tags/list`)).json()) as {
      tags?: string[] | null;
    };
    for (const tag of (list.tags ?? []).sort()) {
      const head = await request(host, "HEAD", `/v2/${repository}/manifests/${tag}`, {
        headers: { accept: acceptAll },
      });
      state[repository] = {
        ...state[repository],
        [tag]: head.headers.get("docker-content-digest") ?? "none",
      };
    }
  }
  return state;
}

const acceptAll = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** Asks skopeo: everything at and below a tag can be pulled, and its manifest has the digest that the registry names. */
async function judge(host: string, repository: string, tag: string): Promise<readonly string[]> {
  const image = `docker://${reference(host, repository, tag)}`;
  const folder = await mkdtemp(join(scratch, "pulled-"));
  try {
    const options = ["--all", "--preserve-digests", "--src-tls-verify=false"];
    const creds = ["--src-creds", `${username}:${password}`];
    const { code, stderr } = await runSkopeo(["copy", ...options, ...creds, image, `dir:${folder}`]);
    if (code !== 0) return [`${image}: ${stderr}`];
    const head = await request(host, "HEAD", `/v2/${repository}/manifests/${tag}`, {
      headers: { accept: acceptAll },
    });
    const digest = digestOf(await readFile(join(folder, "manifest.json")));
    return head.headers.get("docker-content-digest") === digest
      ? []
      : [`${image}: its bytes have the digest ${digest}`];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Asks crane: it finds the manifest that the registry names, byte for byte, and what is below it has the form that an image
 * has. The layers of most tests are no archives, so their bytes are left to skopeo.
 */
async function judgeByCrane(image: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const [named, manifest, problems] = await Promise.all([
    runProgram("crane", ["digest", image], env),
    runProgram("crane", ["manifest", image], env),
    askCrane(["validate", "--fast", "--remote", image], env),
  ]);
  const digest = digestOf(manifest.stdout);
  if (named.code !== 0 || named.stdout.toString().trim() !== digest)
    return [`crane: ${image}: ${digest}, ${named.stdout} ${named.stderr} ${manifest.stderr}`];
  return problems;
}

async function askCrane(args: readonly string[], env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const { code, stdout, stderr } = await runProgram("crane", args, env);
  return code === 0 ? [] : [`crane ${args.join(" ")}: ${stdout} ${stderr}`];
}

function reference(host: string, repository: string, tag: string): string {
  return `${host}/${repository}${tag.startsWith("sha256:") ? "@" : ":"}${tag}`;
}

function runSkopeo(args: readonly string[]): ReturnType<typeof runProgram> {
  return runProgram("skopeo", ["--insecure-policy", ...args]);
}

function runProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ code: number | null; stdout: Buffer; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    const stdout: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child
      .once("error", reject)
      .once("close", (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
  });
}
