/** A number of connections that can be changed. */
export interface Connections {
  /** Whether one more connection would have something to do. */
  readonly isCrowded: boolean;
  readonly limit: number;
  /** When the host last said that it was too much, in milliseconds since the epoch. */
  readonly throttledAt: number;
  resize(by: 1 | -1): void;
}

/** How often the rate is looked at, in milliseconds: two round trips of a very long link. */
export const rateInterval = 500;

/** Looks that a change is given before it is judged: new connections first have to come up and gain speed. */
const settlingLooks = 1;

/** Looks without a further try after one that did not help, or after the host said that it was too much: ten seconds. */
const restingLooks = 20;

/**
 * Finds the number of connections that fill a link, and no more: with more, the largest blob only gets a smaller part of
 * the same rate, and is the last to arrive. While work waits, one place is added at a time; it stays if the rate rose by
 * at least half of what a further connection could bring, else it is closed again.
 */
export class RateSearch {
  readonly #slots: Connections;
  readonly #moved: () => number;
  #lastMoved = 0;
  #settling = 0;
  #resting = 0;
  #throttledAt: number;
  /** Rate before the place was added that is being judged, in bytes per look. */
  #before: number | undefined;

  /** @param moved bytes that went through these connections so far. */
  constructor(slots: Connections, moved: () => number) {
    this.#slots = slots;
    this.#moved = moved;
    this.#throttledAt = slots.throttledAt;
  }

  /** To be called every `rateInterval`. */
  look(): void {
    const moved = this.#moved();
    const rate = moved - this.#lastMoved;
    this.#lastMoved = moved;
    if (this.#slots.throttledAt !== this.#throttledAt) {
      this.#throttledAt = this.#slots.throttledAt;
      this.#rest();
      return;
    }
    if (this.#resting > 0) {
      this.#resting -= 1;
      return;
    }
    if (!this.#slots.isCrowded) {
      this.#before = undefined;
      return;
    }
    if (this.#settling > 0) {
      this.#settling -= 1;
      return;
    }
    if (this.#before !== undefined && rate < this.#before * (1 + 0.5 / Math.max(1, this.#slots.limit - 1))) {
      this.#slots.resize(-1);
      this.#rest();
      return;
    }
    this.#before = rate;
    this.#settling = settlingLooks;
    this.#slots.resize(1);
  }

  #rest(): void {
    this.#before = undefined;
    this.#settling = 0;
    this.#resting = restingLooks;
  }
}
