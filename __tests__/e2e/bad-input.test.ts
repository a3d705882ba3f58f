import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ActionEvent, actionEnvironment, releaseEvent, runAction } from "../../sandbox/action.ts";
import { buildImage, buildSchema1, pushTo } from "../../sandbox/images.ts";
import { act, type RunOptions, startSandboxWorld, tagsOf, version, type World } from "./world.ts";

type SandboxWorld = Awaited<ReturnType<typeof startSandboxWorld>>;

/** Writes that a registry or vendor API got. */
function writes({ sandbox }: SandboxWorld): readonly string[] {
  return [...sandbox.servers]
    .filter(([name]) => !name.includes("token server"))
    .flatMap(([name, server]) =>
      server.requests
        .filter(
          ({ method, headers }) =>
            method !== "GET" && method !== "HEAD" && headers["x-tc-action"] === undefined,
        )
        .map(({ method, path }) => `${name}: ${method} ${path}`),
    );
}

/** Requests of any kind. */
function requests({ sandbox }: SandboxWorld): number {
  return [...sandbox.servers.values()].reduce((sum, server) => sum + server.requests.length, 0);
}

function dispatch(tag: string): RunOptions {
  return { event: { name: "workflow_dispatch", payload: { inputs: { version: tag } } } };
}

describe("mistakes in what the user gives", () => {
  it.each<[what: string, options: RunOptions, message: RegExp]>([
    [
      "no destinations",
      { inputs: { destinations: "" } },
      /destinations: .*Example: goharbor\.tencentcloudcr\.com/,
    ],
    ["an unknown attribute", { inputs: { destinations: "ghcr.io/team,kep=3" } }, /destinations: .*kep/],
    [
      "two lines for one destination",
      { inputs: { destinations: "docker.io/a\nindex.docker.io/a" } },
      /destinations: .*docker\.io\/a/,
    ],
    ["a name that breaks the grammar", { inputs: { images: "Harbor Core" } }, /images: .*Harbor Core/],
    ["a tag that breaks the grammar", { inputs: { images: "app:-{{tag}}" } }, /images: .*-\{\{tag\}\}/],
    ["an unknown placeholder", { inputs: { images: "app:{{tga}}" } }, /images: .*tga/],
  ])("%s: said before any request is sent", async (_what, options, message) => {
    await using world = await startSandboxWorld();
    const { exitCode, log } = await act(world, options);
    expect(exitCode).toBe(1);
    expect(log.replaceAll("%0A", "\n")).toMatch(message);
    expect(requests(world)).toBe(0);
  });

  it.each([{}, { post: true }])(
    "a proxy that cannot be used: told without its password, %o",
    async ({ post }) => {
      await using world = await startSandboxWorld();
      const env = { HTTP_PROXY: "http://user:pa#ss-SECRET/word@127.0.0.1:9" };
      const step = post ? { HARBOR_RELEASE_MIRROR_STEP: "post", "STATE_access-id": "0123abcd" } : {};
      const { exitCode, log } = await act(world, { env: { ...env, ...step } });
      expect(exitCode).toBe(1);
      expect(log).toContain("HTTP_PROXY of the environment is not the address of an HTTP proxy");
      expect(log.replaceAll(/::add-mask::.*/g, "")).not.toMatch(/SECRET|127\.0\.0\.1:9|\bat /);
      expect(requests(world)).toBe(0);
    },
  );

  it("says all mistakes in one message", async () => {
    await using world = await startSandboxWorld();
    const inputs = { keep: "many", wait: "soon", overwrite: "perhaps", "tcr-secret-key": "" };
    const { log } = await act(world, { inputs });
    const errors = log.split("\n").filter((line) => line.startsWith("::error"));
    expect(errors).toHaveLength(1);
    for (const name of ["keep:", "wait:", "overwrite:", "tcr-secret-"]) expect(errors[0]).toContain(name);
    expect(requests(world)).toBe(0);
  });

  it("a malformed event file", async () => {
    await using world = await startSandboxWorld();
    const folder = await mkdtemp(join(tmpdir(), "event-"));
    const event = releaseEvent(world, "v2.15.2");
    const inputs = { destinations: world.near.line, ...world.inputs };
    const environment = actionEnvironment(world, { event, inputs, folder });
    for (const text of ["", "{", "[]", "null", '{"action":"published","release":{"tag_name":7}}']) {
      await writeFile(join(folder, "event.json"), text);
      const { exitCode, log } = await runAction(environment);
      expect(exitCode).toBe(1);
      expect(log).toMatch(/::error::The file of the release event .* is malformed/);
    }
    expect(requests(world)).toBe(0);
    // Nor does it keep the client of GitHub from telling of it.
    world.sandbox.github.issues.permission = "write";
    await writeFile(join(folder, "event.json"), "{");
    const { exitCode, log } = await runAction({ ...environment, "INPUT_REPORT-ISSUE": "true" });
    expect([exitCode, log]).toEqual([
      1,
      expect.stringMatching(/::error::The file of the release event .* is malformed/),
    ]);
    expect(world.sandbox.github.issues.all).toMatchObject([{ body: expect.stringContaining("malformed") }]);
    await rm(folder, { recursive: true });
  });

  it.each<[what: string, options: RunOptions, message: RegExp]>([
    [
      "a version that does not exist",
      dispatch("v9.9.9"),
      /no published release v9\.9\.9.*newest are v2\.15\.2/,
    ],
    ["a tag that is no version", dispatch("baseline"), /no published release baseline/],
    ["a range that nothing fits", dispatch(">=9"), /No release of goharbor\/harbor fits/],
    ["a prerelease that is not wanted", dispatch("v2.15.2-rc1"), /no published release v2\.15\.2-rc1/],
  ])("%s: nothing is written", async (_what, options, message) => {
    await using world = await startSandboxWorld();
    const { exitCode, log } = await act(world, options);
    expect(exitCode).toBe(1);
    expect(log).toMatch(message);
    expect(writes(world)).toEqual([]);
  });

  it("a repository without a version: told what it has instead", async () => {
    await using world = await startSandboxWorld();
    const tags = ["v1.2", "2026.07.01", "operator/v1.2.3"];
    const body = JSON.stringify(tags.map((tag_name) => ({ ...world.github.release("v2.15.2"), tag_name })));
    const effect = { status: 200, headers: { "content-type": "application/json" }, body };
    world.github.fault({ when: { path: /releases\?/ }, times: Infinity, effect });
    const { exitCode, log } = await act(world, dispatch("newest:3"));
    expect(exitCode).toBe(1);
    expect(log).toContain("It has 3 published releases, but none that counts: v1.2 (");
    expect(writes(world)).toEqual([]);
  });

  it("a draft is never mirrored, by its event or by its tag", async () => {
    await using world = await startSandboxWorld();
    world.github.addRelease({
      tag: "v2.16.0",
      prerelease: false,
      publishedAt: Date.UTC(2026, 8, 1),
      draft: true,
    });
    await world.source.seed(version("v2.16.0"));
    const byEvent = await act(world, { tag: "v2.16.0" });
    const byTag = await act(world, dispatch("v2.16.0"));
    expect([byEvent.exitCode, byTag.exitCode]).toEqual([1, 1]);
    expect(byEvent.log).toContain("is a draft");
    expect(byTag.log).toContain("a draft");
    expect(writes(world)).toEqual([]);
  });

  it("a prerelease's event is nothing to do, and no failure", async () => {
    await using world = await startSandboxWorld();
    const { exitCode, log } = await act(world, { tag: "v2.15.2-rc1" });
    expect(exitCode).toBe(0);
    expect(log).toContain("Nothing to do: v2.15.2-rc1 is a prerelease");
    expect(requests(world)).toBe(0);
  });
});

