import { describe, expect, test, vi } from "vitest";
import type { FaultAction } from "../../sandbox/faults.ts";
import { randomBytes } from "../../sandbox/images.ts";
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
} from "../copy/download-world.ts";
import { failureOf } from "../oci/failure-of.ts";

const three = randomBytes("three", 3_000_000);
const ranged = { ...blobs, header: { name: "range" } };

/** First bytes of the requests for a blob. */
function starts(world: DownloadWorld): readonly number[] {
  return rangesAt(world.servers[0]).map((range) => Number(/bytes=([0-9]+)-/.exec(range)?.[1] ?? 0));
}

describe("a download", () => {
  test.each([0, 1, 100_000, 3_000_000])("of %i bytes is one request, and gives the bytes", async (size) => {
    await using world = await startDownloadWorld();
    const bytes = randomBytes("blob", size);
    expectSame(await world.read(bytes), bytes);
    expect(rangesAt(world.servers[0])).toEqual(["whole"]);
    expect(world.downloads.bytesRead).toBe(size);
  });

  test("is one for all destinations, and its file stays until the last is done with it (P2)", async () => {
    await using world = await startDownloadWorld();
    const { digest } = world.claim(three, 3);
    const contents = [0, 1, 2].map(async () => contentOf(await world.downloads.open(digest)));
    for (const content of await Promise.all(contents)) expectSame(content, three);
    world.downloads.release(digest);
    world.downloads.release(digest);
    // Later, and again: from the spool.
    expectSame(await contentOf(await world.downloads.open(digest)), three);
    expect(await world.files()).toHaveLength(1);
    world.downloads.release(digest);
    await vi.waitFor(async () => expect(await world.files()).toEqual([]));
    expect(world.downloads.bytesRead).toBe(three.length);
    expect(blobRequests(world.servers[0])).toHaveLength(1);
  });

  test("never begins where nobody turns out to lack the blob", async () => {
    await using world = await startDownloadWorld();
    const { digest } = world.claim(three, 2);
    world.downloads.release(digest);
    world.downloads.release(digest);
    await expect(world.downloads.open(digest)).rejects.toThrow("is not claimed");
    expect(blobRequests(world.servers[0])).toEqual([]);
    expect(await world.files()).toEqual([]);
  });

  test("waits for room in the spool, and gets it when another file is gone", async () => {
    await using world = await startDownloadWorld({ spoolLimit: 3_000_000 });
    const first = world.claim(three);
    const other = randomBytes("other", 1_000_000);
    const second = world.claim(other);
    await contentOf(await world.downloads.open(first.digest));
    const waiting = world.downloads.open(second.digest);
    expect(blobRequests(world.servers[0])).toHaveLength(1);
    expect(await world.files()).toHaveLength(1);
    world.downloads.release(first.digest);
    expectSame(await contentOf(await waiting), other);
    world.downloads.release(second.digest);
    await vi.waitFor(async () => expect(await world.files()).toEqual([]));
  });

  test("ends, and leaves no file, when the run is cancelled", async () => {
    await using world = await startDownloadWorld();
    fault(world, { bytesPerSecond: 1_000_000 });
    const { digest } = world.claim(three);
    const spooled = await world.downloads.open(digest);
    const following = contentOf(spooled);
    await vi.waitFor(() => expect(spooled.received).toBeGreaterThan(0));
    world.cancel();
    await expect(following).rejects.toThrow();
    await vi.waitFor(async () => expect(await world.files()).toEqual([]));
  });
});

describe("a download that breaks", () => {
  test("goes on by Range from the byte where it broke", async () => {
    await using world = await startDownloadWorld();
    fault(world, { cutBodyAfter: 1_000_000 }, { times: 2 });
    expectSame(await world.read(three), three);
    const [first, second = 0, third = 0, ...more] = starts(world);
    expect([first, more]).toEqual([0, []]);
    expect(second).toBeGreaterThan(0);
    expect(second).toBeLessThanOrEqual(1_000_000);
    expect(third).toBeGreaterThan(second);
    expect(rangesAt(world.servers[0]).slice(1)).toEqual([
      `bytes=${second}-2999999`,
      `bytes=${third}-2999999`,
    ]);
    expect(world.downloads.bytesRead).toBe(three.length);
  });

  test("gets through as long as bytes move, however often it breaks", async () => {
    await using world = await startDownloadWorld({ splitLimit: forEver });
    const bytes = randomBytes("large", 20_000_000);
    fault(world, { cutBodyAfter: 2_000_000 }, { times: forEver });
    expectSame(await world.read(bytes), bytes);
    expect(blobRequests(world.servers[0]).length).toBeGreaterThan(8);
    expect(world.downloads.bytesRead).toBe(bytes.length);
  });

  test("is given up where nothing comes, and everybody learns why", async () => {
    await using world = await startDownloadWorld();
    fault(world, { reset: true }, { times: forEver });
    const { digest } = world.claim(three, 2);
    const failures = [0, 1].map(async () => failureOf(contentOf(await world.downloads.open(digest))));
    for (const failure of await Promise.all(failures)) {
      expect(failure.message).toContain(
        `source ${world.servers[0]?.host}/goharbor/core: reading the blob ${digest} failed`,
      );
    }
    expect(world.downloads.bytesRead).toBe(0);
  });

  test("takes the whole blob where a registry does not give the rest, and passes over what is there", async () => {
    await using world = await startDownloadWorld();
    fault(world, { cutBodyAfter: 1_000_000 });
    fault(world, { status: 200, body: three }, { when: ranged });
    expectSame(await world.read(three), three);
    const [, second = 0] = starts(world);
    expect(blobRequests(world.servers[0])).toHaveLength(2);
    expect(world.downloads.bytesRead).toBe(second + three.length);
  });

  test("takes nothing of another range than it asked for", async () => {
    await using world = await startDownloadWorld();
    fault(world, { cutBodyAfter: 1_000_000 });
    const headers = { "content-range": "bytes 0-2999999/3000000" };
    fault(world, { status: 206, headers, body: three }, { when: ranged });
    const error = await failureOf(world.read(three));
    expect(error.message).toContain("another range of the blob than it was asked for");
    expect(blobRequests(world.servers[0])).toHaveLength(2);
  });

  test("goes on where the answer ended too early, though cleanly", async () => {
    await using world = await startDownloadWorld();
    fault(world, { status: 200, body: three.subarray(0, 1_200_000) });
    expectSame(await world.read(three), three);
    expect(rangesAt(world.servers[0])).toEqual(["whole", "bytes=1200000-2999999"]);
    expect(world.downloads.bytesRead).toBe(three.length);
  });

  test("goes on where the source stands still in the middle of the body", async () => {
    await using world = await startDownloadWorld({ bodyTimeout: 300 });
    fault(world, { stallBodyAfter: 1_000_000 });
    expectSame(await world.read(three), three);
    expect(blobRequests(world.servers[0])).toHaveLength(2);
    expect(starts(world)[1]).toBeGreaterThan(0);
  });

  test.each([429, 503])("by status %i halves the connections and goes on", async (status) => {
    await using world = await startDownloadWorld();
    fault(world, { status });
    expectSame(await world.read(three), three);
    expect(world.slots.limit).toBe(4);
  });
});

