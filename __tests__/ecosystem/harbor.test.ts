/** What a Harbor does beside the registry API, and what a run and a check make of it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { harborRobot } from "../../sandbox/profiles.ts";
import { type HarborApiOptions, harborApi } from "../../sandbox/vendor-apis/harbor.ts";
import { seed, startWorld, versions, type World } from "./world.ts";

const closing: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of closing.splice(0)) await one[Symbol.asyncDispose]();
});

/** A Harbor as destination, and a source that has the newest version. */
async function harbor(options: Omit<HarborApiOptions, "user"> = {}) {
  const world = await startWorld("harbor", { api: harborApi({ user: harborRobot, ...options }) });
  closing.push(world);
  seed(world.plain, "source", [versions[0]]);
  const { host } = world.vendor.registry;
  const to = `${host}/goharbor,type=harbor`;
  return { world, from: `${world.plain.host}/source`, to };
}

/** The Docker configuration with another password for the Harbor. */
async function withPassword(world: World, password: string): Promise<Readonly<Record<string, string>>> {
  const folder = await mkdtemp(join(tmpdir(), "harbor-login-"));
  closing.push({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) });
  const auth = Buffer.from(`${world.vendor.username}:${password}`).toString("base64");
  const config = { auths: { [world.vendor.registry.host]: { auth } } };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  return { DOCKER_CONFIG: folder };
}

describe("a wrong password at a public project", () => {
  test("ends the run before a blob is read", async () => {
    const { world, from, to } = await harbor();
    const result = await world.mirror(from, to, {}, await withPassword(world, "wrong"));
    expect(result.done).toBe(false);
    expect(result.lines.join("\n")).toContain("the login was not taken");
    expect(world.plain.requests.filter(({ path }) => path.includes("/blobs/"))).toEqual([]);
    expect(world.vendor.registry.uploadsOpen()).toBe(0);
  });

  test("is told by a check", async () => {
    const { world, from, to } = await harbor();
    const result = await world.mirror(from, to, { check: "true" }, await withPassword(world, "wrong"));
    expect(result.done).toBe(false);
    expect(result.rows("sign in")).toMatchObject([
      { outcome: "missing", finding: expect.stringContaining("the login was not taken") },
    ]);
  });
});

describe("old versions that cannot be deleted", () => {
  const [newest, kept, old] = versions;

  test.each<[string, Omit<HarborApiOptions, "user">, string]>([
    [
      "a robot may not delete tags",
      { mayDeleteTags: false },
      "not kept, but this login cannot delete tags: .*trying to delete a tag failed with status 403",
    ],
    [
      "a robot may not read artifacts",
      { mayReadArtifacts: false },
      "not kept, but this login cannot delete tags: .*trying to look up a tag failed with status 403",
    ],
    [
      "a rule makes a tag of them immutable",
      { immutable: new Set([`goharbor/web:${old}`]) },
      "not kept, but an immutability rule of its Harbor project protects tags of it",
    ],
  ])(
    "because %s are planned as left, by a dry run as well, and nothing fails",
    async (_why, options, reason) => {
      const { world, from, to } = await harbor(options);
      const { registry } = world.vendor;
      seed(registry, "goharbor", [kept, old]);
      for (const dryRun of ["true", "false"]) {
        const { done, lines } = await world.mirror(from, to, { "dry-run": dryRun });
        expect(done).toBe(true);
        expect(lines.join("\n")).toMatch(new RegExp(`leave .*${old}.*${reason}`));
      }
      for (const image of ["goharbor/app", "goharbor/web"])
        expect([...registry.tags(image).keys()].toSorted()).toEqual([newest, kept, old].toSorted());
      // Nothing of what is there was tried.
      const deletions = registry.requests.filter(
        ({ method, path }) => method === "DELETE" && path.includes(old),
      );
      expect(deletions).toEqual([]);
    },
  );
});

describe("a quota of the project", () => {
  const summary = "/api/v2.0/projects/goharbor/summary";
  const asked = (world: World) =>
    world.vendor.registry.requests.filter(({ path }) => path === summary).length;

  test("that the copies may not fit in is told before a byte is sent, with numbers, and fails nothing", async () => {
    const { world, from, to } = await harbor({ quota: { hard: 1_000_000, used: 700_000 } });
    const { done, warnings } = await world.mirror(from, to);
    expect(done).toBe(true);
    const told = warnings.filter((line) => line.includes("quota"));
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(
      /^127\.0\.0\.1:\d+\/goharbor: its quota may not suffice: up to 4\d\d\.\d kB are sent there, and 300\.0 kB of 1\.0 MB are free\. /,
    );
    expect(told[0]).toContain("raise the quota");
    const paths = world.vendor.registry.requests.map(({ method, path }) => `${method} ${path}`);
    const firstUpload = paths.findIndex((request) => /^P\w+ .*\/blobs\/uploads\//.test(request));
    expect(paths.indexOf(`GET ${summary}`)).toBeLessThan(firstUpload);
    await world.mirror(from, to);
    expect(asked(world)).toBe(1);
  });

  test.each<[string, Omit<HarborApiOptions, "user">]>([
    ["with room", { quota: { hard: 1_000_000, used: 100_000 } }],
    ["without a limit", { quota: { hard: -1, used: 700_000 } }],
    ["that the login may not read", { metadata: {} }],
    ["of a project that the login may not read", {}],
  ])("%s is no news", async (_case, options) => {
    const { world, from, to } = await harbor(options);
    const { done, warnings } = await world.mirror(from, to);
    expect(done).toBe(true);
    expect(warnings).toEqual([]);
    expect(asked(world)).toBe(1);
  });

  test.each([
    ["what is no JSON", { status: 200, body: "<html>" }],
    ["a quota of another form", { status: 200, body: '{"quota":{"hard":{"storage":"4 GB"}}}' }],
  ])("for which the API answers with %s holds nothing up", async (_case, answer) => {
    const robot = harborApi({ user: harborRobot, metadata: {} });
    const world = await startWorld("harbor", {
      api: (request, ...rest) => (request.url.pathname === summary ? answer : robot(request, ...rest)),
    });
    closing.push(world);
    seed(world.plain, "source", [versions[0]]);
    const to = `${world.vendor.registry.host}/goharbor,type=harbor`;
    const { done, warnings } = await world.mirror(`${world.plain.host}/source`, to);
    expect(done).toBe(true);
    expect(warnings).toEqual([]);
    const checked = await world.mirror(`${world.plain.host}/source`, to, { check: "true" });
    expect(checked.done).toBe(true);
    expect(checked.rows("project")[0]?.finding).toMatch(/Its quota is not known: /);
  });

  test("is not asked for by a dry run", async () => {
    const { world, from, to } = await harbor({ quota: { hard: 1_000_000, used: 700_000 } });
    await world.mirror(from, to, { "dry-run": "true" });
    expect(asked(world)).toBe(0);
  });
});
