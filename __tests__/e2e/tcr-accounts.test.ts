import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { type PublicName, registryNames, startInternet } from "../../sandbox/internet.ts";
import { type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import type { SandboxServer } from "../../sandbox/server.ts";
import { startTcr, tcrInstance } from "../../sandbox/tcr.ts";
import { startTcrPersonal } from "../../sandbox/tcr-personal.ts";
import { loginsOf } from "./secret-world.ts";
import { act, startSandboxWorld } from "./world.ts";

/** Several accounts in one run, each with its own login in `logins`. */

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const account = (letter: string) => ({
  secretId: `AKID${letter.repeat(30)}`,
  secretKey: `key-of-account-${letter}`,
});
const [accountA, accountB] = [account("A"), account("B")];
const keyLines = ({ secretId, secretKey }: typeof accountA) =>
  `  tcr-secret-id: ${secretId}\n  tcr-secret-key: ${secretKey}\n`;

/** The API of TCR has one host for all accounts. */
const api = (key: typeof accountA, server: SandboxServer): PublicName => ({
  host: "tcr.tencentcloudapi.com",
  account: `Credential=${key.secretId}/`,
  server,
});

/** Runs the Action without any login but those in `logins`. */
async function startRun(names: readonly PublicName[]) {
  const world = await startSandboxWorld();
  const internet = await startInternet(names);
  open.push(internet, world);
  const noOther = {
    "dockerhub-username": "",
    "dockerhub-token": "",
    "tcr-secret-id": "",
    "tcr-secret-key": "",
    "github-token": "",
    "github-api-url": "https://api.github.com",
  };
  const run = (inputs: Readonly<Record<string, string>>) =>
    act(
      { ...world, env: internet.env },
      { event: { name: "workflow_dispatch", payload: {} }, inputs: { ...noOther, ...inputs } },
    );
  return { run, internet };
}

const actionsOf = (server: SandboxServer): readonly string[] =>
  server.requests.map(({ headers }) => String(headers["x-tc-action"]));

/** Tags and digests by repository, of the repositories below some namespaces. */
function held(registry: RegistryServer, ...namespaces: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(registry.state()).filter(([name]) => namespaces.includes(name.split("/")[0] ?? "")),
  );
}

const deletions = (server: SandboxServer): readonly string[] =>
  server.requests.flatMap(({ method, path }) => (method === "DELETE" && !/uploads/.test(path) ? [path] : []));

