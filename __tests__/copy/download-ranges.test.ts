import { describe, expect, test, vi } from "vitest";
import type { FaultAction } from "../../sandbox/faults.ts";
import { randomBytes } from "../../sandbox/images.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { failureOf } from "../oci/failure-of.ts";
import {
  blobRequests,
  blobs,
  contentOf,
  type DownloadWorld,
  expectSame,
  fault,
  forEver,
  rangesAt,
  startDownloadWorld,
} from "./download-world.ts";

const ranged = { ...blobs, header: { name: "range" } };

describe("a large blob from a source that is slow on each connection", () => {
  const large = randomBytes("large", 16_000_000);
  /** Bytes per second and connection: two seconds for the blob over one. */
  const slow: FaultAction = { bytesPerSecond: 8_000_000 };

  /** The download of the blob, begun, with the first bytes there. */
  async function begun(world: DownloadWorld) {
    const { digest } = world.claim(large);
    const spooled = await world.downloads.open(digest);
    const content = contentOf(spooled);
    await vi.waitFor(() => expect(spooled.received).toBeGreaterThan(0), { timeout: 5_000, interval: 5 });
    return { content };
  }

  test("is read by several connections, each byte once, and is right", async () => {
    await using world = await startDownloadWorld();
    fault(world, slow, { times: forEver });
    const { content } = await begun(world);
    expect(world.downloads.connections).toBe(1);
    for (let more = 0; more < 3; more += 1) world.downloads.split();
    expect(world.downloads.connections).toBe(4);
    expectSame(await content, large);
    const parts = blobRequests(world.servers[0]);
    expect(parts).toHaveLength(4);
    for (const { headers } of parts.slice(1)) expect(headers.range).toMatch(/^bytes=[0-9]+-[0-9]+$/);
    // A connection that is cut short brings at most what is in hand at that moment: a socket's read.
    expect(world.downloads.bytesRead).toBeGreaterThanOrEqual(large.length);
    expect(world.downloads.bytesRead).toBeLessThanOrEqual(large.length + 4 * 65_536);
    expect(world.downloads.connections).toBe(0);
  });

  test("stays in one where the source does not give parts", async () => {
    await using world = await startDownloadWorld();
    fault(world, slow, { times: forEver });
    fault(world, { status: 200, body: large }, { times: forEver });
    const { content } = await begun(world);
    expect(world.downloads.canSplit).toBe(false);
    world.downloads.split();
    expect(world.downloads.connections).toBe(1);
    expectSame(await content, large);
    expect(rangesAt(world.servers[0])).toEqual(["whole"]);
    expect(world.downloads.bytesRead).toBe(large.length);
  });

  test("is not split further than is worth a connection", async () => {
    await using world = await startDownloadWorld({ splitLimit: 6_000_000 });
    fault(world, slow, { times: forEver });
    const { content } = await begun(world);
    for (let more = 0; more < 10; more += 1) world.downloads.split();
    expect(world.downloads.canSplit).toBe(false);
    expect(world.downloads.connections).toBeLessThanOrEqual(4);
    expectSame(await content, large);
  });

  test("is taken back into one connection where the source then gives no parts after all (P2)", async () => {
    await using world = await startDownloadWorld();
    fault(world, slow, { times: forEver });
    const { content } = await begun(world);
    fault(world, { status: 200, body: large }, { times: forEver, when: ranged });
    world.downloads.split();
    expectSame(await content, large);
    expect(blobRequests(world.servers[0])).toHaveLength(2);
    expect(world.downloads.canSplit).toBe(false);
    // What the second connection brought before it was closed: a socket's buffers.
    expect(world.downloads.bytesRead).toBeLessThan(large.length + 500_000);
  });

  test("goes on in each part where that part broke", async () => {
    await using world = await startDownloadWorld();
    fault(world, slow, { times: forEver });
    const { content } = await begun(world);
    fault(world, { cutBodyAfter: 1_500_000 }, { times: 2, when: ranged });
    world.downloads.split();
    world.downloads.split();
    expectSame(await content, large);
    expect(blobRequests(world.servers[0])).toHaveLength(5);
    expect(world.downloads.bytesRead).toBeLessThanOrEqual(large.length + 4 * 65_536);
  });

  test("fails as a whole where one part is refused, and nothing goes on in the background", async () => {
    await using world = await startDownloadWorld();
    fault(world, slow, { times: forEver });
    const { content } = await begun(world);
    fault(world, { status: 403 }, { times: forEver, when: ranged });
    world.downloads.split();
    expect((await failureOf(content)).status).toBe(403);
    expect([world.downloads.connections, world.downloads.canSplit]).toEqual([0, false]);
    world.downloads.release(digestOf(large));
    await vi.waitFor(async () => expect(await world.files()).toEqual([]));
  });

  test("is split where its rest is largest, among several blobs", async () => {
    await using world = await startDownloadWorld();
    fault(world, slow, { times: forEver });
    const small = randomBytes("small", 4_000_000);
    const other = world.read(small);
    const { content } = await begun(world);
    world.downloads.split();
    world.downloads.split();
    expectSame(await content, large);
    expectSame(await other, small);
    const parts = blobRequests(world.servers[0]).filter(({ headers }) => headers.range !== undefined);
    expect(parts).toHaveLength(2);
    expect(parts.every(({ path }) => path.includes(digestOf(large)))).toBe(true);
  });
});
