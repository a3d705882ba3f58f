import { messageOf, OperationError } from "../errors.ts";
import type { Descriptor } from "../oci/manifest.ts";
import type { Repository, UploadSession } from "../oci/repository.ts";
import { defaultRetryPolicy, delayBefore, isBrokenConnection } from "../oci/retry.ts";
import type { BlobNeed } from "./blob-needs.ts";
import type { Downloads } from "./download.ts";
import type { SpooledBlob } from "./spool.ts";
import type { Target } from "./target.ts";

/** How a repository got a blob. */
export type Placement = "present" | "mounted" | "uploaded";

/** For each repository, how it got the blob, or why it did not. */
export type Placements = ReadonlyMap<string, Placement | Error>;

/**
 * The story of one blob at one destination. Every repository that needs it is asked whether it has it. If none has, one
 * of them becomes its home: the blob is uploaded there, from the spool while the download still runs. The others then
 * mount it from the home, and upload it only where the registry refuses to mount.
 */
export async function deliverBlob(need: BlobNeed, target: Target, downloads: Downloads): Promise<Placements> {
  const placements = new Map<string, Placement | Error>();
  const { descriptor, repositories } = need;
  let uploaded = false;

  async function place(name: string, from: readonly string[]): Promise<void> {
    const repository = target.repository(name);
    try {
      const mounted = await mountFromAny(repository, descriptor, from, target);
      placements.set(name, mounted === true ? "mounted" : "uploaded");
      if (mounted === true) return;
      // A second upload, where a mount was refused, comes on top of what was expected.
      if (uploaded) target.options.progress.expect(descriptor.size);
      uploaded = true;
      await upload(repository, descriptor, mounted, target, downloads);
      target.works();
    } catch (error) {
      target.failed(error);
      placements.set(name, asError(error));
    }
  }

  const held = await holders(need, target);
  for (const name of held) placements.set(name, "present");
  const rest = repositories.filter((name) => !held.includes(name));
  // Whoever gets it first is the home of the others; a repository that refuses does not keep it from the next.
  while (rest.length > 0 && !hasHome(placements)) {
    const [home = ""] = rest.splice(0, 1);
    await place(home, need.mountable);
    if (isSourceFailure(placements.get(home)) || target.signal.aborted) break;
  }
  const homes = [...placements]
    .filter(([, placement]) => !(placement instanceof Error))
    .map(([name]) => name);
  const [failure] = [...placements.values()].filter((placement) => placement instanceof Error);
  if (homes.length === 0) for (const name of rest) placements.set(name, failure ?? new Error("not tried"));
  else await Promise.all(rest.map((name) => place(name, homes.slice(0, 1))));
  if (!uploaded) target.options.progress.spare(descriptor.size);
  return placements;
}

function hasHome(placements: Placements): boolean {
  return [...placements.values()].some((placement) => !(placement instanceof Error));
}

/** The source could not give the blob: no other repository of the destination will fare better. */
function isSourceFailure(placement: Placement | Error | undefined): boolean {
  return placement instanceof OperationError && placement.details.side === "source";
}

/** The repositories that have the blob already. One that cannot be asked counts as not having it; its upload will tell why. */
async function holders(need: BlobNeed, target: Target): Promise<readonly string[]> {
  const answers = await Promise.all(
    need.repositories.map(async (name) => {
      try {
        return await target.repository(name).hasBlob(need.descriptor.digest, target.signal);
      } catch (error) {
        target.failed(error);
        return false;
      }
    }),
  );
  return need.repositories.filter((_, index) => answers[index]);
}

/** @returns true when mounted; else the upload that the registry may have opened instead. */
async function mountFromAny(
  repository: Repository,
  { digest }: Descriptor,
  from: readonly string[],
  target: Target,
): Promise<true | UploadSession | undefined> {
  let session: UploadSession | undefined;
  for (const name of from) {
    if (session !== undefined) void repository.cancelUpload(session);
    const answer = await repository.mountBlob(digest, name, target.signal);
    if (answer === "mounted") return true;
    session = answer;
  }
  return session;
}

/** Uploads a blob from the spool, again from its start where it breaks. The source is not read another time for that. */
async function upload(
  repository: Repository,
  descriptor: Descriptor,
  opened: UploadSession | undefined,
  target: Target,
  downloads: Downloads,
): Promise<void> {
  const { uploads, clock, log } = target.options;
  const spooled = await downloads.open(descriptor.digest);
  let session = opened;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const current = session;
      await uploads.run(descriptor.size, target.signal, () =>
        uploadOnce(repository, spooled, current, target),
      );
      return;
    } catch (error) {
      session = undefined;
      const failure = uploadFailure(error, repository, descriptor);
      if (failure.status === 429 || failure.status === 503) uploads.throttled(failure.details.retryAfterMs);
      // A token can run out between the start of an upload and its end; the next try brings a new one.
      const again = failure.temporary || (failure.status === 401 && attempt === 1);
      if (target.signal.aborted || !again || attempt >= defaultRetryPolicy.attempts) throw failure;
      log.debug(`${messageOf(failure)} Uploading again.`);
      await clock.sleep(
        delayBefore(attempt, defaultRetryPolicy, failure.details.retryAfterMs),
        target.signal,
      );
    }
  }
}

async function uploadOnce(
  repository: Repository,
  spooled: SpooledBlob,
  opened: UploadSession | undefined,
  target: Target,
): Promise<void> {
  const { progress } = target.options;
  const session = opened ?? (await repository.startUpload(target.signal));
  let sent = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of spooled.follow()) {
      sent += chunk.length;
      progress.sent(chunk.length);
      yield chunk;
    }
  }
  try {
    await repository.finishUpload(session, spooled.descriptor, counted(), target.signal);
  } catch (error) {
    progress.sent(-sent);
    // Not waited for: what the registry keeps of a broken upload is its own to tidy up.
    void repository.cancelUpload(session);
    // When the download broke, that is the reason, and the broken upload its consequence.
    throw spooled.failure ?? error;
  }
}

function uploadFailure(error: unknown, repository: Repository, { digest }: Descriptor): OperationError {
  if (error instanceof OperationError) return error;
  const request = {
    scopes: [{ repository: repository.name, actions: ["push"] }] as const,
    operation: `uploading the blob ${digest}`,
  };
  const temporary = isBrokenConnection(error);
  return repository.registry.failure(request, { problem: messageOf(error), temporary, cause: error });
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(messageOf(thrown));
}
