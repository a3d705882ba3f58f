import { messageOf, OperationError } from "../errors.ts";
import { defaultRetryPolicy, delayBefore, isBrokenConnection } from "../http/retry.ts";
import type { BlobUpload } from "../oci/blob-upload.ts";
import { smallTransfer } from "../oci/registry.ts";
import type { Repository } from "../oci/repository.ts";
import type { SpooledBlob } from "../spool/spool.ts";
import type { Chunk, DestinationCopy } from "./destination-copy.ts";

/** An upload that moves on by at least this many bytes between two breaks is not given up. */
const progressThatCounts = 64 * 1024;

/**
 * How long a connection may take nothing before it counts as broken, in milliseconds. Within that, TCP has sent a lost
 * segment again six or seven times; a link that is still silent then has gone.
 */
const defaultStallLimit = 30_000;

/** How often a stall is looked for within the stall limit: it is noticed at most a sixth of the limit too late. */
const stallLooks = 6;

/** How far an upload has come, as far as is known. */
interface Position {
  upload: BlobUpload | undefined;
  /** Bytes that the registry has confirmed. */
  received: number;
  /** Bytes that were handed to the connection, confirmed or not. */
  sent: number;
  /** Bytes of the last request; 0 for one of a small blob, which is not cut. */
  length: number;
  /** How blobs were cut when the last request began. */
  chunk: Chunk | undefined;
  /** The body that is being sent. A body whose request has broken may still get a chunk, which must not count. */
  body: symbol | undefined;
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
  destination: DestinationCopy,
): Promise<void> {
  const { uploads, clock, log } = destination.options;
  const { size } = spooled.descriptor;
  const position: Position = {
    upload: opened,
    received: 0,
    sent: 0,
    length: 0,
    chunk: undefined,
    body: undefined,
  };
  let furthest = 0;
  let refusedDigests = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await sendInTurn(repository, spooled, position, destination);
      return;
    } catch (error) {
      position.body = undefined;
      const failure = uploadFailure(spooled.failure ?? error, repository, spooled);
      if (failure.status === 429 || failure.status === 503) uploads.throttled(failure.details.retryAfterMs);
      const isOther = isOtherContent(failure);
      if (isOther) refusedDigests += 1;
      // An upload that could not be opened is not tried again here: the request that opens it has its own retries.
      const isOpen = position.upload !== undefined;
      const getsSmaller = failure.status === 413 && destination.tooLarge(position.length);
      const isHopeful = getsSmaller || canSucceedLater(failure, attempt, refusedDigests);
      if (destination.signal.aborted || !isOpen || !isHopeful) return giveUp(position, failure, destination);
      if (failure.status === undefined && !(error instanceof LostUpload))
        destination.broke(position.sent - position.received, position.chunk);
      if (isOther) {
        destination.joinedWrongly(position.received);
        startOver(position, destination);
      } else if ((await findPosition(position, repository, spooled, destination)) === "complete") return;
      if (position.received >= furthest + progressThatCounts) attempt = 0;
      furthest = Math.max(furthest, position.received);
      if (attempt >= defaultRetryPolicy.attempts) return giveUp(position, failure, destination);
      log.debug(`${messageOf(failure)} Going on at byte ${position.received} of ${size}.`);
      // The next request is another one, so it needs no pause, and its tries count anew.
      if (getsSmaller) {
        attempt = 0;
        continue;
      }
      await clock.sleep(
        delayBefore(Math.max(attempt, 1), defaultRetryPolicy, failure.details.retryAfterMs),
        destination.signal,
      );
    }
  }
}

/** The registry says that what it has is not of the digest. The spool has proved that what was sent is. */
function isOtherContent(failure: OperationError): boolean {
  return failure.details.code === "DIGEST_INVALID";
}

/**
 * Whether a failed upload may succeed when it is tried again.
 * @param refusedDigests how often the registry had other content. The first time, it may have joined the parts of a broken
 * upload wrongly. The second time, it is believed.
 */
function canSucceedLater(failure: OperationError, attempt: number, refusedDigests: number): boolean {
  if (failure.details.side !== "destination") return false;
  if (isOtherContent(failure)) return refusedDigests === 1;
  // A token can run out between the start of an upload and its end; the next try brings a new one.
  if (failure.status === 401) return attempt === 1;
  // The upload is gone, or the registry is at another byte: the next try asks, or starts over.
  const isLost = failure.status === 416 || /^BLOB_UPLOAD_/.test(failure.details.code ?? "");
  return failure.temporary || isLost;
}

