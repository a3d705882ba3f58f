import type { Clock } from "../clock.ts";
import type { Destination } from "../destinations/destination.ts";
import { OperationError } from "../errors.ts";
import type { Slots } from "../http/slots.ts";
import type { Log } from "../log/log.ts";
import { Repository } from "../oci/repository.ts";
import type { DestinationProgress } from "./progress.ts";

export interface DestinationCopyOptions extends Pick<Destination, "name" | "registry" | "path" | "client"> {
  /** Connections with blobs. */
  readonly uploads: Slots;
  /** Small blobs on their way, from opening their upload to its end. */
  readonly smallUploads: Slots;
  /** Uploads that are opened and wait for a connection. */
  readonly openings: Slots;
  readonly progress: DestinationProgress;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the run. */
  readonly signal: AbortSignal;
  /** How long a connection may take nothing of an upload before it counts as broken, in milliseconds. Default: 30 s. */
  readonly stallLimit?: number;
}

/**
 * Operations in a row that may fail for good, after all their own tries, before the destination counts as down. Each has
 * by then been tried for half a minute; a hundred blobs more would only stand in line for the same end.
 */
const failuresUntilDown = 3;

/** How long the end of a copy waits for uploads to be cancelled, in milliseconds: a cancelled job has seconds to live. */
const tidyingTime = 1_000;

/** What part of the bytes that a broken connection carried is sent in one request from then on: a quarter. */
const partOfBroken = 4;

/** Least size of a chunk, in bytes: below, the round trips of a far link cost more than any break. */
const smallestChunk = 1024 * 1024;

/** How a blob is cut for upload. */
export interface Chunk {
  /** Bytes a request. */
  readonly size: number;
  readonly ownConnection: boolean;
  /** Breaks that it is the answer to. */
  readonly breaks: number;
}

/** One destination during the copy: its repositories, its slots, and whether it still works. */
export class DestinationCopy {
  readonly options: DestinationCopyOptions;
  readonly signal: AbortSignal;
  readonly #down = new AbortController();
  readonly #repositories = new Map<string, Repository>();
  readonly #tidying: Promise<unknown>[] = [];
  #failuresInARow = 0;
  /** Bytes a request, and for how many connections that holds; undefined: no limit. */
  #chunk: { readonly size: number; readonly connections: number } | undefined;
  #breaks = 0;
  #joinsWrongly = false;

  constructor(options: DestinationCopyOptions) {
    this.options = options;
    this.signal = AbortSignal.any([options.signal, this.#down.signal]);
    const { form } = options.client.vendor.upload;
    if ("chunk" in form) this.#chunk = { size: form.chunk, connections: Number.POSITIVE_INFINITY };
  }

  /** Whether an upload may consist of several requests here. */
  get mayChunk(): boolean {
    return this.options.client.vendor.upload.form.kind !== "whole" && !this.#joinsWrongly;
  }

  /** Whether the last bytes of a blob go by PATCH, too, so that the PUT at the end is empty. */
  get endsEmpty(): boolean {
    return this.options.client.vendor.upload.form.kind === "patched";
  }

  /**
   * How blobs are cut here now; undefined: not at all. With more connections than at the last break, each gets a smaller
   * part of the link, and parts that took as long as before would live long enough to be cut.
   */
  get chunk(): Chunk | undefined {
    if (this.#chunk === undefined) return undefined;
    const { size, connections } = this.#chunk;
    const share = Math.min(1, connections / this.options.uploads.limit);
    const breaks = this.#breaks;
    return { size: Math.max(smallestChunk, Math.floor(size * share)), ownConnection: breaks > 0, breaks };
  }

  /**
   * An upload broke after a connection had carried so many bytes. From now on parts are sent of a quarter of that, each on
   * a connection of its own: a link that cuts connections after a while does not get to cut those. A part that is cut all
   * the same costs the whole upload at registries that do not go on then.
   * @param used how the broken upload was cut. One cut of the link breaks all uploads at once; those that were begun
   * before the first of them was told here say nothing about the smaller parts.
   */
  broke(carried: number, used: Chunk | undefined): void {
    // A connection that broke after a few bytes says that it was a bad one, not how much a good one carries.
    if (!this.mayChunk || carried < smallestChunk || (used?.breaks ?? 0) !== this.#breaks) return;
    this.#breaks += 1;
    this.#chunk = { size: (used?.size ?? carried) / partOfBroken, connections: this.options.uploads.limit };
  }

  /**
   * The registry made other content of what it was sent. Where that was several requests, it joins them wrongly, as some
   * are known to (see the quirks): from now on each blob goes in one, unless the registry is known for a limit.
   * @param before bytes that it had before the last request.
   */
  joinedWrongly(before: number): void {
    if (before === 0 || this.options.client.vendor.upload.form.kind !== "any") return;
    this.#joinsWrongly = true;
    this.#chunk = undefined;
  }

  repository(name: string): Repository {
    const known = this.#repositories.get(name);
    if (known !== undefined) return known;
    const repository = new Repository(this.options.client, name);
    this.#repositories.set(name, repository);
    return repository;
  }

  /** Tidying up that nobody waits for on the way; it is given a moment at the end. */
  later(work: Promise<unknown> | undefined): void {
    if (work !== undefined) this.#tidying.push(work);
  }

  /** Waits until all is tidied up, but not for long. */
  async settle(): Promise<void> {
    if (this.#tidying.length === 0) return;
    const done = new AbortController();
    // Taken back below: a timer that is left over would keep the process, and so the job, waiting for its end.
    const patience = this.options.clock.sleep(tidyingTime, done.signal).catch(() => undefined);
    await Promise.race([Promise.allSettled(this.#tidying), patience]);
    done.abort();
  }

  /** An operation went well: the destination is not down. */
  works(): void {
    this.#failuresInARow = 0;
  }

  /** An operation failed for good. Only trouble of the destination itself counts, not refusals of single repositories. */
  failed(error: unknown): void {
    if (!(error instanceof OperationError) || error.details.side !== "destination" || !error.temporary)
      return;
    this.#failuresInARow += 1;
    if (this.#failuresInARow >= failuresUntilDown) this.#down.abort(error);
  }
}
