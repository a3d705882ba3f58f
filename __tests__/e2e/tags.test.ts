import { afterEach, describe, expect, it } from "vitest";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { act, startSandboxWorld } from "./world.ts";

/** Versions that come from the tags at the source: a project without releases, asked of no GitHub. */

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

/** What a repository has: a tag for each, with an image of its own. */
type Tags = Readonly<Record<string, readonly string[]>>;

async function startWorld(tags: Tags) {
  const world = await startSandboxWorld();
  const [source, destination] = await Promise.all([startRegistry(), startRegistry()]);
  open.push(world, source, destination);
  push(source, "team", tags);
  const run = (inputs: Readonly<Record<string, string>>, event = "push") =>
    act(world, {
      event: { name: event, payload: {} },
      inputs: {
        repository: "",
        "versions-from": "tags",
        source: `${source.host}/team`,
        destinations: `${destination.host}/mirror`,
        "dockerhub-username": "",
        "dockerhub-token": "",
        "tcr-secret-id": "",
        "tcr-secret-key": "",
        ...inputs,
      },
    });
  return { world, source, destination, run };
}

function push(registry: RegistryServer, namespace: string, tags: Tags, seed = ""): void {
  for (const [image, own] of Object.entries(tags))
    for (const tag of own)
      pushTo(registry, `${namespace}/${image}`, buildImage({ seed: `${image}:${tag}${seed}` }), tag);
}

const at = (registry: RegistryServer, image: string, namespace = "mirror") =>
  [...registry.tags(`${namespace}/${image}`).keys()].sort();

