import type { Clock } from "../clock.ts";
import { type SlotLimits, Slots } from "../http/slots.ts";
import type { Downloads } from "../spool/download.ts";
import type { DestinationProgress } from "./progress.ts";
import { RateSearch, rateInterval } from "./rate-search.ts";

/**
 * Connections with blobs to or from one registry. Docker Hub answered 429 to five cold connections, in the measurements of
 * another tool, so the start is below that; a start of one would cost minutes at a far registry. More are added while
 * measuring shows that they help, up to a ceiling that fills half a gigabit at 4 MB/s a connection.
 */
const measured: SlotLimits = { start: 4, ceiling: 16, growth: "measured" };

/**
 * Uploads that are opened before a connection is free: at first those of the first connections, later about two that wait.
 * More would only leave the registry more to tidy up after a cancelled run.
 */
const openedAhead: SlotLimits = { start: 6, ceiling: 6 };

/** Small blobs at a time to one destination; each is two requests, which the registry's own slots admit. */
const smallAtATime: SlotLimits = { start: 16, ceiling: 16 };

/** Numbers of connections that the user has fixed; undefined: found by measuring. */
export interface PinnedConnections {
  readonly downloadConnections: number | undefined;
  readonly uploadConnections: number | undefined;
}

/** The slots for blobs of a run, one set for each source registry and each destination, and the search for their number. */
export class TransferSlots {
  readonly #pinned: PinnedConnections;
  readonly #clock: Clock;
  readonly #downloads = new Map<string, Slots>();
  readonly #searches: RateSearch[] = [];

  constructor(pinned: PinnedConnections, clock: Clock) {
    this.#pinned = pinned;
    this.#clock = clock;
  }

  /** @param moved bytes that were read so far. */
  downloadsFrom(registry: string, moved: () => number): Slots {
    const known = this.#downloads.get(registry);
    if (known !== undefined) return known;
    const slots = this.#open(this.#pinned.downloadConnections, moved);
    this.#downloads.set(registry, slots);
    return slots;
  }

  uploadsTo(progress: DestinationProgress): Slots {
    return this.#open(this.#pinned.uploadConnections, () => progress.moved);
  }

  openingsAhead(): Slots {
    return new Slots(openedAhead, this.#clock);
  }

  smallUploads(): Slots {
    return new Slots(smallAtATime, this.#clock);
  }

  /**
   * Lets large blobs be read in several ranges. They are tried when no other blob waits for a connection, and kept while they
   * raise the rate: then one connection is the limit, not the link.
   */
  splitLargeBlobs(downloads: Downloads): void {
    const slots = this.#downloads;
    const ranges = {
      get isCrowded() {
        return downloads.canSplit && [...slots.values()].every((each) => each.hasRoom);
      },
      get limit() {
        return downloads.connections;
      },
      get throttledAt() {
        return Math.max(...[...slots.values()].map((each) => each.throttledAt));
      },
      resize: (by: number) => {
        // A part cannot be given back to a connection that is past it, so a negative number only means no further split.
        for (let added = 0; added < by; added += 1) downloads.split();
      },
    };
    this.#searches.push(new RateSearch(ranges, () => downloads.bytesRead));
  }

  /** Starts the search; the returned function ends it. */
  search(): () => void {
    return this.#clock.every(rateInterval, () => {
      for (const search of this.#searches) search.look();
    });
  }

  #open(pinned: number | undefined, moved: () => number): Slots {
    const limits =
      pinned === undefined ? measured : { start: pinned, ceiling: pinned, growth: "measured" as const };
    const slots = new Slots(limits, this.#clock);
    if (pinned === undefined) this.#searches.push(new RateSearch(slots, moved));
    return slots;
  }
}
