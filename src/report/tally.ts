import { type MovedBytes, noBytes } from "../copy/outcome.ts";
import type { Digest } from "../oci/digest.ts";
import { chartConfig } from "../oci/media-types.ts";
import { digestOfStep, isImageStep } from "../plan/plan.ts";
import {
  isComplete,
  isInPlace,
  type Outcome,
  type Reported,
  reportedImages,
  reportedSteps,
} from "./reported-step.ts";
import type { RunResult } from "./result.ts";

/** Numbers of images, each destination counted. */
export interface Tally {
  /** Those included whose tag another job sets, and those that another mechanism has brought while this run waited. */
  readonly copied: number;
  /** In place already, not wanted, or left alone. */
  readonly skipped: number;
  readonly pruned: number;
  /** Could not be planned, copied or pruned. What was given up because of such a failure does not count again. */
  readonly failed: number;
}

/** An image that is now in place; an entry of the output `images`. */
export interface ImageInPlace {
  /** Name below the destination's namespace. */
  readonly image: string;
  readonly tag: string;
  readonly digest: Digest;
  readonly destination: string;
  /** What a client pulls: `registry/namespace/image:tag`. */
  readonly reference: string;
  /** Present for a Helm chart: the type of its config. */
  readonly artifactType?: string;
}

/** Counts what became of the steps of a run. */
export function tallyOf(result: RunResult): Tally {
  return tallySteps(reportedSteps(result));
}

/** Counts what became of some steps, for example those of one destination. */
export function tallySteps(steps: readonly Reported[]): Tally {
  const count = (wanted: Outcome): number => steps.filter(({ outcome }) => outcome === wanted).length;
  return {
    copied: count("copied") + count("delivered") + count("arrived"),
    skipped: count("skipped") + leftImages(steps),
    pruned: count("pruned"),
    failed: count("failed"),
  };
}

/** How many images are left as they were found. */
export function leftImages(steps: readonly Reported[]): number {
  return steps.filter(({ step, outcome }) => outcome === "left" && isImageStep(step)).length;
}

/** How many images a dry run would copy, wait for or prune. */
export function plannedOf(steps: readonly Reported[], kind: "copy" | "await" | "prune"): number {
  return steps.filter(({ step, outcome }) => step.kind === kind && outcome === "planned").length;
}

/** Whether nothing failed: what the exit status says. */
export function succeeded(result: RunResult): boolean {
  return tallyOf(result).failed === 0;
}

/**
 * The images that are now in place, in the order of the plan, each once: several versions can have the same. After a dry run:
 * those that were there before.
 */
export function imagesInPlace(result: RunResult): readonly ImageInPlace[] {
  const images = reportedImages(result)
    .filter(isInPlace)
    .flatMap(({ step, isChart }) => {
      const { image, tag, destination } = step;
      const digest = digestOfStep(step);
      const reference = `${destination}/${image}:${tag}`;
      const type = isChart ? { artifactType: chartConfig } : {};
      return digest === undefined ? [] : [{ image, tag, digest, destination, reference, ...type }];
    });
  return [...new Map(images.map((image) => [image.reference, image])).values()];
}

/** The wanted versions, newest first, that are now complete at every destination that is to have them. */
export function mirroredVersions(result: RunResult): readonly string[] {
  const images = reportedImages(result);
  return result.plan.versions.filter((version) =>
    isComplete(images.filter(({ step }) => step.version === version)),
  );
}

/** Bytes of all copies together, those of failed ones included: they were moved all the same. */
export function movedBytes(steps: readonly Reported[]): MovedBytes {
  return steps.reduce(
    (sum, { bytes = noBytes }) => ({
      uploaded: sum.uploaded + bytes.uploaded,
      mounted: sum.mounted + bytes.mounted,
      present: sum.present + bytes.present,
    }),
    noBytes,
  );
}
