import { describe, expect, test, vi } from "vitest";
import { randomBytes } from "../../sandbox/images.ts";
import { uploadBlob } from "../../src/copy/upload.ts";
import { OperationError } from "../../src/errors.ts";
import { failureOf } from "../oci/failure-of.ts";
import { hastyClock } from "./harness.ts";
import { bytesIn, count, nothingLeftOpen, ranges, startUploadWorld } from "./upload-world.ts";

const mebibyte = 1024 * 1024;
const megabytes = (count: number): Buffer => randomBytes(`${count} MB`, count * 1_000_000);
const three = megabytes(3);

/** Known for a limit of 16 MiB a request. */
const limited = "goharbor.azurecr.io";
const twoChunks = randomBytes("two chunks", 17 * mebibyte);

const put = { method: "PUT" };

describe("an upload", () => {
  test.each([0, 1, 100_000, 256 * 1024, 3_000_000])("of %i bytes is one PUT, and counted", async (size) => {
    await using world = await startUploadWorld();
    const bytes = randomBytes("blob", size);
    await world.upload(bytes);
    expect(world.holds(bytes)).toBe(true);
    expect(ranges(world)).toEqual(["PUT whole"]);
    expect([world.progress.done, world.progress.moved]).toEqual([size, size]);
  });

  test("of a small blob holds no request open while the source still sends", async () => {
    await using world = await startUploadWorld();
    const bytes = randomBytes("small", 1000);
    const spooled = await world.spool(bytes);
    const uploading = uploadBlob(world.repository, spooled, undefined, world.destination);
    await spooled.write(0, bytes.subarray(0, 500));
    await vi.waitFor(() => expect(count(world, "POST")).toBe(1));
    expect(world.transfers()).toEqual([]);
    await spooled.write(500, bytes.subarray(500));
    await spooled.complete();
    await uploading;
    expect(world.holds(bytes)).toBe(true);
  });

  test("runs while the blob grows, and ends only when its digest is right (P1)", async () => {
    await using world = await startUploadWorld();
    const spooled = await world.spool(three);
    const uploading = uploadBlob(world.repository, spooled, undefined, world.destination);
    await spooled.write(0, three.subarray(0, 2_000_000));
    await vi.waitFor(() => expect(bytesIn(world)).toBe(2_000_000));
    await spooled.write(2_000_000, three.subarray(2_000_000));
    await vi.waitFor(() => expect(bytesIn(world)).toBe(2_999_999));
    expect(world.holds(three)).toBe(false);
    await spooled.complete();
    await uploading;
    expect(world.holds(three)).toBe(true);
  });

  test("gives its connection to the next with its last byte, not with the answer", async () => {
    await using world = await startUploadWorld();
    const { uploads } = world.destination.options;
    const opened = Promise.withResolvers<void>();
    const blobs = ["one", "two", "three", "four", "five"].map((name) => randomBytes(name, 300_000));
    // Four connections: all are sent, none is answered.
    world.server.fault({ when: put, times: 4, effect: { run: () => opened.promise } });
    const uploading = blobs.map((bytes) => world.upload(bytes));
    await vi.waitFor(() => expect(blobs.filter((bytes) => world.holds(bytes))).toHaveLength(1));
    expect(uploads.hasRoom).toBe(true);
    opened.resolve();
    await Promise.all(uploading);
    expect(blobs.filter((bytes) => world.holds(bytes))).toHaveLength(5);
  });

  test("ends with the source's failure, without another try", async () => {
    await using world = await startUploadWorld();
    const spooled = await world.spool(three);
    const uploading = failureOf(uploadBlob(world.repository, spooled, undefined, world.destination));
    await spooled.write(0, three.subarray(0, 1_000_000));
    await vi.waitFor(() => expect(bytesIn(world)).toBe(1_000_000));
    const failure = new OperationError({
      side: "source",
      host: "ghcr.io",
      operation: "reading",
      problem: "gone",
    });
    spooled.fail(failure);
    expect(await uploading).toBe(failure);
    expect(world.transfers()).toHaveLength(1);
    expect(world.holds(three)).toBe(false);
    await nothingLeftOpen(world);
  });
});

describe("registries with quirks", () => {
  test("get chunks of the size that they take, from the start and on shared connections", async () => {
    await using world = await startUploadWorld({ knownAs: limited, registry: { bodyLimit: 16 * mebibyte } });
    await world.upload(twoChunks);
    expect(world.holds(twoChunks)).toBe(true);
    const edge = 16 * mebibyte;
    expect(ranges(world)).toEqual([`PATCH 0-${edge - 1}`, `PUT ${edge}-${17 * mebibyte - 1}`]);
    for (const { headers } of world.transfers()) expect(headers.connection).toBe("keep-alive");
  });

  test("that break several chunks get the blob as a whole, every time", async () => {
    await using world = await startUploadWorld({ knownAs: "ghcr.io", registry: { chunks: "last-wins" } });
    world.server.fault({ when: put, times: 2, effect: { resetRequestAfter: 2_000_000 } });
    await world.upload(three);
    expect(world.holds(three)).toBe(true);
    expect(ranges(world)).toEqual(["PUT whole", "PUT whole", "PUT whole"]);
    expect(
      world.server.requests.filter(({ path, method }) => method === "GET" && path.includes("uploads")),
    ).toEqual([]);
    await nothingLeftOpen(world);
  });
});

