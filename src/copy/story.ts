import { causeOf, sentenceOf } from "../errors.ts";
import { failureTextLimit, type Log, printable } from "../log/log.ts";
import type { Paint } from "../log/paint.ts";
import { nameOfVersion } from "../plan/plan.ts";
import { countOf, formatBytes, formatDuration } from "../wording.ts";
import type { AwaitOutcome, CopyOutcome, MovedBytes } from "./outcome.ts";

/** The lines of the log while images are copied. */

/** An image whose outcome is known, with its tag or before it is set. */
export type FinishedImage = Pick<CopyOutcome, "step" | "bytes" | "failure" | "withheld">;

/**
 * Tells of an image that is done. Of one cause at one destination only the first is told: twelve lines of one failure would hide
 * all others. The line of the version counts them, and the error at the end of the run names them.
 * @param causes the causes of failures that were told already; a new one is added.
 */
export function tellImage(
  image: FinishedImage,
  elapsed: number,
  log: Log,
  causes: Map<string, string>,
): void {
  const told = causes.size;
  const line = imageLine(image, elapsed, log.paint, causes);
  if (image.failure === undefined || causes.size > told) log.info(line);
  else log.debug(line);
}

/**
 * `✓ harbor-core:v2.15.2 → docker.io/goharbor: 41.2 MB uploaded, 12.3 MB mounted, after 12.3 s`.
 * @param elapsed since the copy began, in milliseconds.
 * @param causes the causes of failures that were told already, each with the image that told it; a new one is added.
 */
export function imageLine(
  { step, bytes, failure }: FinishedImage,
  elapsed: number,
  paint: Paint,
  causes = new Map<string, string>(),
): string {
  const image = `${step.image}:${step.tag}`;
  const subject = `${image} → ${step.destination}`;
  if (failure === undefined) {
    const after = paint.faint(`after ${formatDuration(elapsed)}`);
    return `${paint.good("✓")} ${subject}: ${movedWords(bytes)}, ${after}`;
  }
  const cause = `${step.destination} ${causeOf(failure)}`;
  const alike = causes.get(cause);
  if (alike === undefined) causes.set(cause, image);
  const why =
    alike === undefined ? printable(sentenceOf(failure), failureTextLimit) : `for the same cause as ${alike}`;
  return `${paint.bad("✗")} ${subject}: ${paint.bad(why)}`;
}

/** How the bytes of an image got there. Zeros are left out. */
function movedWords({ uploaded, mounted, present }: MovedBytes): string {
  const parts = [
    [uploaded, "uploaded"],
    [mounted, "mounted"],
    [present, "already there"],
  ] as const;
  const words = parts.filter(([bytes]) => bytes > 0).map(([bytes, how]) => `${formatBytes(bytes)} ${how}`);
  return words.length === 0 ? "complete" : words.join(", ");
}

/**
 * Says that a version can be pulled from a destination now, which is what people wait for, or that it cannot.
 * @param images all that were to be copied of one version to one destination. At least one.
 * @param moveTags whether this job sets tags.
 * @param elapsed since the copy began, in milliseconds.
 */
export function versionLine(
  images: readonly FinishedImage[],
  moveTags: boolean,
  elapsed: number,
  paint: Paint,
): string {
  const [first] = images;
  const version = first === undefined ? "" : nameOfVersion(first.step);
  const destination = first?.step.destination ?? "";
  const failed = images.filter(({ failure }) => failure !== undefined).length;
  const counted = countOf(images.length, "image");
  if (failed > 0) {
    const which = moveTags ? "failed or held back" : "failed";
    return paint.bad(`✗ ${version} is not complete at ${destination}: ${failed} of ${counted} ${which}`);
  }
  const reasons = images.flatMap((image) => image.withheld ?? []);
  const withheld = reasons.find(({ kind }) => kind !== "held-back");
  if (withheld !== undefined)
    return `- ${version} is not published at ${destination}: ${sentenceOf(withheld)}`;
  const after = paint.faint(`after ${formatDuration(elapsed)}`);
  const where = moveTags ? `is complete at ${destination}` : `of this share is at ${destination}`;
  const tags = moveTags ? "tagged" : "without tags, which the last job sets";
  return `${paint.good("★")} ${paint.strong(`${version} ${where}`)}: ${counted} ${tags}, ${after}`;
}

/**
 * Says that a version has come to a destination that another mechanism fills, or that it has not.
 * @param images all that were waited for of one version at one destination. At least one.
 * @param elapsed since the waiting began, in milliseconds.
 */
export function arrivalLine(images: readonly AwaitOutcome[], elapsed: number, paint: Paint): string {
  const [first] = images;
  const version = first === undefined ? "" : nameOfVersion(first.step);
  const destination = first?.step.destination ?? "";
  const counted = countOf(images.length, "image");
  const failures = images.flatMap(({ failure }) => failure ?? []);
  const cause = failures.find(({ kind }) => kind !== "held-back") ?? failures[0];
  if (cause !== undefined)
    return paint.bad(
      `✗ ${version} has not come to ${destination} whole: ${printable(sentenceOf(cause), failureTextLimit)}`,
    );
  if (first?.withheld !== undefined)
    return `- ${version} is not waited for at ${destination}: ${sentenceOf(first.withheld)}`;
  const after = paint.faint(`after ${formatDuration(elapsed)}`);
  return `${paint.good("★")} ${paint.strong(`${version} has come to ${destination}`)}: ${counted}, ${after}`;
}
