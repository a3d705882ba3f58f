/** Medians and spreads. Pure. */

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Median and range of some figures; undefined when there are none. Of an even number, the mean of the middle two. */
export function spreadOf(figures: readonly number[]): Spread | undefined {
  const sorted = figures.toSorted((one, other) => one - other);
  const [least, most] = [sorted[0], sorted.at(-1)];
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (least === undefined || most === undefined || upper === undefined || lower === undefined)
    return undefined;
  return { median: (lower + upper) / 2, least, most };
}

/** One median divided by another; undefined unless both are there and the divisor is above 0. */
export function ratioOf(one: Spread | undefined, other: Spread | undefined): number | undefined {
  return one === undefined || other === undefined || other.median <= 0
    ? undefined
    : one.median / other.median;
}

/** The one with the smallest median; undefined when there is none. */
export function leastOf(spreads: readonly (Spread | undefined)[]): Spread | undefined {
  return spreads.reduce<Spread | undefined>(
    (best, next) => (next !== undefined && (best === undefined || next.median < best.median) ? next : best),
    undefined,
  );
}
