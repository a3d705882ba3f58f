import { describe, expect, it } from "vitest";
import type { RegistryOptions } from "../../sandbox/registry.ts";
import type { CopyStep } from "../../src/plan/plan.ts";
import { blobBytesInto, imageWithBase, requestsTo, startWorld } from "./harness.ts";

const namespaces = ["mirror", "second"];
const artifact = imageWithBase("app");
const bytes = [artifact.config, ...artifact.layers].reduce((sum, blob) => sum + (blob?.size ?? 0), 0);
const forEver = Number.POSITIVE_INFINITY;

/** An image, two namespaces of one registry, and the steps that bring it to both. */
async function twoNamespaces(options: RegistryOptions = {}) {
  const world = await startWorld({ destinations: [options] });
  const [server] = world.destinations;
  if (server === undefined) throw new Error("no destination");
  const toFirst = world.stepsFor(world.place("app", artifact));
  const toSecond = toFirst.map((step): CopyStep => ({ ...step, destination: `${server.host}/second` }));
  return { world, server, run: () => world.run([...toFirst, ...toSecond], { namespaces }) };
}

describe("two namespaces of one registry", () => {
  it("get each blob by one upload; the other one mounts it", async () => {
    const { world, server, run } = await twoNamespaces();
    await using _ = world;
    const { outcomes } = await run();
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    expect(blobBytesInto(server)).toBe(bytes);
    expect(outcomes.map((outcome) => outcome.bytes.mounted)).toEqual([0, bytes]);
    for (const path of namespaces) expect(server.completeness(`${path}/app`, "v1.0.0")).toEqual([]);
  });

  it("mount what one of them had before", async () => {
    const { world, server, run } = await twoNamespaces();
    await using _ = world;
    for (const blob of [artifact.config, ...artifact.layers])
      if (blob?.bytes !== undefined) server.putBlob("mirror/app", blob.bytes);
    const { bytesRead } = await run();
    expect(bytesRead).toBe(0);
    expect(blobBytesInto(server)).toBe(0);
    expect(server.completeness("second/app", "v1.0.0")).toEqual([]);
  });

  it("both get it by an upload where the registry does not mount", async () => {
    const { world, server, run } = await twoNamespaces({ mount: "never" });
    await using _ = world;
    const { outcomes, bytesRead } = await run();
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    expect(blobBytesInto(server)).toBe(2 * bytes);
    expect(bytesRead).toBe(bytes);
  });

  it("do not fail each other: the second is sent what the first refuses", async () => {
    const { world, server, run } = await twoNamespaces();
    await using _ = world;
    server.fault({ when: { method: "POST", path: /mirror\/app/ }, times: forEver, effect: { status: 403 } });
    const { outcomes } = await run();
    expect(outcomes.map(({ failure }) => failure === undefined)).toEqual([false, true]);
    expect(server.completeness("second/app", "v1.0.0")).toEqual([]);
    expect(requestsTo(server, "POST", /mount=/)).toBe(0);
  });
});
