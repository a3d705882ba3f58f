/** Arithmetic of a shared link: who may send how many bytes now. Pure but for the bucket's own level. */

/**
 * Divides a budget among demands so that nobody gets more than asked and what one leaves goes to the others (max-min
 * fairness, which is what equal TCP flows through one bottleneck come to).
 * @param demands bytes that each could send now.
 * @returns bytes granted to each, whole numbers, together never above the budget.
 */
export function fairShares(budget: number, demands: readonly number[]): readonly number[] {
  const grants = demands.map(() => 0);
  const order = demands.map((_demand, index) => index).sort((a, b) => (demands[a] ?? 0) - (demands[b] ?? 0));
  let left = Math.floor(budget);
  order.forEach((index, done) => {
    const share = Math.floor(left / (order.length - done));
    const grant = Math.min(share, Math.floor(demands[index] ?? 0));
    grants[index] = grant;
    left -= grant;
  });
  return grants;
}

/** How much unused time an idle link may save up, in milliseconds: one packet train, not a burst above its rate. */
const idleCreditMs = 5;

/**
 * How much time a link with something waiting may catch up, in milliseconds. On a busy machine the timer comes late;
 * a real link would not have stood still meanwhile.
 */
const lateCreditMs = 1000;

/** A token bucket: bytes that may go now, filled at a rate. Without a rate it is never empty. */
export interface Bucket {
  /** Whole bytes that may be taken at `now` (milliseconds), given whether something has been waiting since the last call. */
  available(now: number, waiting: boolean): number;
  take(bytes: number): void;
}

/** Makes a bucket of `rate` bytes per second that is empty at `now` (milliseconds). */
export function createBucket(rate: number | undefined, now: number): Bucket {
  if (rate === undefined) return { available: () => Number.POSITIVE_INFINITY, take: () => undefined };
  let level = 0;
  let filledAt = now;
  return {
    available(time, waiting) {
      const credit = waiting ? lateCreditMs : idleCreditMs;
      level = Math.min(level + ((time - filledAt) * rate) / 1000, (credit * rate) / 1000);
      filledAt = time;
      return Math.max(0, Math.floor(level));
    },
    take(bytes) {
      level -= bytes;
    },
  };
}