/** Ends an upload for good, and cancels it so that the registry need not keep what it has. */
function giveUp(position: Position, failure: OperationError, destination: DestinationCopy): never {
  startOver(position, destination);
  throw failure;
}

/** Cancels an upload. The next try opens a new one. */
function startOver(position: Position, destination: DestinationCopy): void {
  destination.later(position.upload?.cancel(destination.settled));
  position.upload = undefined;
  position.received = 0;
  takeBack(position, destination);
}

/**
 * Asks the registry how much it has. Without a plausible answer, the upload starts over.
 * @returns "complete" when the registry has the blob: only its answer was lost.
 */
async function findPosition(
  position: Position,
  repository: Repository,
  { descriptor }: SpooledBlob,
  destination: DestinationCopy,
): Promise<"complete" | "incomplete"> {
  const { upload, sent } = position;
  const received = destination.mayChunk
    ? await upload?.received(destination.signal).catch(() => undefined)
    : undefined;
  const goesOn = received !== undefined && received > 0 && received <= sent;
  // A failed question counts as a no: the upload then starts over and reports what is wrong.
  const isThere = (): Promise<boolean> =>
    repository.hasBlob(descriptor, destination.signal).catch(() => false);
  if (!goesOn && upload !== undefined && sent === descriptor.size && (await isThere())) return "complete";
  if (goesOn) {
    position.received = received;
    takeBack(position, destination);
  } else startOver(position, destination);
  return "incomplete";
}

/** Bytes that were sent but not confirmed no longer count as sent: they have to be sent again. */
function takeBack(position: Position, destination: DestinationCopy): void {
  destination.options.progress.sent(position.received - position.sent);
  position.sent = position.received;
}

/**
 * Opens the upload before it waits for a connection, and gives the connection back with the last byte. So the round trips
 * before the first byte and after the last one pass while other blobs fill the link. A small blob waits for none.
 */
function sendInTurn(
  repository: Repository,
  spooled: SpooledBlob,
  position: Position,
  destination: DestinationCopy,
): Promise<void> {
  const { smallUploads, openings, uploads } = destination.options;
  const { signal } = destination;
  const { size } = spooled.descriptor;
  const isSmall = size <= smallTransfer;
  return (isSmall ? smallUploads : openings).run(isSmall ? 0 : size, signal, async (leaveOpenings) => {
    position.upload ??= await repository.startUpload(signal, size);
    const { upload } = position;
    const send = (leave: () => void) => sendRest(spooled, position, upload, destination, leave);
    if (isSmall) return send(leaveOpenings);
    await uploads.run(size, signal, (leave) => {
      leaveOpenings();
      return send(leave);
    });
  });
}

/** Sends what the registry does not have yet: at once, or in chunks where the registry or the link wants them. */
async function sendRest(
  spooled: SpooledBlob,
  position: Position,
  upload: BlobUpload,
  destination: DestinationCopy,
  afterLastByte: () => void,
): Promise<void> {
  const { descriptor } = spooled;
  destination.options.progress.begin(descriptor.digest, destination.options.clock.now());
  if (destination.endsEmpty) return sendPatched(spooled, position, upload, destination, afterLastByte);
  if (descriptor.size <= smallTransfer) {
    // All bytes are collected before the request, so that it takes no slot of the registry while the source still sends.
    const from = position.received;
    const body = counted(spooled, from, descriptor.size, position, destination);
    const bytes = await collect(body, descriptor.size - from);
    await upload.finish(descriptor, once(bytes), from, { signal: destination.signal });
    return;
  }
  for (;;) {
    const length = nextLength(descriptor.size, position, destination);
    if (position.received + length === descriptor.size) break;
    await sendPart(spooled, position, upload, length, destination);
  }
  await withStallLimit(destination, (signal, watch) => {
    const rest = counted(spooled, position.received, descriptor.size, position, destination);
    const body = watch(thenCall(rest, afterLastByte));
    return upload.finish(descriptor, body, position.received, {
      signal,
      ownConnection: position.chunk?.ownConnection ?? false,
    });
  });
}

