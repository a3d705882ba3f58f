import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createBucket, fairShares } from "../../bench/fair-share.ts";

describe("fairShares", () => {
  test.each([
    [90, [100, 100, 100], [30, 30, 30]],
    [100, [10, 100, 100], [10, 45, 45]],
    [100, [10, 20, 30], [10, 20, 30]],
    [0, [10, 20], [0, 0]],
    [Number.POSITIVE_INFINITY, [10, 20], [10, 20]],
    [100, [], []],
  ])("of %d among %j are %j", (budget, demands, grants) => {
    expect(fairShares(budget, demands)).toEqual(grants);
  });

  test("never go above the budget or a demand, and leave less than a byte for each that wants more", () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.array(fc.nat(1e5), { maxLength: 20 }), (budget, demands) => {
        const grants = fairShares(budget, demands);
        const total = grants.reduce((sum, grant) => sum + grant, 0);
        const asked = demands.reduce((sum, demand) => sum + demand, 0);
        expect(grants.every((grant, index) => grant >= 0 && grant <= (demands[index] ?? 0))).toBe(true);
        expect(total).toBe(Math.min(budget, asked));
        const hungry = grants.filter((grant, index) => grant < (demands[index] ?? 0));
        expect(Math.max(0, ...hungry) - Math.min(...hungry, Math.max(0, ...hungry))).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("a bucket", () => {
  test("without a rate is never empty", () => {
    const bucket = createBucket(undefined, 0);
    bucket.take(1e9);
    expect(bucket.available(0, true)).toBe(Number.POSITIVE_INFINITY);
  });

  test("gives the rate, over any steps of time", () => {
    const bucket = createBucket(1000, 0);
    let taken = 0;
    for (let now = 0; now <= 10_000; now += 7) {
      const bytes = bucket.available(now, true);
      bucket.take(bytes);
      taken += bytes;
    }
    expect(taken).toBe(9_996);
  });

  test("makes up for a late timer while something waits, and saves next to nothing while nothing does", () => {
    expect(createBucket(1000, 0).available(800, true)).toBe(800);
    expect(createBucket(1000, 0).available(800, false)).toBe(5);
  });
});