describe("all of TCR Personal goes to an Enterprise instance of another account", () => {
  const user = { username: "100000000001", password: "personal-password" };
  const namespaces = ["web", "jobs", "data", "a-namespace-that-is-too-long-there"];

  async function startAccounts() {
    const personal = await startTcrPersonal({
      keys: [accountA],
      namespaces,
      registry: {
        anonymousPull: false,
        authentication: {
          kind: "bearer",
          service: "token-service",
          users: [{ ...user, access: (repository) => repository !== "data/closed" }],
        },
      },
    });
    const tcr = await startTcr({
      keys: [accountB],
      instance: { ...tcrInstance, name: "acme" },
      namespaces: { web: true },
    });
    open.push(personal, tcr);
    const images = {
      "web/front": ["1.0.0", "1.1.0", "latest"],
      "web/back": ["1.1.0"],
      "jobs/cron": ["20260101", "latest"],
      "data/store": ["v2.0.0", "v2.0.1"],
      "data/closed": ["v1.0.0"],
      "a-namespace-that-is-too-long-there/app": ["v1.0.0"],
    };
    for (const [name, tags] of Object.entries(images))
      for (const tag of tags) pushTo(personal.registry, name, buildImage({ seed: `${name}:${tag}` }), tag);
    // Whatever else is there, it stays.
    pushTo(tcr.registry, "web/other", buildImage({ seed: "other" }), "0.9.0");
    const { run, internet } = await startRun([
      ...registryNames("ccr.ccs.tencentyun.com", personal.registry),
      ...registryNames("acme.tencentcloudcr.com", tcr.registry),
      api(accountA, personal.api),
      api(accountB, tcr.api),
    ]);
    const inputs = {
      source: "ccr.ccs.tencentyun.com",
      images: "**",
      "versions-from": "tags",
      version: "glob:*",
      destinations: "acme.tencentcloudcr.com",
      logins:
        loginsOf({ "ccr.ccs.tencentyun.com": [user.username, user.password] }) +
        keyLines(accountA) +
        `acme.tencentcloudcr.com:\n${keyLines(accountB)}`,
    };
    return { personal, tcr, run, internet, inputs };
  }

  it("with every tag, and what cannot be read or made is told while the rest goes on", async () => {
    const { personal, tcr, run, internet, inputs } = await startAccounts();
    const { exitCode, log, outputs } = await run(inputs);
    expect(log).toContain("data/closed");
    expect(log).toMatch(/creating the namespace a-namespace-that-is-too-long-there failed/);
    expect(outputs).toMatchObject({ copied: "8", pruned: "0", failed: "2" });
    expect(exitCode).toBe(1);
    // By digest of the manifest: what the API of Personal calls an image's id is another.
    const { "data/closed": _, ...readable } = held(personal.registry, "web", "jobs", "data");
    const { "web/other": other, ...mirrored } = held(tcr.registry, "web", "jobs", "data");
    expect(mirrored).toEqual(readable);
    expect(Object.keys(other ?? {})).toEqual(["0.9.0"]);
    expect(Object.fromEntries(tcr.namespaces)).toEqual({
      web: { public: true },
      jobs: { public: false },
      data: { public: false },
    });
    expect(actionsOf(personal.api)).toEqual(["DescribeRepositoryOwnerPersonal"]);
    expect(actionsOf(tcr.api).toSorted()).toEqual([
      "CreateInstanceToken",
      "CreateNamespace",
      "CreateNamespace",
      "CreateNamespace",
      "DescribeInstances",
      // A second page tells that the first was the last.
      "DescribeNamespaces",
      "DescribeNamespaces",
    ]);
    expect([...deletions(personal.registry), ...deletions(tcr.registry)]).toEqual([]);
    expect(internet.refused).toEqual([]);
  });

  it("with the newest versions, and a second run only asks", async () => {
    const { personal, tcr, run, inputs } = await startAccounts();
    const newest = { ...inputs, version: "newest:1", images: "{web,data}/{front,back,store}" };
    const first = await run(newest);
    expect(first.exitCode).toBe(0);
    expect(first.outputs).toMatchObject({ copied: "3", failed: "0" });
    for (const server of [personal.registry, tcr.registry, tcr.api]) server.clearRequests();
    const again = await run(newest);
    expect(again.outputs).toMatchObject({ copied: "0", skipped: "3", failed: "0" });
    const { "web/other": _, ...mirrored } = held(tcr.registry, "web", "data");
    expect(Object.values(mirrored).map((tags) => Object.keys(tags))).toEqual([
      ["v2.0.1"],
      ["1.1.0"],
      ["1.1.0"],
    ]);
    expect(tcr.registry.requests.filter(({ method }) => !/GET|HEAD/.test(method))).toEqual([]);
    expect(actionsOf(tcr.api)).not.toContain("CreateNamespace");
  });

  it("and without the key of Personal, it is said what a list takes", async () => {
    const { tcr, run, inputs } = await startAccounts();
    const logins =
      loginsOf({ "ccr.ccs.tencentyun.com": [user.username, user.password] }) +
      `acme.tencentcloudcr.com:\n${keyLines(accountB)}`;
    const { exitCode, log } = await run({ ...inputs, logins });
    expect(exitCode).toBe(1);
    expect(log).toContain("The repositories of ccr.ccs.tencentyun.com cannot be listed");
    expect(tcr.registry.requests.filter(({ method }) => !/GET|HEAD/.test(method))).toEqual([]);
  });
});

