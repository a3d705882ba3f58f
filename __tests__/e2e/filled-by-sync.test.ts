/** Destinations that another mechanism fills: the built Action waits for them, and writes nothing there. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { componentsOf } from "../../sandbox/harbor.ts";
import { fullAccess, type RegistryServer, startRegistry, type User } from "../../sandbox/registry.ts";
import type { SandboxServer } from "../../sandbox/server.ts";
import { copyJob, matrixOf, planJob, publishJob } from "./jobs.ts";
import { act, startSandboxWorld, tagsOf, version } from "./world.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const wanted = "v2.15.2";
const images = 12;

/** What changes something, where it was asked for. */
function writes({ requests }: Pick<SandboxServer, "requests">): readonly string[] {
  return requests.filter(({ method }) => !["GET", "HEAD"].includes(method)).map(({ path }) => path);
}

/** Docker Hub gets the images; a TCR instance is filled from it, by a rule of which this run knows nothing. */
async function startWorld() {
  const world = await startSandboxWorld();
  open.push(world);
  await world.source.seed(version(wanted));
  const { tcr } = world.sandbox;
  const filled = `${world.far.line},filled-by=sync`;
  const inputs = { destinations: `${world.near.line}\n${filled}` };
  return { world, tcr, filled, inputs };
}

/** Fills a registry when so many of its wanted tags have been looked at: the first dozen looks are those of the plan. */
function fillAfter(registry: RegistryServer, looks: number, fill: () => unknown): void {
  const effect = { run: () => void fill() };
  registry.fault({ when: { method: "HEAD", path: /manifests\/v2\.15\.2$/ }, skip: looks, effect });
}

