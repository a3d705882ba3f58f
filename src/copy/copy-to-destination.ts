import { type Failure, failureOf } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import { repositoryOf } from "../oci/reference.ts";
import type { Repository } from "../oci/repository.ts";
import { type CopyStep, versionKey } from "../plan/plan.ts";
import type { SourceImage } from "../plan/snapshot.ts";
import type { Downloads } from "../spool/download.ts";
import { deliverBlob, type Placement, type Placements } from "./blob-delivery.ts";
import type { BlobNeed, SourceRepositories } from "./blob-needs.ts";
import { type Confirmations, confirmAhead, findMissing, isComplete, lossFailure } from "./confirm.ts";
import type { DestinationCopy } from "./destination-copy.ts";
import { type BringBack, type ImageContent, type PutImage, putImage, withoutBlobs } from "./image-copy.ts";
import { blobsOf } from "./image-graph.ts";
import { type CopyOutcome, noBytes } from "./outcome.ts";
import type { PublicationCheck } from "./publish.ts";
import { isRefused } from "./refused.ts";
import { tellImage, versionLine } from "./story.ts";
import { type ImageResult, publishVersion, untagged } from "./version.ts";

/** What was read of each image, or why it could not be. */
export type Contents = ReadonlyMap<SourceImage, ImageContent | Error>;

/** What all destinations of a run have in common. */
export interface SharedWork {
  /** Whether tags are set once a version is complete; else another job does that. */
  readonly moveTags: boolean;
  readonly whyNotPublish: PublicationCheck;
  readonly contents: Contents;
  /** The last delivery of each blob to each registry, by `registry digest`, from which the next destination there mounts it. */
  readonly deliveredTo: Map<string, Promise<Placements>>;
  readonly downloads: Downloads;
  readonly sourceRepositories: SourceRepositories;
}

/** Makes a destination ready, and gives why single repositories of it are not. */
export type Prepare = (signal: AbortSignal) => Promise<(repository: string) => Error | undefined>;

/**
 * Copies everything that is planned for one destination: each blob as soon as it can be sent. Each version is published as
 * soon as it is complete, unless another job sets the tags.
 * @param needs every blob that the destination may lack, already claimed from the downloads.
 */
export async function copyToDestination(
  steps: readonly CopyStep[],
  needs: readonly BlobNeed[],
  destination: DestinationCopy,
  prepare: Prepare,
  shared: SharedWork,
): Promise<readonly CopyOutcome[]> {
  const { downloads } = shared;
  const { clock, log } = destination.options;
  const started = clock.now();
  const since = (moment: number): number => Math.max(0, moment - started);
  for (const { descriptor } of needs) destination.options.progress.expect(descriptor.size);
  const ready = prepare(destination.signal);
  // Each delivery passes this failure on. Where there is no delivery, the rejection must not end the process.
  ready.catch(() => undefined);
  const deliveries = new Map(
    needs.map((need) => {
      const key = `${destination.options.registry} ${need.descriptor.digest}`;
      const before = shared.deliveredTo.get(key);
      const delivering = ready
        .then(async (whyUnprepared) => {
          const unprepared = need.repositories.flatMap((name) => {
            const why = whyUnprepared(name);
            return why === undefined ? [] : [[name, why] as const];
          });
          const repositories = need.repositories.filter((name) => whyUnprepared(name) === undefined);
          if (repositories.length === 0) {
            destination.options.progress.spare(need.descriptor.size);
            return new Map(unprepared);
          }
          const mountable = [...need.mountable, ...(await homeAfter(before, destination))];
          const placements = await deliverBlob({ ...need, repositories, mountable }, destination, downloads);
          return new Map([...placements, ...unprepared]);
        })
        .finally(() => downloads.release(need.descriptor.digest));
      // Each image that needs the blob passes this failure on. If none gets so far, the rejection must not end the process.
      delivering.catch(() => undefined);
      shared.deliveredTo.set(key, delivering);
      return [need.descriptor.digest, delivering] as const;
    }),
  );
  const versions = Map.groupBy(steps, versionKey);
  const causes = new Map<string, string>();
  const outcomes = await Promise.all(
    [...versions.values()].map(async (ofVersion) => {
      const results = await Promise.all(
        ofVersion.map(async (step) => {
          const result = await copyImage(step, destination, deliveries, shared);
          const told = { failure: undefined, ...result };
          tellImage(told, since(clock.now()), log, causes);
          return result;
        }),
      );
      const published = shared.moveTags
        ? await publishVersion(results, { ...shared, clock, log, signal: destination.signal })
        : results.map(untagged);
      const milliseconds = since(clock.now());
      log.info(versionLine(published, shared.moveTags, milliseconds, log.paint));
      return published.map(({ moved, ...outcome }) => ({
        ...outcome,
        milliseconds,
        moved: moved && { begin: since(moved.begin), end: since(moved.end) },
      }));
    }),
  );
  // Spool files may be removed only when nobody reads them any more.
  await Promise.allSettled(deliveries.values());
  await destination.settle();
  return outcomes.flat();
}

/**
 * A repository of another destination at the same registry that has a blob by now: the blob is mounted from there, and not sent
 * to one registry twice. Waits for its delivery, but not where a registry mounts only what a manifest holds, as none does yet.
 * @returns none where the blob did not get there, whatever the reason.
 */
async function homeAfter(
  delivery: Promise<Placements> | undefined,
  { options }: DestinationCopy,
): Promise<readonly string[]> {
  if (delivery === undefined || options.client.vendor.mount.works === "referenced") return [];
  const placements = await delivery.catch(() => new Map<string, Placement | Error>());
  const homes = [...placements].filter(([, placement]) => !(placement instanceof Error));
  return homes.slice(0, 1).map(([name]) => name);
}

