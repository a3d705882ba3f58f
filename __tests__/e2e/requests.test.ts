import { afterEach, expect, it } from "vitest";
import { componentsOf } from "../../sandbox/harbor.ts";
import { publicNames, startInternet } from "../../sandbox/internet.ts";
import { tableRows, textOf } from "../support/documents.ts";
import { act, type RunOptions, startSandboxWorld, version } from "./world.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const page = "docs/registries.md";
const places = ["source", "Docker Hub", "TCR"];

/**
 * What a run sends to each place, and in all: requests for an image, with one digit. Tokens and APIs of vendors are in it.
 * @param versions that the run mirrors.
 */
async function measured(
  world: Awaited<ReturnType<typeof startSandboxWorld>>,
  versions: readonly string[] = ["v2.15.2"],
  options: RunOptions = {},
): Promise<readonly string[]> {
  world.sandbox.clearRequests();
  const { exitCode } = await act(world, options);
  expect(exitCode).toBe(0);
  const images = versions.flatMap((tag) => componentsOf(tag)).length;
  const counts = places.map((place) =>
    [...world.sandbox.servers]
      .filter(([name]) => name.startsWith(place))
      .reduce((sum, [, server]) => sum + server.requests.length, 0),
  );
  const all = counts.reduce((sum, count) => sum + count, 0);
  return [...counts, all].map((count) => (count / images).toFixed(1));
}

/** A source with all versions, and TCR with some, under the names that they have on the internet. */
async function startWorld(...held: readonly string[]) {
  const sandboxWorld = await startSandboxWorld();
  const { sandbox } = sandboxWorld;
  const internet = await startInternet(publicNames(sandbox));
  open.push(internet, sandboxWorld);
  const world = {
    ...sandboxWorld,
    near: { ...sandboxWorld.near, line: "docker.io/goharbor" },
    far: { ...sandboxWorld.far, line: `${sandbox.tcr.instance.name}.tencentcloudcr.com/goharbor` },
    inputs: { ...sandboxWorld.inputs, source: "ghcr.io/goharbor\ndocker.io/goharbor" },
    env: internet.env,
  };
  for (const tag of [...held, "v2.15.2"]) await world.source.seed(version(tag));
  for (const tag of held) await world.far.seed(version(tag));
  return world;
}

const rows = tableRows(textOf(page), "What a run does");
const written = (run: string): readonly string[] => rows.find(([name]) => name === run)?.slice(1) ?? [];

/** The last digit of a run that copies depends on which of two answers comes first. */
function expectNearly(counts: readonly string[], expected: readonly string[]): void {
  expect(counts).toHaveLength(expected.length);
  for (const [index, count] of counts.entries()) {
    const difference = Math.abs(Number(count) - Number(expected[index]));
    expect(difference, `${counts} is not nearly ${expected}`).toBeLessThan(Number(expected[index]) * 0.05);
  }
}

it("a first run sends what the table says; the next, which finds all in place, to the digit", async () => {
  const world = await startWorld();
  const first = await measured(world);
  const again = await measured(world);
  expect(again).toEqual(written("finds a version in place"));
  expectNearly(first, written("copies a version"));
});

it("a run on a schedule that has nothing to do sends what the table and the README say", async () => {
  const kept = ["v2.15.2", "v2.15.1", "v2.15.0"];
  const world = await startWorld(...kept.slice(1));
  const options = { event: { name: "schedule", payload: {} } };
  expect((await act(world, options)).exitCode).toBe(0);
  const again = await measured(world, kept, options);
  expect(again).toEqual(written("finds three versions in place, on a schedule"));
  expect(textOf("README.md").replaceAll("\n", " ")).toContain(
    `a run on a schedule with nothing to do sends ${again.at(-1)} requests an image to two destinations and their source`,
  );
});

it("a run that prunes sends what the table says", async () => {
  const world = await startWorld("v2.14.4", "v2.15.0", "v2.15.1");
  expectNearly(await measured(world), written("copies a version, and prunes one at TCR"));
});
