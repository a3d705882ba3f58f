import type { Clock } from "../clock.ts";
import { messageOf, OperationError } from "../errors.ts";
import { defaultRetryPolicy, delayBefore, isBrokenConnection, type RetryPolicy } from "../http/retry.ts";
import type { Slots } from "../http/slots.ts";
import type { Log } from "../log/log.ts";
import type { Digest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import { type Registry, smallTransfer } from "../oci/registry.ts";
import type { Repository } from "../oci/repository.ts";
import type { Budget } from "./budget.ts";
import type { GarbageCollection } from "./garbage-collection.ts";
import type { RecentChunks } from "./recent-chunks.ts";
import { ContentError, SpooledBlob } from "./spool.ts";

/** What a download needs of a repository at a source. */
export interface BlobSource extends Pick<Repository, "name" | "readBlob"> {
  readonly registry: Pick<Registry, "registry" | "failure">;
}

/** A blob that some destination may need. */
interface Planned {
  readonly descriptor: Descriptor;
  /** Repositories at sources that may hold it, in order of preference. One that gave other bytes is left out. */
  sources: readonly BlobSource[];
  /** How many destinations are not done with it. */
  claims: number;
  spooled: Promise<SpooledBlob> | undefined;
  /** Settles when the file of an earlier try is removed. */
  vacated: Promise<void>;
  readonly cancel: AbortController;
}

export interface DownloadContext {
  /** Folder for spool files; must exist. */
  readonly folder: string;
  readonly budget: Budget;
  readonly recent: RecentChunks;
  readonly garbage: GarbageCollection;
  /** Download slots of a source registry. */
  readonly slotsOf: (registry: string) => Slots;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly policy?: RetryPolicy;
  /** How much a part must have left for a second connection to be worth it, in bytes. Default: 32 MiB. */
  readonly splitLimit?: number;
}

/** A part of a blob that one connection reads. */
interface Part {
  /** The next byte. */
  position: number;
  /** The byte after the last one. It moves nearer when another connection takes over the rest. */
  end: number;
}

interface ActiveDownload {
  readonly planned: Planned;
  readonly parts: Part[];
  /** Whether the registry gives parts of the blob. */
  givesRanges: boolean;
  /** Starts another connection. */
  add: (part: Part) => void;
}

/** How much a part must have left for a second connection to be worth it, in bytes: half a minute at a megabyte a second. */
const defaultSplitLimit = 32 * 1024 * 1024;

/** A break after this many further bytes does not count as a failed try: the download moves on, if slowly. */
const progressThatCounts = 1024 * 1024;

/**
 * The downloads of a run. Each blob is read at most once, when the first destination turns out to lack it. It stays in the
 * spool until the last destination is done with it (P2).
 */
export class Downloads {
  readonly #context: DownloadContext;
  readonly #planned = new Map<Digest, Planned>();
  readonly #active = new Set<ActiveDownload>();
  #bytesRead = 0;

  constructor(context: DownloadContext) {
    this.#context = context;
  }

  /** Bytes read from sources so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** How many connections read large blobs. */
  get connections(): number {
    return [...this.#active].reduce((sum, { parts }) => sum + parts.filter(isOpen).length, 0);
  }

  /** Whether some blob has enough left for one more connection. */
  get canSplit(): boolean {
    return this.#largestRest() !== undefined;
  }

  /** Lets one more connection read the second half of the largest part that is left. */
  split(): void {
    const largest = this.#largestRest();
    if (largest === undefined) return;
    const { active, part } = largest;
    const middle = part.position + Math.ceil((part.end - part.position) / 2);
    const second = { position: middle, end: part.end };
    part.end = middle;
    active.add(second);
  }

  #largestRest(): { active: ActiveDownload; part: Part } | undefined {
    const { splitLimit = defaultSplitLimit } = this.#context;
    const rests = [...this.#active]
      .filter(({ givesRanges }) => givesRanges)
      .flatMap((active) => active.parts.map((part) => ({ active, part, rest: part.end - part.position })))
      .filter(({ rest }) => rest >= splitLimit)
      .sort((one, other) => other.rest - one.rest);
    return rests[0];
  }

  /**
   * Notes that a destination may need a blob. All destinations claim theirs before the first of them opens any: a blob
   * without claims is dropped.
   * @param sources repositories that may hold it, in order of preference.
   */
  claim(descriptor: Descriptor, sources: readonly BlobSource[]): void {
    const known = this.#planned.get(descriptor.digest);
    if (known !== undefined) {
      known.claims += 1;
      return;
    }
    const cancel = new AbortController();
    const vacated = Promise.resolve();
    const planned = { descriptor, sources, claims: 1, spooled: undefined, vacated, cancel };
    this.#planned.set(descriptor.digest, planned);
  }

  /**
   * The blob in the spool, to be followed. Starts its download, once there is room in the spool, unless that has started.
   * @throws the signal's reason
   */
  open(digest: Digest): Promise<SpooledBlob> {
    const planned = this.#planned.get(digest);
    if (planned === undefined) return Promise.reject(new Error(`${digest} is not claimed`));
    planned.spooled ??= this.#start(planned);
    return planned.spooled;
  }

  /**
   * The blob from the next source, after the bytes of the one that was opened turned out wrong. Beside a loss at a
   * destination, only then is a blob read again: what the first source gave is not that blob (P1).
   * @returns undefined where there is no other source, or where the download failed for another reason.
   */
  async another(digest: Digest, failed: SpooledBlob): Promise<SpooledBlob | undefined> {
    if (!this.#planned.has(digest)) return undefined;
    const current = await this.open(digest);
    return current === failed ? undefined : current;
  }

  /** Notes that a destination is done with the blob. After the last one, its file is removed. */
  release(digest: Digest): void {
    const planned = this.#planned.get(digest);
    if (planned === undefined) return;
    planned.claims -= 1;
    if (planned.claims > 0) return;
    this.#planned.delete(digest);
    planned.cancel.abort(new Error("no destination needs the blob any more"));
  }

  async #start(planned: Planned): Promise<SpooledBlob> {
    const { folder, budget, recent } = this.#context;
    const signal = AbortSignal.any([this.#context.signal, planned.cancel.signal]);
    const { size } = planned.descriptor;
    await planned.vacated;
    await budget.take(size, signal);
    let spooled: SpooledBlob;
    try {
      spooled = await SpooledBlob.create(folder, planned.descriptor, recent);
    } catch (error) {
      budget.give(size);
      throw error;
    }
    const running = this.#download(spooled, planned, signal).catch((error: unknown) => {
      if (isContentError(error) && planned.sources.length > 1) {
        planned.sources = planned.sources.slice(1);
        planned.spooled = undefined;
      }
      spooled.fail(error);
    });
    planned.vacated = running
      // Nobody reads a blob that failed, and others can use its room.
      .then(() => (spooled.failure === undefined ? aborted(signal) : undefined))
      .then(() => spooled.remove())
      .catch((error: unknown) =>
        this.#context.log.debug(`a spool file could not be removed: ${messageOf(error)}`),
      )
      .finally(() => budget.give(size));
    return spooled;
  }

  /** Reads the whole blob by one connection, and by more where `split` adds them. */
  async #download(spooled: SpooledBlob, planned: Planned, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    const first: Part = { position: 0, end: spooled.descriptor.size };
    const active: ActiveDownload = { planned, parts: [first], givesRanges: false, add: () => undefined };
    let running = 0;
    const done = Promise.withResolvers<void>();
    const start = (part: Part): void => {
      running += 1;
      this.#readPart(part, active, spooled, until).then(() => {
        running -= 1;
        if (running === 0) done.resolve();
      }, done.reject);
    };
    active.add = (part) => {
      active.parts.push(part);
      start(part);
    };
    this.#active.add(active);
    try {
      start(first);
      await done.promise;
      await spooled.complete();
    } catch (error) {
      stop.abort(error);
      // Wrong content is the failure of the source that gave it.
      const [source] = planned.sources;
      throw source === undefined ? error : this.#failure(error, source, planned.descriptor);
    } finally {
      this.#active.delete(active);
    }
  }

  /** Reads a part, and goes on where it broke. If one source does not give it, the next one is read. */
  async #readPart(
    part: Part,
    active: ActiveDownload,
    spooled: SpooledBlob,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, log, policy = defaultRetryPolicy } = this.#context;
    const { descriptor } = spooled;
    let sources = active.planned.sources;
    let reported: OperationError | undefined;
    for (let attempt = 1; part.position < part.end || descriptor.size === 0; attempt += 1) {
      const [source] = sources;
      if (source === undefined) throw new Error(`no source is known for ${descriptor.digest}`);
      const before = part.position;
      try {
        const read = (): Promise<void> => this.#readInto(part, active, spooled, source, signal);
        if (descriptor.size > smallTransfer) {
          await this.#context.slotsOf(source.registry.registry).run(descriptor.size, signal, read);
        } else await read();
        if (descriptor.size === 0) return;
      } catch (thrown) {
        const error = this.#failure(thrown, source, descriptor);
        // Neither another try nor another source helps where the runner's disk fails.
        if (signal.aborted || thrown instanceof ContentError || error.details.side === "runner") throw error;
        if (part.position - before >= progressThatCounts) attempt = 0;
        if (!error.temporary || attempt >= policy.attempts) {
          reported = moreTelling(reported, error);
          sources = afterFailure(sources, error);
          if (sources.length === 0) throw reported;
          attempt = 0;
        }
        log.debug(`${messageOf(error)} Going on at byte ${part.position}.`);
        await clock.sleep(delayBefore(Math.max(attempt, 1), policy, error.details.retryAfterMs), signal);
      }
    }
  }

  async #readInto(
    part: Part,
    active: ActiveDownload,
    spooled: SpooledBlob,
    source: BlobSource,
    signal: AbortSignal,
  ): Promise<void> {
    const range = { from: part.position, to: part.end };
    const { body, start, givesRanges } = await source.readBlob(spooled.descriptor, range, signal);
    active.givesRanges = givesRanges;
    if (start < range.from && giveBack(part, active)) {
      body.destroy();
      return;
    }
    // Where a registry sends the whole blob instead of a part, the bytes that are there already are skipped.
    let toSkip = range.from - start;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      this.#bytesRead += chunk.length;
      this.#context.garbage.received(chunk.length);
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      // The end of the part may have moved nearer, because another connection has taken over the rest.
      const wanted = chunk.subarray(skipped, skipped + this.#wanted(part, spooled));
      if (wanted.length > 0) await spooled.write(part.position, wanted);
      part.position += wanted.length;
      const isCutOff = part.end < range.to && part.position >= part.end;
      if (isCutOff || skipped + wanted.length < chunk.length) return;
    }
    if (part.position < part.end) throw new CutShort();
  }

  /** Bytes that a part may still take. The last part takes all that comes, because too many bytes are an error. */
  #wanted(part: Part, { descriptor }: SpooledBlob): number {
    return part.end === descriptor.size ? Number.POSITIVE_INFINITY : part.end - part.position;
  }

  #failure(thrown: unknown, source: BlobSource, descriptor: Descriptor): OperationError {
    if (thrown instanceof OperationError) {
      if (thrown.status === 429 || thrown.status === 503) {
        this.#context.slotsOf(source.registry.registry).throttled(thrown.details.retryAfterMs);
      }
      return thrown;
    }
    const request = {
      scopes: [{ repository: source.name, actions: ["pull"] }] as const,
      operation: "reading the blob",
      subject: descriptor.digest,
    };
    return source.registry.failure(request, {
      problem: messageOf(thrown),
      temporary: thrown instanceof CutShort || isBrokenConnection(thrown),
      cause: thrown,
    });
  }
}