describe("versions-from: tags", () => {
  it("mirrors the newest versions that every listed image has, and asks no GitHub", async () => {
    const { world, source, destination, run } = await startWorld({
      server: ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0-rc1", "latest", "v1.5.0"],
      worker: ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0-rc1", "latest"],
    });
    const { exitCode, outputs } = await run({ images: "server\nworker" });
    expect(exitCode).toBe(0);
    expect(JSON.parse(outputs.versions ?? "")).toEqual(["v1.3.0", "v1.2.0", "v1.1.0"]);
    for (const image of ["server", "worker"])
      expect(at(destination, image)).toEqual(["v1.1.0", "v1.2.0", "v1.3.0"]);
    expect(world.github.requests).toEqual([]);
    expect(source.requests.filter(({ path }) => path.includes("tags/list"))).toHaveLength(2);
    const again = await run({ images: "server\nworker" });
    expect(again.outputs).toMatchObject({ copied: "0", skipped: "6" });
  });

  it("takes globs, regular expressions and tags that are no versions, a line each; a floating tag that moved is news", async () => {
    const { source, destination, run } = await startWorld({
      nginx: [
        "1.27.1-alpine",
        "1.27.2-alpine",
        "1.28.0-alpine",
        "sha-abc1234",
        "latest",
        "r41",
        "r42",
        "2.0.0",
      ],
    });
    const inputs = { images: "nginx", version: "glob:1.27.*-alpine\n/r4[2-9]/\nlatest\nsha-abc1234" };
    const { exitCode } = await run(inputs);
    expect(exitCode).toBe(0);
    expect(at(destination, "nginx")).toEqual([
      "1.27.1-alpine",
      "1.27.2-alpine",
      "latest",
      "r42",
      "sha-abc1234",
    ]);
    push(source, "team", { nginx: ["latest"] }, "moved");
    const moved = await run(inputs);
    expect(moved.exitCode).toBe(0);
    expect(moved.log).not.toContain("::warning");
    expect(destination.tags("mirror/nginx").get("latest")).toBe(source.tags("team/nginx").get("latest"));
  });

  it("prunes only where the line says keep, and only what the filter takes and the source still has", async () => {
    const tags = ["v0.9.0", "v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"];
    const { source, destination, run } = await startWorld({ app: tags });
    const held = { app: [...tags.slice(0, -1), "v0.1.0", "latest", "v1.0.0-rc1", "r42"] };
    push(destination, "mirror", held);
    expect((await run({ images: "app", version: ">=1" })).outputs).toMatchObject({ pruned: "0" });
    const { exitCode, outputs } = await run({
      images: "app",
      version: ">=1",
      destinations: `${destination.host}/mirror,keep=2`,
    });
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ pruned: "2" });
    expect(at(destination, "app")).toEqual([
      "latest",
      "r42",
      "v0.1.0",
      "v0.9.0",
      "v1.0.0-rc1",
      "v1.2.0",
      "v1.3.0",
    ]);
    expect(at(source, "app", "team")).toEqual(tags);
  });

  it("never deletes what is at no source but the destination itself", async () => {
    const { destination, run } = await startWorld({ app: ["v1.3.0"] });
    push(destination, "mirror", { app: ["v1.0.0", "v1.1.0", "v1.2.0"] });
    const before = at(destination, "app");
    const { exitCode, outputs } = await run({
      images: "app",
      source: `${destination.host}/mirror`,
      version: "newest:1",
      destinations: `${destination.host}/mirror,keep=1`,
    });
    expect({ exitCode, pruned: outputs.pruned }).toMatchObject({ exitCode: 1 });
    expect(at(destination, "app")).toEqual(before);
  });

  it("copies a tag by its name where the list is refused; without a name the versions are unknown", async () => {
    const { source, destination, run } = await startWorld({ app: ["v1.0.0", "sha-abc1234"] });
    source.fault({ when: { path: /tags\/list/ }, times: Infinity, effect: { status: 403 } });
    const named = await run({ images: "app", version: "sha-abc1234" });
    expect(named.exitCode).toBe(0);
    expect(at(destination, "app")).toEqual(["sha-abc1234"]);
    const unknown = await run({ images: "app" });
    expect(unknown.exitCode).toBe(1);
    expect(unknown.log).toContain("listing the tags");
  });

  it("lets a tag that is named and in place stay where no source answers; without a name exit 1", async () => {
    const { source, destination, run } = await startWorld({ server: ["v1.0.0"], worker: ["v1.0.0"] });
    const inputs = { images: "server\nworker", version: "v1.0.0", wait: "0" };
    expect((await run(inputs)).exitCode).toBe(0);
    await source.close();
    const named = await run(inputs);
    expect(named.exitCode).toBe(0);
    expect(named.outputs).toMatchObject({ versions: '["v1.0.0"]', skipped: "2", failed: "0" });
    expect(JSON.parse(named.outputs.images ?? "")).toHaveLength(2);
    expect(named.log.match(/::warning::2 images .*: in place and not compared/g)).toHaveLength(1);
    const { exitCode } = await run({ ...inputs, version: "newest:1" });
    expect(exitCode).toBe(1);
    expect(at(destination, "server")).toEqual(["v1.0.0"]);
  });

  it("names the image that no source has a tag of, not only the versions that there are not", async () => {
    const { run } = await startWorld({ app: ["v1.0.0"] });
    const { exitCode, log } = await run({ images: "app\nwbe" });
    expect(exitCode).toBe(1);
    expect(log).toContain("There is no tag at all of wbe: check how");
  });

  it("chooses among lines that name their tags by ranges and newest, too", async () => {
    const { destination, run } = await startWorld({ app: ["v1.0.0", "v2.0.0"], tool: ["7.1"] });
    const images = "app:v1.0.0\napp:v2.0.0\ntool:7.1";
    expect((await run({ images, version: "1.x" })).exitCode).toBe(0);
    expect(destination.state()).toMatchObject({ "mirror/app": { "v1.0.0": expect.any(String) } });
    expect(at(destination, "app")).toEqual(["v1.0.0"]);
    expect((await run({ images, version: "newest:1\nglob:7.*" })).exitCode).toBe(0);
    expect([at(destination, "app"), at(destination, "tool")]).toEqual([["v1.0.0", "v2.0.0"], ["7.1"]]);
  });

  it("is checked as it is run: lines with tags, patterns, and neither", async () => {
    const { source, destination, run } = await startWorld({
      "app/web": ["v1.0.0", "v1.1.0"],
      "app/api": ["v1.0.0"],
      "app/odd": ["latest"],
    });
    const inputs = { check: "true" };
    const fixed = await run({ ...inputs, images: "app/web:v1.0.0\napp/api:v1.0.0" });
    expect({ exitCode: fixed.exitCode, log: fixed.log }).toMatchObject({ exitCode: 0 });
    const fitting = await run({ ...inputs, images: "app/*" });
    expect(fitting.exitCode).toBe(0);
    expect(fitting.log).toContain(
      "3 repositories fit; of the first 3, 2 have a version that is wanted, such as app/api:v1.0.0",
    );
    expect(fitting.log).not.toMatch(/missing\.|cannot be told\. No version/);
    const nothing = await run({ ...inputs, images: "typo*" });
    expect(nothing.exitCode).toBe(1);
    expect(nothing.log).toContain("no repository at the sources fits typo*");
    source.fault({ when: { path: /app\/api\/tags\/list/ }, times: Infinity, effect: { status: 403 } });
    const refused = await run({ ...inputs, images: "app/*" });
    expect(refused.exitCode).toBe(1);
    expect(refused.log).toContain("app/api: listing the tags");
    expect(destination.state()).toEqual({});
  });

  it("mirrors each line that names its tag, in any version", async () => {
    const { destination, run } = await startWorld({ app: ["v1.0.0", "v2.0.0"], tool: ["7.1"] });
    const { exitCode, outputs } = await run({ images: "app:v1.0.0\ntool:7.1 => tools/tool:7\napp:v2.0.0" });
    expect(exitCode).toBe(0);
    expect(JSON.parse(outputs.versions ?? "")).toEqual(["v2.0.0", "v1.0.0", "7.1"]);
    expect(at(destination, "app")).toEqual(["v1.0.0", "v2.0.0"]);
    expect(at(destination, "tools/tool")).toEqual(["7"]);
  });

  it("reads a line from the registry that it begins with, and by digest", async () => {
    const { source, destination, run } = await startWorld({ app: ["v1.0.0"] });
    const other = await startRegistry();
    open.push(other);
    push(other, "prometheus", { prometheus: ["v2.53.0"] });
    push(other, "tools", { cli: ["dev"] });
    const digest = other.tags("tools/cli").get("dev") ?? "";
    const { exitCode, outputs } = await run({
      images: [
        `${other.host}/prometheus/prometheus:v2.53.0`,
        `${other.host}/tools/cli@${digest} => cli:v2.53.0`,
        "app:v1.0.0",
      ].join("\n"),
    });
    expect(exitCode).toBe(0);
    expect(JSON.parse(outputs.versions ?? "")).toEqual(["v2.53.0", "v1.0.0"]);
    expect(destination.tags("mirror/prometheus").get("v2.53.0")).toBe(
      other.tags("prometheus/prometheus").get("v2.53.0"),
    );
    expect(destination.tags("mirror/cli").get("v2.53.0")).toBe(digest);
    expect(at(destination, "app")).toEqual(["v1.0.0"]);
    expect(source.requests.filter(({ path }) => path.includes("prometheus"))).toEqual([]);
  });

  it("takes the output images of an earlier step as it is: by digest, whatever the tags are by then", async () => {
    const { source, destination, run } = await startWorld({ server: ["v1.0.0"], worker: ["v1.0.0"] });
    const next = await startRegistry();
    open.push(next);
    const first = await run({ images: "server\nworker", version: "v1.0.0" });
    push(destination, "mirror", { server: ["v1.0.0"] }, "moved");
    const second = await run({ images: first.outputs.images ?? "", destinations: `${next.host}/prod` });
    expect(second.exitCode).toBe(0);
    for (const image of ["server", "worker"])
      expect(next.tags(`prod/${image}`).get("v1.0.0")).toBe(source.tags(`team/${image}`).get("v1.0.0"));
    expect((await run({ images: "[]" })).log).toContain("the step before has put no image in place");
  });
});

