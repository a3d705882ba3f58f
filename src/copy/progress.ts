import type { Log } from "../log.ts";
import { formatBytes } from "./format-bytes.ts";

/** Longest time without a line while bytes move, in milliseconds. */
const interval = 10_000;

/** Bytes to one destination. */
export class DestinationProgress {
  readonly name: string;
  #done = 0;
  #total = 0;
  #moved = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Bytes sent of what has to be sent. */
  get done(): number {
    return this.#done;
  }

  /** All bytes sent, those that had to be sent again included. */
  get moved(): number {
    return this.#moved;
  }

  /** Bytes that have to be sent, as far as is known: content that turns out to be there already falls away. */
  get total(): number {
    return this.#total;
  }

  /** Content that may have to be sent. */
  expect(bytes: number): void {
    this.#total += bytes;
  }

  /** Content that need not be sent after all. */
  spare(bytes: number): void {
    this.#total -= bytes;
  }

  /** Bytes that were handed to the connection; negative when an upload has to start over. */
  sent(bytes: number): void {
    this.#done += bytes;
    this.#moved += Math.max(0, bytes);
  }
}

/** Tells every ten seconds how far each destination is, from now until the returned function is called. */
export function reportProgress(destinations: readonly DestinationProgress[], log: Log): () => void {
  const started = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - started) / 1000);
    const parts = destinations.map(
      ({ name, done, total }) =>
        `${name} ${formatBytes(done)} of ${formatBytes(total)}${percent(done, total)}`,
    );
    log.info(`After ${seconds} s: ${parts.join("; ")}`);
  }, interval);
  timer.unref();
  return () => clearInterval(timer);
}

function percent(done: number, total: number): string {
  return total === 0 ? "" : ` (${Math.floor((100 * done) / total)} %)`;
}
