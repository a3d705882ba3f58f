import { rm } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import type { Destination } from "../destinations/destination.ts";
import { failureOf, messageOf, OperationError } from "../errors.ts";
import type { AttachmentFinder } from "../inventory/attachments.ts";
import type { Log } from "../log/log.ts";
import type { Manifest } from "../oci/manifest.ts";
import { chartConfig } from "../oci/media-types.ts";
import { repositoryOf } from "../oci/reference.ts";
import type { CopyStep } from "../plan/plan.ts";
import type { SourceImage } from "../plan/snapshot.ts";
import { Budget } from "../spool/budget.ts";
import { Downloads } from "../spool/download.ts";
import { GarbageCollection } from "../spool/garbage-collection.ts";
import { RecentChunks } from "../spool/recent-chunks.ts";
import { makeSpoolFolder } from "../spool/spool-folder.ts";
import type { Placements } from "./blob-delivery.ts";
import { blobNeeds, type SourceRepositories } from "./blob-needs.ts";
import { type Contents, copyToDestination, type Prepare } from "./copy-to-destination.ts";
import { DestinationCopy } from "./destination-copy.ts";
import { type ImageContent, readImage } from "./image-copy.ts";
import type { ReadManifest } from "./image-graph.ts";
import { type CopyOutcome, noBytes } from "./outcome.ts";
import { DestinationProgress, reportProgress } from "./progress.ts";
import type { PublicationCheck } from "./publish.ts";
import { warnOfQuota } from "./quota.ts";
import { type PinnedConnections, TransferSlots } from "./transfer-slots.ts";

/** Most bytes kept in memory for uploads that keep up with their download: eight blobs at once get 512 KiB each. */
const recentLimit = 4 * 1024 * 1024;