describe("a destination with filled-by=sync", () => {
  it("is waited for until another mechanism has filled it, and reported like any other; nothing is written there", async () => {
    const { world, tcr, inputs } = await startWorld();
    const namespaces = new Map(tcr.namespaces);
    fillAfter(tcr.registry, images + 5, () => world.far.seed(version(wanted)));
    const result = await act(world, { inputs });
    expect(result.log).not.toContain("::error");
    expect(result.exitCode).toBe(0);
    expect(result.outputs).toMatchObject({
      versions: JSON.stringify([wanted]),
      copied: "24",
      failed: "0",
      pruned: "0",
    });
    const inPlace = JSON.parse(result.outputs.images ?? "[]") as { destination: string; digest: string }[];
    expect(inPlace.filter(({ destination }) => destination === world.far.name)).toHaveLength(images);
    expect(result.checksums.join("")).toContain(`${world.far.name}/harbor-core`);
    expect(writes(tcr.registry)).toEqual([]);
    expect(new Map(tcr.namespaces)).toEqual(namespaces);
    const actions = tcr.api.requests.map(({ headers }) => headers["x-tc-action"]);
    expect(actions.filter((action) => !/^Describe|^CreateInstanceToken$/.test(String(action)))).toEqual([]);
    const scopes = tcr.registry.tokenServer?.requests.map(({ path }) => decodeURIComponent(path)).join("\n");
    expect(scopes).toContain("pull");
    expect(scopes).not.toContain("push");
    expect(result.log).toMatch(/Waiting for \d+ images at .*, 1 min at most: /);
    expect(result.log).toContain(`${wanted} has come to ${world.far.name}: 12 images`);
    expect(result.summary).toContain("12 arrived");
    const steps = (result.report as { steps: { action: string; outcome: string }[] }).steps;
    expect(steps.filter(({ action }) => action === "await").map(({ outcome }) => outcome)).toEqual(
      Array(images).fill("arrived"),
    );
    const again = await act(world, { inputs });
    expect(again.outputs).toMatchObject({ copied: "0", skipped: "24", failed: "0" });
    expect(writes(tcr.registry)).toEqual([]);
  });

  it("fails where it was not filled in time, says what to look at, and keeps the other destination's work", async () => {
    const { world, tcr, inputs } = await startWorld();
    const others = componentsOf(wanted).filter((image) => image !== "harbor-core");
    fillAfter(tcr.registry, images, () => world.far.seed(version(wanted, { images: others })));
    const result = await act(world, { inputs: { ...inputs, wait: "3s" } });
    expect(result.exitCode).toBe(1);
    expect(result.outputs).toMatchObject({ versions: "[]", copied: "12", failed: "12" });
    expect(result.log).toMatch(
      /harbor-core:v2\.15\.2 at .* failed: destination .*: waiting for what fills this destination to bring the tag v2\.15\.2 failed: it has not come after .* Look at the rule/,
    );
    expect(result.log).toContain("held back: harbor-core:v2.15.2 of this version has not come");
    const inPlace = JSON.parse(result.outputs.images ?? "[]") as { destination: string }[];
    expect(new Set(inPlace.map(({ destination }) => destination))).toEqual(new Set([world.near.name]));
    expect(tagsOf(await world.near.state(), "harbor-core")).toEqual([wanted]);
    expect(writes(tcr.registry)).toEqual([]);
  });

  it("is not waited for where the copies fail that it would be filled with", async () => {
    const { world, tcr, inputs } = await startWorld();
    const hub = world.sandbox.dockerHub.registry;
    hub.fault({ when: { method: "POST" }, times: Number.POSITIVE_INFINITY, effect: { status: 403 } });
    const result = await act(world, { inputs });
    expect(result.exitCode).toBe(1);
    expect(result.log).toContain("it is at no destination that this one could be filled from");
    expect(result.log).not.toContain("Waiting for");
    expect(writes(tcr.registry)).toEqual([]);
  });

  it("is in the plan of a dry run as what would be awaited, and is not waited for", async () => {
    const { world, inputs } = await startWorld();
    const result = await act(world, { inputs: { ...inputs, "dry-run": "true" } });
    expect(result.exitCode).toBe(0);
    expect(result.log).toMatch(/await +harbor-core:v2\.15\.2|await +12 images/);
    expect(result.log).toContain("In all: 12 images to copy, 12 to await, 0 to skip, 0 to prune");
    expect(result.log).not.toContain("Waiting for");
    expect(result.summary).toContain("12 to await");
  });

  it("needs no right to push: a check only signs in there", async () => {
    const { world, tcr, inputs } = await startWorld();
    const result = await act(world, { inputs: { ...inputs, check: "true" } });
    expect(result.exitCode).toBe(0);
    expect(writes(tcr.registry)).toEqual([]);
    const rows = (result.report as { checks: { place: string; subject: string }[] }).checks;
    expect(rows.filter(({ place }) => place === world.far.name).map(({ subject }) => subject)).toEqual([
      "sign in",
    ]);
  });

  it("with a login that may only pull, at a plain registry, and alone", async () => {
    const { world } = await startWorld();
    const reader: User = {
      ...fullAccess("reader", "sandbox-password-of-a-reader"),
      access: (_repository, action) => action === "pull",
      refusesExcess: true,
    };
    const registry = await startRegistry({ authentication: { kind: "bearer", users: [reader] } });
    open.push(registry);
    const folder = await mkdtemp(join(tmpdir(), "reader-"));
    const auth = Buffer.from(`${reader.username}:${reader.password}`).toString("base64");
    await writeFile(join(folder, "config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    fillAfter(registry, images, () => version(wanted)(registry));
    const result = await act(world, {
      inputs: { destinations: `${registry.host}/goharbor,filled-by=sync` },
      env: { DOCKER_CONFIG: folder },
    });
    await rm(folder, { recursive: true });
    expect(result.log).not.toContain("::error");
    expect(result.outputs).toMatchObject({ copied: "12", failed: "0" });
    expect(writes(registry)).toEqual([]);
  });

  it("is waited for by the last of several jobs; no job copies to it", async () => {
    const { world, tcr, inputs } = await startWorld();
    const plan = await planJob(world, { inputs });
    expect(matrixOf(plan).map(({ to }) => to)).toEqual(["destination 1 (Docker Hub)"]);
    for (const job of matrixOf(plan)) expect((await copyJob(world, plan, job, { inputs })).exitCode).toBe(0);
    // The plan looked at it, and the publish job looks once more before it begins.
    fillAfter(tcr.registry, images + 3, () => world.far.seed(version(wanted)));
    const last = await publishJob(world, plan, { inputs });
    expect(last.log).not.toContain("::error");
    expect(last.outputs).toMatchObject({ versions: JSON.stringify([wanted]), copied: "24", failed: "0" });
    expect(writes(tcr.registry)).toEqual([]);
    expect(matrixOf(await planJob(world, { inputs }))).toEqual([]);
  });

  it("is waited for by the last job also where no job had anything to copy", async () => {
    const { world, tcr, inputs } = await startWorld();
    await world.near.seed(version(wanted));
    const plan = await planJob(world, { inputs });
    expect(matrixOf(plan)).toEqual([]);
    fillAfter(tcr.registry, images + 3, () => world.far.seed(version(wanted)));
    const last = await publishJob(world, plan, { inputs });
    expect(last.outputs).toMatchObject({ copied: "12", skipped: "12", failed: "0" });
  });
});
