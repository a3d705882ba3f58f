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
 * A blob on its way. One download writes the file. Any number of uploads follow it while it grows, each at its own pace, and
 * from the start again as often as it has to.
 */
export class SpooledBlob {
  readonly descriptor: Descriptor;
  readonly #file: SpoolFile;
  readonly #hash: Hash;
  readonly #recent: RecentChunks;
  /** The newest chunks, without gaps up to the last byte received. All that the file does not have yet is among them. */
  readonly #chunks: Chunk[] = [];
  /** Parts in the file beyond a gap after the received bytes: their first byte, and the byte after the last one. */
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

  /** Why the download failed; undefined while it runs, and after success. */
  get failure(): unknown {
    return typeof this.#state === "object" ? this.#state.failure : undefined;
  }

  /**
   * Takes bytes of the download: the next ones, or some further on that another connection reads. Readers get the next bytes
   * at once, however slow the disk is.
   * @throws ContentError when the blob is longer than its descriptor says; OperationError when the disk takes no more.
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

  /** Drops the oldest chunk from memory: the file has it. */
  #forget(chunk: Chunk): void {
    if (this.#chunks[0] === chunk) this.#chunks.shift();
  }

  /** Counts parts further on as received, as soon as they follow the received bytes without a gap. */
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
        // The chunks in memory must reach up to the last byte received, and these bytes are only in the file.
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
   * Ends the download, once the file has all of it. Readers get the last byte only now, so no upload can be completed with
   * wrong content (P1).
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

  /** Ends the download with a failure, which every reader gets. */
  fail(failure: unknown): void {
    this.#state = { failure };
    this.#announce();
  }

  /**
   * The bytes from one offset up to another, as they arrive. A chunk is valid until the reader asks for the next one.
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
      // What is no longer in memory is in the file, which may not reach as far as the received bytes.
      const chunk =
        this.#fromMemory(position, visible) ?? (await read(position, Math.min(visible, this.#file.end)));
      position += chunk.length;
      yield chunk;
    }
    // An empty blob has no last byte to hold back, so its reader waits for the end of the download.
    if (to < this.descriptor.size) return;
    while (this.#state === "growing") await this.#changed.promise;
    if (typeof this.#state === "object") throw this.#state.failure;
  }

  /** Bytes that are still in memory. A reader that keeps up with the download never waits for the disk. */
  #fromMemory(position: number, visible: number): Uint8Array | undefined {
    const first = this.#chunks[0];
    if (first === undefined || position < first.start) return undefined;
    const chunk = this.#chunks.findLast(({ start }) => start <= position);
    return chunk?.bytes.subarray(position - chunk.start, visible - chunk.start);
  }

  /** Removes the file. Nobody may read afterwards. */
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
