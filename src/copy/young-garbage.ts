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
export class YoungGarbage {
  readonly #collect: () => void;
  #received = 0;

  constructor(collect: () => void = youngCollector()) {
    this.#collect = collect;
  }

  /** Counts bytes that came from a socket. */
  received(bytes: number): void {
    this.#received += bytes;
    if (this.#received < receivedLimit) return;
    this.#received = 0;
    this.#collect();
  }
}

/**
 * V8's own collector of the young heap. The runner starts Node.js without flags, so it is uncovered here: a context made
 * after the flag was set has it. Where it does not, nothing is done: it saves memory, nothing depends on it.
 * https://nodejs.org/api/v8.html#v8setflagsfromstringflags
 */
function youngCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  return typeof collect === "function" ? () => collect({ type: "minor" }) : () => undefined;
}
