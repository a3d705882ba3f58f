import { once } from "node:events";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { randomBytes } from "../../sandbox/images.ts";
import { systemClock } from "../../src/clock.ts";
import { createTransport } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";
import { SpoolFile } from "../../src/spool/spool-file.ts";
import { all, folder, settled, spooledFor } from "../copy/spooling.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

type WriteV = FileHandle["writev"];

/** Puts something between all files and the disk. */
async function betweenDisk(
  write: (
    chunks: readonly Uint8Array[],
    goOn: (chunks: readonly Uint8Array[]) => ReturnType<WriteV>,
  ) => unknown,
): Promise<void> {
  const probe = await open(join(folder, "probe"), "w");
  const prototype = Object.getPrototypeOf(probe) as FileHandle;
  await probe.close();
  const { writev } = prototype;
  vi.spyOn(prototype, "writev").mockImplementation(function (this: FileHandle, ...given: unknown[]) {
    const [chunks, position] = given as [readonly Uint8Array[], number];
    return write(chunks, (some) => Reflect.apply(writev, this, [some, position]));
  } as WriteV);
}

/** A disk that takes nothing until it is told to; counts what it is given at a time. */
async function hesitantDisk() {
  const batches: number[] = [];
  const gate = Promise.withResolvers<void>();
  await betweenDisk(async (chunks, goOn) => {
    batches.push(chunks.length);
    await gate.promise;
    return goOn(chunks);
  });
  return { batches, takeAll: gate.resolve };
}

const limit = 256 * 1024;

describe("a disk that hesitates", () => {
  test("does not keep bytes from those who follow, and gets what has gathered at once", async () => {
    const { batches, takeAll } = await hesitantDisk();
    const { spooled, bytes, write } = await spooledFor();
    for (const from of [0, 300, 600]) await write(from, from + 300);
    const following = spooled.follow(0, 900);
    expect(await all(following)).toEqual(bytes.subarray(0, 900));
    expect(batches).toEqual([1]);
    takeAll();
    await write(900, 1000);
    await spooled.complete();
    expect(batches).toEqual([1, 3]);
    const name = spooled.descriptor.digest.replace(":", "-");
    expect(await readFile(join(folder, name))).toEqual(bytes);
    await spooled.remove();
  });

  test("holds up the download only when too much waits for it", async () => {
    const { takeAll } = await hesitantDisk();
    const bytes = randomBytes("hesitant", limit + 1);
    const { spooled, write } = await spooledFor({ bytes });
    await write(0, limit);
    let taken = false;
    const last = write(limit, limit + 1).then(() => {
      taken = true;
    });
    await settled();
    expect(taken).toBe(false);
    takeAll();
    await last;
    await spooled.complete();
    await spooled.remove();
  });

  test("does not make a blob complete that it has not taken", async () => {
    const { takeAll } = await hesitantDisk();
    const { spooled, bytes, write } = await spooledFor();
    await write(0, 1000);
    let complete = false;
    const completing = spooled.complete().then(() => {
      complete = true;
    });
    await settled();
    expect(complete).toBe(false);
    takeAll();
    await completing;
    expect(await all(spooled.follow())).toEqual(bytes);
    await spooled.remove();
  });

  test("keeps nothing from who is behind: memory lets go only of what the file has", async () => {
    const { takeAll } = await hesitantDisk();
    const { spooled, bytes, write } = await spooledFor({ memory: 0 });
    await write(0, 600);
    expect(await all(spooled.follow(0, 600))).toEqual(bytes.subarray(0, 600));
    takeAll();
    await write(600, 1000);
    await spooled.complete();
    expect(await all(spooled.follow())).toEqual(bytes);
    await spooled.remove();
  });
});

