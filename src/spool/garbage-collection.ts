import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Bytes received between two collections. A collection of the young heap takes 1 or 2 ms, and a link of 100 MB/s causes six
 * a second. Of 8 to 32 MiB, 16 took the least time and memory in the benchmark without links.
 */
const receivedLimit = 16 * 1024 * 1024;

/**
 * One in so many collections is of the whole heap, that is one every 128 MiB received. It takes about 20 ms. One in four took
 * more CPU time; with none, three releases at once took more than 200 MiB of memory.
 */
const wholeEvery = 8;

/** Collects the young heap ("minor") or all of it ("major"). */
export type Collect = (which: "minor" | "major") => void;

/**
 * Collects the garbage of downloads in time. Each read of a socket gives a new buffer of up to 64 KiB, which is dead a few
 * milliseconds later. V8's young heap holds only a small object of it, so V8 waits until dozens of megabytes have piled up, and
 * then marks the whole heap. Collecting the young heap now and then costs less and keeps the memory flat. Buffers that have
 * grown old are freed with the whole heap, more rarely.
 */
export class GarbageCollection {
  readonly #collect: Collect;
  #received = 0;
  #collections = 0;

  constructor(collect: Collect = collectorForTransfers()) {
    this.#collect = collect;
  }

  /** Counts bytes that came from a socket. */
  received(bytes: number): void {
    this.#received += bytes;
    if (this.#received < receivedLimit) return;
    this.#received = 0;
    this.#collections += 1;
    this.#collect(this.#collections % wholeEvery === 0 ? "major" : "minor");
  }
}

/**
 * Sets V8's collector up for moving bytes. The runner starts Node.js without flags, so they are set here, and hold for the
 * process. They save memory and time; nothing depends on them.
 * - The whole heap, about fifteen megabytes, is marked in one go. V8 would mark in small steps, with threads beside: then one
 *   layer of 2 GiB in the benchmark without links took a quarter more CPU time.
 * - The collector is exposed: a context made after the flag was set has it.
 *
 * https://nodejs.org/api/v8.html#v8setflagsfromstringflags
 * @returns the collector, or where there is none, a function that does nothing.
 */
function collectorForTransfers(): Collect {
  setFlagsFromString("--no-incremental-marking");
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  return typeof collect === "function" ? (which) => collect({ type: which }) : () => undefined;
}
