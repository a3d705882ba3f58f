import type { Clock } from "../clock.ts";

/** A value that is good for a time only: a temporary login, a bearer token. */
export interface Lease<T> {
  readonly value: T;
  /** When to get another one, in milliseconds since the epoch; `Infinity` for a value that stays. */
  readonly until: number;
}

/** Hands out one leased value to all who ask, and gets another when it runs out. */
export interface Leased<T> {
  /** @throws whatever obtaining the value throws; the next call then tries again. */
  get(signal?: AbortSignal): Promise<T>;
  /** Forgets a value that was refused before its time, unless another has already taken its place. */
  drop(value: T): void;
}

interface Flight<T> {
  readonly lease: Promise<Lease<T>>;
  readonly signal: AbortSignal | undefined;
}

/**
 * Shares a leased value: callers at the same moment wait for one request instead of making one each.
 * @param obtain gets a new value; called with the signal of the caller that needed it first.
 */
export function leased<T>(
  clock: Pick<Clock, "now">,
  obtain: (signal: AbortSignal | undefined) => Promise<Lease<T>>,
): Leased<T> {
  let current: Lease<T> | undefined;
  let flight: Flight<T> | undefined;

  async function land(signal: AbortSignal | undefined): Promise<Lease<T>> {
    try {
      current = await obtain(signal);
      return current;
    } finally {
      flight = undefined;
    }
  }

  async function get(signal?: AbortSignal): Promise<T> {
    if (current !== undefined && clock.now() < current.until) return current.value;
    const joined = flight;
    if (joined === undefined) {
      flight = { lease: land(signal), signal };
      return (await flight.lease).value;
    }
    try {
      return (await joined.lease).value;
    } catch (error) {
      // The caller that started the request gave up. Those that only joined it did not.
      if (joined.signal?.aborted === true && signal?.aborted !== true) return get(signal);
      throw error;
    }
  }

  return {
    get,
    drop: (value) => {
      if (current?.value === value) current = undefined;
    },
  };
}
