import { messageOf, OperationError } from "../errors.ts";
import type { BlobUpload } from "../oci/blob-upload.ts";
import { smallTransfer } from "../oci/registry.ts";
import type { Repository } from "../oci/repository.ts";
import { defaultRetryPolicy, delayBefore, isBrokenConnection } from "../oci/retry.ts";
import type { SpooledBlob } from "./spool.ts";
import type { Target } from "./target.ts";

/** An upload that gets on by at least this many bytes between two breaks is not given up, in bytes. */
const progressThatCounts = 64 * 1024;

/** How often an upload is looked at for a stall, in milliseconds. */
const stallCheck = 5_000;

/**
 * How long a connection may take nothing before it counts as broken, in milliseconds. Within that, TCP has sent a lost
 * segment again six or seven times; a link that is still silent then has gone.
 */
const stallLimit = 30_000;

/** An upload that breaks has these bytes already, as far as we know. */
interface Position {
  upload: BlobUpload | undefined;
  /** Bytes that the registry has confirmed. */
  received: number;
  /** Bytes that were handed to the connection, confirmed or not. */
  sent: number;
}

/**
 * Uploads a blob while it is downloaded. Where it breaks, it goes on in the same upload from the byte that the registry
 * names, or from the start in a new one; the source is not read again for either.
 * @param opened an upload that a refused mount has opened.
 * @throws OperationError
 */
export async function uploadBlob(
  repository: Repository,
  spooled: SpooledBlob,
  opened: BlobUpload | undefined,
  target: Target,
): Promise<void> {
  const { uploads, clock, log, progress } = target.options;
  const { size } = spooled.descriptor;
  const position: Position = { upload: opened, received: 0, sent: 0 };
  let furthest = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const send = (): Promise<void> => sendRest(repository, spooled, position, target);
      await (size <= smallTransfer ? send() : uploads.run(size, target.signal, send));
      return;
    } catch (error) {
      const failure = uploadFailure(spooled.failure ?? error, repository, spooled);
      if (failure.status === 429 || failure.status === 503) uploads.throttled(failure.details.retryAfterMs);
      if (target.signal.aborted || !mayPass(failure, attempt)) {
        void position.upload?.cancel();
        throw failure;
      }
      if (failure.status === undefined) target.broke(position.sent - position.received);
      await findPosition(position, target);
      progress.sent(position.received - position.sent);
      position.sent = position.received;
      if (position.received >= furthest + progressThatCounts) attempt = 0;
      furthest = Math.max(furthest, position.received);
      if (attempt >= defaultRetryPolicy.attempts) throw failure;
      log.debug(`${messageOf(failure)} Going on at byte ${position.received} of ${size}.`);
      await clock.sleep(
        delayBefore(Math.max(attempt, 1), defaultRetryPolicy, failure.details.retryAfterMs),
        target.signal,
      );
    }
  }
}

/** Whether a failed upload may go through when it is tried again. */
function mayPass(failure: OperationError, attempt: number): boolean {
  if (failure.details.side === "source") return false;
  // A token can run out between the start of an upload and its end; the next try brings a new one.
  if (failure.status === 401) return attempt === 1;
  // The upload is gone, or the registry is at another byte: the next try asks, or starts over.
  const isLost = failure.status === 416 || /^BLOB_UPLOAD_/.test(failure.details.code ?? "");
  return failure.temporary || isLost;
}

/** Asks the registry where to go on. Without an answer that can be true, the upload starts over. */
async function findPosition(position: Position, target: Target): Promise<void> {
  const upload = position.upload;
  const received = target.mayChunk ? await upload?.received(target.signal).catch(() => undefined) : undefined;
  if (received !== undefined && received > 0 && received <= position.sent) {
    position.received = received;
    return;
  }
  void upload?.cancel();
  position.upload = undefined;
  position.received = 0;
}

/** Sends what the registry does not have yet: at once, or in chunks where the registry or the link wants them. */
async function sendRest(
  repository: Repository,
  spooled: SpooledBlob,
  position: Position,
  target: Target,
): Promise<void> {
  const { descriptor } = spooled;
  position.upload ??= await repository.startUpload(target.signal);
  const { upload } = position;
  if (descriptor.size <= smallTransfer) {
    // All of it before the request, so that the registry's place is not taken while the source still sends.
    const from = position.received;
    const bytes = await collect(counted(spooled, from, descriptor.size, position, target));
    await upload.finish(descriptor, once(bytes), from, { signal: target.signal });
    return;
  }
  const chunk = target.chunk;
  while (chunk !== undefined && descriptor.size - position.received > chunk.size) {
    const from = position.received;
    const received = await watched(target, (signal, watch) => {
      const body = watch(counted(spooled, from, from + chunk.size, position, target));
      return upload.append(body, from, chunk.size, { signal, ownConnection: chunk.ownConnection });
    });
    if (received > position.sent || received < from) throw new LostUpload(received);
    position.received = received;
  }
  await watched(target, (signal, watch) => {
    const body = watch(counted(spooled, position.received, descriptor.size, position, target));
    return upload.finish(descriptor, body, position.received, {
      signal,
      ownConnection: chunk?.ownConnection ?? false,
    });
  });
}

/** The registry says that it has bytes that were never sent, or less than it had. */
class LostUpload extends Error {
  override readonly name = "LostUpload";

  constructor(received: number) {
    super(`the registry says that it has ${received} bytes, which cannot be`);
  }
}

/** A part of a blob, chunk by chunk; what is handed on counts as sent. */
async function* counted(
  spooled: SpooledBlob,
  from: number,
  to: number,
  position: Position,
  target: Target,
): AsyncGenerator<Uint8Array> {
  position.sent = from;
  for await (const chunk of spooled.follow(from, to)) {
    position.sent += chunk.length;
    target.options.progress.sent(chunk.length);
    yield chunk;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/**
 * Sends with an eye on the connection: if it takes no byte for too long, the request is ended. Time in which the spool
 * waits for the source does not count, nor does the registry's own time to answer after the last byte.
 */
async function watched<T>(
  target: Target,
  send: (
    signal: AbortSignal,
    watch: (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
  ) => Promise<T>,
): Promise<T> {
  const stalled = new AbortController();
  let takenAt: number | undefined;
  async function* watch(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      takenAt = performance.now();
      yield chunk;
      takenAt = undefined;
    }
  }
  const timer = setInterval(() => {
    if (takenAt !== undefined && performance.now() - takenAt > stallLimit) stalled.abort(new Stalled());
  }, stallCheck);
  try {
    return await send(AbortSignal.any([target.signal, stalled.signal]), watch);
  } finally {
    clearInterval(timer);
  }
}

class Stalled extends Error {
  override readonly name = "Stalled";

  constructor() {
    super(`the connection took no byte for ${stallLimit / 1000} s`);
  }
}

function uploadFailure(error: unknown, repository: Repository, { descriptor }: SpooledBlob): OperationError {
  if (error instanceof OperationError) return error;
  const request = {
    scopes: [{ repository: repository.name, actions: ["push"] }] as const,
    operation: `uploading the blob ${descriptor.digest}`,
  };
  const temporary = error instanceof LostUpload || error instanceof Stalled || isBrokenConnection(error);
  return repository.registry.failure(request, { problem: messageOf(error), temporary, cause: error });
}
