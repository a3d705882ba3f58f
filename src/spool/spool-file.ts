import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { onDisk } from "./spool-folder.ts";

/**
 * Bytes read from a file at a time: enough that the disk is not asked too often, and little of the memory. It has to be more
 * than the 64 KiB that a stream of Node.js takes before it says "wait": see `SpoolFile.reader`.
 */
const readSize = 128 * 1024;

/** Reads some of the bytes from one position up to another, all of which the file has. */
export type ReadFile = (from: number, to: number) => Promise<Uint8Array>;

/**
 * Bytes that may wait to be written to one file. With them, a disk that pauses does not hold up the link. More would only
 * cost memory, as every blob on its way may take as much.
 */
const waitingLimit = 256 * 1024;

/** Bytes on their way into a file. */
interface Appended {
  readonly bytes: Uint8Array;
  readonly onWritten: () => void;
}

/**
 * The file of a blob in the spool. Appended chunks are written in the background, as many at a time as have come meanwhile.
 * So neither the download nor an upload that keeps up with it waits for the disk.
 */
export class SpoolFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #waiting: Appended[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #end = 0;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** @throws OperationError of the side "runner". */
  static async open(folder: string, name: string): Promise<SpoolFile> {
    const path = join(folder, name);
    const operation = "opening the file of a blob on its way";
    return new SpoolFile(path, await onDisk(folder, operation, () => open(path, "w+", 0o600)));
  }

  /** Bytes that the file has from the start without a gap. */
  get end(): number {
    return this.#end;
  }

  /**
   * Appends a chunk. Waits only when the disk falls behind.
   * @param onWritten called when the file has the chunk.
   * @throws OperationError of the side "runner", also if an earlier chunk failed.
   */
  async append(bytes: Uint8Array, onWritten: () => void): Promise<void> {
    this.#waiting.push({ bytes, onWritten });
    this.#waitingBytes += bytes.length;
    this.#writing ??= this.#writeBehind();
    if (this.#waitingBytes > waitingLimit || this.#failure !== undefined) await this.settle();
  }

  /**
   * Waits until the file has all that was appended.
   * @throws OperationError of the side "runner".
   */
  async settle(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /**
   * Writes bytes somewhere beyond the end.
   * @throws OperationError of the side "runner".
   */
  write(position: number, bytes: Uint8Array): Promise<void> {
    return this.#write(position, [bytes]);
  }

  /** Moves the end over bytes that were written beyond it and now follow without a gap. */
  extendTo(end: number): void {
    this.#end = end;
  }

  /**
   * A way to read the file, for one reader. A chunk is valid until the reader asks for the next one: full chunks all use the
   * same buffer, so that sending a blob from the disk leaves no garbage of its size. Smaller chunks have buffers of their own:
   * a stream may ask for more while it still holds one that is below its limit, but not while it holds a larger one.
   * Reading throws OperationError of the side "runner".
   */
  reader(): ReadFile {
    let shared: Buffer | undefined;
    return async (from, to) => {
      if (to - from < readSize) return this.#read(from, Buffer.allocUnsafe(to - from));
      shared ??= Buffer.allocUnsafeSlow(readSize);
      const bytes = await this.#read(from, shared);
      return bytes.length < readSize ? Buffer.from(bytes) : bytes;
    };
  }

  /** Removes the file. Nobody may use it afterwards. */
  async remove(): Promise<void> {
    await this.#writing;
    await this.#handle.close();
    await rm(this.#path, { force: true });
  }

  async #read(from: number, buffer: Buffer): Promise<Uint8Array> {
    const operation = "reading the file of a blob on its way";
    const { bytesRead } = await onDisk(dirname(this.#path), operation, () =>
      this.#handle.read(buffer, 0, buffer.length, from),
    );
    return buffer.subarray(0, bytesRead);
  }

  async #writeBehind(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting;
        this.#waiting = [];
        await this.#write(
          this.#end,
          batch.map(({ bytes }) => bytes),
        );
        for (const { bytes, onWritten } of batch) {
          this.#end += bytes.length;
          this.#waitingBytes -= bytes.length;
          onWritten();
        }
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#writing = undefined;
    }
  }

  async #write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    const operation = "writing the file of a blob on its way";
    let rest = chunks;
    for (let at = position; rest.length > 0; ) {
      const { bytesWritten } = await onDisk(dirname(this.#path), operation, () =>
        this.#handle.writev(rest, at),
      );
      at += bytesWritten;
      rest = withoutFirst(rest, bytesWritten);
    }
  }
}

/** What is left of chunks when their first bytes are written. */
function withoutFirst(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  return chunks.flatMap((chunk) => {
    const taken = Math.min(left, chunk.length);
    left -= taken;
    return taken === chunk.length ? [] : [chunk.subarray(taken)];
  });
}