describe("images that cannot be mirrored", () => {
  /** Mirrors `app` and one sound image as one version, and expects the version not to appear anywhere. */
  async function mirrorWith(world: World, seed: Parameters<World["source"]["seed"]>[0]) {
    await world.source.seed((target) => {
      pushTo(target, "goharbor/sound", buildImage({ seed: "sound" }), "v2.15.2");
      seed(target);
    });
    return act(world, { ...dispatch("v2.15.2"), inputs: { images: "app\nsound", wait: "0" } });
  }

  it("a schema 1 manifest", async () => {
    await using world = await startSandboxWorld();
    const { exitCode, log } = await mirrorWith(world, (target) => {
      pushTo(target, "goharbor/app", buildSchema1({ seed: "old", name: "app", tag: "v2.15.2" }), "v2.15.2");
    });
    expect(exitCode).toBe(1);
    expect(log).toMatch(/app.*(schema 1|is at no source)/);
    expect(await world.far.state()).toEqual({});
    expect(await world.near.state()).toEqual({});
  });

  it("a manifest over 8 MiB", async () => {
    await using world = await startSandboxWorld();
    const { exitCode, log } = await mirrorWith(world, (target) => {
      const annotations = { padding: "x".repeat(9 * 1024 * 1024) };
      pushTo(target, "goharbor/app", buildImage({ seed: "huge", format: "oci", annotations }), "v2.15.2");
    });
    expect(exitCode).toBe(1);
    expect(log).toContain("larger than 8388608 bytes");
    for (const place of [world.near, world.far]) {
      expect(Object.values(await place.state()).flatMap((tags) => Object.keys(tags))).toEqual([]);
    }
  });

  it("foreign layers are left where they are, and the manifest is copied", async () => {
    await using world = await startSandboxWorld();
    const image = buildImage({ seed: "windows", layers: [{ size: 4000, foreign: true }, { size: 2000 }] });
    const { exitCode } = await mirrorWith(world, (target) =>
      pushTo(target, "goharbor/app", image, "v2.15.2"),
    );
    expect(exitCode).toBe(0);
    expect((await world.far.state())["goharbor/app"]).toEqual({ "v2.15.2": image.digest });
    expect(await world.far.problems("goharbor/app", "v2.15.2")).toEqual([]);
  });
});

