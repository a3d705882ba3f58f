import { WaitQueue } from "../http/wait-queue.ts";

/**
 * The bytes that all spool files together may take. A blob that does not fit waits and is never refused; the largest goes
 * first. A blob larger than the whole budget goes when nothing else is there, so it does not wait for ever.
 */
export class Budget {
  readonly #limit: number;
  readonly #waiting = new WaitQueue();
  #taken = 0;

  /** @param limit in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Waits until `size` bytes are free, and takes them. */
  async take(size: number, signal: AbortSignal): Promise<void> {
    const entering = this.#waiting.join(size, signal);
    this.#admit();
    // Those behind one that gives up may fit.
    await entering.finally(() => this.#admit());
  }

  /** Gives back bytes that were taken. */
  give(size: number): void {
    this.#taken -= size;
    this.#admit();
  }

  /** Admits in order. Small blobs that passed a large one would keep it waiting for ever. */
  #admit(): void {
    for (let size = this.#waiting.next; size !== undefined; size = this.#waiting.next) {
      if (this.#taken > 0 && this.#taken + size > this.#limit) return;
      this.#taken += size;
      this.#waiting.admit();
    }
  }
}
