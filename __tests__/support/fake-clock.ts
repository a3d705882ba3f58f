import type { Clock } from "../../src/clock.ts";

/** A clock whose hands move only when someone sleeps or the test turns them. */
export interface FakeClock extends Clock {
  /** Every sleep so far, in milliseconds. */
  readonly slept: readonly number[];
  /** Moves the hands forward by milliseconds. */
  advance(ms: number): void;
}

/** @param start milliseconds since the epoch. */
export function fakeClock(start = Date.UTC(2026, 0, 1)): FakeClock {
  const slept: number[] = [];
  let now = start;
  return {
    slept,
    now: () => now,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(ms);
      now += ms;
    },
    advance: (ms) => {
      now += ms;
    },
  };
}
