import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Connections, RateSearch } from "../../src/copy/rate-search.ts";

/** A link whose rate is limited per connection and in total, in bytes per look, and the search on it. */
function searchOn(link: { perConnection: number; total: number; start?: number; ceiling?: number }) {
  const { perConnection, total, start = 4, ceiling = 16 } = link;
  const state = { limit: start, isCrowded: true, throttledAt: Number.NEGATIVE_INFINITY, moved: 0 };
  const connections: Connections = {
    get isCrowded() {
      return state.isCrowded;
    },
    get limit() {
      return state.limit;
    },
    get throttledAt() {
      return state.throttledAt;
    },
    resize: (by) => {
      state.limit = Math.min(ceiling, Math.max(1, state.limit + by));
    },
  };
  const search = new RateSearch(connections, () => state.moved);
  /** Lets so many looks pass; returns the number of connections after each. */
  const looks = (count: number, noise: () => number = () => 1): readonly number[] =>
    Array.from({ length: count }, () => {
      state.moved += Math.min(state.limit * perConnection, total) * noise();
      search.look();
      return state.limit;
    });
  return { state, looks };
}

/** The number that was there most of the time. */
function most(numbers: readonly number[]): number | undefined {
  const groups = [...Map.groupBy(numbers, (number) => number)];
  return groups.sort(([, one], [, other]) => other.length - one.length)[0]?.[0];
}

/** Looks until a number of connections is judged: it settles, and is measured. */
const trial = 8;
/** Looks between one that did not help and the next. */
const rest = 20;

describe("the search for the number of connections", () => {
  test.each([
    [4, 16, 4],
    [10, 10, 4],
    [4, 24, 6],
    [4, 36, 9],
    [4, 40, 9],
    [1, 14, 14],
  ])("of %i each on a link of %i ends at %i", (perConnection, total, right) => {
    const { looks } = searchOn({ perConnection, total });
    looks(6 * trial);
    const later = looks(400);
    expect(most(later)).toBe(right);
    // More are tried now and then, and taken back; never fewer than what helped.
    expect(Math.min(...later)).toBe(right);
    expect(Math.max(...later)).toBeLessThanOrEqual(Math.ceil(right * 1.5));
    expect(later.filter((limit) => limit > right).length).toBeLessThan(later.length / 3);
  });

  test("fills a link, and has not many more than fill it, whatever the link", () => {
    const ratio = fc.integer({ min: 10, max: 160 }).map((tenths) => tenths / 10);
    fc.assert(
      fc.property(ratio, fc.integer({ min: 1000, max: 1e7 }), (connectionsThatFill, perConnection) => {
        const { looks } = searchOn({ perConnection, total: connectionsThatFill * perConnection });
        looks(6 * trial);
        const found = most(looks(400)) ?? 0;
        expect(found).toBeGreaterThanOrEqual(Math.floor(0.75 * connectionsThatFill));
        // It starts with four.
        expect(found).toBeLessThanOrEqual(Math.max(4, Math.ceil(1.25 * connectionsThatFill)));
      }),
    );
  });

  test("goes up to the ceiling where the link has no end, stays there, and does not go above", () => {
    const { looks } = searchOn({ perConnection: 4, total: 1e9 });
    expect(looks(6 * trial).at(-1)).toBe(16);
    expect(new Set(looks(200))).toEqual(new Set([16]));
  });

  test("closes no more than it opened, where the ceiling allowed fewer than it asked for", () => {
    const { looks } = searchOn({ perConnection: 4, total: 40, start: 10, ceiling: 12 });
    const limits = looks(400);
    expect(new Set(limits)).toEqual(new Set([10, 12]));
    expect(most(limits)).toBe(10);
  });

  test("ends where it should although the rate is noisy", () => {
    const percent = fc.integer({ min: -10, max: 10 });
    fc.assert(
      fc.property(fc.infiniteStream(percent), fc.constantFrom(4, 6, 9), (noise, right) => {
        const next = (): number => 1 + Number(noise.next().value) / 100;
        const { looks } = searchOn({ perConnection: 1e6, total: right * 1e6 });
        looks(4 * trial, next);
        expect(most(looks(300, next))).toBe(right);
      }),
    );
  });

  test("judges a rate over time: what arrives in bursts is no faster", () => {
    const { looks } = searchOn({ perConnection: 4, total: 16 });
    let look = 0;
    const bursts = (): number => {
      look += 1;
      return look % 4 === 0 ? 4 : 0;
    };
    expect(most(looks(300, bursts))).toBe(4);
  });

  test("opens nothing while nobody waits", () => {
    const { state, looks } = searchOn({ perConnection: 4, total: 400 });
    state.isCrowded = false;
    expect(new Set(looks(100))).toEqual(new Set([4]));
    state.isCrowded = true;
    expect(looks(trial).at(-1)).toBe(6);
  });

  test("does not judge new places by a time in which nobody waited for one", () => {
    const { state, looks } = searchOn({ perConnection: 4, total: 400 });
    expect(looks(trial).at(-1)).toBe(6);
    // The work runs out: the rate falls, but not because of the new places.
    looks(trial - 2);
    state.isCrowded = false;
    looks(10, () => 0);
    expect(state.limit).toBe(6);
    state.isCrowded = true;
    expect(looks(trial).at(-1)).toBe(9);
  });

  test("rests after the host said that it was too much", () => {
    const { state, looks } = searchOn({ perConnection: 4, total: 400 });
    looks(trial);
    expect(state.limit).toBe(6);
    state.throttledAt = 1000;
    state.limit = 3;
    expect(new Set(looks(rest))).toEqual(new Set([3]));
    expect(looks(trial).at(-1)).toBe(5);
  });

  test("does not close places that the host's word has closed already", () => {
    const { state, looks } = searchOn({ perConnection: 4, total: 400 });
    looks(trial + 4);
    // Halved in the middle of a trial: the rate falls with it.
    state.limit = 3;
    state.throttledAt = 1000;
    expect(new Set(looks(rest))).toEqual(new Set([3]));
  });
});
