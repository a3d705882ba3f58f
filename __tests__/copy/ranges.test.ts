import { describe, expect, test, vi } from "vitest";
import { buildImage, randomBytes } from "../../sandbox/images.ts";
import { TransferSlots } from "../../src/copy/transfer-slots.ts";
import { blobRequests, contentOf, startDownloadWorld } from "./download-world.ts";
import { blobBytesInto, hastyClock, startWorld } from "./harness.ts";

const blobs = { method: "GET", path: /\/blobs\// };
/** Looks until the first trial of the search, at half a second each. */
const firstTrial = 8 * 500;

describe("a blob of 100 MB from a source with 10 MB/s a connection", () => {
  test("is read by several ranges once measuring says so, and arrives right everywhere", async () => {
    await using world = await startWorld({});
    const image = world.place("trivy", buildImage({ seed: "trivy", layers: [{ size: 100_000_000 }] }));
    world.source.fault({ when: blobs, times: Infinity, effect: { bytesPerSecond: 10_000_000 } });
    const { outcomes, bytesRead } = await world.run(world.stepsFor(image));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined]);
    const parts = world.source.requests.filter(({ headers }) => headers.range !== undefined);
    expect(parts.length).toBeGreaterThanOrEqual(1);
    for (const destination of world.destinations) {
      expect(destination.completeness("mirror/trivy", "v1.0.0")).toEqual([]);
      expect(blobBytesInto(destination)).toBeGreaterThan(100_000_000);
    }
    // Each byte once, but for what a connection that was cut short had in hand.
    expect(bytesRead - blobBytesInto(world.destinations[0] ?? world.source)).toBeLessThan(1_000_000);
  });
});

describe("ranges", () => {
  const large = randomBytes("large", 8_000_000);

  /** A download that is under way, and the search that may split it, with its looks by hand. */
  async function searching(pinned: number | undefined) {
    const world = await startDownloadWorld();
    world.servers[0]?.fault({ when: blobs, times: Infinity, effect: { bytesPerSecond: 4_000_000 } });
    const { digest } = world.claim(large);
    const spooled = await world.downloads.open(digest);
    const content = contentOf(spooled);
    await vi.waitFor(() => expect(spooled.received).toBeGreaterThan(0), { interval: 5 });
    const slots = new TransferSlots(
      { downloadConnections: pinned, uploadConnections: undefined },
      hastyClock,
    );
    const host = world.servers[0]?.host ?? "";
    const connections = slots.downloadsFrom(host, () => world.downloads.bytesRead);
    slots.splitLargeBlobs(world.downloads);
    return { world, slots, connections, content };
  }

  test("are tried while connections are free, and not before a rate is known", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      const { world, slots, content } = await searching(undefined);
      await using _world = world;
      const stop = slots.search();
      vi.advanceTimersByTime(firstTrial - 1);
      expect(world.downloads.connections).toBe(1);
      vi.advanceTimersByTime(1);
      expect(world.downloads.connections).toBe(2);
      stop();
      vi.advanceTimersByTime(10 * firstTrial);
      expect(world.downloads.connections).toBe(2);
      expect((await content).equals(large)).toBe(true);
      expect(blobRequests(world.servers[0])).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test("do not take the place of another blob that waits for a connection", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      const { world, slots, connections, content } = await searching(1);
      await using _world = world;
      const ending = Promise.withResolvers<void>();
      const other = connections.run(1, undefined, () => ending.promise);
      await vi.waitFor(() => expect(connections.hasRoom).toBe(false));
      const stop = slots.search();
      vi.advanceTimersByTime(10 * firstTrial);
      expect(world.downloads.connections).toBe(1);
      ending.resolve();
      await other;
      vi.advanceTimersByTime(firstTrial);
      expect(world.downloads.connections).toBe(2);
      stop();
      expect((await content).equals(large)).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });
});
