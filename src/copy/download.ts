import type { Clock } from "../clock.ts";
import { messageOf, OperationError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Digest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import type { Repository } from "../oci/repository.ts";
import { defaultRetryPolicy, delayBefore, isBrokenConnection, type RetryPolicy } from "../oci/retry.ts";
import type { Slots } from "../oci/slots.ts";
import type { Budget } from "./budget.ts";
import type { RecentChunks } from "./recent-chunks.ts";
import { ContentError, SpooledBlob } from "./spool.ts";

/** A blob that some destination may need, and who may ask for it. */
interface Planned {
  readonly descriptor: Descriptor;
  /** Repositories at sources that hold it; the first that gives it serves it. */
  readonly sources: readonly Repository[];
  /** Destinations that are not done with it. */
  claims: number;
  spooled: Promise<SpooledBlob> | undefined;
  readonly cancel: AbortController;
}

export interface DownloadContext {
  /** Folder for spool files; must exist. */
  readonly folder: string;
  readonly budget: Budget;
  readonly recent: RecentChunks;
  /** Download slots of a source registry. */
  readonly slotsOf: (registry: string) => Slots;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly policy?: RetryPolicy;
}

/** A break after this many further bytes is not counted as a failed try: the download does get on, if slowly. */
const progressThatCounts = 1024 * 1024;

/**
 * The downloads of a run: each blob is read at most once, when the first destination turns out to lack it, and stays in
 * the spool until the last destination is done with it (P2).
 */
export class Downloads {
  readonly #context: DownloadContext;
  readonly #planned = new Map<Digest, Planned>();
  #bytesRead = 0;
  #blobsRead = 0;

  constructor(context: DownloadContext) {
    this.#context = context;
  }

  /** Bytes read from sources so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Blobs whose download was started. */
  get blobsRead(): number {
    return this.#blobsRead;
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
    this.#planned.set(descriptor.digest, { descriptor, sources, claims: 1, spooled: undefined, cancel });
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
    await budget.take(size, signal);
    let spooled: SpooledBlob;
    try {
      spooled = await SpooledBlob.create(folder, planned.descriptor, recent);
    } catch (error) {
      budget.give(size);
      throw error;
    }
    this.#blobsRead += 1;
    const running = this.#download(spooled, planned, signal).catch((error: unknown) => spooled.fail(error));
    void running
      .then(() => aborted(signal))
      .then(() => spooled.remove())
      .catch((error: unknown) =>
        this.#context.log.debug(`a spool file could not be removed: ${messageOf(error)}`),
      )
      .finally(() => budget.give(size));
    return spooled;
  }

  /** Reads until all is there, going on where it broke; each source in turn when one does not give it. */
  async #download(spooled: SpooledBlob, planned: Planned, signal: AbortSignal): Promise<void> {
    const { clock, log, policy = defaultRetryPolicy } = this.#context;
    const sources = [...planned.sources];
    for (let attempt = 1; ; attempt += 1) {
      const [source] = sources;
      if (source === undefined) throw new Error(`no source is known for ${planned.descriptor.digest}`);
      const before = spooled.received;
      try {
        const slots = this.#context.slotsOf(source.registry.registry);
        await slots.run(planned.descriptor.size, signal, () => this.#readInto(spooled, source, signal));
        spooled.complete();
        return;
      } catch (thrown) {
        const error = this.#failure(thrown, source, planned.descriptor);
        if (signal.aborted || thrown instanceof ContentError) throw error;
        if (spooled.received - before >= progressThatCounts) attempt = 0;
        if (!error.temporary || attempt >= policy.attempts) {
          if (sources.length === 1) throw error;
          sources.shift();
          attempt = 0;
        }
        log.debug(`${messageOf(error)} Going on at byte ${spooled.received}.`);
        await clock.sleep(delayBefore(Math.max(attempt, 1), policy, error.details.retryAfterMs), signal);
      }
    }
  }

  async #readInto(spooled: SpooledBlob, source: Repository, signal: AbortSignal): Promise<void> {
    const from = spooled.received;
    if (from === spooled.descriptor.size && from > 0) return;
    const { body, start } = await source.readBlob(spooled.descriptor, from, signal);
    // A registry that sends the whole blob instead of the rest: what is there already is passed over.
    let toSkip = from - start;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      this.#bytesRead += chunk.length;
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      if (skipped < chunk.length) await spooled.append(chunk.subarray(skipped));
    }
    if (spooled.received < spooled.descriptor.size) throw new CutShort();
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
      operation: `reading the blob ${descriptor.digest}`,
    };
    return source.registry.failure(request, {
      problem: messageOf(thrown),
      temporary: thrown instanceof CutShort || isBrokenConnection(thrown),
      cause: thrown,
    });
  }
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