describe("patterns in images", () => {
  const tags = (count: number) => Array.from({ length: count }, (_, index) => `v1.${index}.0`);

  it("mirror every repository that fits, each with its own versions; one that fails holds back no other", async () => {
    const { source, destination, run } = await startWorld({
      "app/web": tags(4),
      "app/api": ["v2.0.0", "v2.1.0", "latest"],
      "app/broken": ["v1.0.0"],
      "app/odd": ["latest"],
      other: ["v9.0.0"],
    });
    source.fault({ when: { path: /app\/broken\/tags\/list/ }, times: Infinity, effect: { status: 403 } });
    const { exitCode, outputs, log } = await run({ images: "app/*", keep: "2" });
    expect(exitCode).toBe(1);
    expect(outputs).toMatchObject({ copied: "4", failed: "1" });
    expect(log).toContain("★ app/web v1.3.0 is complete at");
    expect(at(destination, "app/web")).toEqual(["v1.2.0", "v1.3.0"]);
    expect(at(destination, "app/api")).toEqual(["v2.0.0", "v2.1.0"]);
    expect(at(destination, "other")).toEqual([]);
    expect(log).toContain("Without a version that is wanted: app/odd");
    expect(log).toMatch(/app\/broken.*listing the tags/);
  });

  it("prune each repository by itself, and count all of them for prune-limit", async () => {
    const { destination, run } = await startWorld({ a: tags(5), b: tags(3) });
    push(destination, "mirror", { a: tags(4), b: tags(3) });
    const inputs = { images: "*", destinations: `${destination.host}/mirror,keep=2` };
    const limited = await run({ ...inputs, "prune-limit": "2" });
    expect(limited.outputs).toMatchObject({ pruned: "0", copied: "1" });
    const { exitCode, outputs } = await run(inputs);
    expect({ exitCode, pruned: outputs.pruned }).toEqual({ exitCode: 0, pruned: "4" });
    expect(at(destination, "a")).toEqual(["v1.3.0", "v1.4.0"]);
    expect(at(destination, "b")).toEqual(["v1.1.0", "v1.2.0"]);
  });

  it("leave a version alone in the repository whose tag holds another digest, with overwrite: skip", async () => {
    const { destination, run } = await startWorld({ a: ["v1.0.0", "v2.0.0"], b: ["v1.0.0", "v2.0.0"] });
    push(destination, "mirror", { a: ["v2.0.0"] }, "another");
    const before = destination.tags("mirror/a").get("v2.0.0");
    const { exitCode, outputs, log } = await run({ images: "*", overwrite: "skip" });
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "3", skipped: "1", failed: "0" });
    expect(destination.tags("mirror/a").get("v2.0.0")).toBe(before);
    expect([at(destination, "a"), at(destination, "b")]).toEqual(Array(2).fill(["v1.0.0", "v2.0.0"]));
    expect(log.match(/::warning::a:v2\.0\.0 left alone at/g)).toHaveLength(1);
  });

  it("publish a version of each repository alone: one that lacks a blob does not hold back its namesake", async () => {
    const { source, destination, run } = await startWorld({ a: ["v1.0.0"], b: ["v1.0.0"] });
    source.fault({ when: { path: /team\/b\/blobs/ }, times: Infinity, effect: { status: 404 } });
    const { exitCode } = await run({ images: "{a,b}" });
    expect(exitCode).toBe(1);
    expect(at(destination, "a")).toEqual(["v1.0.0"]);
    expect(at(destination, "b")).toEqual([]);
  });

  it("are mistakes for the whole run where one fits nothing, too much at any source, or takes for ever in any repository", async () => {
    const { source, destination, run } = await startWorld({ a: tags(1), b: tags(1), c: ["a".repeat(60)] });
    push(source, "few", { x: tags(1) });
    for (const [inputs, message] of [
      [{ images: "a*\ntypo*" }, "no repository at the sources fits typo*"],
      [
        { images: "**", source: `${source.host}/few\n${source.host}/team`, "repository-limit": "2" },
        "repository-limit",
      ],
      [{ images: "*", version: "/v.*|(a+)+b/" }, "takes more than a second"],
    ] as const) {
      const { exitCode, log } = await run(inputs);
      expect({ inputs, exitCode, told: log.includes(message) }).toEqual({ inputs, exitCode: 1, told: true });
    }
    expect(destination.state()).toEqual({});
  });

  it("may fit what a source has that does not list its repositories now: the rest is mirrored", async () => {
    const { source, destination, run } = await startWorld({ a: tags(1) });
    const other = await startRegistry();
    open.push(other);
    other.fault({ when: { path: /_catalog/ }, times: Infinity, effect: { status: 403 } });
    const { exitCode, log } = await run({
      images: "a*\nb*",
      source: `${source.host}/team\n${other.host}/team`,
    });
    expect(exitCode).toBe(0);
    expect(log).toContain(`::warning::What ${other.host}/team has is not known.`);
    expect(at(destination, "a")).toEqual(["v1.0.0"]);
  });

  it("that fit nothing, too much, or are mixed with images write nothing", async () => {
    const { destination, run } = await startWorld({ a: tags(1), b: tags(1) });
    for (const [images, limit, message] of [
      ["x*", "1000", "no repository at the sources fits x*"],
      ["**", "1", "repository-limit"],
      ["a\nb*", "1000", "they do not go together"],
      ["a*:v1", "1000", "choose tags by version"],
      ["{a", "1000", "has a { without its }"],
    ] as const) {
      const { exitCode, log } = await run({ images, "repository-limit": limit });
      expect({ images, exitCode, told: log.includes(message) }).toEqual({ images, exitCode: 1, told: true });
    }
    expect((await run({ images: "a*", "versions-from": "releases" })).log).toContain(
      "a pattern needs versions-from: tags",
    );
    expect(destination.state()).toEqual({});
  });
});