describe("GitHub in trouble", () => {
  const reset = String(Math.floor(Date.now() / 1000) + 600);
  it.each<[what: string, effect: Parameters<SandboxWorld["github"]["fault"]>[0]["effect"], message: RegExp]>([
    [
      "403 with rate-limit headers",
      {
        status: 403,
        headers: {
          "x-ratelimit-remaining": "0",
          "x-ratelimit-reset": reset,
          "content-type": "application/json",
        },
        body: JSON.stringify({ message: "API rate limit exceeded" }),
      },
      /GitHub .*rate limit/i,
    ],
    [
      "404",
      { status: 404, headers: { "content-type": "application/json" }, body: '{"message":"Not Found"}' },
      /GitHub .*status 404/,
    ],
    [
      "HTML",
      { status: 200, headers: { "content-type": "text/html" }, body: "<html>Sign in</html>" },
      /GitHub .*not JSON/,
    ],
    ["500 for ever", { status: 500, body: "" }, /GitHub .*status 500/],
  ])("%s: told with side and operation, nothing written", async (_what, effect, message) => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    world.github.fault({ when: { path: /releases/ }, times: Infinity, effect });
    const { exitCode, log } = await act(world);
    expect(exitCode).toBe(1);
    expect(log).toMatch(message);
    expect(writes(world)).toEqual([]);
  });

  it("ends the run, whatever pause a registry still asks for: the test would run out of time", async () => {
    await using world = await startSandboxWorld();
    world.github.fault({ when: { path: /releases/ }, times: Infinity, effect: { status: 404 } });
    const busy = { status: 503, headers: { "retry-after": "250" } };
    world.sandbox.tcr.registry.fault({ when: { path: /^\/v2\/$/ }, times: Infinity, effect: busy });
    expect((await act(world)).exitCode).toBe(1);
    expect(world.sandbox.tcr.registry.requests.map(({ status }) => status)).toEqual([503]);
  });

  it.each<[what: string, status: number, message: RegExp]>([
    ["was withdrawn while the run copied", 404, /the release v2\.15\.2 was withdrawn/],
    [
      "cannot be asked about by then",
      500,
      /GitHub .*looking up the release v2\.15\.2 failed with status 500/,
    ],
  ])("a release that %s: no tag moves anywhere", async (_what, status, message) => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    const effect = { status, headers: { "content-type": "application/json" }, body: '{"message":"no"}' };
    world.github.fault({ when: { path: /releases\/tags\// }, times: Infinity, effect });
    const { exitCode, log, outputs } = await act(world);
    expect(exitCode).toBe(1);
    expect(log).toMatch(message);
    expect(outputs).toMatchObject({ versions: "[]", copied: "0", failed: "24", images: "[]" });
    const { dockerHub, tcr } = world.sandbox;
    expect([dockerHub.registry.tagWrites, tcr.registry.tagWrites]).toEqual([[], []]);
  });

  it.each<[what: string, event: (world: SandboxWorld) => ActionEvent]>([
    ["its release", (world) => releaseEvent(world, "v2.15.2")],
    ["the push of its tag", () => ({ name: "push", payload: {}, refName: "v2.15.2", refType: "tag" })],
  ])("a release that was made a prerelease after the event of %s: nothing to do", async (_what, eventOf) => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    const event = eventOf(world);
    world.github.changeRelease("v2.15.2", { prerelease: true });
    const { exitCode, log } = await act(world, { event });
    expect(exitCode).toBe(0);
    expect(log).toContain("Nothing to do: v2.15.2 is a prerelease");
    expect(writes(world)).toEqual([]);
    const asked = await act(world, { event, inputs: { version: "v2.15.2" } });
    expect(asked.exitCode).toBe(1);
    expect(asked.log).toContain("no published release v2.15.2");
  });

  it("a release that is made a prerelease while the run copies: no tag moves, nothing is pruned, and nothing failed", async () => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    await world.far.seed((target) => {
      for (const tag of ["v2.15.1", "v2.15.0", "v2.14.4"]) version(tag)(target);
    });
    const before = await world.far.state();
    const body = JSON.stringify({ ...world.github.release("v2.15.2"), prerelease: true });
    const effect = { status: 200, headers: { "content-type": "application/json" }, body };
    world.github.fault({ when: { path: /releases\/tags\// }, times: Infinity, effect });
    const { exitCode, log, outputs } = await act(world);
    expect(exitCode).toBe(0);
    expect(log).toContain('v2.15.2 is a prerelease, and the input "prereleases" is false');
    expect(outputs).toMatchObject({
      versions: "[]",
      copied: "0",
      skipped: "24",
      pruned: "0",
      failed: "0",
      images: "[]",
    });
    // An empty repository: its layers are there.
    expect(await world.far.state()).toEqual({ ...before, "goharbor/valkey-photon": {} });
    expect(world.sandbox.dockerHub.registry.tagWrites).toEqual([]);
  });

  it.each([
    ["withdrawn", { draft: true }, "was withdrawn"],
    ["made a prerelease", { prerelease: true }, "is a prerelease"],
  ])(
    "a kept release that is %s meanwhile took another's place: nothing is pruned",
    async (_what, change, words) => {
      await using world = await startSandboxWorld();
      await world.source.seed(version("v2.15.2"));
      await world.far.seed((target) => {
        for (const tag of ["v2.15.1", "v2.15.0", "v2.14.4"]) version(tag)(target);
      });
      const body = JSON.stringify({ ...world.github.release("v2.15.1"), ...change });
      const effect = { status: 200, headers: { "content-type": "application/json" }, body };
      world.github.fault({ when: { path: /releases\/tags\/v2\.15\.1/ }, times: Infinity, effect });
      const { exitCode, log, outputs } = await act(world, { inputs: { destinations: world.far.line } });
      expect(exitCode).toBe(0);
      expect(outputs).toMatchObject({ versions: '["v2.15.2"]', copied: "12", pruned: "0", failed: "0" });
      expect(log).toMatch(
        new RegExp(`nothing is deleted, as what is kept may have changed: .*v2\\.15\\.1 ${words}`),
      );
      expect(tagsOf(await world.far.state(), "harbor-core")).toContain("v2.14.4");
    },
  );

  it("a kept version that loses a tag to another run while this one prunes: a failure that names it", async () => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    await world.far.seed((target) => {
      for (const tag of ["v2.15.1", "v2.15.0", "v2.14.4"]) version(tag)(target);
    });
    // The looks of the plan, of what is kept, and of what may go find it.
    world.sandbox.tcr.registry.fault({
      when: { method: "HEAD", path: /goharbor\/harbor-core\/manifests\/v2\.15\.1$/ },
      skip: 3,
      times: Infinity,
      effect: { status: 404, body: "" },
    });
    const { exitCode, log, outputs } = await act(world, { inputs: { destinations: world.far.line } });
    expect(log).toContain("after the pruning, v2.15.1 is half there: harbor-core:v2.15.1 is missing");
    expect(log).toMatch(/::error::v2\.15\.1 at .* failed: after the pruning/);
    expect(outputs).toMatchObject({ copied: "12", pruned: "12", failed: "1" });
    expect(exitCode).toBe(1);
  });

  it("a release that no tag can name is passed over, and said once", async () => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    world.github.addRelease({ tag: "v1.0.0+x", prerelease: false, publishedAt: Date.UTC(2020, 0, 1) });
    const images = "harbor-core\nharbor-db";
    const { exitCode, log, outputs } = await act(world, { inputs: { images } });
    expect(exitCode).toBe(0);
    expect(log.match(/v1\.0\.0\+x/g)).toHaveLength(1);
    expect(outputs).toMatchObject({ copied: "4", failed: "0" });
  });

  it("uses the built-in list of components when the release's source cannot be read", async () => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    world.github.fault({ when: { path: /contents/ }, times: Infinity, effect: { status: 404, body: "{}" } });
    const { exitCode, outputs, log } = await act(world);
    expect(exitCode).toBe(0);
    expect(log).toMatch(/::warning.*built-in list/);
    expect(outputs).toMatchObject({ copied: "24" });
  });
});
