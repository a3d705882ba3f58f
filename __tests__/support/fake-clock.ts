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
  const alarms = new Set<{ due: number; readonly ring: () => void }>();
  let now = start;
  /** What is due rings once, however often it was due. */
  function advance(ms: number): void {
    now += ms;
    for (const alarm of alarms) if (alarm.due <= now) alarm.ring();
  }
  function every(ms: number, work: () => void): () => void {
    const alarm = {
      due: now + ms,
      ring: () => {
        alarm.due = now + ms;
        work();
      },
    };
    alarms.add(alarm);
    return () => alarms.delete(alarm);
  }
  return {
    slept,
    now: () => now,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(ms);
      advance(ms);
    },
    every,
    timeout: (ms) => {
      const controller = new AbortController();
      const stop = every(ms, () => {
        stop();
        controller.abort(new DOMException("the time is over", "TimeoutError"));
      });
      return controller.signal;
    },
    advance,
  };
}
