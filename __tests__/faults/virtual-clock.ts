import { type Clock, systemClock } from "../../src/clock.ts";

/** A clock that leaps from one end of a sleep to the next. */
export interface VirtualClock extends Clock {
  /** Virtual milliseconds since the start. */
  readonly elapsed: number;
  /** Moves the hands forward by milliseconds; nobody wakes up by it. */
  advance(ms: number): void;
  stop(): void;
}

/** Real milliseconds that requests under way get before the hands leap, by a short and by a long leap. */
const [shortRest, longRest] = [1, 8];

/**
 * Time for a whole run: who sleeps wakes up in the right order, and hours pass in moments. Unlike a clock on which every
 * sleep moves the hands, several sleeps at once take no longer than the longest of them, so that the time a run takes can
 * be judged.
 */
export function virtualClock(start = Date.UTC(2026, 6, 1)): VirtualClock {
  const sleepers: { readonly due: number; readonly wake: () => void }[] = [];
  let now = start;
  let timer: NodeJS.Timeout | undefined;

  function leap(): void {
    timer = undefined;
    const next = sleepers.shift();
    if (next === undefined) return;
    now = Math.max(now, next.due);
    next.wake();
    schedule();
  }

  function schedule(): void {
    const [next] = sleepers;
    if (timer !== undefined || next === undefined) return;
    timer = setTimeout(leap, next.due - now > 100 ? longRest : shortRest);
  }

  return {
    get elapsed() {
      return now - start;
    },
    ...systemClock,
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason);
          return;
        }
        const sleeper = {
          due: now + ms,
          wake: () => {
            signal?.removeEventListener("abort", abort);
            resolve();
          },
        };
        const abort = (): void => {
          sleepers.splice(sleepers.indexOf(sleeper), 1);
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", abort, { once: true });
        const behind = sleepers.findIndex(({ due }) => due > sleeper.due);
        sleepers.splice(behind < 0 ? sleepers.length : behind, 0, sleeper);
        schedule();
      }),
    advance: (ms) => {
      now += ms;
    },
    stop: () => clearTimeout(timer),
  };
}
