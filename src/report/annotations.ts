import { printable } from "../log/log.ts";
import { shortDigest } from "../oci/digest.ts";
import { isImageStep, isUncompared, isUntagged } from "../plan/plan.ts";
import { countOf, listOf } from "../wording.ts";
import { failureGroups, imagesOf, refusedGroups } from "./failures.ts";
import { causesOf } from "./grouping.ts";
import { type Reported, reportedSteps } from "./reported-step.ts";
import type { RunResult } from "./result.ts";

/** What is put on the run as annotations, each a line of plain text. */
export interface Annotations {
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
}

/** GitHub shows ten annotations of a kind per step. https://github.com/actions/runner/blob/main/src/Runner.Worker/ExecutionContext.cs */
const annotationLimit = 10;

/** GitHub takes 4,096 characters of an annotation (same source); one that is cut by us ends in an ellipsis. */
const textLimit = 4000;

/** Most versions that an annotation names before it counts the rest. */
const namedLimit = 12;

/** The warnings and errors of a run, at most ten of each: what there is beyond is folded into the tenth. */
export function annotationsOf(result: RunResult): Annotations {
  const steps = reportedSteps(result);
  return {
    warnings: fold(
      [
        ...replaced(steps, result.dryRun),
        ...warned(steps),
        ...refused(steps),
        ...notTried(steps),
        ...left(steps),
      ],
      "warning",
    ),
    errors: fold(failures(steps), "failure"),
  };
}

function fold(texts: readonly string[], noun: string): readonly string[] {
  const short = texts.map((text) => printable(text, textLimit));
  if (short.length <= annotationLimit) return short;
  const rest = short.length - (annotationLimit - 1);
  return [
    ...short.slice(0, annotationLimit - 1),
    `And ${countOf(rest, `more ${noun}`)}: see the summary and the JSON report.`,
  ];
}

function failures(steps: readonly Reported[]): readonly string[] {
  return failureGroups(steps).map(({ first, all, reason }) => {
    const what = first.step.kind === "prune" ? "Pruning of " : "";
    return `${what}${imagesOf(all) || first.step.version} at ${first.step.destination} failed: ${reason}`;
  });
}

function replaced(steps: readonly Reported[], dryRun: boolean): readonly string[] {
  return steps.flatMap(({ step, outcome }) => {
    if (step.kind !== "copy" || step.replaces === undefined || outcome === "failed" || step.floating)
      return [];
    const reference = `${step.destination}/${step.image}:${step.tag}`;
    const digests = `${shortDigest(step.replaces)} by ${shortDigest(step.source.digest)}`;
    return [`${reference} ${dryRun ? "would be" : "was"} replaced: ${digests}`];
  });
}

function refused(steps: readonly Reported[]): readonly string[] {
  return refusedGroups(steps).map(
    ({ first, all, reason }) =>
      `${imagesOf(all)} at ${first.step.destination}: there, but without signatures or the like that the registry refuses: ${reason}`,
  );
}

function notTried(steps: readonly Reported[]): readonly string[] {
  const givenUp = steps.filter(({ outcome }) => outcome === "not-tried");
  return causesOf(givenUp, ({ step }) => [step.destination]).map(
    ({ first, all, reason }) => `Not pruned at ${first.step.destination}, ${tags(all)}: ${reason}`,
  );
}

/** Images that are left as they are, or could not be compared. */
function warned(steps: readonly Reported[]): readonly string[] {
  const leftAlone = steps.filter(({ step, outcome }) => outcome === "left" && isImageStep(step));
  const uncompared = steps.filter(({ step, outcome }) => outcome === "skipped" && isUncompared(step));
  const tell = (images: readonly Reported[], words: string): readonly string[] =>
    causesOf(images, ({ step }) => [step.destination]).map(
      ({ first, all, reason }) => `${imagesOf(all)}${words} at ${first.step.destination}: ${reason}`,
    );
  return [...tell(leftAlone, " left alone"), ...tell(uncompared, "")];
}

function left(steps: readonly Reported[]): readonly string[] {
  const staying = steps.filter(({ step, outcome }) => outcome === "left" && !isImageStep(step));
  return causesOf(staying, ({ step }) => [step.destination]).map(
    ({ first, all, reason }) => `${tags(all)} left at ${first.step.destination}: ${reason}`,
  );
}

function tags(steps: readonly Reported[]): string {
  const versions = [...new Set(steps.map(({ step }) => step.version))];
  const noun = steps.every(({ step }) => isUntagged(step)) ? "overwritten image" : "tag";
  return `${countOf(steps.length, noun)} of ${listOf(versions, namedLimit)}`;
}
