import { describe, expect, test } from "vitest";
import type { FaultAction } from "../../sandbox/faults.ts";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { judge, nothingLeftOpen } from "./judge.ts";
import { artifact, images, type RunResult, repository, startWorld, type World, wanted } from "./world.ts";

/** Answers that are well-formed and not true, or true no longer, in whole runs. */

const hour = 3_600_000;
const layer = new RegExp((artifact("core", wanted).layers[1]?.digest ?? "no layer").slice("sha256:".length));
const put = { method: "PUT", path: new RegExp(`blobs/uploads.*${layer.source}`) };
const source = { party: "source" } as const;
const destination = { party: "destination" } as const;

async function expectDone(world: World): Promise<RunResult> {
  const result = await world.run();
  const failures = result.lines.filter((line) => / failed/.test(line)).slice(-3);
  expect({ done: result.done, failures }).toMatchObject({ done: true });
  await judge(world, result, destination);
  return result;
}

describe("tokens", () => {
  test.each<[string, unknown]>([
    ["0", 0],
    ["negative", -5],
    ["absent", undefined],
    ["null", null],
    ["of a century", 3_155_760_000],
  ])("whose life is %s are used, and not asked for with each request", async (_what, life) => {
    await using world = await startWorld();
    const rewriteBody = (body: Buffer): string =>
      JSON.stringify({ ...(JSON.parse(body.toString()) as object), expires_in: life });
    for (const { tokenServer } of [world.source, world.troubled])
      tokenServer?.fault({ when: {}, times: Infinity, effect: { rewriteBody } });
    await expectDone(world);
    const { requests = [] } = world.troubled.tokenServer ?? {};
    // One for each set of rights; twice over, should the run take virtual minutes.
    expect(requests.length).toBeLessThan(20);
    expect(world.troubled.requests.length).toBeGreaterThan(30);
  });

  test.each<[string, { method?: string; path: RegExp }]>([
    ["before a manifest is written", { method: "PUT", path: /manifests\/sha256/ }],
    ["in the middle of an upload", put],
    ["before a tag is written", { method: "PUT", path: new RegExp(`manifests/${wanted}`) }],
    ["before a tag is deleted", { method: "DELETE", path: /manifests/ }],
  ])("that run out %s are replaced", async (_when, when) => {
    await using world = await startWorld();
    world.troubled.fault({ when, effect: { run: () => world.setServers(hour) } });
    await expectDone(world);
  });

  test.each([-24 * hour, -hour, hour, 24 * hour])(
    "from a clock that is %i ms ahead are good",
    async (ahead) => {
      await using world = await startWorld();
      world.setServers(ahead);
      await expectDone(world);
    },
  );

  test("a clock that TCR does not accept is told, with by how much", async () => {
    await using world = await startWorld({ kind: "tcr" });
    world.setServers(hour);
    const result = await world.run();
    expect(result.done).toBe(false);
    await judge(world, result, destination);
    expect(result.lines.join("\n")).toMatch(
      /AuthFailure\.SignatureExpire.* The clock of this machine .* set the runner's clock/,
    );
  });
});

describe("an upload of which the registry says after a break", () => {
  test.each<[string, FaultAction]>([
    ["that it is gone", { status: 404 }],
    ["that it has less than it took", { replaceHeaders: { range: "0-99" } }],
    ["that it has more than was ever sent", { replaceHeaders: { range: "0-99999999" } }],
    ["that it has nothing", { replaceHeaders: { range: "0-0" } }],
    ["nothing of how far it is", { replaceHeaders: { range: "" } }],
    ["something unreadable", { replaceHeaders: { range: "bytes */x" } }],
  ])("%s is completed all the same, under the right digest (P1)", async (_what, effect) => {
    await using world = await startWorld();
    world.troubled.fault({ when: put, effect: { resetRequestAfter: 100_000 } });
    world.troubled.fault({ when: { method: "GET", path: /blobs\/uploads/ }, effect });
    await expectDone(world);
    await nothingLeftOpen(world);
  });

  test.each(["relative", "absolute"] as const)("with a %s Location goes on", async (location) => {
    await using world = await startWorld({ registry: { location } });
    world.troubled.fault({ when: put, effect: { resetRequestAfter: 100_000 } });
    await expectDone(world);
    expect(
      world.troubled.requests.filter(({ headers }) => headers["content-range"]?.startsWith("100000-")),
    ).toHaveLength(1);
  });

  test("with a Location on another port gets no byte there, and no login (P7)", async () => {
    await using world = await startWorld();
    const location = `${world.healthy.origin}/v2/goharbor/core/blobs/uploads/elsewhere`;
    const when = { method: "POST", path: /blobs\/uploads\/$/ };
    world.troubled.fault({ when, times: Infinity, effect: { replaceHeaders: { location } } });
    const result = await world.run();
    expect(result.done).toBe(false);
    await judge(world, result, destination);
    expect(result.lines.join("\n")).toMatch(/wants the upload to go to .*, which is not itself/);
    expect(world.healthy.requests.filter(({ path }) => path.includes("elsewhere"))).toEqual([]);
  });
});

