import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { randomBytes } from "../../sandbox/images.ts";
import { RecentChunks } from "../../src/copy/recent-chunks.ts";
import { ContentError, SpooledBlob } from "../../src/copy/spool.ts";
import { digestOf } from "../../src/oci/digest.ts";

const folder = await mkdtemp(join(tmpdir(), "spool-test-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const octets = "application/octet-stream";
const plenty = 1e9;

interface Spooling {
  readonly bytes?: Uint8Array;
  /** What the descriptor says, where that is not the truth. */
  readonly size?: number;
  /** Bytes kept in memory. */
  readonly memory?: number;
}

/** An empty spool file for some bytes. */
async function spooledFor({ bytes = randomBytes("spool", 1000), size, memory = plenty }: Spooling = {}) {
  const descriptor = { digest: digestOf(bytes), size: size ?? bytes.length, mediaType: octets };
  const spooled = await SpooledBlob.create(folder, descriptor, new RecentChunks(memory));
  const write = (from: number, to: number): Promise<void> =>
    spooled.write(from, Buffer.from(bytes.subarray(from, to)));
  return { spooled, bytes, write };
}

/** Reads on until a number of bytes is there; the generator stays open. */
async function take(following: AsyncGenerator<Uint8Array>, count: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (let size = 0; size < count; ) {
    const { value, done } = await following.next();
    if (done === true) throw new Error(`the blob ended after ${size} bytes`);
    chunks.push(value);
    size += value.length;
  }
  return Buffer.concat(chunks);
}

async function all(following: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of following) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("who follows a blob", () => {
  test("gets its bytes while it grows, each at its own pace", async () => {
    const { spooled, bytes, write } = await spooledFor();
    const quick = spooled.follow();
    await write(0, 300);
    expect(await take(quick, 300)).toEqual(bytes.subarray(0, 300));
    await write(300, 600);
    expect(await take(quick, 300)).toEqual(bytes.subarray(300, 600));
    const late = all(spooled.follow());
    await write(600, 1000);
    spooled.complete();
    expect(await all(quick)).toEqual(bytes.subarray(600));
    expect(await late).toEqual(bytes);
    expect(await all(spooled.follow())).toEqual(bytes);
    await spooled.remove();
  });

  test("may start anywhere and end anywhere, as often as needed", async () => {
    const { spooled, bytes, write } = await spooledFor();
    const middle = all(spooled.follow(250, 750));
    await write(0, 700);
    await write(700, 800);
    // Before the blob is complete: the last byte of this part is not that of the blob.
    expect(await middle).toEqual(bytes.subarray(250, 750));
    expect(await all(spooled.follow(0, 800))).toEqual(bytes.subarray(0, 800));
    expect(await all(spooled.follow(800, 800))).toEqual(Buffer.alloc(0));
    await write(800, 1000);
    spooled.complete();
    expect(await all(spooled.follow(999))).toEqual(bytes.subarray(999));
    expect(await all(spooled.follow(1000))).toEqual(Buffer.alloc(0));
    await spooled.remove();
  });

  test("does not get the last byte before the digest is right (P1)", async () => {
    const { spooled, bytes, write } = await spooledFor();
    await write(0, 1000);
    const following = spooled.follow();
    expect(await take(following, 999)).toEqual(bytes.subarray(0, 999));
    let ended = false;
    const last = following.next().finally(() => {
      ended = true;
    });
    await settled();
    expect(ended).toBe(false);
    spooled.complete();
    expect((await last).value).toEqual(bytes.subarray(999));
    await spooled.remove();
  });

  test("does not get the end of an empty blob before its verdict either", async () => {
    const { spooled } = await spooledFor({ bytes: Buffer.alloc(0) });
    let ended = false;
    const following = all(spooled.follow()).finally(() => {
      ended = true;
    });
    await settled();
    expect(ended).toBe(false);
    spooled.complete();
    expect(await following).toEqual(Buffer.alloc(0));
    const other = await spooledFor({ bytes: Buffer.alloc(0) });
    const failing = all(other.spooled.follow());
    other.spooled.fail(new Error("gone"));
    await expect(failing).rejects.toThrow("gone");
    await Promise.all([spooled.remove(), other.spooled.remove()]);
  });

  test("gets the failure of the download, early or late", async () => {
    const { spooled, write } = await spooledFor();
    await write(0, 500);
    const behind = spooled.follow();
    await take(behind, 500);
    const waiting = behind.next();
    const failure = new Error("the source has gone");
    spooled.fail(failure);
    await expect(waiting).rejects.toBe(failure);
    await expect(all(spooled.follow())).rejects.toBe(failure);
    expect(spooled.failure).toBe(failure);
    await spooled.remove();
  });
});

describe("content that is not what the descriptor says", () => {
  test.each<[string, Spooling, RegExp]>([
    ["other bytes", { bytes: randomBytes("other", 1000) }, /do not have the digest/],
    ["too few bytes", { bytes: randomBytes("spool", 900) }, /has 900 bytes, its descriptor says 1000/],
  ])(
    "%s fail every follower, and nobody got the last byte",
    async (_what, { bytes = Buffer.alloc(0) }, why) => {
      const { spooled } = await spooledFor();
      const followers = [spooled.follow(), spooled.follow(500)].map(async (following) => {
        let got = 0;
        const failure = await (async () => {
          for await (const chunk of following) got += chunk.length;
        })().catch((error: unknown) => error);
        return { got, failure };
      });
      await spooled.write(0, bytes);
      const verdict = await (async () => spooled.complete())().catch((error: unknown) => error);
      expect(verdict).toBeInstanceOf(ContentError);
      expect(String(verdict)).toMatch(why);
      spooled.fail(new Error("wrong content"));
      for (const { got, failure } of await Promise.all(followers)) {
        expect(failure).toEqual(new Error("wrong content"));
        expect(got).toBeLessThan(1000);
      }
      await spooled.remove();
    },
  );

  test.each([
    [1000, 1],
    [0, 1001],
    [999, 2],
  ])("bytes beyond its end are refused: at %i, %i of them", async (position, count) => {
    const { spooled, write } = await spooledFor();
    if (position > 0) await write(0, position);
    await expect(spooled.write(position, Buffer.alloc(count))).rejects.toThrow(ContentError);
    expect(spooled.received).toBe(position);
    await spooled.remove();
  });
});

describe("a blob in several parts", () => {
  test("counts as received only without a gap, in order, and has the right digest", async () => {
    const { spooled, bytes, write } = await spooledFor();
    const following = spooled.follow();
    await write(500, 700);
    await write(700, 1000);
    expect(spooled.received).toBe(0);
    await write(0, 200);
    expect(spooled.received).toBe(200);
    expect(await take(following, 200)).toEqual(bytes.subarray(0, 200));
    await write(200, 500);
    expect(spooled.received).toBe(1000);
    spooled.complete();
    expect(await all(following)).toEqual(bytes.subarray(200));
    await spooled.remove();
  });

  test("with a gap left is not complete", async () => {
    const { spooled, write } = await spooledFor();
    await write(600, 1000);
    await write(0, 500);
    expect(() => spooled.complete()).toThrow(/has 500 bytes/);
    await spooled.remove();
  });
});

describe("memory", () => {
  test("keeps the newest bytes of all blobs together, and no more than its limit", () => {
    const recent = new RecentChunks(100);
    const kept: string[] = [];
    const keep = (name: string, size: number): void => {
      kept.push(name);
      recent.add(size, () => kept.splice(kept.indexOf(name), 1));
    };
    for (const name of ["a1", "b1", "a2"]) keep(name, 40);
    expect(kept).toEqual(["b1", "a2"]);
    keep("b2", 90);
    expect(kept).toEqual(["b2"]);
    keep("too large", 101);
    expect(kept).toEqual([]);
    keep("next", 100);
    expect(kept).toEqual(["next"]);
  });

  test("keeps within its limit over many thousands of chunks", () => {
    const recent = new RecentChunks(1000);
    const kept: number[] = [];
    let size = 0;
    let most = 0;
    for (let chunk = 0; chunk < 5000; chunk += 1) {
      kept.push(chunk % 300);
      size += chunk % 300;
      recent.add(chunk % 300, () => {
        size -= kept.shift() ?? 0;
      });
      most = Math.max(most, size);
    }
    expect(most).toBeLessThanOrEqual(1000);
    expect(most).toBeGreaterThan(700);
  });

  test("that is full does not change what followers at different places get", async () => {
    const { spooled, bytes, write } = await spooledFor({ memory: 150 });
    const places = [0, 120, 350].map((from) => ({ from, following: spooled.follow(from) }));
    for (let from = 0; from < 1000; from += 50) await write(from, from + 50);
    spooled.complete();
    for (const { from, following } of places) expect(await all(following)).toEqual(bytes.subarray(from));
    await spooled.remove();
  });
});

describe("the file", () => {
  test("has the blob's bytes, can be read by nobody else, and goes away", async () => {
    const { spooled, write } = await spooledFor();
    await write(0, 1000);
    const name = spooled.descriptor.digest.replace(":", "-");
    const { size, mode } = await stat(join(folder, name));
    expect([size, mode & 0o777]).toEqual([1000, 0o600]);
    await spooled.remove();
    expect(await readdir(folder)).not.toContain(name);
  });
});

/** Parts of a blob as several connections bring them: who brings the next piece, and how large it is. */
interface Arrival {
  readonly lane: number;
  readonly size: number;
}

const arrivals = fc.array(fc.record({ lane: fc.nat(3), size: fc.integer({ min: 1, max: 700 }) }), {
  minLength: 1,
  maxLength: 60,
});

describe("whatever the order of writes, the paces of readers and the memory", () => {
  test("every follower gets the right bytes, in order, and the digest is right", async () => {
    const size = fc.integer({ min: 4, max: 8000 });
    const memory = fc.constantFrom(0, 500, 3000, plenty);
    const readers = fc.array(fc.record({ from: fc.nat(8000), every: fc.nat(4) }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(size, memory, readers, arrivals, async (length, limit, paces, order) => {
        const bytes = randomBytes(`blob ${length}`, length);
        const { spooled } = await spooledFor({ bytes, memory: limit });
        const reading = paces.map(({ from, every }) => readSlowly(spooled, Math.min(from, length), every));
        await writeByLanes(spooled, bytes, order);
        expect(spooled.received).toBe(length);
        spooled.complete();
        const got = await Promise.all(reading);
        for (const [index, { from }] of paces.entries()) {
          expect(got[index]?.equals(bytes.subarray(Math.min(from, length)))).toBe(true);
        }
        await spooled.remove();
      }),
      { numRuns: 60 },
    );
  });
});

/** Four connections, each with a quarter of the blob; every piece is written without waiting for other connections. */
async function writeByLanes(spooled: SpooledBlob, bytes: Buffer, order: readonly Arrival[]): Promise<void> {
  const quarter = Math.floor(bytes.length / 4);
  const lanes = [0, 1, 2, 3].map((lane) => ({
    position: lane * quarter,
    end: lane === 3 ? bytes.length : (lane + 1) * quarter,
    writing: Promise.resolve(),
  }));
  const rest = lanes.map((_, lane) => ({ lane, size: bytes.length }));
  for (const { lane: index, size } of [...order, ...rest.reverse()]) {
    const lane = lanes[index];
    if (lane === undefined) continue;
    const from = lane.position;
    lane.position = Math.min(from + size, lane.end);
    const piece = Buffer.from(bytes.subarray(from, lane.position));
    // One connection writes one piece after the other; several of them write at the same time.
    lane.writing = lane.writing.then(() => (piece.length > 0 ? spooled.write(from, piece) : undefined));
    if (size % 3 === 0) await settled();
  }
  await Promise.all(lanes.map(({ writing }) => writing));
}

/** @param every chunks between two pauses; 0: no pause. */
async function readSlowly(spooled: SpooledBlob, from: number, every: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of spooled.follow(from)) {
    // No copy: what was handed on may not change later either.
    chunks.push(chunk);
    if (every > 0 && chunks.length % every === 0) await settled();
  }
  return Buffer.concat(chunks);
}
