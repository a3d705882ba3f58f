/** Forgets the oldest chunk of one blob. */
export type ForgetOldest = () => void;

/**
 * Bounds the memory for bytes that were just downloaded and that uploads are about to send. The limit is for all blobs
 * together, and the oldest chunk of any of them goes first. What is no longer in memory is read from the spool file.
 */
export class RecentChunks {
  readonly #limit: number;
  /** Oldest first. Each `forget` holds its chunk, so nothing may stay here once it was called. */
  readonly #kept: { readonly size: number; readonly forget: ForgetOldest }[] = [];
  #size = 0;

  /** @param limit in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Counts a chunk that was just kept, and calls `forget` of the oldest ones until the limit holds again. */
  add(size: number, forget: ForgetOldest): void {
    this.#kept.push({ size, forget });
    this.#size += size;
    while (this.#size > this.#limit) {
      const oldest = this.#kept.shift();
      if (oldest === undefined) return;
      this.#size -= oldest.size;
      oldest.forget();
    }
  }
}
