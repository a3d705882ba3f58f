/** A blob that waits for room. */
interface Waiting {
  readonly size: number;
  readonly enter: () => void;
  readonly refuse: (reason: unknown) => void;
}

/**
 * The bytes that all spool files together may take. A blob that does not fit waits and is never refused; the largest goes
 * first. A blob larger than the whole budget goes when nothing else is there, so it does not wait for ever.
 */
export class Budget {
  readonly #limit: number;
  readonly #waiting: Waiting[] = [];
  #taken = 0;

  /** @param limit in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Waits until `size` bytes are free, and takes them. */
  take(size: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const leave = (): void => {
        const index = this.#waiting.indexOf(waiting);
        if (index >= 0) this.#waiting.splice(index, 1);
        waiting.refuse(signal.reason);
        this.#admit();
      };
      const waiting: Waiting = {
        size,
        enter: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
        refuse: reject,
      };
      signal.addEventListener("abort", leave, { once: true });
      const behind = this.#waiting.findIndex((other) => other.size < size);
      this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, waiting);
      this.#admit();
    });
  }

  /** Gives back bytes that were taken. */
  give(size: number): void {
    this.#taken -= size;
    this.#admit();
  }

  /** Admits in order. Small blobs that passed a large one would keep it waiting for ever. */
  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#taken > 0 && this.#taken + next.size > this.#limit) return;
      this.#waiting.shift();
      this.#taken += next.size;
      next.enter();
    }
  }
}
