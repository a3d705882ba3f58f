import type { Clock } from "../clock.ts";

/** How many things may run at once against one host in one direction. */
export interface SlotLimits {
  /** Places at the start. */
  readonly start: number;
  /** Most places ever. */
  readonly ceiling: number;
}

interface Waiting {
  readonly priority: number;
  readonly enter: () => void;
}

/**
 * Places for work against one host. The number adapts: one more for each round of work that went well, half when the
 * host says that it is too much (the rule of TCP, RFC 5681), and nothing new before the time that it names.
 */
export class Slots {
  readonly #clock: Clock;
  readonly #ceiling: number;
  readonly #waiting: Waiting[] = [];
  #limit: number;
  #taken = 0;
  #closedUntil = 0;
  #halvedAt = Number.NEGATIVE_INFINITY;
  #waking = false;

  constructor(limits: SlotLimits, clock: Clock) {
    this.#clock = clock;
    this.#limit = limits.start;
    this.#ceiling = limits.ceiling;
  }

  /** Places at the moment, taken or not. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /**
   * Runs work in a place of its own; of those that wait, the highest priority comes first, then the longest waiting.
   * @throws what the work throws, or the signal's reason while it waits.
   */
  async run<T>(priority: number, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    await this.#enter(priority, signal);
    try {
      const result = await work();
      this.#limit = Math.min(this.#ceiling, this.#limit + 1 / this.#limit);
      return result;
    } finally {
      this.#taken -= 1;
      this.#admit();
    }
  }

  /**
   * The host said that it is too much. Answers to one burst arrive together and halve the number once.
   * @param retryAfter pause that the host named, in milliseconds.
   */
  throttled(retryAfter = 0): void {
    const now = this.#clock.now();
    this.#closedUntil = Math.max(this.#closedUntil, now + retryAfter);
    // Longer than a burst takes to come back over a long link, shorter than the first pause before a second try.
    if (now - this.#halvedAt < 400) return;
    this.#halvedAt = now;
    this.#limit = Math.max(1, this.#limit / 2);
  }

  #enter(priority: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const leave = (): void => {
        const index = this.#waiting.indexOf(waiting);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(signal?.reason);
      };
      const waiting: Waiting = {
        priority,
        enter: () => {
          signal?.removeEventListener("abort", leave);
          resolve();
        },
      };
      signal?.addEventListener("abort", leave, { once: true });
      const behind = this.#waiting.findIndex((other) => other.priority < priority);
      this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, waiting);
      this.#admit();
    });
  }

  #admit(): void {
    const pause = this.#closedUntil - this.#clock.now();
    if (pause > 0) {
      this.#wakeIn(pause);
      return;
    }
    while (this.#taken < this.limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#taken += 1;
      next.enter();
    }
  }

  #wakeIn(ms: number): void {
    if (this.#waking || this.#waiting.length === 0) return;
    this.#waking = true;
    void this.#clock.sleep(ms).then(() => {
      this.#waking = false;
      this.#admit();
    });
  }
}
