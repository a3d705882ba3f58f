import { messageOf, OperationError } from "../errors.ts";
import type { BlobUpload } from "../oci/blob-upload.ts";
import type { Descriptor } from "../oci/manifest.ts";
import { smallTransfer } from "../oci/registry.ts";
import type { Repository } from "../oci/repository.ts";
import type { Downloads } from "../spool/download.ts";
import type { BlobNeed } from "./blob-needs.ts";
import type { DestinationCopy } from "./destination-copy.ts";
import { uploadBlob } from "./upload.ts";

/** How a repository got a blob. */
export type Placement = "present" | "mounted" | "uploaded";

/** For each repository, how it got the blob, or why it did not. */
export type Placements = ReadonlyMap<string, Placement | Error>;

/**
 * Brings one blob to every repository of a destination that needs it. First each is asked whether it has the blob. If none
 * has it, one of them becomes its home: the blob is uploaded there, from the spool while the download still runs. The others
 * then mount it from the home. Where the registry refuses to mount, the blob is uploaded again.
 * @param lacks whether the registry has said that it lacks the blob: then nobody is asked for it first.
 */
export async function deliverBlob(
  need: BlobNeed,
  destination: DestinationCopy,
  downloads: Downloads,
  lacks = false,
): Promise<Placements> {
  const placements = new Map<string, Placement | Error>();
  const { descriptor, repositories } = need;
  let uploaded = false;
  let ahead = openAhead(need, destination);

  async function place(name: string, from: readonly string[]): Promise<void> {
    const repository = destination.repository(name);
    try {
      const mounted = await mountFromAny(repository, descriptor, from, destination);
      placements.set(name, mounted === true ? "mounted" : "uploaded");
      if (mounted === true) return;
      // After a refused mount, a second upload adds to what was expected.
      if (uploaded) destination.options.progress.expect(descriptor.size);
      uploaded = true;
      await upload(repository, mounted ?? (await takeAhead(name)));
      destination.succeeded();
    } catch (error) {
      destination.failed(error);
      placements.set(name, asError(error));
    }
  }

  async function takeAhead(name: string): Promise<BlobUpload | undefined> {
    if (name !== repositories[0]) return undefined;
    const opened = await ahead;
    ahead = undefined;
    return opened;
  }

  /** Uploads what the spool has. Wrong bytes of a source show before their last one is sent; then the next source is read. */
  async function upload(repository: Repository, opened: BlobUpload | undefined): Promise<void> {
    const { digest } = descriptor;
    let spooled = await downloads.open(digest);
    let session = opened;
    for (;;) {
      try {
        await uploadBlob(repository, spooled, session, destination);
        return;
      } catch (error) {
        const other = isFailureOnTheWay(error) ? await downloads.another(digest, spooled) : undefined;
        if (other === undefined) throw error;
        destination.options.log.warning(`${messageOf(error)} It is read from the next source.`);
        spooled = other;
        session = undefined;
      }
    }
  }

  const held = lacks ? [] : await holders(need, destination);
  for (const name of held) placements.set(name, "present");
  const rest = repositories.filter((name) => !held.includes(name));
  // The first repository that takes the blob is the home of the others. After a refusal, the next one is tried.
  while (rest.length > 0 && !hasHome(placements)) {
    const [home = ""] = rest.splice(0, 1);
    await place(home, need.mountable);
    if (isFailureOnTheWay(placements.get(home)) || destination.signal.aborted) break;
  }
  const homes = [...placements]
    .filter(([, placement]) => !(placement instanceof Error))
    .map(([name]) => name);
  const [failure] = [...placements.values()].filter((placement) => placement instanceof Error);
  if (homes.length === 0) for (const name of rest) placements.set(name, failure ?? new Error("not tried"));
  else await Promise.all(rest.map((name) => place(name, homes.slice(0, 1))));
  if (!uploaded) destination.options.progress.spare(descriptor.size);
  destination.later(ahead?.then((opened) => opened?.cancel(destination.settled)));
  return placements;
}

/**
 * Opens the upload to the first repository while the repositories are still being asked. Over a long link, that saves a round
 * trip in which nothing moves. This is done at the start only, for the few blobs that go first. If the blob turns out to be
 * there, the upload is cancelled.
 */
function openAhead(
  need: BlobNeed,
  destination: DestinationCopy,
): Promise<BlobUpload | undefined> | undefined {
  const { openings } = destination.options;
  const { size } = need.descriptor;
  const [home = ""] = need.repositories;
  if (size <= smallTransfer || need.mountable.length > 0 || !openings.hasRoom) return undefined;
  const open = (): Promise<BlobUpload> => destination.repository(home).startUpload(destination.signal, size);
  // If this fails, the upload opens its own and reports what is wrong.
  return openings.run(size, destination.signal, open).catch(() => undefined);
}

function hasHome(placements: Placements): boolean {
  return [...placements.values()].some((placement) => !(placement instanceof Error));
}

/** The source could not give the blob, or the runner could not keep it. No other repository of the destination fares better. */
function isFailureOnTheWay(placement: unknown): boolean {
  return placement instanceof OperationError && placement.details.side !== "destination";
}

/** The repositories that have the blob already. One that cannot be asked counts as not having it: its upload will say why. */
async function holders(need: BlobNeed, destination: DestinationCopy): Promise<readonly string[]> {
  const { descriptor } = need;
  // Questions about the most bytes come first: until they are answered, the link is empty.
  const priority = descriptor.size / need.repositories.length;
  const answers = await Promise.all(
    need.repositories.map(async (name) => {
      try {
        return await destination.repository(name).hasBlob(descriptor, destination.signal, priority);
      } catch (error) {
        destination.failed(error);
        return false;
      }
    }),
  );
  return need.repositories.filter((_, index) => answers[index]);
}

/** @returns true when mounted; else the upload that the registry may have opened instead. */
async function mountFromAny(
  repository: Repository,
  { digest, size }: Descriptor,
  from: readonly string[],
  destination: DestinationCopy,
): Promise<true | BlobUpload | undefined> {
  let upload: BlobUpload | undefined;
  for (const name of from) {
    destination.later(upload?.cancel(destination.settled));
    const answer = await repository.mountBlob(digest, name, destination.signal, size);
    if (answer === "mounted") return true;
    upload = answer;
  }
  return upload;
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(messageOf(thrown));
}