describe("two instances of two accounts", () => {
  async function startInstances() {
    const instance = (name: string) => ({ ...tcrInstance, name, registryId: `tcr-${name}` });
    const a = await startTcr({ keys: [accountA], instance: instance("a") });
    const b = await startTcr({ keys: [accountB], instance: instance("b") });
    const source = await startRegistry();
    open.push(a, b, source);
    pushTo(source, "team/app", buildImage({ seed: "app" }), "1.0.0");
    const { run } = await startRun([
      ...registryNames("a.tencentcloudcr.com", a.registry),
      ...registryNames("b.tencentcloudcr.com", b.registry),
      ...registryNames("r.example.com", source),
      api(accountA, a.api),
      api(accountB, b.api),
    ]);
    const inputs = {
      source: "r.example.com/team",
      images: "app",
      "versions-from": "tags",
      version: "1.0.0",
      destinations: "a.tencentcloudcr.com/team\nb.tencentcloudcr.com/team",
    };
    return { a, b, run, inputs };
  }

  it("get the key of their own account each", async () => {
    const { a, b, run, inputs } = await startInstances();
    const logins = `a.tencentcloudcr.com:\n${keyLines(accountA)}b.tencentcloudcr.com:\n${keyLines(accountB)}`;
    const { exitCode, log } = await run({ ...inputs, logins });
    expect(log).not.toContain("::warning");
    expect(exitCode).toBe(0);
    for (const { registry, namespaces } of [a, b]) {
      expect(registry.tags("team/app").has("1.0.0")).toBe(true);
      expect([...namespaces.keys()]).toEqual(["team"]);
    }
  });

  it("are served in a run over several jobs, whose plan has no login in it", async () => {
    const { a, b, run, inputs } = await startInstances();
    const logins = `a.tencentcloudcr.com:\n${keyLines(accountA)}b.tencentcloudcr.com:\n${keyLines(accountB)}`;
    const planned = await run({ ...inputs, logins, mode: "plan" });
    const { plan = "", matrix = "" } = planned.outputs;
    const document = gunzipSync(Buffer.from(plan, "base64")).toString();
    for (const text of [accountA, accountB].flatMap((key) => Object.values(key)))
      expect([document, matrix, plan].filter((each) => each.includes(text))).toEqual([]);
    const { include } = JSON.parse(matrix) as { include: readonly { share: number }[] };
    expect(include).toHaveLength(2);
    for (const { share } of include)
      expect((await run({ ...inputs, logins, mode: "copy", plan, share: String(share) })).exitCode).toBe(0);
    expect((await run({ ...inputs, logins, mode: "publish", plan })).exitCode).toBe(0);
    for (const { registry } of [a, b]) expect(registry.tags("team/app").has("1.0.0")).toBe(true);
  });

  it("are served beside the key of the inputs, which is for all others", async () => {
    const { a, b, run, inputs } = await startInstances();
    const { exitCode } = await run({
      ...inputs,
      "tcr-secret-id": accountB.secretId,
      "tcr-secret-key": accountB.secretKey,
      logins: `a.tencentcloudcr.com:\n${keyLines(accountA)}`,
    });
    expect(exitCode).toBe(0);
    for (const { registry } of [a, b]) expect(registry.tags("team/app").has("1.0.0")).toBe(true);
  });

  it("are not exchanged: a key of the wrong account fails at its own instance alone", async () => {
    const { a, b, run, inputs } = await startInstances();
    const logins = `a.tencentcloudcr.com:\n${keyLines(accountB)}b.tencentcloudcr.com:\n${keyLines(accountB)}`;
    const { exitCode, log } = await run({ ...inputs, logins });
    expect(exitCode).toBe(1);
    expect(log).toContain("the account of this key has no instance of that name");
    expect(a.registry.requests.filter(({ path }) => path !== "/v2/")).toEqual([]);
    expect(b.registry.tags("team/app").has("1.0.0")).toBe(true);
  });
});

it("two accounts of one registry share no token, and a blob of one is not mounted by the other", async () => {
  const users = ["one", "two"].map((name) => ({
    username: name,
    password: `password-of-${name}`,
    access: (repository: string) => repository.startsWith(`${name}/`),
    refusesExcess: true,
  }));
  const registry = await startRegistry({ authentication: { kind: "bearer", users } });
  const source = await startRegistry();
  open.push(registry, source);
  const { run } = await startRun([]);
  for (const name of ["app", "web"])
    pushTo(source, `team/${name}`, buildImage({ seed: name, layers: [{ size: 50_000 }] }), "1.0.0");
  const { exitCode, log } = await run({
    source: `${source.host}/team`,
    images: "app\nweb",
    "versions-from": "tags",
    version: "1.0.0",
    destinations: `${registry.host}/one\n${registry.host}/two`,
    logins: loginsOf({
      [`${registry.host}/one`]: ["one", "password-of-one"],
      [`${registry.host}/two`]: ["two", "password-of-two"],
    }),
  });
  expect(log).not.toContain("::warning");
  expect(exitCode).toBe(0);
  expect(Object.keys(registry.state()).toSorted()).toEqual(["one/app", "one/web", "two/app", "two/web"]);
  const mounts = registry.requests.filter(({ path }) => /[?&]mount=/.test(path)).map(({ path }) => path);
  for (const path of mounts) {
    const [, name = "", from = ""] = /^\/v2\/(\w+)\/.*[?&]from=(\w+)/.exec(decodeURIComponent(path)) ?? [];
    expect(from).toBe(name);
  }
  for (const { path } of registry.tokenServer?.requests ?? [])
    expect(
      new Set([...decodeURIComponent(path).matchAll(/repository:(\w+)\//g)].map(([, name]) => name)).size,
    ).toBe(1);
});