/** Sends all bytes by PATCH and ends with an empty PUT, for registries that take a blob in no other way. */
async function sendPatched(
  spooled: SpooledBlob,
  position: Position,
  upload: BlobUpload,
  destination: DestinationCopy,
  afterLastByte: () => void,
): Promise<void> {
  const { descriptor } = spooled;
  while (position.received < descriptor.size) {
    await sendPart(
      spooled,
      position,
      upload,
      nextLength(descriptor.size, position, destination),
      destination,
    );
  }
  afterLastByte();
  await upload.finish(descriptor, nothing(), descriptor.size, { signal: destination.signal });
}

/** Decides how long the next request is: all that is left, or a chunk as large as the link allows now. */
function nextLength(size: number, position: Position, destination: DestinationCopy): number {
  position.chunk = destination.chunk;
  position.length = Math.min(size - position.received, position.chunk?.size ?? Number.POSITIVE_INFINITY);
  return position.length;
}

/** Sends the next bytes by PATCH. */
async function sendPart(
  spooled: SpooledBlob,
  position: Position,
  upload: BlobUpload,
  size: number,
  destination: DestinationCopy,
): Promise<void> {
  const from = position.received;
  const ownConnection = position.chunk?.ownConnection ?? false;
  const received = await withStallLimit(destination, (signal, watch) => {
    const body = watch(counted(spooled, from, from + size, position, destination));
    return upload.append(body, from, size, { signal, ownConnection });
  });
  // Without a byte more, the same chunk would be sent for ever.
  if (received > position.sent || received <= from) throw new LostUpload(received);
  position.received = received;
  takeBack(position, destination);
}

/** The registry says that it has bytes that were never sent, or nothing of what it just took. */
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
  destination: DestinationCopy,
): AsyncGenerator<Uint8Array> {
  const body = Symbol("body");
  position.body = body;
  position.sent = from;
  for await (const chunk of spooled.follow(from, to)) {
    if (position.body !== body) return;
    position.sent += chunk.length;
    destination.options.progress.sent(chunk.length);
    yield chunk;
  }
}

async function* thenCall(body: AsyncIterable<Uint8Array>, atTheEnd: () => void): AsyncGenerator<Uint8Array> {
  yield* body;
  atTheEnd();
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** A body of one piece. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Copies all chunks into one array: each chunk is valid only until the next one. */
async function collect(chunks: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const all = Buffer.allocUnsafe(size);
  let end = 0;
  for await (const chunk of chunks) {
    all.set(chunk, end);
    end += chunk.length;
  }
  return all.subarray(0, end);
}

/**
 * Sends, and ends the request if the connection takes no byte for too long. Time in which the spool waits for the source
 * does not count, nor does the time that the registry takes to answer after the last byte.
 */
async function withStallLimit<T>(
  destination: DestinationCopy,
  send: (
    signal: AbortSignal,
    watch: (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
  ) => Promise<T>,
): Promise<T> {
  const { clock, stallLimit = defaultStallLimit } = destination.options;
  const stalled = new AbortController();
  /** Looks since the connection was given the chunk that it has not taken; undefined: it has. */
  let looks: number | undefined;
  async function* watch(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      looks = 0;
      yield chunk;
      looks = undefined;
    }
  }
  const stopLooking = clock.every(stallLimit / stallLooks, () => {
    if (looks === undefined) return;
    looks += 1;
    if (looks > stallLooks) stalled.abort(new Stalled(stallLimit));
  });
  try {
    return await send(AbortSignal.any([destination.signal, stalled.signal]), watch);
  } finally {
    stopLooking();
  }
}

class Stalled extends Error {
  override readonly name = "Stalled";

  constructor(limit: number) {
    super(`the connection took no byte for ${limit / 1000} s`);
  }
}

function uploadFailure(error: unknown, repository: Repository, { descriptor }: SpooledBlob): OperationError {
  if (error instanceof OperationError) return error;
  const request = {
    scopes: [{ repository: repository.name, actions: ["push"] }] as const,
    operation: "uploading the blob",
    subject: descriptor.digest,
  };
  const temporary = error instanceof LostUpload || error instanceof Stalled || isBrokenConnection(error);
  return repository.registry.failure(request, { problem: messageOf(error), temporary, cause: error });
}
