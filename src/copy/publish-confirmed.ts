import type { Destination } from "../destinations/destination.ts";
import { failureOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import type { Descriptor } from "../oci/manifest.ts";
import { repositoryOf } from "../oci/reference.ts";
import { Repository } from "../oci/repository.ts";
import { type CopyStep, versionKey } from "../plan/plan.ts";
import { formatBytes } from "../wording.ts";
import { findMissing, isComplete, lossFailure } from "./confirm.ts";
import { type CopyContext, readContents } from "./copy.ts";
import type { Contents } from "./copy-to-destination.ts";
import { type ImageContent, putImage, rootsOf } from "./image-copy.ts";
import { manifestsInOrder } from "./image-graph.ts";
import { type CopyOutcome, noBytes } from "./outcome.ts";
import type { ReadyImage } from "./publish.ts";
import { tellImage, versionLine } from "./story.ts";
import { type ImageResult, publishVersion } from "./version.ts";

export interface PublishContext
  extends Pick<
    CopyContext,
    "sourceRepositories" | "attachments" | "whyNotPublish" | "clock" | "log" | "signal"
  > {
  /** Where other jobs have copied to. */
  readonly destinations: readonly Pick<Destination, "name" | "registry" | "path" | "client">[];
}

/**
 * Publishes what other jobs have copied: asks each destination for every blob and manifest of every image, and sets the tags
 * of the versions that are complete there (P3). How those jobs ended is not asked; one that died has left its destination
 * incomplete, and that is what counts. Moves no blob.
 */
export async function publishConfirmed(
  steps: readonly CopyStep[],
  context: PublishContext,
): Promise<readonly CopyOutcome[]> {
  const { clock, log } = context;
  const started = clock.now();
  const contents = await readContents(steps, context);
  const causes = new Map<string, string>();
  const outcomes = await Promise.all(
    context.destinations.flatMap((destination) => {
      const own = steps.filter((step) => step.destination === destination.name);
      return [...Map.groupBy(own, versionKey).values()].map(async (ofVersion) => {
        const results = await Promise.all(
          ofVersion.map((step) => confirmImage(step, destination, contents, context)),
        );
        for (const result of results) {
          if ("failure" in result) tellImage(result, clock.now() - started, log, causes);
        }
        const published = await publishVersion(results, context);
        const milliseconds = clock.now() - started;
        log.info(versionLine(published, true, milliseconds, log.paint));
        return published.map((outcome) => ({ ...outcome, milliseconds }));
      });
    }),
  );
  const byStep = new Map(outcomes.flat().map((outcome) => [outcome.step, outcome]));
  return steps.flatMap((step) => byStep.get(step) ?? []);
}

async function confirmImage(
  step: CopyStep,
  destination: Pick<Destination, "registry" | "path" | "client">,
  contents: Contents,
  { log, signal }: PublishContext,
): Promise<ImageResult> {
  const content = contents.get(step.source);
  if (content === undefined || content instanceof Error) {
    return { step, bytes: noBytes, moved: undefined, failure: failureOf(content) };
  }
  const repository = new Repository(destination.client, repositoryOf(destination, step.image));
  try {
    const ready = await confirm(step, content, repository, log, signal);
    return { step, bytes: { ...noBytes, present: bytesOf(content.blobs) }, moved: undefined, ready };
  } catch (error) {
    return { step, bytes: noBytes, moved: undefined, failure: failureOf(error) };
  }
}

/**
 * Asks a destination for everything of an image. Missing blobs are left to the job that copies them. Missing manifests are
 * put again, once: nothing holds a manifest without a tag, and some registries clear such away between two jobs. Those with a
 * subject are put in any case, because only the answer tells whether the registry keeps track of referrers.
 * @throws OperationError when the image is not complete.
 */
async function confirm(
  { tag, replaces }: CopyStep,
  content: ImageContent,
  repository: Repository,
  log: Log,
  signal: AbortSignal,
): Promise<ReadyImage> {
  const everyBlob = new Set(content.blobs.map(({ digest }) => digest));
  const missing = await findMissing(content, repository, everyBlob, signal);
  if (missing.blobs.length > 0) throw incomplete(repository, missing.blobs);
  const manifests = rootsOf(content).flatMap(manifestsInOrder);
  const toPut = missing.manifests.length > 0 || manifests.some(({ subject }) => subject !== undefined);
  if (!toPut) return { repository, tag, replaces, content, untracked: [], refused: [] };
  const bringBack = (blobs: readonly Descriptor[]): Promise<never> =>
    Promise.reject(incomplete(repository, blobs));
  const put = await putImage(content, repository, bringBack, signal);
  const taken = new Set(rootsOf(put.content).flatMap(manifestsInOrder));
  const brought = missing.manifests.filter((manifest) => taken.has(manifest)).length;
  if (brought > 0) {
    log.info(`${repository.reference}: ${brought} manifests were not there and are put again`);
    const still = await findMissing(put.content, repository, new Set(), signal);
    if (!isComplete(still)) throw lossFailure(repository, still);
  }
  return { repository, tag, replaces, ...put };
}

/** Says that a copy job has not done its work, or that the registry has not kept it. */
function incomplete(repository: Repository, blobs: readonly Descriptor[]): Error {
  const request = {
    scopes: [{ repository: repository.name, actions: ["pull"] }] as const,
    operation: "confirming the image",
  };
  const size = formatBytes(bytesOf(blobs));
  return repository.registry.failure(request, {
    problem: `${blobs.length} of its blobs (${size}) are not there`,
    advice:
      'The job that copies it has not finished, or the registry has not kept what has no tag yet. Choose "Re-run failed jobs"; if all copy jobs were successful, "Re-run all jobs".',
  });
}

function bytesOf(blobs: readonly Descriptor[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
