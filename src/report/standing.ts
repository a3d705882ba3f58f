import { type ImageStep, nameOfVersion } from "../plan/plan.ts";
import { countOf, listOf } from "../wording.ts";
import { groupsOf } from "./grouping.ts";
import { isComplete, type Reported, reportedImages, reportedSteps } from "./reported-step.ts";
import type { RunResult } from "./result.ts";

/** Most versions, or places, that a sentence names. */
const namedLimit = 5;

/** How versions of the same fate stand at a destination. @param are the verb that their number asks for. */
type Standing = (versions: string, are: string) => string;

const standings = {
  complete: (versions, are) => `${versions} ${are} complete`,
  delivered: (versions, are) => `${versions} ${are} delivered, without tags: the last job sets them`,
  untouched: (versions) => `no tag of ${versions} has moved`,
  half: (versions, are) => `${versions} ${are} half there, as some tags are set and others are not`,
  incomplete: (versions, are) => `${versions} ${are} not complete`,
  left: (versions, are) => `${versions} ${are} left as found`,
} as const satisfies Record<string, Standing>;

/** What follows a run in which something failed. */
export const nextRun = "The next run copies what is missing, and only that.";

/**
 * What is true after a run in which something failed, in sentences: how the versions stand at each destination, what was
 * deleted, and what the next run does. None after a dry run: that has written nothing anyhow.
 * @param print how a foreign name is written where it is read.
 */
export function standingSentences(result: RunResult, print: (name: string) => string): readonly string[] {
  return result.dryRun ? [] : [...standingAt(result, print), deleted(result), nextRun];
}

/** How the versions of a run stand at each destination. Destinations at which all is the same share a sentence. */
export function standingAt(result: RunResult, print: (name: string) => string): readonly string[] {
  const units = groupsOf(reportedImages(result), ({ step }) => [step.destination, step.route, step.version]);
  const known = units.flatMap(({ first: { step }, all }) => {
    const standing = standingOf(all);
    return standing === undefined
      ? []
      : [{ destination: step.destination, name: nameOfVersion(step), standing }];
  });
  const places = groupsOf(known, ({ destination }) => [destination]).map(({ first, all }) => ({
    destination: first.destination,
    words: wordsOf(all, print),
  }));
  return groupsOf(places, ({ words }) => [words]).map(({ first: { words }, all }) => {
    const names = all.map(({ destination }) => print(destination));
    return `At ${listOf(names, namedLimit)}, ${words}.`;
  });
}

/** A version, or one of a route, and how it stands at a destination. */
interface Known {
  readonly name: string;
  readonly standing: keyof typeof standings;
}

function wordsOf(all: readonly Known[], print: (name: string) => string): string {
  if (all.length > 1 && all.every(({ standing }) => standing === "complete"))
    return "all that was wanted is complete";
  const groups = groupsOf(all, ({ standing }) => [standing]).map(({ first: { standing }, all: same }) => {
    const names = [...new Set(same.map(({ name }) => print(name)))];
    return standings[standing](listOf(names, namedLimit), names.length === 1 ? "is" : "are");
  });
  return groups.join("; ");
}

/** How the images of a version stand at one destination; undefined where it was not wanted there. */
function standingOf(images: readonly Reported<ImageStep>[]): keyof typeof standings | undefined {
  const failed = images.filter(({ outcome }) => outcome === "failed");
  if (failed.length > 0) {
    if (failed.every(({ untouched }) => untouched)) return "untouched";
    return images.some(({ outcome }) => outcome === "copied") ? "half" : "incomplete";
  }
  if (images.some(({ outcome }) => outcome === "left")) return "left";
  if (images.some(({ outcome }) => outcome === "delivered")) return "delivered";
  return isComplete(images) ? "complete" : undefined;
}

function deleted(result: RunResult): string {
  const tags = reportedSteps(result).filter(({ outcome }) => outcome === "pruned");
  if (tags.length === 0) return "Nothing was deleted.";
  const versions = [...new Set(tags.map(({ step }) => step.version))];
  return `Deleted: ${countOf(tags.length, "tag")} of ${countOf(versions.length, "version")}, as below.`;
}