describe("digests", () => {
  const other = `sha256:${"0".repeat(64)}`;
  const wrong: FaultAction = { replaceHeaders: { "docker-content-digest": other } };

  test("a tag that moves between HEAD and GET is mirrored as it was when the plan was made", async () => {
    await using world = await startWorld();
    const moved = buildImage({ seed: "moved" });
    const run = (): void => void pushTo(world.source, repository("core"), moved, wanted);
    world.source.fault({ when: { method: "GET", path: /core\/manifests/ }, effect: { run } });
    await expectDone(world);
    for (const registry of [world.troubled, world.healthy])
      expect(registry.tags(repository("core")).get(wanted)).toBe(artifact("core", wanted).digest);
  });

  test.each<[string, (world: World) => void, RegExp]>([
    [
      "of a HEAD at the source",
      (world) => world.source.fault({ when: { method: "HEAD" }, times: Infinity, effect: wrong }),
      /source .*reading the manifest sha256:0+ failed with status 404/,
    ],
    [
      "of a manifest at the source",
      (world) =>
        world.source.fault({
          when: { method: "GET", path: /manifests/ },
          times: Infinity,
          effect: { spoilBody: true },
        }),
      /source .*reading the manifest .* failed/,
    ],
  ])("that are wrong, %s, move no tag anywhere (P3)", async (_what, break_, says) => {
    await using world = await startWorld();
    break_(world);
    const result = await world.run();
    expect(result.done).toBe(false);
    await judge(world, result, source);
    expect(result.lines.join("\n")).toMatch(says);
  });

  test("that are wrong in the answer to a write are a failure of that registry", async () => {
    await using world = await startWorld();
    world.troubled.fault({
      when: { method: "PUT", path: /manifests\/sha256/ },
      times: Infinity,
      effect: wrong,
    });
    const result = await world.run();
    expect(result.done).toBe(false);
    await judge(world, result, destination);
    expect(result.lines.join("\n")).toContain("the registry stored other bytes");
  });

  test.each([
    [1, true],
    [Infinity, false],
  ])(
    "a blob that a registry does not know of when it gets the manifest (%d times) is sent again",
    async (times, done) => {
      await using world = await startWorld();
      const body = JSON.stringify({ errors: [{ code: "MANIFEST_BLOB_UNKNOWN", message: "blob unknown" }] });
      const when = { method: "PUT", path: /core\/manifests\/sha256/ };
      world.troubled.fault({ when, times, effect: { status: 400, body, afterBody: true } });
      const result = await world.run();
      expect(result.done).toBe(done);
      await judge(world, result, destination);
    },
  );
});

describe("limits", () => {
  const pullLimit: FaultAction = {
    status: 429,
    headers: { "retry-after": "21600" },
    body: JSON.stringify({
      errors: [{ code: "TOOMANYREQUESTS", message: "You have reached your pull rate limit." }],
    }),
  };
  const reads = { method: "GET", path: /manifests\/sha256/ };

  test("of pulls are not waited for, and told with what to do", async () => {
    await using world = await startWorld();
    world.source.fault({ when: reads, times: Infinity, effect: pullLimit });
    const result = await world.run();
    expect(result.done).toBe(false);
    expect(result.minutes).toBeLessThan(1);
    await judge(world, result, source);
    expect(result.lines.join("\n")).toMatch(
      /source .* failed with status 429 TOOMANYREQUESTS: You have reached your pull rate limit\. \S+/,
    );
    expect(
      world.source.requests.filter(({ method, path }) => method === "GET" && reads.path.test(path)),
    ).toHaveLength(images.length);
  });

  test("of pulls at the first source let the second serve, at once", async () => {
    await using world = await startWorld({ secondSource: true });
    world.source.fault({ when: reads, times: Infinity, effect: pullLimit });
    const result = await expectDone(world);
    expect(result.minutes).toBeLessThan(1);
  });

  test.each([
    [60, true, 3],
    [6 * 3600, false, 1],
  ])("of the Hub API that pass in %i s, by a timestamp", async (seconds, done, minutes) => {
    await using world = await startWorld({ kind: "docker-hub" });
    const until = Math.ceil(world.clock.now() / 1000) + seconds;
    const effect = { status: 429, headers: { "x-retry-after": String(until) } };
    world.dockerHub?.api.fault({ when: { method: "DELETE" }, times: done ? 7 : Infinity, effect });
    const result = await world.run();
    expect(result.done).toBe(done);
    expect(result.minutes).toBeLessThan(minutes);
    await judge(world, result, destination);
  });
});
