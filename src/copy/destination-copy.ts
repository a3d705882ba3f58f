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
 * A destination counts as down when this many operations in a row have failed for good. Each has by then been tried for half
 * a minute; a hundred more blobs would only wait for the same end.
 */
const failuresUntilDown = 3;

/** How long the end of a copy waits for uploads to be cancelled, in milliseconds. A cancelled job has only seconds to live. */
const tidyingTime = 1_000;

/** After a break, one request carries what the broken connection carried, divided by this; after a 413, what was refused. */
const breakDivisor = 4;

/** Smallest size of a chunk, in bytes. With smaller ones, the round trips of a far link cost more than any break. */
const smallestChunk = 1024 * 1024;

/** How a blob is cut for upload. */
export interface Chunk {
  /** Bytes of one request. */
  readonly size: number;
  readonly ownConnection: boolean;
  /** How many breaks led to this size. */
  readonly breaks: number;
}

/** One destination during the copy: its repositories, its slots, and whether it still works. */
export class DestinationCopy {
  readonly options: DestinationCopyOptions;
  readonly signal: AbortSignal;
  readonly #down = new AbortController();
  readonly #repositories = new Map<string, Repository>();
  readonly #tidying: Promise<unknown>[] = [];
  readonly #settled = new AbortController();
  #failuresInARow = 0;
  /** Bytes of one request, and for how many connections that holds; undefined: no limit. */
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
   * part of the link. Chunks of the same size would then take long enough to be cut off again, so they get smaller.
   */
  get chunk(): Chunk | undefined {
    if (this.#chunk === undefined) return undefined;
    const { size, connections } = this.#chunk;
    const share = Math.min(1, connections / this.options.uploads.limit);
    const breaks = this.#breaks;
    return { size: Math.max(smallestChunk, Math.floor(size * share)), ownConnection: breaks > 0, breaks };
  }

  /**
   * Notes that an upload broke after its connection had carried so many bytes. From now on chunks are a quarter of that, each
   * on a connection of its own: a link that cuts connections after a while does not get to cut those. At registries that
   * cannot go on with an upload, a chunk that is cut off costs the whole upload.
   * @param used how the broken upload was cut. A failure of the link breaks all uploads at once. Those that began before the
   * first of these breaks was noted say nothing about the smaller chunks.
   */
  broke(carried: number, used: Chunk | undefined): void {
    // A connection that broke after a few bytes was a bad one. It does not show how much a good one carries.
    if (!this.mayChunk || carried < smallestChunk || (used?.breaks ?? 0) !== this.#breaks) return;
    this.#breaks += 1;
    this.#chunk = { size: (used?.size ?? carried) / breakDivisor, connections: this.options.uploads.limit };
  }

  /**
   * Notes that a request was refused as too large (413), mostly by a proxy with a limit for bodies in front of the registry. From
   * now on no request has more than a quarter of its bytes, down to a mebibyte, which is what nginx takes unless it is told
   * otherwise (https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size).
   * @param length bytes of the body.
   * @returns whether smaller requests can be tried.
   */
  tooLarge(length: number): boolean {
    if (!this.mayChunk || length <= smallestChunk) return false;
    const { size, connections } = this.#chunk ?? {
      size: Number.POSITIVE_INFINITY,
      connections: Number.POSITIVE_INFINITY,
    };
    this.#chunk = { size: Math.min(size, Math.max(smallestChunk, length / breakDivisor)), connections };
    return true;
  }

  /**
   * Notes that the registry has other content than it was sent. After several requests, it has joined them wrongly, as some
   * registries do. From now on each blob goes in one request, unless the vendor is known for a limit.
   * @param before bytes that the registry had before the last request.
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

  /** Takes note of tidying up, such as the cancellation of an upload. Only `settle` waits for it. */
  later(work: Promise<unknown> | undefined): void {
    if (work !== undefined) this.#tidying.push(work);
  }

  /** Aborts once nobody waits for tidying up any more: what is not tidied up by then must not keep the process alive. */
  get settled(): AbortSignal {
    return this.#settled.signal;
  }

  /** Waits until all is tidied up, but not for long. */
  async settle(): Promise<void> {
    const done = new AbortController();
    // Ended below: a timer that is left over would keep the process, and so the job, alive.
    const timeout = this.options.clock.sleep(tidyingTime, done.signal).catch(() => undefined);
    await Promise.race([Promise.allSettled(this.#tidying), timeout]);
    done.abort();
    this.#settled.abort();
  }

  /** Notes an operation that succeeded: the destination is not down. */
  succeeded(): void {
    this.#failuresInARow = 0;
  }

  /** Notes an operation that failed for good. Only temporary trouble of the destination counts, not what it refuses. */
  failed(error: unknown): void {
    if (!(error instanceof OperationError) || error.details.side !== "destination" || !error.temporary)
      return;
    this.#failuresInARow += 1;
    if (this.#failuresInARow >= failuresUntilDown) this.#down.abort(error);
  }
}
