import type { Clock } from "../clock.ts";
import { WaitQueue } from "./wait-queue.ts";

/** How many things may run at once against one host in one direction. */
export interface SlotLimits {
  /** Places at the start. */
  readonly start: number;
  /** Most places ever. */
  readonly ceiling: number;
  /** What opens more places. Default: success. */
  readonly growth?: "success" | "measured";
}

/**
 * How long measured slots collect requests for a place before the first ones are given away, in milliseconds. Answers that
 * arrive together are queued one after the other, and the largest of them should come first.
 */
const gathering = 25;

/**
 * Places for work against one host, as in TCP's congestion control (RFC 5681). Each piece of work that goes well opens one
 * more place. When the host says that it is too much, half of them close, and from then on it takes a whole round of good
 * work to open one. Nothing starts before the time that the host names.
 *
 * Long work that fills a link tells nothing by ending well. For it, growth by success is off (`measured`), and the code that
 * measures the link opens and closes places.
 */
export class Slots {
  readonly #clock: Clock;
  readonly #ceiling: number;
  readonly #growsBySuccess: boolean;
  readonly #waiting = new WaitQueue();
  #limit: number;
  #taken = 0;
  #closedUntil = 0;
  #halvedAt = Number.NEGATIVE_INFINITY;
  /** Ends the sleep until the next admission, which would keep the process alive where nobody waits any more. */
  #waking: AbortController | undefined;
  #admitting = false;

  constructor(limits: SlotLimits, clock: Clock) {
    this.#clock = clock;
    this.#limit = limits.start;
    this.#ceiling = limits.ceiling;
    this.#growsBySuccess = limits.growth !== "measured";
  }

  /** Places at the moment, taken or not. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** Whether all places are taken and somebody waits for one. */
  get isCrowded(): boolean {
    return this.#waiting.length > 0 && this.#taken >= this.limit && this.#closedUntil <= this.#clock.now();
  }

  /** Whether there is a place that nobody has taken or waits for. */
  get hasRoom(): boolean {
    return this.#taken + this.#waiting.length < this.limit;
  }

  /** When the host last said that it was too much, in milliseconds since the epoch; long ago if never. */
  get throttledAt(): number {
    return this.#halvedAt;
  }

  /** Opens more places, or closes some as soon as they are free; within one and the ceiling. */
  resize(by: number): void {
    this.#limit = Math.min(this.#ceiling, Math.max(1, this.#limit + by));
    this.#admit();
  }

  /**
   * Runs work in a place of its own; of those that wait, the highest priority comes first, then the longest waiting.
   * @param work gets a function that gives the place back before the work is done, when all that is left is waiting.
   * @throws what the work throws, or the signal's reason while it waits.
   */
  async run<T>(
    priority: number,
    signal: AbortSignal | undefined,
    work: (leave: () => void) => Promise<T>,
  ): Promise<T> {
    const entering = this.#waiting.join(priority, signal);
    if (this.#growsBySuccess) this.#admitSoon();
    else this.#wakeIn(gathering);
    await entering.catch((error: unknown) => {
      if (this.#waiting.length === 0) this.#waking?.abort();
      throw error;
    });
    let isHere = true;
    const leave = (): void => {
      if (!isHere) return;
      isHere = false;
      this.#taken -= 1;
      this.#admitSoon();
    };
    try {
      const result = await work(leave);
      if (this.#growsBySuccess) this.#open();
      return result;
    } finally {
      leave();
    }
  }

  /**
   * The host said that it is too much. Answers to one burst arrive together and halve the places once.
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

  #open(): void {
    const wasThrottled = this.#halvedAt > Number.NEGATIVE_INFINITY;
    this.#limit = Math.min(this.#ceiling, this.#limit + (wasThrottled ? 1 / this.#limit : 1));
  }

  /** Not at once: more important work may ask for a place a moment later, or follow from the work that just ended. */
  #admitSoon(): void {
    if (this.#admitting) return;
    this.#admitting = true;
    setImmediate(() => {
      this.#admitting = false;
      this.#admit();
    });
  }

  #admit(): void {
    const pause = this.#closedUntil - this.#clock.now();
    if (pause > 0) {
      this.#wakeIn(pause);
      return;
    }
    while (this.#taken < this.limit && this.#waiting.length > 0) {
      this.#taken += 1;
      this.#waiting.admit();
    }
  }

  #wakeIn(ms: number): void {
    if (this.#waking !== undefined || this.#waiting.length === 0) return;
    const waking = new AbortController();
    this.#waking = waking;
    const awake = (): void => {
      this.#waking = undefined;
      this.#admit();
    };
    void this.#clock.sleep(ms, waking.signal).then(awake, awake);
  }
}
