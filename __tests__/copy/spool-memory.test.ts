import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomBytes } from "../../sandbox/images.ts";
import { RecentChunks } from "../../src/spool/recent-chunks.ts";
import type { SpooledBlob } from "../../src/spool/spool.ts";
import { collectGarbage } from "./garbage.ts";
import { all, plenty, settled, spooledFor } from "./spooling.ts";

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

  test("holds on to no chunk that it has given up", async () => {
    const recent = new RecentChunks(100);
    const chunks = Array.from({ length: 50 }, () => {
      const chunk = Buffer.alloc(10);
      recent.add(chunk.length, () => chunk.fill(0));
      return new WeakRef(chunk);
    });
    // What a weak reference was made for in this turn of the loop lives until its end.
    await settled();
    collectGarbage();
    expect(chunks.map((chunk) => chunk.deref() !== undefined)).toEqual([
      ...Array.from({ length: 40 }, () => false),
      ...Array.from({ length: 10 }, () => true),
    ]);
    // Still used, or it could be garbage itself.
    recent.add(100, () => undefined);
  });

  test("that is full does not change what followers at different places get", async () => {
    const { spooled, bytes, write } = await spooledFor({ memory: 150 });
    const places = [0, 120, 350].map((from) => ({ from, following: spooled.follow(from) }));
    for (let from = 0; from < 1000; from += 50) await write(from, from + 50);
    await spooled.complete();
    for (const { from, following } of places) expect(await all(following)).toEqual(bytes.subarray(from));
    await spooled.remove();
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
        await spooled.complete();
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
    // Until it asks for the next, the chunk is the reader's, however long it takes.
    if (every > 0 && chunks.length % every === 0) await settled();
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}
