import { setTimeout as delay } from "node:timers/promises";

/** Time as an argument: tests turn the hands themselves. Nothing else tells the time. All times are in milliseconds. */
export interface Clock {
  /** Since the epoch. */
  now(): number;
  /** Resolves after so long; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Does something again and again until the returned function is called, for the first time after `ms`. Keeps no process alive. */
  every(ms: number, work: () => void): () => void;
  /** A signal that aborts after so long, with a `TimeoutError`. Keeps no process alive. */
  timeout(ms: number): AbortSignal;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
  every: (ms, work) => {
    const timer = setInterval(work, ms).unref();
    return () => clearInterval(timer);
  },
  // Whole numbers are all that it takes.
  timeout: (ms) => AbortSignal.timeout(Math.floor(ms)),
};