describe("content", () => {
  test.each<[string, FaultAction, RegExp]>([
    ["other bytes", { spoilBody: true }, /do not have the digest/],
    [
      "more bytes",
      { status: 200, body: Buffer.concat([three, Buffer.alloc(10)]) },
      /longer than the 3000000 bytes/,
    ],
  ])(
    "with %s is nobody's blob: the next source is asked, or it fails (P1)",
    async (_what, effect, problem) => {
      for (const sources of [1, 2]) {
        await using world = await startDownloadWorld({ sources });
        for (const server of world.servers) server.fault({ when: blobs, times: forEver, effect });
        const error = await failureOf(world.read(three));
        expect(error.message).toMatch(problem);
        expect([error.details.side, error.details.host]).toEqual(["source", world.servers.at(-1)?.host]);
        // Each is asked once: what it stores does not change by asking again.
        for (const server of world.servers) expect(blobRequests(server)).toHaveLength(1);
        await vi.waitFor(async () => expect(await world.files()).toEqual([]));
      }
    },
  );

  test("that is wrong at the first source comes from the second, within the same room", async () => {
    await using world = await startDownloadWorld({ sources: 2, spoolLimit: three.length });
    fault(world, { spoilBody: true }, { times: forEver });
    const { digest } = world.claim(three, 2);
    const first = await world.downloads.open(digest);
    expect((await failureOf(contentOf(first))).message).toMatch(/do not have the digest/);
    const second = await world.downloads.another(digest, first);
    if (second === undefined) throw new Error("no other source");
    expectSame(await contentOf(second), three);
    expect(await world.downloads.another(digest, first)).toBe(second);
    expect(await world.downloads.another(digest, second)).toBe(undefined);
    world.downloads.release(digest);
    world.downloads.release(digest);
    await vi.waitFor(async () => expect(await world.files()).toEqual([]));
    expect(world.servers.map((server) => blobRequests(server).length)).toEqual([1, 1]);
  });
});

describe("another source", () => {
  test("gives the blob where the first does not have it, or does not give it", async () => {
    for (const status of [404, 403]) {
      await using world = await startDownloadWorld({ sources: 2 });
      fault(world, { status }, { times: forEver });
      expectSame(await world.read(three), three);
      expect(blobRequests(world.servers[0])).toHaveLength(1);
      expect(rangesAt(world.servers[1])).toEqual(["whole"]);
    }
  });

  test("gives the rest where the first went away in the middle", async () => {
    await using world = await startDownloadWorld({ sources: 2 });
    fault(world, { cutBodyAfter: 1_200_000 });
    fault(world, { reset: true }, { times: forEver, when: ranged });
    expectSame(await world.read(three), three);
    const [rest] = rangesAt(world.servers[1]);
    expect(rest).toMatch(/^bytes=[1-9][0-9]*-2999999$/);
    expect(world.downloads.bytesRead).toBe(three.length);
  });

  test("is not asked as long as the first gives the blob", async () => {
    await using world = await startDownloadWorld({ sources: 2 });
    fault(world, { cutBodyAfter: 1_000_000 }, { times: 2 });
    expectSame(await world.read(three), three);
    expect(blobRequests(world.servers[1])).toEqual([]);
  });

  test("that fails as well is the one whose reason is told", async () => {
    await using world = await startDownloadWorld({ sources: 2 });
    fault(world, { status: 404 }, { times: forEver });
    world.servers[1]?.fault({ when: blobs, times: forEver, effect: { status: 403 } });
    const error = await failureOf(world.read(three));
    expect([error.status, error.details.host]).toEqual([403, world.servers[1]?.host]);
  });
});