describe("a reader of the file", () => {
  /** What `SpoolFile` reads at a time. */
  const full = 128 * 1024;

  async function fileOf(name: string, bytes: Buffer): Promise<SpoolFile> {
    const file = await SpoolFile.open(folder, name);
    await file.append(bytes, () => undefined);
    await file.settle();
    return file;
  }

  test("has one buffer for all full chunks, and gives what is smaller in one of its own", async () => {
    const bytes = randomBytes("read", 5 * full + 100);
    const file = await fileOf("read", bytes);
    const read = file.reader();
    const buffers: ArrayBufferLike[] = [];
    const chunks: Buffer[] = [];
    for (let from = 0; from < bytes.length; from += chunks.at(-1)?.length ?? 0) {
      const chunk = await read(from, bytes.length);
      buffers.push(chunk.buffer);
      chunks.push(Buffer.from(chunk));
    }
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    expect(chunks.map(({ length }) => length)).toEqual([full, full, full, full, full, 100]);
    expect(buffers.map((buffer) => buffers.indexOf(buffer))).toEqual([0, 0, 0, 0, 0, 5]);
    const other = await file.reader()(0, full);
    expect(other.buffer).not.toBe(buffers[0]);
    await file.remove();
  });

  test("gives a chunk of its own where the disk gave less than a full one", async () => {
    const bytes = randomBytes("less", full);
    const file = await fileOf("less", bytes);
    const read = file.reader();
    // Beyond the end of the file: there is less than was asked for.
    const first = await read(full - 100, 2 * full);
    await read(0, full);
    expect(bytes.subarray(full - 100).equals(first)).toBe(true);
    await file.remove();
  });

  test.each([1, 2, 3])(
    "sends the right bytes over a connection that takes them slowly (%i)",
    async (seed) => {
      const size = 20 * full + 777;
      const bytes = randomBytes(`slow ${seed}`, size);
      // Some chunks come from memory, some from the file, in all sizes.
      const { spooled, write } = await spooledFor({ bytes, memory: seed * 100_000 });
      const got: Buffer[] = [];
      const server = createServer((request, response) => {
        request.on("data", (chunk: Buffer) => {
          got.push(chunk);
          request.pause();
          setTimeout(() => request.resume(), got.length % 3);
        });
        request.on("end", () => response.end());
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const network = createTransport(silentLog, systemClock);
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      const sending = network.send({ method: "PUT", url, body: spooled.follow() });
      for (let from = 0; from < size; ) {
        const to = Math.min(size, from + 1 + ((from * 31 + seed * 7919) % 200_000));
        await write(from, to);
        await settled();
        from = to;
      }
      await spooled.complete();
      expect((await sending).status).toBe(200);
      expect(Buffer.concat(got).equals(bytes)).toBe(true);
      await network.close();
      server.close();
      await spooled.remove();
    },
  );
});

describe("a disk that takes a part of what it is given", () => {
  test("is given the rest", async () => {
    await betweenDisk(([first = Buffer.alloc(0)], goOn) => goOn([first.subarray(0, 7)]));
    const { spooled, bytes, write } = await spooledFor();
    for (const [from, to] of [
      [0, 10],
      [10, 500],
      [500, 1000],
    ] as const) {
      await write(from, to);
    }
    await spooled.complete();
    const name = spooled.descriptor.digest.replace(":", "-");
    expect(await readFile(join(folder, name))).toEqual(bytes);
    await spooled.remove();
  });
});

describe("a disk that takes no more", () => {
  test("fails the next chunk, and the end where no chunk comes", async () => {
    await betweenDisk(() => Promise.reject(Object.assign(new Error("ENOSPC: full"), { code: "ENOSPC" })));
    const file = await SpoolFile.open(folder, "full");
    const written = vi.fn();
    await file.append(Buffer.from("a"), written);
    await settled();
    await expect(file.append(Buffer.from("b"), written)).rejects.toThrow("ENOSPC: full");
    await expect(file.settle()).rejects.toThrow("ENOSPC: full");
    expect([written.mock.calls.length, file.end]).toEqual([0, 0]);
    await file.remove();
    const { spooled, write } = await spooledFor();
    await write(0, 1000);
    await expect(spooled.complete()).rejects.toThrow("ENOSPC: full");
    await spooled.remove();
  });
});
