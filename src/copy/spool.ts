import type { Hash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hashFor, matchesDigest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import type { RecentChunks } from "./recent-chunks.ts";
import { onDisk } from "./spool-folder.ts";

/** Bytes read from a spool file at a time: large enough that the disk is not asked too often, small beside the memory. */
const readSize = 128 * 1024;

/** What is done with a file of the spool, for messages. */
const opening = "opening the file of a blob on its way";
const writing = "writing the file of a blob on its way";
const reading = "reading the file of a blob on its way";

/** The bytes of a blob were not what its descriptor says. */
export class ContentError extends Error {
  override readonly name = "ContentError";
}

/**
 * A blob on its way: one download writes the file, any number of uploads follow it while it grows, each at its own pace
 * and as often as it has to.
 */
export class SpooledBlob {
  readonly descriptor: Descriptor;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hash: Hash;
  readonly #recent: RecentChunks;
  /** The newest chunks, in order and without gaps up to the last byte received. */
  readonly #chunks: { readonly start: number; readonly bytes: Uint8Array }[] = [];
  /** Parts in the file that the received bytes do not reach yet: first byte, and the byte after the last one. */
  readonly #ahead = new Map<number, number>();
  #absorbing = false;
  #received = 0;
  #state: "growing" | "complete" | { readonly failure: unknown } = "growing";
  #changed = Promise.withResolvers<void>();

  private constructor(descriptor: Descriptor, path: string, file: FileHandle, recent: RecentChunks) {
    this.descriptor = descriptor;
    this.#path = path;
    this.#file = file;
    this.#hash = hashFor(descriptor.digest);
    this.#recent = recent;
  }

  static async create(folder: string, descriptor: Descriptor, recent: RecentChunks): Promise<SpooledBlob> {
    // The digest is checked by grammar, so it makes a safe file name.
    const path = join(folder, descriptor.digest.replace(":", "-"));
    const file = await onDisk(folder, opening, () => open(path, "w+", 0o600));
    return new SpooledBlob(descriptor, path, file, recent);
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
   * Writes what a download brought for a position: the next bytes, or bytes further on that another connection brings.
   * @throws ContentError when it goes beyond what the descriptor says.
   */
  async write(position: number, chunk: Uint8Array): Promise<void> {
    if (position + chunk.length > this.descriptor.size) {
      throw new ContentError(`the blob is longer than the ${this.descriptor.size} bytes of its descriptor`);
    }
    const isNext = position === this.#received;
    if (isNext) this.#hash.update(chunk);
    for (let written = 0; written < chunk.length; ) {
      const { bytesWritten } = await onDisk(dirname(this.#path), writing, () =>
        this.#file.write(chunk, written, chunk.length - written, position + written),
      );
      written += bytesWritten;
    }
    if (isNext) {
      this.#chunks.push({ start: position, bytes: chunk });
      this.#received += chunk.length;
      this.#recent.add(chunk.length, () => this.#chunks.shift());
      this.#announce();
    } else {
      this.#ahead.set(position, position + chunk.length);
    }
    await this.#absorb();
  }

  /** Takes up what is in the file beyond the received bytes as soon as it follows them without a gap. */
  async #absorb(): Promise<void> {
    if (this.#absorbing || this.#ahead.size === 0) return;
    this.#absorbing = true;
    try {
      for (
        let end = this.#ahead.get(this.#received);
        end !== undefined;
        end = this.#ahead.get(this.#received)
      ) {
        this.#ahead.delete(this.#received);
        // What is kept in memory must reach up to the last byte received, and these bytes are only in the file.
        this.#chunks.length = 0;
        while (this.#received < end) {
          const bytes = await this.#fromFile(this.#received, end);
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
   * Ends the download. Only now do readers get the last byte, so no upload can be completed with wrong content (P1).
   * @throws ContentError when the size or the digest is wrong.
   */
  complete(): void {
    const { size, digest } = this.descriptor;
    if (this.#received !== size) {
      throw new ContentError(`the blob has ${this.#received} bytes, its descriptor says ${size}`);
    }
    if (!matchesDigest(this.#hash, digest))
      throw new ContentError(`the bytes of the blob do not have the digest ${digest}`);
    this.#state = "complete";
    this.#announce();
  }

  /** Ends the download without success: every reader gets this failure. */
  fail(failure: unknown): void {
    this.#state = { failure };
    this.#announce();
  }

  /**
   * The bytes from one offset up to another, as they arrive.
   * @throws the failure of the download.
   */
  async *follow(from = 0, to = this.descriptor.size): AsyncGenerator<Uint8Array> {
    let position = from;
    while (position < to) {
      if (typeof this.#state === "object") throw this.#state.failure;
      const visible = Math.min(this.#visible(), to);
      if (position >= visible) {
        await this.#changed.promise;
        continue;
      }
      const chunk = this.#fromMemory(position, visible) ?? (await this.#fromFile(position, visible));
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

  async #fromFile(position: number, visible: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(Math.min(visible - position, readSize));
    const { bytesRead } = await onDisk(dirname(this.#path), reading, () =>
      this.#file.read(buffer, 0, buffer.length, position),
    );
    return buffer.subarray(0, bytesRead);
  }

  /** Removes the file. Nobody may read any more. */
  async remove(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
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
