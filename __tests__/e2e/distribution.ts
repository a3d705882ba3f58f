import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startGitHub } from "../../sandbox/github.ts";
import { harborFiles, harborReleases } from "../../sandbox/harbor.ts";
import { digestOf, type PushTarget } from "../../sandbox/images.ts";
import type { Place, World } from "./world.ts";

/** Programs that these cases need; Debian's packages have the same names. */
const programs = ["docker-registry", "skopeo"] as const;

/** The programs that are not installed here. */
export function missingPrograms(): readonly string[] {
  return programs.filter(
    (program) => spawnSync(program, ["--version"], { stdio: "ignore" }).error !== undefined,
  );
}

const username = "mirror";
const password = "sandbox-password";
/** bcrypt of the password with four rounds, as `htpasswd -B` makes it: the registry takes no other form. */
const htpasswd = `${username}:$2b$04$LlY9QDQrizMBY0uTD0s1z.tDroz0un9Iy6pyNa1iPX7jJBIsHNkAq\n`;
const login = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** The world of the distribution project's registry: real processes, logins by the Docker configuration, skopeo as judge. */
export async function startDistributionWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "distribution-"));
  const [github, source, near, far] = await Promise.all([
    startGitHub({ repository: "goharbor/harbor", releases: harborReleases(), files: harborFiles }),
    startDistribution(join(folder, "source")),
    startDistribution(join(folder, "near")),
    startDistribution(join(folder, "far")),
  ]);
  const places = [source, near, far];
  const env = { DOCKER_CONFIG: await dockerConfig(folder, places, password) };
  const wrong = {
    DOCKER_CONFIG: await dockerConfig(join(folder, "near"), [near], "wrong-password", [source, far]),
  };
  return {
    github,
    source,
    near: { ...near, line: `${near.line},keep=all` },
    far,
    inputs: { source: source.name, wait: "60s" },
    env,
    wrongLogin: { inputs: {}, env: wrong },
    async [Symbol.asyncDispose]() {
      await Promise.all([github.close(), ...places.map((place) => place.stop())]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function dockerConfig(
  folder: string,
  places: readonly Place[],
  secret: string,
  others: readonly Place[] = [],
): Promise<string> {
  const auth = (text: string): { auth: string } => ({
    auth: Buffer.from(`${username}:${text}`).toString("base64"),
  });
  const auths = Object.fromEntries([
    ...places.map(({ name }) => [name.split("/")[0], auth(secret)]),
    ...others.map(({ name }) => [name.split("/")[0], auth(password)]),
  ]);
  const path = await mkdtemp(join(folder, "docker-"));
  await writeFile(join(path, "config.json"), JSON.stringify({ auths }));
  return path;
}

async function startDistribution(folder: string): Promise<Place> {
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  spawnSync("mkdir", ["-p", folder]);
  const config = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
    http: { addr: host },
    auth: { htpasswd: { realm: "sandbox", path: join(folder, "htpasswd") } },
  };
  await writeFile(join(folder, "htpasswd"), htpasswd);
  // The configuration is YAML, of which JSON is a part.
  await writeFile(join(folder, "config.yml"), JSON.stringify(config));
  const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "ignore" });
  await untilItAnswers(`http://${host}/v2/`, child);
  return {
    name: `${host}/goharbor`,
    line: `${host}/goharbor`,
    seed: (fill) => seedOver(host, fill),
    state: () => stateOf(host),
    problems: (repository, tag) => judge(host, repository, tag),
    stop: async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once("exit", resolve));
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function untilItAnswers(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) break;
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.status === 401) return;
    await delay(50);
  }
  throw new Error(`docker-registry does not answer at ${url}`);
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

/** Pushes what `fill` puts, in its order. */
async function seedOver(host: string, fill: (target: PushTarget) => void): Promise<void> {
  const steps: (() => Promise<void>)[] = [];
  fill({
    putBlob(repository, bytes) {
      const digest = digestOf(bytes);
      steps.push(async () => {
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
      steps.push(async () => {
        const headers = { "content-type": mediaType };
        await request(host, "PUT", `/v2/${repository}/manifests/${tag ?? digest}`, {
          headers,
          body: Buffer.from(bytes),
        });
      });
      return digest;
    },
  });
  for (const step of steps) await step();
}

async function stateOf(host: string): Promise<Record<string, Record<string, string>>> {
  const { repositories } = (await (await request(host, "GET", "/v2/_catalog?n=1000")).json()) as {
    repositories: string[];
  };
  const state: Record<string, Record<string, string>> = {};
  for (const repository of repositories.sort()) {
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

/** Asks skopeo: the raw manifest has the digest that the registry names, and everything below it can be pulled. */
async function judge(host: string, repository: string, tag: string): Promise<readonly string[]> {
  const image = `docker://${host}/${repository}:${tag}`;
  const raw = await skopeo([
    "inspect",
    "--raw",
    "--creds",
    `${username}:${password}`,
    "--tls-verify=false",
    image,
  ]);
  if (raw.code !== 0) return [`${image}: ${raw.stderr}`];
  const head = await request(host, "HEAD", `/v2/${repository}/manifests/${tag}`, {
    headers: { accept: acceptAll },
  });
  const digest = `sha256:${createHash("sha256").update(raw.stdout).digest("hex")}`;
  if (head.headers.get("docker-content-digest") !== digest)
    return [`${image}: its bytes have the digest ${digest}`];
  const folder = await mkdtemp(join(tmpdir(), "pulled-"));
  const options = [
    "--all",
    "--preserve-digests",
    "--src-tls-verify=false",
    "--src-creds",
    `${username}:${password}`,
  ];
  const pulled = await skopeo(["copy", ...options, image, `dir:${folder}`]);
  await rm(folder, { recursive: true, force: true });
  return pulled.code === 0 ? [] : [`${image}: ${pulled.stderr}`];
}

function skopeo(args: readonly string[]): Promise<{ code: number | null; stdout: Buffer; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn("skopeo", ["--insecure-policy", ...args], { stdio: ["ignore", "pipe", "pipe"] });
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
