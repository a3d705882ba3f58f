import type { Hash } from "node:crypto";
import { hashFor, matchesDigest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import type { RecentChunks } from "./recent-chunks.ts";
import { SpoolFile } from "./spool-file.ts";

/** The bytes of a blob were not what its descriptor says. */
export class ContentError extends Error {
  override readonly name = "ContentError";
}

interface Chunk {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/**
 * A blob on its way: one download writes the file, any number of uploads follow it while it grows, each at its own pace
 * and as often as it has to.
 */
export class SpooledBlob {
  readonly descriptor: Descriptor;
  readonly #file: SpoolFile;
  readonly #hash: Hash;
  readonly #recent: RecentChunks;
  /** The newest chunks, in order and without gaps up to the last byte received; all that the file does not have yet. */
  readonly #chunks: Chunk[] = [];
  /** Parts in the file that the received bytes do not reach yet: first byte, and the byte after the last one. */
  readonly #ahead = new Map<number, number>();
  #absorbing = false;
  #received = 0;
  #state: "growing" | "complete" | { readonly failure: unknown } = "growing";
  #changed = Promise.withResolvers<void>();

  private constructor(descriptor: Descriptor, file: SpoolFile, recent: RecentChunks) {
    this.descriptor = descriptor;
    this.#file = file;
    this.#hash = hashFor(descriptor.digest);
    this.#recent = recent;
  }

  /** @throws OperationError of the side "runner". */
  static async create(folder: string, descriptor: Descriptor, recent: RecentChunks): Promise<SpooledBlob> {
    // The digest is checked by grammar, so it makes a safe file name.
    const file = await SpoolFile.open(folder, descriptor.digest.replace(":", "-"));
    return new SpooledBlob(descriptor, file, recent);
  }

  /** Bytes received so far without a gap. */
  get received(): number {
    return this.#received;
  }

  /** Why the download ended without success; undefined while it runs or when it went well. */
  get failure(): unknown {
    return typeof this.#state === "object" ? this.#state.failure : undefined;
  }

  /**
   * Takes what a download brought for a position: the next bytes, or bytes further on that another connection brings. The
   * next bytes are there for readers at once, whatever the disk does.
   * @throws ContentError when it goes beyond what the descriptor says; OperationError when the disk takes no more.
   */
  async write(position: number, chunk: Uint8Array): Promise<void> {
    if (position + chunk.length > this.descriptor.size) {
      throw new ContentError(`the blob is longer than the ${this.descriptor.size} bytes of its descriptor`);
    }
    if (position === this.#received) {
      const next = { start: position, bytes: chunk };
      this.#hash.update(chunk);
      this.#chunks.push(next);
      this.#received += chunk.length;
      this.#announce();
      await this.#file.append(chunk, () => this.#recent.add(chunk.length, () => this.#forget(next)));
    } else {
      await this.#file.write(position, chunk);
      this.#ahead.set(position, position + chunk.length);
    }
    await this.#absorb();
  }

  /** Drops the oldest chunk, which the file has. */
  #forget(chunk: Chunk): void {
    if (this.#chunks[0] === chunk) this.#chunks.shift();
  }

  /** Takes up what is in the file beyond the received bytes as soon as it follows them without a gap. */
  async #absorb(): Promise<void> {
    if (this.#absorbing || !this.#ahead.has(this.#received)) return;
    this.#absorbing = true;
    const read = this.#file.reader();
    try {
      await this.#file.settle();
      for (
        let end = this.#ahead.get(this.#received);
        end !== undefined;
        end = this.#ahead.get(this.#received)
      ) {
        this.#ahead.delete(this.#received);
        this.#file.extendTo(end);
        // What is kept in memory must reach up to the last byte received, and these bytes are only in the file.
        this.#chunks.length = 0;
        while (this.#received < end) {
          const bytes = await read(this.#received, end);
          this.#hash.update(bytes);
          this.#received += bytes.length;
          this.#announce();
        }
      }
    } finally {
      this.#absorbing = false;
    }
  }

  /**
   * Ends the download, once the file has all of it. Only now do readers get the last byte, so no upload can be completed
   * with wrong content (P1).
   * @throws ContentError when the size or the digest is wrong; OperationError when the disk takes no more.
   */
  async complete(): Promise<void> {
    const { size, digest } = this.descriptor;
    if (this.#received !== size) {
      throw new ContentError(`the blob has ${this.#received} bytes, its descriptor says ${size}`);
    }
    if (!matchesDigest(this.#hash, digest))
      throw new ContentError(`the bytes of the blob do not have the digest ${digest}`);
    await this.#file.settle();
    this.#state = "complete";
    this.#announce();
  }

  /** Ends the download without success: every reader gets this failure. */
  fail(failure: unknown): void {
    this.#state = { failure };
    this.#announce();
  }

  /**
   * The bytes from one offset up to another, as they arrive. A chunk is the reader's until it asks for the next one.
   * @throws the failure of the download.
   */
  async *follow(from = 0, to = this.descriptor.size): AsyncGenerator<Uint8Array> {
    const read = this.#file.reader();
    let position = from;
    while (position < to) {
      if (typeof this.#state === "object") throw this.#state.failure;
      const visible = Math.min(this.#visible(), to);
      if (position >= visible) {
        await this.#changed.promise;
        continue;
      }
      // What is not in memory any more is in the file, which may not reach as far yet.
      const chunk =
        this.#fromMemory(position, visible) ?? (await read(position, Math.min(visible, this.#file.end)));
      position += chunk.length;
      yield chunk;
    }
    // An empty blob has no last byte to hold back: wait for its verdict instead.
    if (to < this.descriptor.size) return;
    while (this.#state === "growing") await this.#changed.promise;
    if (typeof this.#state === "object") throw this.#state.failure;
  }

  /** Who keeps up with the download sends the very bytes that came, without asking the disk. */
  #fromMemory(position: number, visible: number): Uint8Array | undefined {
    const first = this.#chunks[0];
    if (first === undefined || position < first.start) return undefined;
    const chunk = this.#chunks.findLast(({ start }) => start <= position);
    return chunk?.bytes.subarray(position - chunk.start, visible - chunk.start);
  }

  /** Removes the file. Nobody may read any more. */
  remove(): Promise<void> {
    return this.#file.remove();
  }

  #visible(): number {
    return this.#state === "complete" ? this.#received : Math.min(this.#received, this.descriptor.size - 1);
  }

  #announce(): void {
    const changed = this.#changed;
    this.#changed = Promise.withResolvers();
    changed.resolve();
  }
}
