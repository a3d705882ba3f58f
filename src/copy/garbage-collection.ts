import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Bytes received between two collections. A collection of what is young takes 1 or 2 ms, and a link of 100 MB/s costs six
 * of them a second. Of 8 to 32 MiB, 16 took the least time and memory in the benchmark without links.
 */
const receivedLimit = 16 * 1024 * 1024;

/**
 * Has the garbage of downloads collected in time. Each read of a socket gives a new buffer of up to 64 KiB, dead a few
 * milliseconds later, of which V8's young heap holds only a small object. So V8 waits until dozens of megabytes of them have
 * piled up, and then marks the whole heap. To collect the young heap now and then costs less and keeps the memory flat.
 */
export class GarbageCollection {
  readonly #collectYoung: () => void;
  #received = 0;

  constructor(collectYoung: () => void = collectorForTransfers()) {
    this.#collectYoung = collectYoung;
  }

  /** Counts bytes that came from a socket. */
  received(bytes: number): void {
    this.#received += bytes;
    if (this.#received < receivedLimit) return;
    this.#received = 0;
    this.#collectYoung();
  }
}

/**
 * Sets V8's collector up for moving bytes. The runner starts Node.js without flags, so they are set here, and hold for the
 * process. They save memory and time; nothing depends on them.
 * - Where all of the heap is marked, it is in one go: some twenty megabytes, which takes as many milliseconds, and nobody
 *   waits for an answer meanwhile. V8 would mark in small steps with threads of its own beside, for which a release in the
 *   benchmark without links took a fifth more CPU time.
 * - The collector of the young heap is uncovered: a context made after the flag was set has it.
 *
 * https://nodejs.org/api/v8.html#v8setflagsfromstringflags
 * @returns what collects the young heap; what does nothing, where there is no such thing.
 */
function collectorForTransfers(): () => void {
  setFlagsFromString("--no-incremental-marking");
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  return typeof collect === "function" ? () => collect({ type: "minor" }) : () => undefined;
}