export interface CopyContext extends PinnedConnections {
  readonly destinations: readonly Pick<
    Destination,
    "name" | "registry" | "path" | "client" | "quota" | "prepare" | "whyUnprepared"
  >[];
  readonly sourceRepositories: SourceRepositories;
  /** Undefined: signatures and the like are not copied. */
  readonly attachments: AttachmentFinder | undefined;
  /** Folder in which the spool gets a folder of its own. */
  readonly temporaryFolder: string;
  /** Most bytes in the spool. */
  readonly spoolLimit: number;
  /** Whether tags are set once a version is complete; else another job does that. */
  readonly moveTags: boolean;
  readonly whyNotPublish: PublicationCheck;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface CopyResult {
  /** One for each copy step, in the order of the plan. */
  readonly outcomes: readonly CopyOutcome[];
  /** Bytes read from sources. */
  readonly bytesRead: number;
}

/**
 * Carries out the copy steps of a plan: every image to every destination at once, each destination at its own pace (P4),
 * its tags only when the whole version is there (P3). Failures are outcomes. Only what ends the run is thrown.
 */
export async function copy(steps: readonly CopyStep[], context: CopyContext): Promise<CopyResult> {
  if (steps.length === 0) return { outcomes: [], bytesRead: 0 };
  try {
    return await copyThrough(await makeSpoolFolder(context.temporaryFolder), steps, context);
  } catch (error) {
    // Without a spool nothing can be copied: each planned image is reported as failed.
    if (!(error instanceof OperationError) || error.details.side !== "runner") throw error;
    const failure = failureOf(error);
    return {
      outcomes: steps.map((step) => ({ step, failure, bytes: noBytes, milliseconds: 0, moved: undefined })),
      bytesRead: 0,
    };
  }
}

/** @param folder of the spool; it is removed at the end. */
async function copyThrough(
  folder: string,
  steps: readonly CopyStep[],
  context: CopyContext,
): Promise<CopyResult> {
  const slots = new TransferSlots(context, context.clock);
  const downloads: Downloads = new Downloads({
    ...context,
    folder,
    budget: new Budget(context.spoolLimit),
    recent: new RecentChunks(recentLimit),
    garbage: new GarbageCollection(),
    slotsOf: (registry) => slots.downloadsFrom(registry, () => downloads.bytesRead),
  });
  slots.splitLargeBlobs(downloads);
  const work = context.destinations
    .map((destination) => ({
      destination,
      steps: steps.filter((step) => step.destination === destination.name),
      progress: new DestinationProgress(destination.name),
    }))
    .filter((each) => each.steps.length > 0);
  const stopReporting = reportProgress(
    work.map(({ progress }) => progress),
    context.clock,
    context.log,
  );
  const stopSearching = slots.search();
  try {
    const contents = await readContents(steps, context);
    const { sourceRepositories } = context;
    const needs = work.map(({ destination, steps: own }) =>
      blobNeeds(own, destination, contents, sourceRepositories),
    );
    for (const { descriptor, sources } of needs.flat()) downloads.claim(descriptor, sources);
    const deliveredTo = new Map<string, Promise<Placements>>();
    const outcomes = await Promise.all(
      work.map(({ destination, steps: own, progress }, index) => {
        const uploads = slots.uploadsTo(progress);
        const [openings, smallUploads] = [slots.openingsAhead(), slots.smallUploads()];
        const ongoing = new DestinationCopy({
          ...destination,
          ...context,
          uploads,
          openings,
          smallUploads,
          progress,
        });
        const repositories = new Set(own.map((step) => repositoryOf(destination, step.image)));
        const prepare: Prepare = async (signal) => {
          await warnOfQuota(destination, needs[index] ?? [], context, signal);
          await destination.prepare(signal, [...repositories]);
          return (repository) => destination.whyUnprepared?.(repository);
        };
        const { moveTags, whyNotPublish } = context;
        const shared = {
          contents,
          deliveredTo,
          downloads,
          sourceRepositories,
          moveTags,
          whyNotPublish,
        };
        return copyToDestination(own, needs[index] ?? [], ongoing, prepare, shared);
      }),
    );
    const byStep = new Map(
      outcomes
        .flat()
        .map((outcome) => [
          outcome.step,
          isChart(outcome.step, contents) ? { ...outcome, isChart: true as const } : outcome,
        ]),
    );
    return {
      outcomes: steps.flatMap((step) => byStep.get(step) ?? []),
      bytesRead: downloads.bytesRead,
    };
  } finally {
    stopSearching();
    stopReporting();
    await rm(folder, { recursive: true, force: true });
  }
}

function isChart({ source }: CopyStep, contents: Contents): boolean {
  const content = contents.get(source);
  return (
    content !== undefined && !(content instanceof Error) && content.root.manifest.artifactType === chartConfig
  );
}

/** What is needed to read manifests. */
export type ReadingContext = Pick<CopyContext, "sourceRepositories" | "attachments" | "signal" | "log">;

/**
 * Reads all manifests before any blob moves: only then is it known which blobs are shared, and which are largest. Each is read
 * once, also where one destination gets an image without its attestations and another the whole.
 */
export async function readContents(steps: readonly CopyStep[], context: ReadingContext): Promise<Contents> {
  const images = [...new Set(steps.map(({ source }) => source))];
  const readings = new Map<string, Promise<Manifest>>();
  const readOnce: ReadManifest = (source, digest, signal) => {
    const key = `${source.reference}@${digest}`;
    const reading = readings.get(key) ?? source.manifest(digest, signal);
    readings.set(key, reading);
    return reading;
  };
  const read = await Promise.all(images.map((image) => readFromAny(image, readOnce, context)));
  return new Map(images.flatMap((image, index) => [[image, read[index] ?? new Error("not read")] as const]));
}

/** Reads the manifests of an image from the first source that has them all. If none has, returns the first failure. */
async function readFromAny(
  image: SourceImage,
  read: ReadManifest,
  context: ReadingContext,
): Promise<ImageContent | Error> {
  const { sourceRepositories, attachments, signal, log } = context;
  let failure: Error | undefined;
  for (const repository of sourceRepositories(image)) {
    try {
      return await readImage(image, repository, attachments, signal, read);
    } catch (error) {
      failure ??= error instanceof Error ? error : new Error(messageOf(error));
      if (signal.aborted) return failure;
      log.debug(`${repository.reference} does not give ${image.digest}: ${messageOf(error)}`);
    }
  }
  return failure ?? new Error("not read");
}
