import { afterEach, describe, expect, it } from "vitest";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { copyJob, matrixOf, planJob, publishJob } from "./jobs.ts";
import { act, startSandboxWorld, version } from "./world.ts";

/** Many routes in one run: planned together, each by its own inputs. */

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

async function startWorld() {
  const world = await startSandboxWorld();
  const [source, destination] = await Promise.all([startRegistry(), startRegistry()]);
  open.push(world, source, destination);
  const run = (
    routes: string,
    inputs: Readonly<Record<string, string>> = {},
    event = "push",
    env: Readonly<Record<string, string>> = {},
  ) =>
    act(world, {
      env,
      event: { name: event, payload: {} },
      inputs: { ...inputsOf(source, routes), destinations: `${destination.host}/mirror`, ...inputs },
    });
  return { world, source, destination, run };
}

/** What the step says for all routes, but for the destinations. */
function inputsOf(source: RegistryServer, routes: string): Readonly<Record<string, string>> {
  return {
    routes,
    repository: "",
    "versions-from": "tags",
    source: `${source.host}/team`,
    images: "",
    version: "",
    wait: "0m",
    "dockerhub-username": "",
    "dockerhub-token": "",
    "tcr-secret-id": "",
    "tcr-secret-key": "",
  };
}

function push(
  registry: RegistryServer,
  repository: string,
  tags: readonly string[],
  seed = repository,
): void {
  for (const tag of tags) pushTo(registry, repository, buildImage({ seed: `${seed}:${tag}` }), tag);
}

const at = (registry: RegistryServer, repository: string) => [...registry.tags(repository).keys()].sort();

interface Report {
  readonly steps: readonly {
    readonly route?: string;
    readonly destination: string;
    readonly outcome: string;
  }[];
}

