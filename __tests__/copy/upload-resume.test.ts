import { describe, expect, test, vi } from "vitest";
import { randomBytes } from "../../sandbox/images.ts";
import { fullAccess } from "../../sandbox/registry.ts";
import { uploadBlob } from "../../src/copy/upload.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { failureOf } from "../oci/failure-of.ts";
import { bytesIn, count, nothingLeftOpen, ranges, startUploadWorld } from "./upload-world.ts";

const mebibyte = 1024 * 1024;
const megabytes = (count: number): Buffer => randomBytes(`${count} MB`, count * 1_000_000);
const three = megabytes(3);

/** Known for a limit of 16 MiB a request. */
const limited = "goharbor.azurecr.io";
const twoChunks = randomBytes("two chunks", 17 * mebibyte);

const put = { method: "PUT" };
const patch = { method: "PATCH" };
const status = { method: "GET", path: /\/blobs\/uploads\// };

describe("an upload that breaks", () => {
  test("goes on in the same upload, from the byte that the registry names", async () => {
    await using world = await startUploadWorld();
    world.server.fault({ when: put, effect: { resetRequestAfter: 2_000_000 } });
    await world.upload(three);
    expect(world.holds(three)).toBe(true);
    expect(ranges(world)).toEqual(["PUT whole", "PUT 2000000-2999999"]);
    expect(bytesIn(world)).toBe(3_000_000);
    expect(count(world, "POST")).toBe(1);
    expect(world.progress.done).toBe(3_000_000);
  });

  test("starts over where the registry does not go on, in parts that get through, each on its own connection", async () => {
    await using world = await startUploadWorld();
    world.server.fault({ when: put, effect: { resetRequestAfter: 2_500_000 } });
    world.server.fault({ when: status, effect: { status: 404 } });
    await world.upload(three);
    expect(world.holds(three)).toBe(true);
    const [broken, ...parts] = world.transfers();
    expect(broken).toMatchObject({ method: "PUT", status: 0, bytesIn: 2_500_000 });
    expect(parts.map(({ method }) => method)).toEqual(["PATCH", "PATCH", "PUT"]);
    const size = Number(parts[0]?.headers["content-length"]);
    // A quarter of what the connection took would be less than a part may be.
    expect(size).toBe(1024 * 1024);
    expect(parts.map(({ headers }) => headers.connection)).toEqual(["close", "close", "close"]);
    expect(count(world, "POST")).toBe(2);
    expect(world.progress.done).toBe(3_000_000);
    await nothingLeftOpen(world);
    const next = randomBytes("next", 2_000_000);
    world.server.clearRequests();
    await world.upload(next);
    expect(ranges(world)).toEqual([`PATCH 0-${size - 1}`, `PUT ${size}-1999999`]);
  });

  test("is followed by smaller parts while more connections share the link, in the same upload too", async () => {
    await using world = await startUploadWorld();
    const { destination, server } = world;
    destination.broke(24 * mebibyte, undefined);
    const more = (): void => destination.options.uploads.resize(8);
    server.fault({ when: patch, effect: { run: more } });
    const nine = randomBytes("nine", 9 * mebibyte);
    await world.upload(nine);
    expect(world.holds(nine)).toBe(true);
    expect(ranges(world)).toEqual([
      `PATCH 0-${6 * mebibyte - 1}`,
      `PATCH ${6 * mebibyte}-${8 * mebibyte - 1}`,
      `PUT ${8 * mebibyte}-${9 * mebibyte - 1}`,
    ]);
  });

  test("gets through as long as bytes move, however often it breaks", async () => {
    await using world = await startUploadWorld();
    for (const when of [put, patch])
      world.server.fault({ when, times: Infinity, effect: { resetRequestAfter: 100_000 } });
    await world.upload(three);
    expect(world.holds(three)).toBe(true);
    expect(world.transfers().length).toBeGreaterThan(30);
    expect(bytesIn(world)).toBe(3_000_000);
    expect(count(world, "POST")).toBe(1);
  });

  test("is given up after six tries that bring nothing, and says what is wrong", async () => {
    await using world = await startUploadWorld();
    for (const when of [put, patch])
      world.server.fault({ when, times: Infinity, effect: { resetRequestAfter: 0 } });
    const error = await failureOf(world.upload(three));
    expect(error.message).toMatch(
      new RegExp(
        `^destination ${world.server.host}/mirror/core: uploading (the blob ${digestOf(three)}|a part of a blob) failed: `,
      ),
    );
    expect(error.temporary).toBe(true);
    expect(world.transfers()).toHaveLength(6);
    expect(world.progress.done).toBe(0);
    await nothingLeftOpen(world);
  });

  test("is given up, too, when it gets on by next to nothing each time", async () => {
    await using world = await startUploadWorld();
    for (const when of [put, patch])
      world.server.fault({ when, times: Infinity, effect: { resetRequestAfter: 10_000 } });
    expect((await failureOf(world.upload(three))).temporary).toBe(true);
    expect(world.transfers().length).toBeLessThan(20);
    await nothingLeftOpen(world);
  });

  test.each([300_000, 3_000])(
    "of %i bytes is not opened again and again: tries do not multiply",
    async (size) => {
      await using world = await startUploadWorld();
      world.server.fault({ when: { method: "POST" }, times: Infinity, effect: { status: 500 } });
      const error = await failureOf(world.upload(randomBytes("blob", size)));
      expect(error.message).toMatch(/starting an upload failed with status 500/);
      expect(count(world, "POST")).toBe(6);
    },
  );

  test("counts nothing that a broken request's body still gets", async () => {
    await using world = await startUploadWorld();
    world.server.fault({ when: put, effect: { resetRequestAfter: 2_200_000 } });
    const spooled = await world.spool(three);
    const uploading = uploadBlob(world.repository, spooled, undefined, world.destination);
    // The connection breaks while the upload waits for the source.
    await spooled.write(0, three.subarray(0, 2_200_000));
    await vi.waitFor(() => expect(count(world, "GET")).toBe(2));
    await spooled.write(2_200_000, three.subarray(2_200_000));
    await spooled.complete();
    await uploading;
    expect(world.holds(three)).toBe(true);
    expect(bytesIn(world)).toBe(3_000_000);
    expect(world.progress.done).toBe(3_000_000);
  });
});

describe("the registry's word", () => {
  test("that an upload is gone starts it over", async () => {
    await using world = await startUploadWorld();
    const body = JSON.stringify({ errors: [{ code: "BLOB_UPLOAD_UNKNOWN", message: "unknown upload" }] });
    world.server.fault({ when: put, effect: { status: 404, body } });
    world.server.fault({ when: status, effect: { status: 404, body } });
    await world.upload(three);
    expect(world.holds(three)).toBe(true);
    expect(count(world, "POST")).toBe(2);
    // Nothing broke, so nothing has to be cut.
    expect(ranges(world)).toEqual(["PUT whole", "PUT whole"]);
    await nothingLeftOpen(world);
  });

  test.each([put, patch])("that an upload is gone, in a bare 404 to a %o, starts it over", async (when) => {
    await using world = await startUploadWorld({ knownAs: limited });
    world.server.fault({ when, effect: { status: 404 } });
    world.server.fault({ when: status, effect: { status: 404 } });
    await world.upload(twoChunks);
    expect(world.holds(twoChunks)).toBe(true);
    expect(count(world, "POST")).toBe(2);
    await nothingLeftOpen(world);
  });

  test("that every upload is gone is believed in the end, and counts as trouble of the registry", async () => {
    await using world = await startUploadWorld();
    world.server.fault({ when: put, times: Infinity, effect: { status: 404 } });
    world.server.fault({ when: status, times: Infinity, effect: { status: 404 } });
    const failures = await Promise.all(
      [1, 2, 3].map((number) => failureOf(world.upload(randomBytes(`blob ${number}`, 300_000)))),
    );
    for (const failure of failures) {
      expect(failure.message).toMatch(/uploading the blob .* failed with status 404: .* share their storage/);
      world.destination.failed(failure);
    }
    expect(count(world, "PUT")).toBe(18);
    expect(world.destination.signal.aborted).toBe(true);
    await nothingLeftOpen(world);
  });

  const wrongDigest = JSON.stringify({ errors: [{ code: "DIGEST_INVALID", message: "not those bytes" }] });

  test("that it has other bytes, after an upload in several requests, starts over in a single one", async () => {
    await using world = await startUploadWorld();
    world.server.fault({ when: put, effect: { resetRequestAfter: 2_000_000 } });
    world.server.fault({ when: put, skip: 1, effect: { status: 400, afterBody: true, body: wrongDigest } });
    await world.upload(three);
    expect(world.holds(three)).toBe(true);
    expect(ranges(world)).toEqual(["PUT whole", "PUT 2000000-2999999", "PUT whole"]);
    expect(count(world, "POST")).toBe(2);
    expect(world.progress.done).toBe(3_000_000);
    await nothingLeftOpen(world);
    // What joins several requests wrongly gets each blob in one from then on.
    const next = randomBytes("next", 2_000_000);
    world.server.clearRequests();
    await world.upload(next);
    expect(ranges(world)).toEqual(["PUT whole"]);
  });

  test("that it has other bytes is believed the second time", async () => {
    await using world = await startUploadWorld();
    world.server.fault({
      when: put,
      times: Infinity,
      effect: { status: 400, afterBody: true, body: wrongDigest },
    });
    const error = await failureOf(world.upload(three));
    expect(error.message).toMatch(/failed with status 400 DIGEST_INVALID: not those bytes/);
    expect(ranges(world)).toEqual(["PUT whole", "PUT whole"]);
    await nothingLeftOpen(world);
  });

  test("that it wants another byte (416) is followed by asking which", async () => {
    await using world = await startUploadWorld({ knownAs: limited });
    world.server.fault({ when: put, effect: { status: 416 } });
    await world.upload(twoChunks);
    expect(world.holds(twoChunks)).toBe(true);
    const last = `PUT ${16 * mebibyte}-${17 * mebibyte - 1}`;
    expect(ranges(world)).toEqual([`PATCH 0-${16 * mebibyte - 1}`, last, last]);
  });

  test.each([404, 403, 413])("no (%i) is taken for a no where no upload is lost", async (refusal) => {
    await using world = await startUploadWorld();
    world.server.fault({ when: { method: "POST" }, times: Infinity, effect: { status: refusal } });
    expect((await failureOf(world.upload(three))).status).toBe(refusal);
    expect(world.transfers()).toEqual([]);
  });

  test.each<[string, Record<string, string>]>([
    ["has more than was ever sent", { range: "0-99999999" }],
    ["has nothing", { range: "0-0" }],
    ["has something unreadable", { range: "some" }],
    ["says nothing of a range", {}],
  ])("that it %s starts the upload over", async (_what, headers) => {
    await using world = await startUploadWorld();
    world.server.fault({ when: put, effect: { resetRequestAfter: 2_000_000 } });
    world.server.fault({ when: status, effect: { status: 204, headers } });
    await world.upload(three);
    expect(world.holds(three)).toBe(true);
    expect(count(world, "POST")).toBe(2);
    expect(world.progress.done).toBe(3_000_000);
  });

  test("that it took more of a chunk than was sent ends that upload", async () => {
    await using world = await startUploadWorld({ knownAs: limited });
    const headers = { location: "/v2/mirror/core/blobs/uploads/lost?x=y", range: "0-99999999" };
    world.server.fault({ when: patch, effect: { status: 202, headers } });
    await world.upload(twoChunks);
    expect(world.holds(twoChunks)).toBe(true);
    expect(count(world, "POST")).toBe(2);
  });

  test("that it took nothing of a chunk, again and again, is not believed for ever", async () => {
    await using world = await startUploadWorld({ knownAs: limited });
    const headers = { location: "/v2/mirror/core/blobs/uploads/lost?x=y", range: "0-0" };
    world.server.fault({ when: patch, times: Infinity, effect: { status: 202, headers } });
    const error = await failureOf(world.upload(twoChunks));
    expect(error.message).toContain("the registry says that it has 0 bytes, which cannot be");
    expect(count(world, "PATCH")).toBe(6);
    // Nothing broke, so nothing has to be cut smaller.
    expect(world.destination.chunk).toEqual({ size: 16 * mebibyte, ownConnection: false, breaks: 0 });
  });

  test("that it has the blob is enough, where only its answer was lost", async () => {
    await using world = await startUploadWorld();
    const small = randomBytes("small", 1000);
    for (const bytes of [three, small]) {
      world.server.fault({ when: put, effect: { loseAnswer: true } });
      await world.upload(bytes);
      expect(world.holds(bytes)).toBe(true);
    }
    expect(world.transfers()).toHaveLength(2);
    expect(world.progress.done).toBe(three.length + small.length);
  });

  test("to a chunk may be lost, too: it is not sent again", async () => {
    await using world = await startUploadWorld({ knownAs: limited });
    world.server.fault({ when: patch, effect: { loseAnswer: true } });
    await world.upload(twoChunks);
    expect(world.holds(twoChunks)).toBe(true);
    expect(bytesIn(world)).toBe(twoChunks.length);
  });

  test("that the token has run out is answered by a new one, and the upload goes on", async () => {
    let ahead = 0;
    const users = [fullAccess("bot", "secret")];
    await using world = await startUploadWorld({
      knownAs: limited,
      registry: { authentication: { kind: "bearer", users }, now: () => Date.now() + ahead },
      credentials: () => Promise.resolve({ username: "bot", password: "secret" }),
    });
    const expire = (): void => {
      ahead = 3_600_000;
    };
    world.server.fault({ when: put, effect: { run: expire } });
    await world.upload(twoChunks);
    expect(world.holds(twoChunks)).toBe(true);
    expect(world.transfers().map((request) => request.status)).toEqual([202, 401, 201]);
    expect(count(world, "POST")).toBe(1);
    expect(world.server.tokenServer?.requests).toHaveLength(2);
  });

  test("that the login may not push is not argued with", async () => {
    await using world = await startUploadWorld();
    world.server.fault({ when: put, times: Infinity, effect: { status: 401 } });
    expect((await failureOf(world.upload(three))).status).toBe(401);
    expect(world.transfers()).toHaveLength(2);
    await nothingLeftOpen(world);
  });

  test.each([429, 503])(
    "that it is too much (%i) halves the uploads, and the same upload goes on",
    async (code) => {
      await using world = await startUploadWorld();
      world.server.fault({ when: put, effect: { status: code, headers: { "retry-after": "1" } } });
      await world.upload(three);
      expect(world.holds(three)).toBe(true);
      expect(world.destination.options.uploads.limit).toBe(2);
      expect(ranges(world)).toEqual(["PUT whole", "PUT whole"]);
    },
  );
});

describe("a limit for bodies in front of a registry (413)", () => {
  test("is met with smaller requests, and remembered for the next blob", async () => {
    await using world = await startUploadWorld({ registry: { bodyLimit: 2_000_000 } });
    const nine = megabytes(9);
    await world.upload(nine);
    expect(world.holds(nine)).toBe(true);
    const [whole, quarter, ...parts] = world.transfers();
    expect([whole?.status, quarter?.status]).toEqual([413, 413]);
    expect(quarter?.headers["content-length"]).toBe("2250000");
    expect(parts.every(({ status }) => status < 300)).toBe(true);
    expect(parts.every(({ headers }) => Number(headers["content-length"]) <= mebibyte)).toBe(true);
    expect(world.progress.done).toBe(9_000_000);
    await nothingLeftOpen(world);
    world.server.clearRequests();
    await world.upload(three);
    expect(world.holds(three)).toBe(true);
    expect(world.transfers().map(({ method, status }) => `${method} ${status}`)).toEqual([
      "PATCH 202",
      "PATCH 202",
      "PUT 201",
    ]);
  });

  test("goes on in the same upload where a later request is too large", async () => {
    await using world = await startUploadWorld({ registry: { bodyLimit: mebibyte } });
    world.destination.broke(24 * mebibyte, undefined);
    await world.upload(megabytes(9));
    expect(world.transfers().filter(({ status }) => status === 413)).toHaveLength(2);
    expect(world.holds(megabytes(9))).toBe(true);
  });

  test.each([
    ["smaller than any part", { registry: { bodyLimit: 500_000 } }],
    ["at a registry that joins no parts", { registry: { bodyLimit: 2_000_000 }, knownAs: "ghcr.io" }],
  ])("%s fails, and says that it is the request", async (_case, options) => {
    await using world = await startUploadWorld(options);
    const error = await failureOf(world.upload(three));
    expect(error.status).toBe(413);
    expect(error.details.advice).toContain("client_max_body_size");
    expect(world.transfers().length).toBeLessThanOrEqual(2);
    await nothingLeftOpen(world);
  });
});
