import { afterEach, expect, it } from "vitest";
import { componentsOf } from "../../sandbox/harbor.ts";
import { publicNames, startInternet } from "../../sandbox/internet.ts";
import type { SandboxServer } from "../../sandbox/server.ts";
import { tableRows, textOf } from "../support/documents.ts";
import { act, startSandboxWorld, version } from "./world.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const page = "docs/registries.md";
const images = componentsOf("v2.15.2").length;

/** Requests for an image, with one digit: tokens and APIs of vendors are in it. */
function perImage(servers: ReadonlyMap<string, SandboxServer>, place: string): string {
  const own = [...servers].filter(([name]) => name.startsWith(place));
  const requests = own.reduce((sum, [, server]) => sum + server.requests.length, 0);
  return (requests / images).toFixed(1);
}

/** What a run sends to each place, and in all. */
async function measured(world: Awaited<ReturnType<typeof startSandboxWorld>>): Promise<readonly string[]> {
  world.sandbox.clearRequests();
  const { exitCode } = await act(world);
  expect(exitCode).toBe(0);
  const counts = ["source", "Docker Hub", "TCR"].map((place) => perImage(world.sandbox.servers, place));
  const all = counts.reduce((sum, count) => sum + Number(count), 0).toFixed(1);
  return [...counts, all];
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
  expect(again).toEqual(written("finds all in place"));
  expectNearly(first, written("copies a version"));
  expect(textOf("README.md").replaceAll("\n", " ")).toContain(
    `sends ${again.at(-1)} requests an image to two destinations and their source`,
  );
});

it("a run that prunes sends what the table says", async () => {
  const world = await startWorld("v2.14.4", "v2.15.0", "v2.15.1");
  expectNearly(await measured(world), written("copies a version, and prunes one at TCR"));
});