describe("routes", () => {
  it("mirror releases, listed images and patterns in one run, each by its own inputs", async () => {
    const { world, source, destination, run } = await startWorld();
    await world.source.seed(version("v2.15.2"));
    push(source, "team/app", ["v1.0.0", "v1.1.0", "v1.2.0"]);
    push(source, "base/nginx", ["1.27.0", "1.28.0", "edge"]);
    push(source, "base/redis", ["7.0.0"]);
    const { exitCode, report, log } = await run(`
- name: harbor
  versions-from: releases
  repository: goharbor/harbor
  source: ${world.source.name}
  images: auto
  version: v2.15.2
  destinations: ${destination.host}/goharbor
- name: app
  images: app
  version: newest:2
- name: base images
  source: ${source.host}/base
  images: "*"
  version:
    - glob:1.*
    - glob:7.*
  destinations:
    - ${destination.host}/base
`);
    expect(log).not.toContain("::error");
    expect(exitCode).toBe(0);
    expect(at(destination, "mirror/app")).toEqual(["v1.1.0", "v1.2.0"]);
    expect(at(destination, "base/nginx")).toEqual(["1.27.0", "1.28.0"]);
    expect(at(destination, "base/redis")).toEqual(["7.0.0"]);
    expect(at(destination, "goharbor/harbor-core")).toEqual(["v2.15.2"]);
    const { steps } = report as Report;
    expect(new Set(steps.map(({ route }) => route))).toEqual(
      new Set(["harbor", "app", "base images › nginx", "base images › redis"]),
    );
    const again = await run(`[{name: app, images: app, version: "newest:2"}]`);
    expect(again.outputs).toMatchObject({ copied: "0", skipped: "2" });
  });

  it("read a layer once that two of them need", async () => {
    const { source, destination, run } = await startWorld();
    for (const repository of ["team/one", "team/two"]) push(source, repository, ["v1.0.0"], "same");
    const { exitCode } = await run(`
- {images: one, destinations: "${destination.host}/a"}
- {images: two, destinations: "${destination.host}/b"}
`);
    expect(exitCode).toBe(0);
    const reads = source.requests.filter(({ method, path }) => method === "GET" && path.includes("/blobs/"));
    expect(new Set(reads.map(({ path }) => path.split("/").at(-1))).size).toBe(reads.length);
    expect([at(destination, "a/one"), at(destination, "b/two")]).toEqual([["v1.0.0"], ["v1.0.0"]]);
  });

  it("that reach one repository are pruned by neither, also where one of them has nothing to do", async () => {
    const { source, destination, run } = await startWorld();
    push(source, "team/app", ["v1.0.0", "v1.1.0", "v2.0.0"]);
    push(destination, "mirror/app", ["v1.0.0", "v1.1.0"], "team/app");
    const keeping = `${destination.host}/mirror,keep=1`;
    const newest = `- {name: newest, images: app, version: "newest:1", destinations: "${keeping}"}`;
    const both = await run(`
${newest}
- {name: old line, images: app, version: "1.x", destinations: "${destination.host}/mirror"}
`);
    expect(both.exitCode).toBe(0);
    expect(both.outputs.pruned).toBe("0");
    expect(at(destination, "mirror/app")).toEqual(["v1.0.0", "v1.1.0", "v2.0.0"]);
    const idle = await run(
      `
${newest}
- {name: other, versions-from: releases, repository: acme/other, images: app, destinations: "${destination.host}/mirror"}
`,
      {},
      "schedule",
    );
    expect(idle.outputs.pruned).toBe("0");
    const alone = await run(newest);
    expect(alone.outputs.pruned).toBe("2");
    expect(at(destination, "mirror/app")).toEqual(["v2.0.0"]);
  });

  it("that would set one tag to two digests both fail, by name, before anything is written for them", async () => {
    const { source, destination, run } = await startWorld();
    push(source, "team/app", ["v1.0.0"]);
    push(source, "team/more", ["v1.0.0"]);
    push(source, "other/app", ["v1.0.0"]);
    push(source, "team/fine", ["v1.0.0"]);
    const { exitCode, log } = await run(`
- {name: one, images: [app, more]}
- {name: two, source: "${source.host}/other", images: app}
- {name: three, images: fine}
`);
    expect(exitCode).toBe(1);
    expect(log).toContain(`one, two would each set ${destination.host}/mirror/app:v1.0.0 to another digest`);
    expect(destination.state()).toEqual({ "mirror/fine": { "v1.0.0": expect.any(String) } });
  });

  it("that bring one image with signatures of their own lose none", async () => {
    const { source, destination, run } = await startWorld();
    push(source, "team/app", ["v1.0.0"]);
    push(source, "other/app", ["v1.0.0"], "team/app");
    const signature = `${source.tags("team/app").get("v1.0.0")?.replace(":", "-")}.sig`;
    push(source, "team/app", [signature], "one");
    push(source, "other/app", [signature], "two");
    const routes = `
- {name: one, images: app, version: v1.0.0}
- {name: two, source: "${source.host}/other", images: app, version: v1.0.0}
`;
    const { exitCode, log } = await run(routes);
    expect(log).not.toContain("another has moved it");
    expect(exitCode).toBe(0);
    const again = await run(routes);
    expect(again.outputs).toMatchObject({ copied: "0", skipped: "2", failed: "0" });
    expect(at(destination, "mirror/app")).toEqual([signature, "v1.0.0"]);
  });

  it("do not take for another copy what one of them deletes", async () => {
    const { source, destination, run } = await startWorld();
    const [near, far] = [`${source.host}/team`, `${destination.host}/mirror`];
    push(source, "team/app", ["v1.0.0", "v2.0.0"]);
    push(destination, "mirror/app", ["v1.0.0", "v2.0.0"], "team/app");
    const { log } = await run(`
- {name: there, images: app, version: "newest:1", destinations: "${far},keep=1"}
- {name: back, images: app, version: "newest:1", source: "${far}", destinations: "${near},keep=1"}
`);
    expect(log).toContain("it is at no source any more, so what is here may be the last copy");
    expect([...at(source, "team/app"), ...at(destination, "mirror/app")]).toContain("v1.0.0");
  });

  it("with one destination in another prune and overwrite nothing where both are one repository", async () => {
    const { source, destination, run } = await startWorld();
    push(source, "team/a/b", ["v1.0.0", "v2.0.0"]);
    push(source, "team/b", ["v2.0.0"]);
    const lines = `["${destination.host}/mirror,keep=1", "${destination.host}/mirror/a,keep=1"]`;
    const clash = await run(`[{images: ["a/b", b], version: v2.0.0, destinations: ${lines}}]`);
    expect(clash.exitCode).toBe(1);
    expect(clash.log).toContain(`mirror/a would each set ${destination.host}/mirror/a/b:v2.0.0`);
    expect(at(destination, "mirror/a/b")).toEqual([]);
    push(destination, "mirror/a/b", ["v1.0.0", "v2.0.0"], "team/a/b");
    const rest = await run(`[{images: ["a/b", "a/b => b"], version: v2.0.0, destinations: ${lines}}]`);
    expect(rest.log).toContain("another destination may bring images to");
    expect(at(destination, "mirror/a/b")).toEqual(["v1.0.0", "v2.0.0"]);
  });

  it("go on without one that cannot be planned, which fails by name", async () => {
    const { source, destination, run } = await startWorld();
    push(source, "team/app", ["v1.0.0"]);
    push(destination, "mirror/app", ["v0.1.0"]);
    source.fault({ when: { path: /broken\/tags/ }, times: Infinity, effect: { status: 403 } });
    const { exitCode, log, summary } = await run(`
- {name: good, images: app}
- {name: bad, images: broken}
- {name: none, images: app, version: v9.9.9, destinations: "${destination.host}/elsewhere"}
`);
    expect(exitCode).toBe(1);
    expect(at(destination, "mirror/app")).toEqual(["v0.1.0", "v1.0.0"]);
    expect(log).toMatch(new RegExp(`::error::bad at ${destination.host}/mirror failed: .*403`));
    expect(log).toContain("v9.9.9");
    expect(log).not.toMatch(/\*:\*|bad \*/);
    expect(summary).not.toMatch(/&#42;&#58;&#42;|bad &#42;/);
  });

  it("have each its own overwrite and referrers", async () => {
    const { source, destination, run } = await startWorld();
    for (const image of ["kept", "moved"]) {
      push(source, `team/${image}`, ["v1.0.0"]);
      push(destination, `mirror/${image}`, ["v1.0.0"], "foreign");
    }
    const before = destination.tags("mirror/kept").get("v1.0.0");
    const { exitCode } = await run(`
- {images: kept, overwrite: skip}
- {images: moved}
`);
    expect(exitCode).toBe(0);
    expect(destination.tags("mirror/kept").get("v1.0.0")).toBe(before);
    expect(destination.tags("mirror/moved").get("v1.0.0")).toBe(source.tags("team/moved").get("v1.0.0"));
  });

  it("share their work over jobs, each destination apart, and are published and pruned by the last", async () => {
    const { world, source, destination, run } = await startWorld();
    const other = await startRegistry();
    open.push(other);
    push(source, "team/app", ["v1.0.0", "v1.1.0", "v2.0.0"]);
    push(source, "team/web", ["v1.0.0"]);
    push(destination, "mirror/app", ["v1.0.0", "v1.1.0"], "team/app");
    const routes = `
- {name: app, images: app, version: "newest:1", destinations: "${destination.host}/mirror,keep=1"}
- {name: web, images: web, version: "newest:1", destinations: "${other.host}/mirror"}
`;
    const options = (text = routes) => ({
      event: { name: "push", payload: {} },
      inputs: { ...inputsOf(source, text), destinations: "" },
    });
    const plan = await planJob(world, options());
    expect(plan.exitCode, plan.log).toBe(0);
    const jobs = matrixOf(plan);
    expect(jobs).toHaveLength(2);
    for (const job of jobs) expect((await copyJob(world, plan, job, options())).exitCode).toBe(0);
    expect(at(destination, "mirror/app")).toEqual(["v1.0.0", "v1.1.0"]);
    const refused = await publishJob(world, plan, options(routes.replace("name: web", "name: another")));
    expect(refused.log).toContain("it was made from other inputs");
    const published = await publishJob(world, plan, options());
    expect(published.exitCode, published.log).toBe(0);
    expect(at(destination, "mirror/app")).toEqual(["v2.0.0"]);
    expect(at(other, "mirror/web")).toEqual(["v1.0.0"]);
    expect((await run(routes)).outputs).toMatchObject({ copied: "0", skipped: "2" });
  });

  it("that are mistaken write nothing: file, line and key are told", async () => {
    const { destination, source, run } = await startWorld();
    push(source, "team/app", ["v1.0.0"]);
    for (const [routes, message] of [
      ["- {images: app}\n- {images: app, dry-run: true}", "line 2: dry-run means nothing in a route"],
      ["- {images: app, imagez: x}", "imagez"],
      [`- {name: all, images: "*"}\n- {name: all › app, images: app}`, "line 2: name: it holds ›"],
      ["- {images: app, version: newest:x}", "routes, line 1"],
      ["missing/routes.yaml", "there is no file"],
      ["# nothing", "is empty"],
      [
        `- {images: app, destinations: "${destination.host}/a,type=distribution"}\n- {images: app, destinations: "${destination.host}/a,type=registry"}`,
        "has other attributes in one route than in another",
      ],
    ] as const) {
      const { exitCode, log } = await run(routes);
      expect({ routes, exitCode, told: log.includes(message) || log }).toEqual({
        routes,
        exitCode: 1,
        told: true,
      });
    }
    expect((await run("- {images: app}", { destinations: "" })).log).toContain("destinations: is empty");
    expect(destination.state()).toEqual({});
  });

  it("of another tool that choose one tag several times bring it once", async () => {
    const { destination, source, run } = await startWorld();
    push(source, "team/app", ["v1.0.0", "v1.1.0", "latest"]);
    const [from, to] = [`${source.host}/team/app`, `${destination.host}/mirror/app`];
    const routes = `${from}: ${to}\n${from}:v1.0.0: ${to}\n${from}:/^v1/: ${to}\n`;
    const first = await run(routes);
    expect(first.exitCode).toBe(0);
    expect(at(destination, "mirror/app")).toEqual(["latest", "v1.0.0", "v1.1.0"]);
    expect(first.outputs).toMatchObject({ failed: "0", pruned: "0" });
    const again = await run(routes);
    expect(again.exitCode).toBe(0);
    expect(again.outputs).toMatchObject({ copied: "0", failed: "0", pruned: "0" });
  });

  it("of another tool go to the root of a registry, and beside their source", async () => {
    const { destination, source, run } = await startWorld();
    push(source, "team/app", ["v1.0.0"]);
    push(source, "alone", ["v1.0.0"]);
    const routes = `${source.host}/team/app:v1.0.0:
  - ${destination.host}/app
  - ${source.host}/team/copy:stable
${source.host}/alone:v1.0.0: ${destination.host}/deep/er/alone
`;
    const { exitCode } = await run(routes);
    expect(exitCode).toBe(0);
    expect(Object.keys(destination.state()).sort()).toEqual(["app", "deep/er/alone"]);
    expect(at(source, "team/copy")).toEqual(["stable"]);
    expect(source.tags("team/copy").get("stable")).toBe(source.tags("team/app").get("v1.0.0"));
  });

  it("of regsync mirror a registry, but for what it denies", async () => {
    const { destination, source, run } = await startWorld();
    push(source, "team/app", ["v1.0.0", "v1.1.0-rc1", "v2.0.0", "nightly"]);
    push(source, "team/app-dev", ["v1.0.0"]);
    push(source, "other/web", ["v1.0.0"]);
    const { exitCode } = await run(`version: 1
creds:
  - {registry: "${destination.host}", tls: disabled}
sync:
  - source: ${source.host}
    target: ${destination.host}/all
    type: registry
    repos: {allow: ["team/.*"], deny: [".*-dev"]}
    tags: {semverRange: ["<2"], deny: [".*-rc.*"]}
`);
    expect(exitCode).toBe(0);
    expect(Object.keys(destination.state())).toEqual(["all/team/app"]);
    expect(at(destination, "all/team/app")).toEqual(["v1.0.0"]);
  });

  it("of another tool are not printed by the parser, whatever variables the job has", async () => {
    const { destination, source, run } = await startWorld();
    push(source, "team/app", ["v1.0.0"]);
    const routes = `auth:
  registry.example: {username: bob, password: hunter2-the-password}
images:
  ${source.host}/team/app: ${destination.host}/mirror/app
`;
    const { exitCode, log } = await run(routes, {}, "push", { LOG_TOKENS: "1", LOG_STREAM: "1" });
    expect(exitCode).toBe(0);
    expect(at(destination, "mirror/app")).toEqual(["v1.0.0"]);
    expect(log.replace(/^::add-mask::.*$/gm, "")).not.toContain("hunter2");
  });

  it("are checked each, with check: true", async () => {
    const { source, run } = await startWorld();
    push(source, "team/app", ["v1.0.0"]);
    const { exitCode, log } = await run("- {name: one, images: app}\n- {name: two, images: gone}", {
      check: "true",
    });
    expect(exitCode).toBe(1);
    expect(log).toMatch(/one: .*1 versions can be read/);
    expect(log).toContain("two: ");
  });
});
