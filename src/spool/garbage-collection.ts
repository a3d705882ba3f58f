import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Bytes received between two collections. A collection of what is young takes 1 or 2 ms, and a link of 100 MB/s costs six
 * of them a second. Of 8 to 32 MiB, 16 took the least time and memory in the benchmark without links.
 */
const receivedLimit = 16 * 1024 * 1024;

/**
 * Of so many collections, one is of the whole heap: each 128 MiB received, which takes about 20 ms. Every fourth took
 * more CPU time; without any, three releases at once took more than 200 MiB of memory.
 */
const wholeEvery = 8;

/** Collects what is young, or all. */
export type Collect = (which: "minor" | "major") => void;

/**
 * Has the garbage of downloads collected in time. Each read of a socket gives a new buffer of up to 64 KiB, dead a few
 * milliseconds later, of which V8's young heap holds only a small object. So V8 waits until dozens of megabytes of them have
 * piled up, and then marks the whole heap. To collect the young heap now and then costs less and keeps the memory flat; what
 * lived long enough to be no longer young goes with the whole heap, more rarely.
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
 * - The whole heap is marked in one go: fifteen megabytes or so, and nobody waits for an answer meanwhile. V8 would mark in
 *   small steps with threads of its own beside, for which one layer of 2 GiB in the benchmark without links took a quarter
 *   more CPU time.
 * - The collector is uncovered: a context made after the flag was set has it.
 *
 * https://nodejs.org/api/v8.html#v8setflagsfromstringflags
 * @returns the collector; what does nothing, where it cannot be had.
 */
function collectorForTransfers(): Collect {
  setFlagsFromString("--no-incremental-marking");
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  return typeof collect === "function" ? (which) => collect({ type: which }) : () => undefined;
}
