/** A number of connections that can be changed. */
export interface Connections {
  /** Whether one more connection would have something to do. */
  readonly isCrowded: boolean;
  readonly limit: number;
  /** When the host last said that it was too much, in milliseconds since the epoch. */
  readonly throttledAt: number;
  resize(by: number): void;
}

/** How often the rate is looked at, in milliseconds. */
export const rateInterval = 500;

/**
 * Looks that a number of connections is given before its rate counts, two seconds: new connections have to come up and
 * gain speed, and what they first take goes into buffers along the way, not to the other side.
 */
const settlingLooks = 4;

/** Looks whose bytes make a rate, two seconds: the other side acknowledges in bursts. */
const measuringLooks = 4;

/** Looks without a further try after one that did not help, or after the host said that it was too much: ten seconds. */
const restingLooks = 20;

/**
 * Finds the number of connections that fill a link, and opens no more. With more, the largest blob only gets a smaller part
 * of the same rate and arrives last. While work waits, half as many more are tried. They stay if the rate rises by at least
 * half of what they could bring; else they are closed again.
 */
export class RateSearch {
  readonly #connections: Connections;
  readonly #moved: () => number;
  #throttledAt: number;
  /** Looks until the next measurement begins. */
  #pause = settlingLooks;
  /** Looks since it began. */
  #looks = 0;
  #movedBefore = 0;
  /** What is being tried: the rate before, in bytes per measurement, and the connections that were added. */
  #trial: { readonly rate: number; readonly before: number; readonly added: number } | undefined;

  /** @param moved bytes that went through these connections so far. */
  constructor(connections: Connections, moved: () => number) {
    this.#connections = connections;
    this.#moved = moved;
    this.#throttledAt = connections.throttledAt;
  }

  /** To be called every `rateInterval`. */
  look(): void {
    if (this.#connections.throttledAt !== this.#throttledAt) {
      this.#throttledAt = this.#connections.throttledAt;
      this.#measureAfter(restingLooks);
      return;
    }
    // A rate that is measured while no work waits says nothing about the link.
    if (!this.#connections.isCrowded) {
      this.#measureAfter(settlingLooks);
      return;
    }
    if (this.#pause > 0) {
      this.#pause -= 1;
      this.#movedBefore = this.#moved();
      return;
    }
    this.#looks += 1;
    if (this.#looks === measuringLooks) this.#judge(this.#moved() - this.#movedBefore);
  }

  #judge(rate: number): void {
    const trial = this.#trial;
    if (trial !== undefined && rate < trial.rate * (1 + trial.added / trial.before / 2)) {
      this.#connections.resize(-trial.added);
      this.#measureAfter(restingLooks);
      return;
    }
    this.#try(rate);
  }

  #try(rate: number): void {
    const before = this.#connections.limit;
    this.#connections.resize(Math.ceil(before / 2));
    // At the ceiling, fewer are added than asked for, or none. Only those may be closed again.
    const added = this.#connections.limit - before;
    this.#measureAfter(added > 0 ? settlingLooks : restingLooks);
    if (added > 0) this.#trial = { rate, before, added };
  }

  #measureAfter(looks: number): void {
    this.#trial = undefined;
    this.#looks = 0;
    this.#pause = looks;
  }
}
