import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { AttachmentFinder } from "../inventory/attachments.ts";
import type { Log } from "../log.ts";
import type { Repository } from "../oci/repository.ts";
import type { SlotLimits } from "../oci/slots.ts";
import { Slots } from "../oci/slots.ts";
import type { CopyStep } from "../plan/plan.ts";
import type { SourceImage } from "../plan/snapshot.ts";
import { blobNeeds } from "./blob-needs.ts";
import { Budget } from "./budget.ts";
import { type Contents, copyToDestination } from "./destination-copy.ts";
import { Downloads } from "./download.ts";
import { readImage } from "./image-copy.ts";
import type { CopyOutcome } from "./outcome.ts";
import { DestinationProgress, reportProgress } from "./progress.ts";
import { type Connections, RateSearch, rateInterval } from "./rate-search.ts";
import { RecentChunks } from "./recent-chunks.ts";
import { Target, type TargetOptions } from "./target.ts";

/**
 * Connections with blobs to or from one registry. Docker Hub answered 429 to five cold connections, in the measurements of
 * another tool, so the start is below that; a start of one would cost minutes towards a far registry. What helps beyond
 * is found by measuring; more than sixteen have helped nobody.
 */
const transferSlots: SlotLimits = { start: 4, ceiling: 16, growth: "measured" };

/** Most bytes kept in memory for uploads that keep up with their download: a dozen blobs at once get 2 MiB each. */
const recentLimit = 24 * 1024 * 1024;

/** A destination that something is copied to. */
export interface CopyDestination extends Pick<TargetOptions, "name" | "client" | "path" | "registry"> {
  /** Called once before the first write. */
  prepare(signal: AbortSignal): Promise<void>;
}

export interface CopyContext {
  readonly destinations: readonly CopyDestination[];
  /** The repository that an image is read from. */
  readonly sourceRepository: (image: SourceImage) => Repository;
  /** Undefined: signatures and the like are not copied. */
  readonly attachments: AttachmentFinder | undefined;
  /** Folder in which the spool gets a folder of its own. */
  readonly temporaryFolder: string;
  /** Most bytes in the spool. */
  readonly spoolLimit: number;
  /** Connections with blobs from a source, or to a destination; undefined: found by measuring. */
  readonly downloadConnections: number | undefined;
  readonly uploadConnections: number | undefined;
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
 * its tags only when the whole version is there (P3). Failures are outcomes; nothing is thrown but what ends the run.
 */
export async function copy(steps: readonly CopyStep[], context: CopyContext): Promise<CopyResult> {
  if (steps.length === 0) return { outcomes: [], bytesRead: 0 };
  const folder = await mkdtemp(join(context.temporaryFolder, "spool-"));
  const searches: RateSearch[] = [];
  const downloadSlots = new Map<string, Slots>();
  const slotsOf = (registry: string): Slots => {
    const known = downloadSlots.get(registry);
    if (known !== undefined) return known;
    const slots = openSlots(context.downloadConnections, context.clock);
    downloadSlots.set(registry, slots);
    searches.push(new RateSearch(slots, () => downloads.bytesRead));
    return slots;
  };
  const budget = new Budget(context.spoolLimit);
  const recent = new RecentChunks(recentLimit);
  const downloads = new Downloads({ ...context, folder, budget, recent, slotsOf });
  searches.push(new RateSearch(rangesOf(downloads, downloadSlots), () => downloads.bytesRead));
  const work = context.destinations
    .map((destination) => ({
      destination,
      steps: steps.filter((step) => step.destination === destination.name),
      progress: new DestinationProgress(destination.name),
    }))
    .filter((each) => each.steps.length > 0);
  const stopReporting = reportProgress(
    work.map(({ progress }) => progress),
    context.log,
  );
  const looking = setInterval(() => {
    for (const search of searches) search.look();
  }, rateInterval);
  try {
    const contents = await readContents(steps, context);
    const { sourceRepository } = context;
    const needs = work.map(({ destination, steps: own }) =>
      blobNeeds(own, destination, contents, sourceRepository),
    );
    for (const { descriptor, sources } of needs.flat()) downloads.claim(descriptor, sources);
    const outcomes = await Promise.all(
      work.map(({ destination, steps: own, progress }, index) => {
        const uploads = openSlots(context.uploadConnections, context.clock);
        searches.push(new RateSearch(uploads, () => progress.moved));
        const target = new Target({ ...destination, ...context, uploads, progress });
        const prepare = (signal: AbortSignal): Promise<void> => destination.prepare(signal);
        const shared = { contents, downloads, sourceRepository };
        return copyToDestination(own, needs[index] ?? [], target, prepare, shared);
      }),
    );
    const byStep = new Map(outcomes.flat().map((outcome) => [outcome.step, outcome]));
    return {
      outcomes: steps.flatMap((step) => byStep.get(step) ?? []),
      bytesRead: downloads.bytesRead,
    };
  } finally {
    clearInterval(looking);
    stopReporting();
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param pinned a fixed number of connections; undefined: as many as measuring shows to help. */
function openSlots(pinned: number | undefined, clock: Clock): Slots {
  return new Slots(
    pinned === undefined ? transferSlots : { start: pinned, ceiling: pinned, growth: "measured" },
    clock,
  );
}

/**
 * Connections that read parts of one blob: tried when no other blob waits for a connection, kept while they raise the
 * rate, that is where one connection, and not the link, is the limit.
 */
function rangesOf(downloads: Downloads, slots: ReadonlyMap<string, Slots>): Connections {
  return {
    get isCrowded() {
      return downloads.canSplit && [...slots.values()].every((each) => each.hasRoom);
    },
    get limit() {
      return downloads.lanes;
    },
    get throttledAt() {
      return Math.max(...[...slots.values()].map((each) => each.throttledAt));
    },
    resize: (by) => {
      // A part cannot be given back to a connection that is past it; no further split is step back enough.
      if (by > 0) downloads.split();
    },
  };
}

/** Reads all manifests before any blob moves: only then is it known which blobs are shared, and which are largest. */
async function readContents(steps: readonly CopyStep[], context: CopyContext): Promise<Contents> {
  const images = [...new Set(steps.map(({ source }) => source))];
  const read = await Promise.all(
    images.map((image) =>
      readImage(image, context.sourceRepository(image), context.attachments, context.signal).catch(
        (error: unknown) => (error instanceof Error ? error : new Error(messageOf(error))),
      ),
    ),
  );
  return new Map(images.flatMap((image, index) => [[image, read[index] ?? new Error("not read")] as const]));
}
