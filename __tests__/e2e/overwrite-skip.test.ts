import { describe, expect, it } from "vitest";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { copyJob, matrixOf, planJob, publishJob } from "./jobs.ts";
import { act, startSandboxWorld, tagsOf, version } from "./world.ts";

type SandboxWorld = Awaited<ReturnType<typeof startSandboxWorld>>;

const foreign = buildImage({ seed: "foreign" });

/** A new release at the source, and four older ones at TCR, which keeps three. */
async function startWithNews(): Promise<SandboxWorld> {
  const world = await startSandboxWorld();
  await world.source.seed(version("v2.15.2"));
  for (const held of ["v2.15.1", "v2.15.0", "v2.14.4", "v2.14.3"]) await world.far.seed(version(held));
  return world;
}

function pushForeign({ sandbox }: SandboxWorld): void {
  pushTo(sandbox.tcr.registry, "goharbor/harbor-core", foreign, "v2.15.2");
}

/** What the output `images` names at TCR, by `image:tag`. */
function namedAtTcr({ far }: SandboxWorld, images = "[]"): readonly string[] {
  const entries = JSON.parse(images) as { destination: string; image: string; tag: string }[];
  return entries.flatMap(({ destination, image, tag }) =>
    destination === far.name ? [`${image}:${tag}`] : [],
  );
}

const inputs = { overwrite: "skip" };

describe("with overwrite: skip, a tag that holds another digest", () => {
  it("leaves its version alone at that destination, takes no place of keep, and nothing fails", async () => {
    await using world = await startWithNews();
    pushForeign(world);
    const dry = await act(world, { inputs: { ...inputs, "dry-run": "true" } });
    expect(dry.exitCode).toBe(0);
    const { exitCode, outputs, log, summary } = await act(world, { inputs });
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ versions: "[]", copied: "12", skipped: "12", pruned: "12", failed: "0" });
    expect(namedAtTcr(world, outputs.images)).toEqual([]);
    for (const text of [dry.log, log]) {
      expect(text).toMatch(
        /::warning::harbor-core:v2\.15\.2 left alone at .*: the tag holds another digest, and overwrite is skip: sha256:/,
      );
      expect(text.match(/::warning::.*left alone at/g)).toHaveLength(2);
      expect(text).toContain(foreign.digest);
    }
    expect(log).not.toContain("::error");
    expect(summary).toContain("12 of 12 left alone");
    const state = await world.far.state();
    expect(state["goharbor/harbor-core"]).toMatchObject({ "v2.15.2": foreign.digest });
    expect(tagsOf(state, "harbor-core")).toEqual(["v2.14.4", "v2.15.0", "v2.15.1", "v2.15.2"]);
    expect(tagsOf(state, "harbor-db")).toEqual(["v2.14.4", "v2.15.0", "v2.15.1"]);
    expect(tagsOf(await world.near.state(), "harbor-core")).toEqual(["v2.15.2"]);
  });

  it("is left alone where another pushes it while the run copies, and nothing is deleted there", async () => {
    await using world = await startWithNews();
    world.sandbox.tcr.registry.fault({
      when: { method: "PUT", path: /goharbor\/harbor-db\/manifests\// },
      effect: { run: () => pushForeign(world) },
    });
    const { exitCode, outputs, log } = await act(world, { inputs });
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ versions: "[]", copied: "12", skipped: "12", pruned: "0", failed: "0" });
    expect(namedAtTcr(world, outputs.images)).toEqual([]);
    expect(log).toMatch(
      /::warning::harbor-core:v2\.15\.2 left alone at .*: the tag was moved after the plan was made, and overwrite is skip: sha256:/,
    );
    expect(log).toContain("nothing is deleted, as what is kept may have changed: v2.15.2 was not published");
    const state = await world.far.state();
    expect(state["goharbor/harbor-core"]).toMatchObject({ "v2.15.2": foreign.digest });
    expect(tagsOf(state, "harbor-db")).toEqual(["v2.14.3", "v2.14.4", "v2.15.0", "v2.15.1"]);
  });

  it("is left alone where another pushes it between the jobs of a run", async () => {
    await using world = await startWithNews();
    const plan = await planJob(world, { inputs });
    for (const job of matrixOf(plan)) await copyJob(world, plan, job, { inputs });
    pushForeign(world);
    const { exitCode, outputs, log } = await publishJob(world, plan, { inputs });
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ copied: "12", skipped: "12", failed: "0" });
    expect(log).toContain("the tag holds another digest, and overwrite is skip");
    const state = await world.far.state();
    expect(state["goharbor/harbor-core"]).toMatchObject({ "v2.15.2": foreign.digest });
    expect(tagsOf(state, "harbor-db")).not.toContain("v2.15.2");
    expect(tagsOf(state, "harbor-db")).toContain("v2.15.1");
  });

  it("is told by an audit, which fails", async () => {
    await using world = await startWithNews();
    for (const place of [world.near, world.far]) await place.seed(version("v2.15.2"));
    pushForeign(world);
    const audit = { ...inputs, verify: "full", "dry-run": "true" };
    const { exitCode, outputs, log } = await act(world, { inputs: audit });
    expect(exitCode).toBe(1);
    expect(outputs).toMatchObject({ failed: "1" });
    expect(log).toMatch(/::error::harbor-core:v2\.15\.2 .* failed: the tag holds another digest/);
  });
});
