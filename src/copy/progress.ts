import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import type { Digest } from "../oci/digest.ts";
import { formatBytes, formatDuration } from "../wording.ts";

/** How far the rate looks back, in milliseconds: a minute evens out the end of one large blob and the start of the next. */
const rateWindow = 60_000;

/** Bytes to one destination. */
export class DestinationProgress {
  readonly name: string;
  readonly #begun = new Map<Digest, number>();
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

  /** An upload of the blob got its connection. */
  begin(blob: Digest, now: number): void {
    if (!this.#begun.has(blob)) this.#begun.set(blob, now);
  }

  /** When the blob's first upload began, in milliseconds since the epoch; undefined while none has. */
  begunAt(blob: Digest): number | undefined {
    return this.#begun.get(blob);
  }
}

/** How fast bytes have moved lately, computed from looks at a growing count of them. */
export class RecentRate {
  readonly #looks: { readonly at: number; readonly bytes: number }[] = [];

  /**
   * Looks once more.
   * @param at in milliseconds on any clock, later than at the look before.
   * @returns bytes a second since a minute ago, or since the first look; 0 at the first.
   */
  look(at: number, bytes: number): number {
    this.#looks.push({ at, bytes });
    while ((this.#looks[1]?.at ?? at) <= at - rateWindow) this.#looks.shift();
    const [oldest = { at, bytes }] = this.#looks;
    return at > oldest.at ? ((bytes - oldest.bytes) * 1000) / (at - oldest.at) : 0;
  }
}

/** How far a destination is. */
export interface ProgressState extends Pick<DestinationProgress, "name" | "done" | "total"> {
  /** Bytes a second, lately. */
  readonly rate: number;
}

/**
 * A line for each destination, in aligned columns: how much is sent, how fast, and how long the rest takes at that rate. The
 * name comes last, because a narrow terminal cuts off the end of a line.
 * @param elapsed since the start, in milliseconds.
 */
export function progressLines(states: readonly ProgressState[], elapsed: number): readonly string[] {
  const rows = states.map(({ done, total, rate }) => [
    total === 0 ? "" : `${Math.floor((100 * done) / total)} %`,
    total === 0 ? "nothing to send so far" : `${formatBytes(done)} of ${formatBytes(total)}`,
    done >= total ? "" : `${formatBytes(Math.round(rate))}/s`,
    timeLeft(done, total, rate),
  ]);
  const widthOf = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row, index) => {
    const aligned = row.map((cell, column) => cell.padStart(widthOf(column)));
    return [`after ${formatDuration(elapsed)}:`, ...aligned, states[index]?.name].join("  ");
  });
}

function timeLeft(done: number, total: number, rate: number): string {
  if (total === 0) return "";
  if (done >= total) return "all sent";
  return rate > 0 ? `${formatDuration((1000 * (total - done)) / rate)} left` : "standing still";
}

/** Shows how far each destination is, from now until the returned function is called. */
export function reportProgress(
  destinations: readonly DestinationProgress[],
  clock: Clock,
  log: Log,
): () => void {
  const started = clock.now();
  const rates = new Map(destinations.map((destination) => [destination, new RecentRate()]));
  const look = (now: number): readonly ProgressState[] =>
    destinations.map((destination) => {
      const { name, done, total, moved } = destination;
      return { name, done, total, rate: rates.get(destination)?.look(now, moved) ?? 0 };
    });
  look(started);
  return log.progress(() => {
    const now = clock.now();
    return progressLines(look(now), now - started);
  });
}
