/**
 * The files of other tools, run through the Action and through the tool itself: both destinations hold the same afterwards. A tool
 * that cannot be installed here is stood in for by what its documents say.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actionEnvironment, runAction } from "../../sandbox/action.ts";
import { startGitHub } from "../../sandbox/github.ts";
import { buildImage, buildIndex, pushTo } from "../../sandbox/images.ts";
import { type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { isInstalled, skipWithout } from "../support/programs.ts";

const run = promisify(execFile);

/** Time for a tool to copy a few small images, in milliseconds. */
const toolTime = 120_000;

const tags = ["1.27.0", "1.27.1", "1.28.0", "1.29.0-rc1", "edge"] as const;

let folder = "";
let source: RegistryServer;
const open: AsyncDisposable[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "migration-"));
  source = await startRegistry();
  open.push(source);
  for (const image of ["base/nginx", "base/redis", "deep/er/tool"])
    for (const tag of tags) pushTo(source, image, imageOf(`${image}:${tag}`), tag);
});

afterAll(async () => {
  for (const one of open) await one[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** An image for two platforms. */
function imageOf(seed: string) {
  const platforms = ["linux/amd64", "linux/arm64"] as const;
  return buildIndex(
    platforms.map((platform) => buildImage({ seed: `${seed} ${platform}`, format: "oci", platform })),
  );
}

/** Takes uploads whose Location comes back with other escapes, as those tools send it. */
async function destination(): Promise<RegistryServer> {
  const server = await startRegistry({ exactQuery: false });
  open.push(server);
  return server;
}

/** Takes a file through the Action. */
async function mirrored(
  inputs: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
) {
  const github = await startGitHub({ repository: "acme/app", releases: [], files: () => undefined });
  const own = await mkdtemp(join(folder, "action-"));
  const environment = actionEnvironment(
    { github },
    { event: { name: "schedule", payload: {} }, folder: own, inputs: { wait: "0", ...inputs }, env },
  );
  const result = await runAction(environment);
  await github[Symbol.asyncDispose]();
  return result;
}

/** Writes a file that a tool, or an input, names by its path. */
async function fileOf(name: string, text: string): Promise<string> {
  const path = join(await mkdtemp(join(folder, "file-")), name);
  await writeFile(path, text);
  return path;
}

/** A test that needs a tool. */
function judgedBy(program: string, installation: string, name: string, body: () => Promise<void>): void {
  if (isInstalled(program)) it(name, body, toolTime);
  else skipWithout(program, installation);
}

const tagsIn = (server: RegistryServer) =>
  Object.entries(server.state()).map(([repository, own]) => [repository, Object.keys(own).sort()]);

const only = (repository: string, ...own: readonly string[]) => ({
  [repository]: Object.fromEntries(own.map((tag) => [tag, expect.stringMatching(/^sha256:/) as string])),
});

describe("a file of skopeo sync", () => {
  const text = (host: string) => `${host}:
  tls-verify: false
  images:
    base/nginx: ["1.27.0", edge]
    deep/er/tool: []
  images-by-tag-regex:
    base/redis: ^1\\.27\\.[0-9]+$
`;

  judgedBy("skopeo", "apt-get install skopeo", "gives what skopeo makes of it", async () => {
    const [there, here] = [await destination(), await destination()];
    const file = await fileOf("sync.yml", text(source.host));
    const ours = await mirrored({ routes: file, destinations: `${here.host}/mirror` });
    expect(ours.exitCode, ours.log).toBe(0);
    await run(
      "skopeo",
      [
        "sync",
        "--src",
        "yaml",
        "--dest",
        "docker",
        "--all",
        "--preserve-digests",
        "--dest-tls-verify=false",
        file,
        `${there.host}/mirror`,
      ],
      { timeout: toolTime },
    );
    expect(here.state()).toEqual(there.state());
    expect(here.state()).toEqual({
      ...only("mirror/nginx", "1.27.0", "edge"),
      ...only("mirror/redis", "1.27.0", "1.27.1"),
      ...only("mirror/tool", ...tags),
    });
  });
});

describe("a file of regsync", () => {
  const text = (from: string, to: string) => `version: 1
creds:
  - {registry: "${from}", tls: disabled}
  - {registry: "${to}", tls: disabled}
defaults: {interval: 60m, parallel: 2}
sync:
  - source: ${from}/base/nginx
    target: ${to}/mirror/nginx
    type: repository
    tags:
      semverRange: [">=1.27.1"]
      deny: [".*-rc.*"]
  - source: ${from}/base/redis
    target: ${to}/mirror/redis
    type: repository
    tags: {allow: ["1\\\\.27\\\\..*", "edge"], deny: ["1\\\\.27\\\\.0"]}
  - source: ${from}/deep/er/tool:1.28.0
    target: ${to}/mirror/tool:stable
    type: image
`;

  judgedBy(
    "regsync",
    "go install github.com/regclient/regclient/cmd/regsync@v0.11.1",
    "gives what regsync makes of it",
    async () => {
      const [there, here] = [await destination(), await destination()];
      const ours = await mirrored({ routes: text(source.host, here.host) });
      expect(ours.exitCode, ours.log).toBe(0);
      await run("regsync", ["once", "-c", await fileOf("regsync.yml", text(source.host, there.host))], {
        timeout: toolTime,
      });
      expect(here.state()).toEqual(there.state());
      expect(here.state()).toEqual({
        ...only("mirror/nginx", "1.27.1", "1.28.0"),
        ...only("mirror/redis", "1.27.1", "edge"),
        ...only("mirror/tool", "stable"),
      });
    },
  );
});

describe("a file of image-syncer", () => {
  const text = (from: string, to: string) => `${from}/base/nginx:1.27.0,1.28.0: ${to}/mirror/nginx
${from}/base/redis:/^1\\.27/:
  - ${to}/mirror/redis
  - ${to}/archive/cache
${from}/deep/er/tool: ${to}/mirror/tool
`;

  it("gives what its documents say, and what the tool makes of it where it is installed", async () => {
    const [there, here] = [await destination(), await destination()];
    const auth = (hosts: readonly string[]) =>
      hosts.map((host) => `"${host}": {username: user, password: "\${SECRET}", insecure: true}\n`).join("");
    const ours = await mirrored(
      { routes: text(source.host, here.host), logins: auth([source.host, here.host]) },
      { SECRET: "a-password-of-the-file" },
    );
    expect(ours.exitCode, ours.log).toBe(0);
    expect(ours.log).toContain("::add-mask::a-password-of-the-file");
    expect(here.state()).toEqual({
      ...only("mirror/nginx", "1.27.0", "1.28.0"),
      ...only("mirror/redis", "1.27.0", "1.27.1"),
      ...only("archive/cache", "1.27.0", "1.27.1"),
      ...only("mirror/tool", ...tags),
    });
    if (!isInstalled("image-syncer")) return;
    const [images, login] = [
      await fileOf("images.yaml", text(source.host, there.host)),
      await fileOf("auth.yaml", auth([source.host, there.host])),
    ];
    await run("image-syncer", [`--images=${images}`, `--auth=${login}`], { timeout: toolTime });
    // It writes indexes anew, so their digests are others there.
    expect(tagsIn(here)).toEqual(tagsIn(there));
  });
});

describe("a file of image-transfer", () => {
  const text = (from: string, to: string) => `${from}/base/nginx:1.27.0: ${to}/mirror/nginx:1.27.0
${from}/base/redis: ${to}/mirror/redis
`;
  /** What fails there, though it is plain what is meant. */
  const broken = (from: string, to: string) => `${from}/base/nginx:1.27.1: ${to}/mirror/nginx
${from}/base/redis:1.27.0,1.28.0: ${to}/mirror/cache
${from}/base/gone:1.0.0: ${to}/mirror/gone:1.0.0
`;

  it(
    "gives what its documents say, and what the tool makes of it where it is installed",
    async () => {
      const [there, here] = [await destination(), await destination()];
      const ours = await mirrored({ routes: text(source.host, here.host) });
      expect(ours.exitCode, ours.log).toBe(0);
      expect(here.state()).toEqual({ ...only("mirror/nginx", "1.27.0"), ...only("mirror/redis", ...tags) });
      if (!isInstalled("image-transfer")) return;
      const security = [source.host, there.host].map((host) => `"${host}": {insecure: true}\n`).join("");
      const files = [
        await fileOf("secret.yaml", security),
        await fileOf("rule.yaml", text(source.host, there.host)),
      ];
      await run("image-transfer", [`--securityFile=${files[0]}`, `--ruleFile=${files[1]}`], {
        timeout: toolTime,
      });
      expect(here.state()).toEqual(there.state());
    },
    toolTime,
  );

  it("does what was plainly meant where the tool fails, and fails where the tool says that all is well", async () => {
    const here = await destination();
    const { exitCode, log } = await mirrored({ routes: broken(source.host, here.host) });
    expect(exitCode).toBe(1);
    expect(log).toContain("base/gone");
    expect(here.state()).toEqual({
      ...only("mirror/nginx", "1.27.1"),
      ...only("mirror/cache", "1.27.0", "1.28.0"),
    });
  });
});

describe("a plain list", () => {
  it("gives each image under the last part of its name, one platform where a line says so", async () => {
    const here = await destination();
    const { exitCode, log } = await mirrored({
      routes: `# what we need
${source.host}/base/nginx:1.28.0
${source.host}/base/nginx:edge => nginx:stable   # renamed
--platform=linux/amd64 ${source.host}/deep/er/tool:1.27.0
`,
      destinations: `${here.host}/mirror`,
    });
    expect(exitCode, log).toBe(0);
    expect(here.state()).toEqual({
      ...only("mirror/nginx", "1.28.0", "stable"),
      ...only("mirror/tool", "1.27.0"),
    });
    expect(here.tags("mirror/nginx").get("stable")).toBe(source.tags("base/nginx").get("edge"));
    expect(here.tags("mirror/tool").get("1.27.0")).not.toBe(source.tags("deep/er/tool").get("1.27.0"));
  });
});
