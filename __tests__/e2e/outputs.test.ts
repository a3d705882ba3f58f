/** What later steps and jobs are handed, however the built Action ends. */
import { describe, expect, it } from "vitest";
import { releaseEvent } from "../../sandbox/action.ts";
import { runWorkflow } from "../../sandbox/workflow.ts";
import { textOf } from "../support/documents.ts";
import { type ExampleWorld, optionsIn, seedShop, shopOptions, startExampleWorld } from "./examples.ts";
import { act, type RunOptions, startSandboxWorld, version } from "./world.ts";

const nothing = { versions: "[]", copied: "0", skipped: "0", pruned: "0", failed: "0", images: "[]" };

type SandboxWorld = Awaited<ReturnType<typeof startSandboxWorld>>;

/** Kills the process the moment it asks for releases, before it knows any. */
function killedWith(signal: NodeJS.Signals): (world: SandboxWorld) => RunOptions {
  return ({ github }) => ({
    onStart: (child) => {
      github.fault({ when: {}, effect: { run: () => void child.kill(signal) } });
      github.fault({ when: {}, effect: { hang: true } });
    },
  });
}

describe("a run that ends before its report", () => {
  it.each<[ending: string, exitCode: number | undefined, options: (world: SandboxWorld) => RunOptions]>([
    ["the event's prerelease is passed over", 0, () => ({ tag: "v2.15.2-rc1" })],
    ["the inputs have a mistake", 1, () => ({ inputs: { keep: "many" } })],
    ["a proxy cannot be used", 1, () => ({ env: { HTTP_PROXY: "http://[" } })],
    ["the event names no version", 1, () => ({ event: { name: "push", payload: {} } })],
    [
      "there is no such version",
      1,
      () => ({ event: { name: "workflow_dispatch", payload: { inputs: { version: "v9.9.9" } } } }),
    ],
    ["it is cancelled", 1, killedWith("SIGTERM")],
    ["it is killed", undefined, killedWith("SIGKILL")],
  ])("leaves lists and numbers: %s", async (_ending, exitCode, options) => {
    await using world = await startSandboxWorld();
    const result = await act(world, options(world));
    expect([result.exitCode, result.outputs]).toEqual([exitCode, nothing]);
  });
});

describe("a run that reports", () => {
  it.each<[ending: string, options: RunOptions, outputs: object]>([
    ["a dry run", { inputs: { "dry-run": "true" } }, { checksums: "" }],
    [
      "nothing that it needs is at a source",
      { tag: "v2.15.1", inputs: { wait: "0" } },
      { failed: "24", checksums: "" },
    ],
    ["a check", { inputs: { check: "true" } }, {}],
  ])("sets them all: %s", async (_ending, options, outputs) => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    const result = await act(world, options);
    const { report, ...others } = result.outputs;
    expect(others).toEqual({ ...nothing, ...outputs });
    expect(report).toMatch(/\.json$/);
  });
});

describe("the output checksums", () => {
  const linesOf = async (places: readonly { name: string; state(): Promise<object> }[]) => {
    const lines = places.map(async ({ name, state }) =>
      Object.entries(await state()).flatMap(([repository, tags]) =>
        Object.values(tags as Record<string, string>).map(
          (digest) => `${digest.slice("sha256:".length)}  ${name.replace(/\/.*/, "")}/${repository}`,
        ),
      ),
    );
    return (await Promise.all(lines)).flat().sort();
  };
  const subjectsOf = (checksums: readonly string[]) => checksums.join("").trim().split("\n").sort();

  it("names what this run has brought, and the next one what it has found in place", async () => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    const first = await act(world);
    const expected = await linesOf([world.near, world.far]);
    expect(expected).toHaveLength(24);
    expect(subjectsOf(first.checksums)).toEqual(expected);
    const again = await act(world);
    expect(again.outputs).toMatchObject({ copied: "0", skipped: "24" });
    expect(subjectsOf(again.checksums)).toEqual(expected);
    const dry = await act(world, { inputs: { "dry-run": "true" } });
    expect(dry.outputs).toMatchObject({ skipped: "24", checksums: "" });
  });

  it("names nothing of a destination that failed, nor what could not be compared", async () => {
    await using world = await startSandboxWorld();
    await world.source.seed(version("v2.15.2"));
    world.sandbox.tcr.registry.fault({ when: { method: "POST" }, times: Infinity, effect: { status: 403 } });
    const half = await act(world);
    expect(half.exitCode).toBe(1);
    expect(subjectsOf(half.checksums)).toEqual(await linesOf([world.near]));
    await world.source.stop();
    const inputs = { destinations: world.near.line, wait: "0" };
    const uncompared = await act(world, { inputs });
    expect(uncompared.outputs).toMatchObject({ skipped: "12", failed: "0", checksums: "" });
  });
});

/** What becomes of the second job of the recipe, which takes the images of the first one for its matrix. */
describe("the recipe of another project", () => {
  const recipe = textOf("docs/workflows/own-images.yml");
  const ofPrerelease = { tag: "v1.5.0-rc.1", prerelease: true, publishedAt: Date.UTC(2026, 3, 1) };
  const options = {
    ...shopOptions,
    github: { ...shopOptions.github, releases: [...(shopOptions.github?.releases ?? []), ofPrerelease] },
  };

  async function jobsAfter(
    { tag = "v1.4.0", text = recipe, again = false },
    prepare: (world: ExampleWorld) => unknown = () => undefined,
  ): Promise<readonly (readonly [id: string, end: string])[]> {
    await using world = await startExampleWorld("goharbor", options);
    seedShop(world.sandbox);
    prepare(world);
    const given = optionsIn(world, releaseEvent(world.sandbox, tag));
    if (again) await runWorkflow(text, given);
    const jobs = await runWorkflow(text, given);
    return jobs.map(({ id, failed, skipped }) => [id, failed ? "failed" : skipped ? "skipped" : "done"]);
  }

  const none = ["check", "skipped"] as const;
  const four = Array.from({ length: 4 }, () => ["check", "done"] as const);

  it("goes on with what is in place, copied now or before", { timeout: 60_000 }, async () => {
    expect(await jobsAfter({})).toEqual([["mirror", "done"], ...four]);
    expect(await jobsAfter({ again: true })).toEqual([["mirror", "done"], ...four]);
  });

  it("leaves the second job out after a prerelease and a dry run", { timeout: 60_000 }, async () => {
    const dry = recipe.replace("          images: |\n", '          dry-run: "true"\n          images: |\n');
    expect(dry).not.toBe(recipe);
    expect(await jobsAfter({ tag: "v1.5.0-rc.1" })).toEqual([["mirror", "done"], none]);
    expect(await jobsAfter({ text: dry })).toEqual([["mirror", "done"], none]);
  });

  it("leaves the second job out where the first one failed", { timeout: 60_000 }, async () => {
    const breakRegistry = ({ registry }: ExampleWorld) =>
      registry.fault({ when: { method: ["POST"] }, times: Infinity, effect: { status: 403 } });
    expect(await jobsAfter({}, breakRegistry)).toEqual([["mirror", "failed"], none]);
  });
});