describe("registries that take bytes by PATCH only", () => {
  const patched = { knownAs: "goharbor.jfrog.io", registry: { bytesInPut: false } };

  test("get all bytes so, small blobs too, and an empty PUT", async () => {
    await using world = await startUploadWorld(patched);
    const small = randomBytes("small", 1000);
    await world.upload(three);
    await world.upload(small);
    expect([world.holds(three), world.holds(small)]).toEqual([true, true]);
    expect(ranges(world)).toEqual(["PATCH 0-2999999", "PUT whole", "PATCH 0-999", "PUT whole"]);
    expect(world.transfers().map(({ bytesIn }) => bytesIn)).toEqual([3_000_000, 0, 1000, 0]);
    expect([world.progress.done, world.progress.moved]).toEqual([3_001_000, 3_001_000]);
  });

  test("go on after a break where they were", async () => {
    await using world = await startUploadWorld(patched);
    world.server.fault({ when: { method: "PATCH" }, effect: { resetRequestAfter: 2_000_000 } });
    await world.upload(three);
    expect(world.holds(three)).toBe(true);
    expect(bytesIn(world)).toBeLessThan(2 * three.length);
    await nothingLeftOpen(world);
  });
});

describe("a connection that takes nothing", () => {
  /** More than the buffers of a loopback connection hold, so that an unread body stands still. */
  const large = randomBytes("large", 24_000_000);
  const stallLimit = 400;

  test("counts as broken: the upload goes on elsewhere", async () => {
    await using world = await startUploadWorld({ stallLimit });
    const opened = Promise.withResolvers<void>();
    world.server.fault({ when: put, effect: { run: () => opened.promise } });
    await world.upload(large);
    expect(world.holds(large)).toBe(true);
    expect(world.transfers()[0]).toMatchObject({ status: 0, bytesIn: 0 });
    opened.resolve();
  });

  test("and never will again is given up with that reason", async () => {
    // Whole, every time: a part would fit the buffers.
    await using world = await startUploadWorld({ stallLimit: 100, knownAs: "ghcr.io" });
    const opened = Promise.withResolvers<void>();
    world.server.fault({ when: put, times: Infinity, effect: { run: () => opened.promise } });
    const error = await failureOf(world.upload(large));
    expect(error.message).toContain("the connection took no byte for 0.1 s");
    expect(world.transfers()).toHaveLength(6);
    opened.resolve();
  });

  test("is no stall while the upload waits for the source, or for the registry's answer", async () => {
    await using world = await startUploadWorld({ stallLimit });
    const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 3 * stallLimit));
    const spooled = await world.spool(three);
    const uploading = uploadBlob(world.repository, spooled, undefined, world.destination);
    await spooled.write(0, three.subarray(0, 1_000_000));
    await vi.waitFor(() => expect(bytesIn(world)).toBe(1_000_000));
    await wait();
    await spooled.write(1_000_000, three.subarray(1_000_000));
    await spooled.complete();
    await uploading;
    expect(world.transfers()).toHaveLength(1);
    const middling = randomBytes("middling", 400_000);
    world.server.fault({ when: put, effect: { run: wait } });
    await world.upload(middling);
    expect(world.transfers()).toHaveLength(2);
    expect(world.holds(middling)).toBe(true);
  });
});

test("an upload that the registry does not let be cancelled is waited for no longer than the end of the copy", async () => {
  await using world = await startUploadWorld();
  const sleeps = vi.spyOn(hastyClock, "sleep");
  world.server.fault({ when: put, effect: { status: 400 } });
  const forLong = { status: 503, headers: { "retry-after": "300" } };
  world.server.fault({ when: { method: "DELETE" }, times: Number.POSITIVE_INFINITY, effect: forLong });
  await failureOf(world.upload(three));
  await vi.waitFor(() => expect(sleeps.mock.calls.map(([ms]) => ms)).toContain(300_000));
  await world.destination.settle();
  const long = sleeps.mock.calls.filter(([ms]) => ms === 300_000);
  expect(long.map(([, signal]) => signal?.aborted)).toEqual([true]);
  expect(count(world, "DELETE")).toBe(1);
  sleeps.mockRestore();
});
