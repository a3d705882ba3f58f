import type { Clock } from "../clock.ts";
import { messageOf, OperationError } from "../errors.ts";
import { defaultRetryPolicy, delayBefore, isBrokenConnection, type RetryPolicy } from "../http/retry.ts";
import type { Slots } from "../http/slots.ts";
import type { Log } from "../log/log.ts";
import type { Digest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import { smallTransfer } from "../oci/registry.ts";
import type { Repository } from "../oci/repository.ts";
import type { Budget } from "./budget.ts";
import type { GarbageCollection } from "./garbage-collection.ts";
import type { RecentChunks } from "./recent-chunks.ts";
import { ContentError, SpooledBlob } from "./spool.ts";

/** A blob that some destination may need, and who may ask for it. */
interface Planned {
  readonly descriptor: Descriptor;
  /** Repositories at sources that hold it; the first that gives it serves it. One that gave other bytes is out. */
  sources: readonly Repository[];
  /** Destinations that are not done with it. */
  claims: number;
  spooled: Promise<SpooledBlob> | undefined;
  /** Settles when the file of an earlier try is gone. */
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
  /** Least rest of a part that is worth a second connection, in bytes. Default: 32 MiB. */
  readonly splitLimit?: number;
}

/** A part of a blob that one connection reads. */
interface Lane {
  /** The next byte. */
  position: number;
  /** The byte after the last one; comes nearer when another connection takes over the rest. */
  end: number;
}

interface ActiveDownload {
  readonly planned: Planned;
  readonly lanes: Lane[];
  /** Whether the registry gives parts of the blob. */
  givesRanges: boolean;
  /** Starts another connection. */
  add: (lane: Lane) => void;
}

/** Least rest of a part that is worth a second connection, in bytes: half a minute at a megabyte a second. */
const defaultSplitLimit = 32 * 1024 * 1024;

/** A break after this many further bytes is not counted as a failed try: the download does get on, if slowly. */
const progressThatCounts = 1024 * 1024;

/**
 * The downloads of a run: each blob is read at most once, when the first destination turns out to lack it, and stays in
 * the spool until the last destination is done with it (P2).
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

  /** Connections that read large blobs. */
  get lanes(): number {
    return [...this.#active].reduce((sum, { lanes }) => sum + lanes.filter(isOpen).length, 0);
  }

  /** Whether some blob has enough left for one more connection. */
  get canSplit(): boolean {
    return this.#largestRest() !== undefined;
  }

  /** Has one more connection read the second half of the largest part that is left. */
  split(): void {
    const largest = this.#largestRest();
    if (largest === undefined) return;
    const { active, lane } = largest;
    const middle = lane.position + Math.ceil((lane.end - lane.position) / 2);
    const second = { position: middle, end: lane.end };
    lane.end = middle;
    active.add(second);
  }

  #largestRest(): { active: ActiveDownload; lane: Lane } | undefined {
    const { splitLimit = defaultSplitLimit } = this.#context;
    const rests = [...this.#active]
      .filter(({ givesRanges }) => givesRanges)
      .flatMap((active) => active.lanes.map((lane) => ({ active, lane, rest: lane.end - lane.position })))
      .filter(({ rest }) => rest >= splitLimit)
      .sort((one, other) => other.rest - one.rest);
    return rests[0];
  }

  /**
   * Says that a destination may need a blob. All destinations do so before the first of them opens any: what nobody
   * claims any more is gone.
   * @param sources repositories that hold it; the first that gives it serves it.
   */
  claim(descriptor: Descriptor, sources: readonly Repository[]): void {
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
   * The blob in the spool, for following; its download runs or has run. Waits for room in the spool.
   * @throws the signal's reason
   */
  open(digest: Digest): Promise<SpooledBlob> {
    const planned = this.#planned.get(digest);
    if (planned === undefined) return Promise.reject(new Error(`${digest} is not claimed`));
    planned.spooled ??= this.#start(planned);
    return planned.spooled;
  }

  /**
   * The blob once more, from the next source, after its bytes turned out wrong in the one that was opened. The only case
   * beside a loss at a destination in which a blob is read again: what the first source gave is not that blob (P1).
   * @returns undefined where there is no other source, or where it failed for another reason.
   */
  async another(digest: Digest, failed: SpooledBlob): Promise<SpooledBlob | undefined> {
    if (!this.#planned.has(digest)) return undefined;
    const current = await this.open(digest);
    return current === failed ? undefined : current;
  }

  /** One destination is done with the blob; with the last, its file goes away. */
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
      // Of a blob that failed nobody reads any more, and its room is of use to others.
      .then(() => (spooled.failure === undefined ? aborted(signal) : undefined))
      .then(() => spooled.remove())
      .catch((error: unknown) =>
        this.#context.log.debug(`a spool file could not be removed: ${messageOf(error)}`),
      )
      .finally(() => budget.give(size));
    return spooled;
  }

  /** Reads until all is there, by one connection; by more where `look` finds that they help. */
  async #download(spooled: SpooledBlob, planned: Planned, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    const first: Lane = { position: 0, end: spooled.descriptor.size };
    const active: ActiveDownload = { planned, lanes: [first], givesRanges: false, add: () => undefined };
    let running = 0;
    const done = Promise.withResolvers<void>();
    const start = (lane: Lane): void => {
      running += 1;
      this.#readLane(lane, active, spooled, until).then(() => {
        running -= 1;
        if (running === 0) done.resolve();
      }, done.reject);
    };
    active.add = (lane) => {
      active.lanes.push(lane);
      start(lane);
    };
    this.#active.add(active);
    try {
      start(first);
      await done.promise;
      await spooled.complete();
    } catch (error) {
      stop.abort(error);
      // What is wrong with the whole is the fault of whoever gave it.
      const [source] = planned.sources;
      throw source === undefined ? error : this.#failure(error, source, planned.descriptor);
    } finally {
      this.#active.delete(active);
    }
  }

  /** Reads a part, going on where it broke; each source in turn when one does not give it. */
  async #readLane(
    lane: Lane,
    active: ActiveDownload,
    spooled: SpooledBlob,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, log, policy = defaultRetryPolicy } = this.#context;
    const { descriptor } = spooled;
    let sources = active.planned.sources;
    let told: OperationError | undefined;
    for (let attempt = 1; lane.position < lane.end || descriptor.size === 0; attempt += 1) {
      const [source] = sources;
      if (source === undefined) throw new Error(`no source is known for ${descriptor.digest}`);
      const before = lane.position;
      try {
        const read = (): Promise<void> => this.#readInto(lane, active, spooled, source, signal);
        if (descriptor.size > smallTransfer) {
          await this.#context.slotsOf(source.registry.registry).run(descriptor.size, signal, read);
        } else await read();
        if (descriptor.size === 0) return;
      } catch (thrown) {
        const error = this.#failure(thrown, source, descriptor);
        // Neither another try nor another source helps where the runner's disk does not take it.
        if (signal.aborted || thrown instanceof ContentError || error.details.side === "runner") throw error;
        if (lane.position - before >= progressThatCounts) attempt = 0;
        if (!error.temporary || attempt >= policy.attempts) {
          told = worthTelling(told, error);
          sources = afterFailure(sources, error);
          if (sources.length === 0) throw told;
          attempt = 0;
        }
        log.debug(`${messageOf(error)} Going on at byte ${lane.position}.`);
        await clock.sleep(delayBefore(Math.max(attempt, 1), policy, error.details.retryAfterMs), signal);
      }
    }
  }

  async #readInto(
    lane: Lane,
    active: ActiveDownload,
    spooled: SpooledBlob,
    source: Repository,
    signal: AbortSignal,
  ): Promise<void> {
    const range = { from: lane.position, to: lane.end };
    const { body, start, givesRanges } = await source.readBlob(spooled.descriptor, range, signal);
    active.givesRanges = givesRanges;
    if (start < range.from && giveBack(lane, active)) {
      body.destroy();
      return;
    }
    // A registry that sends the whole blob instead of a part: what is there already is passed over.
    let toSkip = range.from - start;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      this.#bytesRead += chunk.length;
      this.#context.garbage.received(chunk.length);
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      // The end of a part comes nearer when another connection takes over the rest of it.
      const wanted = chunk.subarray(skipped, skipped + this.#wanted(lane, spooled));
      if (wanted.length > 0) await spooled.write(lane.position, wanted);
      lane.position += wanted.length;
      const isCutOff = lane.end < range.to && lane.position >= lane.end;
      if (isCutOff || skipped + wanted.length < chunk.length) return;
    }
    if (lane.position < lane.end) throw new CutShort();
  }

  /** Bytes that a part may still take. One that reaches to the end takes all that comes: too much is an error there. */
  #wanted(lane: Lane, { descriptor }: SpooledBlob): number {
    return lane.end === descriptor.size ? Number.POSITIVE_INFINITY : lane.end - lane.position;
  }

  #failure(thrown: unknown, source: Repository, descriptor: Descriptor): OperationError {
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

function isOpen(lane: Lane): boolean {
  return lane.position < lane.end;
}

/** The sources that are left after the first of them failed: where its registry is in trouble, none of that registry. */
function afterFailure(sources: readonly Repository[], failure: OperationError): readonly Repository[] {
  const [failed, ...rest] = sources;
  return failure.temporary ? rest.filter(({ registry }) => registry !== failed?.registry) : rest;
}

/** Of what several sources said, the last; that one does not have the blob explains nothing where another fails to give it. */
function worthTelling(before: OperationError | undefined, last: OperationError): OperationError {
  return before !== undefined && last.status === 404 ? before : last;
}

/**
 * Gives a part back to the connection that it was taken from, if that one is still on its way there: for a source that
 * turns out to send the whole blob instead, which would then be read twice (P2).
 */
function giveBack(lane: Lane, { lanes }: ActiveDownload): boolean {
  const before = lanes.find((other) => isOpen(other) && other.end === lane.position);
  if (before === undefined) return false;
  before.end = lane.end;
  lane.end = lane.position;
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
