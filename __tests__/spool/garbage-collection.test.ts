import { constants, PerformanceObserver } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { GarbageCollection } from "../../src/spool/garbage-collection.ts";

const mebibyte = 1024 * 1024;

describe("the garbage of downloads", () => {
  test("is collected each time that 16 MiB more were received", () => {
    const collect = vi.fn();
    const garbage = new GarbageCollection(collect);
    const collections = Array.from({ length: 50 }, () => {
      garbage.received(mebibyte);
      return collect.mock.calls.length;
    });
    expect(collections.indexOf(1)).toBe(15);
    expect(collections.indexOf(2)).toBe(31);
    expect(collections.at(-1)).toBe(3);
  });

  test("is collected from the whole heap each time that 128 MiB more were received", () => {
    const kinds: string[] = [];
    const garbage = new GarbageCollection((which) => kinds.push(which));
    for (let count = 0; count < 16; count += 1) garbage.received(16 * mebibyte);
    const seven = Array<string>(7).fill("minor");
    expect(kinds).toEqual([...seven, "major", ...seven, "major"]);
  });

  test("is really collected", () => {
    const garbage = new GarbageCollection();
    const held: Buffer[] = [];
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 200; count += 1) {
      const buffer = Buffer.allocUnsafeSlow(64 * 1024);
      if (count % 20 === 0) held.push(buffer);
    }
    const piledUp = process.memoryUsage().arrayBuffers - before;
    garbage.received(16 * mebibyte);
    garbage.received(16 * mebibyte);
    const left = process.memoryUsage().arrayBuffers - before;
    expect(piledUp).toBeGreaterThan(8 * mebibyte);
    expect(left).toBeLessThan(4 * mebibyte);
    expect(held).toHaveLength(10);
  });

  test("is never looked for in small steps, with threads of V8 beside", async () => {
    new GarbageCollection();
    const kinds: unknown[] = [];
    const observer = new PerformanceObserver((list) => {
      // The types of Node.js leave out what an entry of this kind brings along.
      for (const entry of list.getEntries())
        kinds.push((entry as { detail?: { kind: number } }).detail?.kind);
    });
    observer.observe({ entryTypes: ["gc"] });
    for (let megabytes = 0; megabytes < 1000; megabytes += 1) {
      Buffer.allocUnsafeSlow(mebibyte);
      if (megabytes % 20 === 0) await sleep(1);
    }
    await sleep(10);
    observer.disconnect();
    expect(kinds).toContain(constants.NODE_PERFORMANCE_GC_MAJOR);
    expect(kinds).not.toContain(constants.NODE_PERFORMANCE_GC_INCREMENTAL);
  });
});