function isOpen(part: Part): boolean {
  return part.position < part.end;
}

/** The sources that are left after the first one failed. If its registry is in trouble, all of that registry are left out. */
function afterFailure(sources: readonly BlobSource[], failure: OperationError): readonly BlobSource[] {
  const [failed, ...rest] = sources;
  return failure.temporary ? rest.filter(({ registry }) => registry !== failed?.registry) : rest;
}

/** Which failure to report of several sources: the last, unless it only says that this source does not have the blob. */
function moreTelling(before: OperationError | undefined, last: OperationError): OperationError {
  return before !== undefined && last.status === 404 ? before : last;
}

/**
 * Gives a part back to the connection that it was taken from, if that one has not passed it yet. This is for a source that
 * sends the whole blob instead of the part: the blob would be read twice (P2).
 */
function giveBack(part: Part, { parts }: ActiveDownload): boolean {
  const before = parts.find((other) => isOpen(other) && other.end === part.position);
  if (before === undefined) return false;
  before.end = part.end;
  part.end = part.position;
  return true;
}

function isContentError(error: unknown): boolean {
  return error instanceof ContentError || (error instanceof Error && error.cause instanceof ContentError);
}

/** The body ended cleanly, but before the size that the descriptor names. */
class CutShort extends Error {
  override readonly name = "CutShort";

  constructor() {
    super("the registry ended the blob too early");
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
