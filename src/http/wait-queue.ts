import { whenAborted } from "./aborting.ts";

interface Waiting {
  readonly weight: number;
  readonly enter: () => void;
}

/** Those who wait for what there is not enough of: the heaviest first, then the longest waiting. */
export class WaitQueue {
  readonly #waiting: Waiting[] = [];

  get length(): number {
    return this.#waiting.length;
  }

  /** The weight of whoever is next; undefined: nobody waits. */
  get next(): number | undefined {
    return this.#waiting[0]?.weight;
  }

  /** Resolves once it is let in; rejects with the signal's reason when that aborts first. */
  join(weight: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const stay = whenAborted(signal, () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal?.reason);
      });
      const waiting: Waiting = {
        weight,
        enter: () => {
          stay();
          resolve();
        },
      };
      const behind = this.#waiting.findIndex((other) => other.weight < weight);
      this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, waiting);
    });
  }

  /** Lets the next one in. */
  admit(): void {
    this.#waiting.shift()?.enter();
  }
}
