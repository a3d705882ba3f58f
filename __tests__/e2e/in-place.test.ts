import { describe, expect, it } from "vitest";
import { componentsOf } from "../../sandbox/harbor.ts";
import { copyJob, matrixOf, planJob, publishJob } from "./jobs.ts";
import { act, startSandboxWorld, version } from "./world.ts";

type SandboxWorld = Awaited<ReturnType<typeof startSandboxWorld>>;

/** The release in place at both destinations, and more versions at TCR than it keeps. Nothing at the source. */
async function startInPlace(): Promise<SandboxWorld> {
  const world = await startSandboxWorld();
  for (const place of [world.near, world.far]) await place.seed(version("v2.15.2"));
  for (const held of ["v2.15.1", "v2.15.0", "v2.14.4"]) await world.far.seed(version(held));
  return world;
}

function states({ near, far }: SandboxWorld) {
  return Promise.all([near.state(), far.state()]);
}

/** What is told of all images at each of the two destinations, once. */
const told =
  /::warning::12 images \(prepare:v2\.15\.2, .*\) at [^ ]+: in place and not compared, as the image is at no source/g;

describe("a release that is in place at every destination", () => {
  it("and whose source is not to be reached: a warning and exit 0 at once, and it is listed", async () => {
    await using world = await startInPlace();
    const before = await states(world);
    await world.source.stop();
    const { exitCode, outputs, log, summary } = await act(world);
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({
      versions: '["v2.15.2"]',
      copied: "0",
      skipped: "24",
      pruned: "0",
      failed: "0",
    });
    const images = JSON.parse(outputs.images ?? "") as { image: string; tag: string; digest: string }[];
    expect(images).toHaveLength(24);
    const [, far] = before;
    for (const { image, tag, digest } of images) expect(far[`goharbor/${image}`]?.[tag]).toBe(digest);
    expect(log.match(told)).toHaveLength(2);
    expect(log).not.toContain("Waiting for");
    expect(log).not.toContain("::error");
    expect(log).toContain("could not be compared with any source, so nothing is deleted");
    expect(summary).toContain("in place, not compared");
    expect(await states(world)).toEqual(before);
  });

  it("and of which one image is gone from the source: the others are compared", async () => {
    await using world = await startInPlace();
    await world.source.seed(version("v2.15.2", { images: componentsOf("v2.15.2").slice(1) }));
    const { exitCode, outputs, log } = await act(world);
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ versions: '["v2.15.2"]', skipped: "24", failed: "0", pruned: "0" });
    expect(log.match(/::warning::prepare:v2\.15\.2 at [^ ]+: in place and not compared/g)).toHaveLength(2);
    expect(log).not.toContain("Waiting for");
  });

  it("is the same in a dry run and in an audit, and in the jobs of a run", async () => {
    await using world = await startInPlace();
    const dry = await act(world, { inputs: { "dry-run": "true" } });
    const audit = await act(world, { inputs: { "dry-run": "true", verify: "full" } });
    const plan = await planJob(world);
    expect(matrixOf(plan)).toEqual([]);
    const last = await publishJob(world, plan);
    for (const { exitCode, outputs, log } of [dry, audit, plan, last]) {
      expect(exitCode).toBe(0);
      expect(outputs).toMatchObject({ skipped: "24", failed: "0" });
      expect(log.match(told)).toHaveLength(2);
    }
  });

  it("and then at one only: that one has it listed, the other fails", async () => {
    await using world = await startInPlace();
    world.sandbox.tcr.registry.deleteTag("goharbor/harbor-core", "v2.15.2");
    const before = await states(world);
    const { exitCode, outputs, log } = await act(world, { inputs: { wait: "0" } });
    expect(exitCode).toBe(1);
    expect(outputs).toMatchObject({ versions: "[]", skipped: "12", failed: "12", pruned: "0" });
    expect(JSON.parse(outputs.images ?? "")).toHaveLength(12);
    expect(log.match(told)).toHaveLength(1);
    expect(await states(world)).toEqual(before);
  });
});

it("a source that is gone between the jobs of a run: what was copied is not published", async () => {
  await using world = await startSandboxWorld();
  await world.source.seed(version("v2.15.2"));
  const plan = await planJob(world);
  for (const job of matrixOf(plan)) await copyJob(world, plan, job);
  await world.source.stop();
  const { exitCode, outputs } = await publishJob(world, plan);
  expect(exitCode).toBe(1);
  expect(outputs).toMatchObject({ images: "[]", failed: "24" });
});