/** Brings one image to one destination: everything but its tag. */
async function copyImage(
  step: CopyStep,
  destination: DestinationCopy,
  deliveries: ReadonlyMap<Digest, Promise<Placements>>,
  shared: SharedWork,
): Promise<ImageResult> {
  const content = shared.contents.get(step.source);
  const { signal } = destination.options;
  if (content === undefined || content instanceof Error) {
    return { step, bytes: noBytes, moved: undefined, failure: failureIn(signal, content) };
  }
  const repository = destination.repository(repositoryOf(destination.options, step.image));
  const placed = new Set<Digest>();
  const ofImage = new Set(blobsOf(content.root).map(({ digest }) => digest));
  // What only signatures and the like need costs no more than those.
  const refused = new Map<Digest, Failure>();
  const confirmations = confirmAhead(
    placing(content, repository, deliveries),
    repository,
    destination.signal,
  );
  let bytes = noBytes;
  let begin: number | undefined;
  try {
    for (const blob of content.blobs) {
      const placement = (await deliveries.get(blob.digest))?.get(repository.name);
      // A mounted blob was sent for another image, so its time counts there.
      if (placement !== "present" && placement !== "mounted")
        begin = earlier(begin, destination.options.progress.begunAt(blob.digest));
      if (isRefused(placement) && !ofImage.has(blob.digest)) {
        refused.set(blob.digest, failureOf(placement));
        continue;
      }
      if (placement === undefined || placement instanceof Error)
        throw placement ?? new Error(`${blob.digest} was not delivered`);
      bytes = { ...bytes, [placement]: bytes[placement] + blob.size };
      if (placement !== "present") placed.add(blob.digest);
    }
    begin ??= destination.options.clock.now();
    const sendAgain: BringBack = (blobs, lacks) =>
      deliverAgain(
        blobs,
        lacks,
        shared.sourceRepositories(step.source),
        repository.name,
        destination,
        shared.downloads,
      );
    const taken = withoutBlobs(content, new Set(refused.keys()));
    const image = { content: taken, repository, placed, confirmations };
    const put = await complete(image, sendAgain, destination);
    const moved = { begin, end: destination.options.clock.now() };
    const ready = { ...put, refused: [...refused.values(), ...put.refused] };
    return {
      step,
      bytes,
      moved,
      ready: { repository, tag: step.tag, replaces: step.replaces, ...ready },
    };
  } catch (error) {
    destination.failed(error);
    const moved = begin === undefined ? undefined : { begin, end: destination.options.clock.now() };
    return { step, bytes, moved, failure: failureIn(signal, error) };
  }
}

/** Why an image failed. In a run that is cancelled all fail for that, whatever each was at. */
function failureIn(signal: AbortSignal, thrown: unknown): Failure {
  return failureOf(signal.aborted ? signal.reason : thrown);
}

/** For each blob of an image, whether this run places it in the image's repository, once that is known. */
function placing(
  { blobs }: ImageContent,
  repository: Repository,
  deliveries: ReadonlyMap<Digest, Promise<Placements>>,
): ReadonlyMap<Descriptor, Promise<boolean>> {
  const isPlaced = (placement: Placement | Error | undefined): boolean =>
    placement === "uploaded" || placement === "mounted";
  return new Map(
    blobs.flatMap((blob) => {
      const delivering = deliveries.get(blob.digest);
      return delivering === undefined
        ? []
        : [[blob, delivering.then((placements) => isPlaced(placements.get(repository.name)))]];
    }),
  );
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** An image whose blobs are at a destination: what of them this run placed, and what was asked about ahead. */
interface DeliveredImage {
  readonly content: ImageContent;
  readonly repository: Repository;
  readonly placed: ReadonlySet<Digest>;
  readonly confirmations: Confirmations;
}

/**
 * Puts the manifests and asks the destination to confirm everything. What it has lost is sent once more.
 */
async function complete(
  { content, repository, placed, confirmations }: DeliveredImage,
  sendAgain: BringBack,
  { signal, options: { log } }: DestinationCopy,
): Promise<PutImage> {
  // Once a blob turns out to be lost, what was confirmed before does not count.
  let valid: Confirmations | undefined = confirmations;
  const bringBack: BringBack = (blobs, lacks) => {
    valid = undefined;
    return sendAgain(blobs, lacks);
  };
  const put = await putImage(content, repository, bringBack, signal);
  const missing = await findMissing(put.content, repository, placed, signal, valid);
  if (isComplete(missing)) return put;
  log.warning(`${repository.reference}: the registry lost what it had taken; it is sent once more`);
  await sendAgain(missing.blobs, false);
  const again = await putImage(put.content, repository, sendAgain, signal);
  const stillMissing = await findMissing(again.content, repository, placed, signal);
  if (!isComplete(stillMissing)) throw lossFailure(repository, stillMissing);
  return { ...again, refused: [...put.refused, ...again.refused] };
}

/** Sends blobs again that a destination has lost. Only here may a blob be read from a source a second time. */
async function deliverAgain(
  blobs: readonly Descriptor[],
  lacks: boolean,
  sources: readonly Repository[],
  repository: string,
  destination: DestinationCopy,
  downloads: Downloads,
): Promise<void> {
  for (const descriptor of blobs) {
    downloads.claim(descriptor, sources);
    try {
      const need = { descriptor, repositories: [repository], mountable: [], sources };
      const placement = (await deliverBlob(need, destination, downloads, lacks)).get(repository);
      if (placement instanceof Error) throw placement;
    } finally {
      downloads.release(descriptor.digest);
    }
  }
}
