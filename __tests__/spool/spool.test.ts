import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { randomBytes } from "../../sandbox/images.ts";
import { ContentError } from "../../src/spool/spool.ts";
import { all, folder, type Spooling, settled, spooledFor } from "../copy/spooling.ts";

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
    await spooled.complete();
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
    await spooled.complete();
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
    await spooled.complete();
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
    await spooled.complete();
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
      const verdict = await spooled.complete().catch((error: unknown) => error);
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
    await spooled.complete();
    expect(await all(following)).toEqual(bytes.subarray(200));
    await spooled.remove();
  });

  test("with a gap left is not complete", async () => {
    const { spooled, write } = await spooledFor();
    await write(600, 1000);
    await write(0, 500);
    await expect(spooled.complete()).rejects.toThrow(/has 500 bytes/);
    await spooled.remove();
  });
});

describe("the file", () => {
  test("has the blob's bytes, can be read by nobody else, and goes away", async () => {
    const { spooled, write } = await spooledFor();
    await write(0, 1000);
    await spooled.complete();
    const name = spooled.descriptor.digest.replace(":", "-");
    const { size, mode } = await stat(join(folder, name));
    expect([size, mode & 0o777]).toEqual([1000, 0o600]);
    await spooled.remove();
    expect(await readdir(folder)).not.toContain(name);
  });
});
