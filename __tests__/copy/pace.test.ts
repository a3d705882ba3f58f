import { describe, expect, test, vi } from "vitest";
import { type Artifact, buildImage } from "../../sandbox/images.ts";
import type { RegistryServer } from "../../sandbox/registry.ts";
import { blobBytesInto, blobBytesOutOf, requestsTo, startWorld, type World } from "./harness.ts";

const blobUpload = { method: ["PUT", "PATCH"], path: /\/blobs\/uploads\// };

/** Images with large and small layers, one of them shared by all. */
const artifacts: ReadonlyMap<string, Artifact> = new Map(
  ["core", "portal", "jobservice", "registry"].map((name) => [
    name,
    buildImage({
      seed: name,
      layers: [{ size: 600_000, seed: "base" }, { size: 700_000 }, { size: 300_000 }, { size: 40_000 }],
    }),
  ]),
);

/** Bytes of their distinct blobs. */
const uniqueBytes = [
  ...new Map(
    [...artifacts.values()].flatMap(({ config, layers }) =>
      [...layers, ...(config === undefined ? [] : [config])].map(
        ({ digest, size }) => [digest, size] as const,
      ),
    ),
  ).values(),
].reduce((sum, size) => sum + size, 0);

function release(world: World) {
  return [...artifacts].flatMap(([name, artifact]) => world.stepsFor(world.place(name, artifact)));
}

function two(world: World): readonly [RegistryServer, RegistryServer] {
  const [one, other] = world.destinations;
  if (one === undefined || other === undefined) throw new Error("two destinations expected");
  return [one, other];
}

function complete(server: RegistryServer): boolean {
  return [...artifacts.keys()].every((name) => server.completeness(`mirror/${name}`, "v1.0.0").length === 0);
}

describe("the pace of a destination (P4)", () => {
  test("is its own: one that takes nothing yet does not hold back one that does", async () => {
    await using world = await startWorld({});
    const [fast, slow] = two(world);
    const opened = Promise.withResolvers<void>();
    slow.fault({ when: blobUpload, times: Infinity, effect: { run: () => opened.promise } });
    const running = world.run(release(world));
    // Each tag is looked at before it is set, and read back: then the fast one is done.
    const looks = () => requestsTo(fast, "HEAD", /\/manifests\/v1\.0\.0$/);
    await vi.waitFor(() => expect(looks()).toBe(2 * artifacts.size), { timeout: 30_000 });
    expect(fast.tagWrites).toHaveLength(artifacts.size);
    expect(complete(fast)).toBe(true);
    expect(blobBytesInto(fast)).toBe(uniqueBytes);
    expect(blobBytesOutOf(world.source)).toBe(uniqueBytes);
    expect(blobBytesInto(slow)).toBe(0);
    expect(slow.tagWrites).toEqual([]);
    const requests = fast.requests.length;
    opened.resolve();
    const { outcomes, bytesRead } = await running;
    expect(outcomes.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(complete(slow)).toBe(true);
    // What came after was between the source's spool and the slow one.
    expect(fast.requests).toHaveLength(requests);
    expect([bytesRead, blobBytesInto(slow)]).toEqual([uniqueBytes, uniqueBytes]);
  });

  test("is its own while the slow one takes a little all the time", async () => {
    await using world = await startWorld({});
    const [fast, slow] = two(world);
    slow.fault({ when: blobUpload, times: Infinity, effect: { requestBytesPerSecond: 400_000 } });
    const running = world.run(release(world));
    await vi.waitFor(() => expect(fast.tagWrites).toHaveLength(artifacts.size), { timeout: 30_000 });
    expect(complete(fast)).toBe(true);
    expect(slow.tagWrites).toEqual([]);
    expect(blobBytesInto(slow)).toBeLessThan(uniqueBytes);
    slow.clearFaults();
    const { outcomes } = await running;
    expect(outcomes.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect([complete(fast), complete(slow)]).toEqual([true, true]);
  });
});

describe("a spool that is smaller than the release", () => {
  test.each([
    ["for a few blobs", 1_000_000],
    ["smaller than the largest blob", 100_000],
  ])(
    "(%s) holds downloads back, and both destinations complete at their paces",
    async (_what, spoolLimit) => {
      await using world = await startWorld({});
      const [fast, slow] = two(world);
      slow.fault({ when: blobUpload, times: Infinity, effect: { requestBytesPerSecond: 2_000_000 } });
      let most = 0;
      let over = false;
      const watching = (async () => {
        while (!over) most = Math.max(most, await world.spooledBytes());
      })();
      const { outcomes, bytesRead } = await world.run(release(world), { spoolLimit });
      over = true;
      await watching;
      expect(outcomes.filter(({ failure }) => failure !== undefined)).toEqual([]);
      expect([complete(fast), complete(slow)]).toEqual([true, true]);
      expect(bytesRead).toBe(uniqueBytes);
      for (const server of [fast, slow]) expect(blobBytesInto(server)).toBe(uniqueBytes);
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(spoolLimit + 700_000);
      expect(await world.leftovers()).toEqual([]);
    },
  );
});
