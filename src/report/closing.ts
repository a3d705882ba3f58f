import { printable } from "../log/log.ts";
import type { Paint } from "../log/paint.ts";
import { countOf, listOf } from "../wording.ts";
import { failureGroups } from "./failures.ts";
import { groupsOf } from "./grouping.ts";
import { isComplete, type Reported, reportedImages, reportedSteps } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import { nextRun, standingAt } from "./standing.ts";
import { statusOf } from "./status.ts";
import { succeeded } from "./tally.ts";

/** Most versions, or places with failures, that the paragraph names; a range may hold dozens of versions. */
const namedLimit = 5;

/** Most characters of a failure: what is wrong, for somebody who does not have the log. */
const reasonLimit = 300;

/**
 * The end of the log: one paragraph that says it all to somebody who reads nothing else. Repository, versions and how the run
 * ended; where which versions are complete now; what was deleted. After a failure or a cancellation also how the other versions
 * stand, what was not pruned, what the next run does, and last what failed where, why, and what to do about it.
 */
export function closingParagraph(result: RunResult, paint: Paint): string {
  const { repository, versions } = result.plan;
  const subject = versions.length === 0 ? repository : `${repository} ${listOf(versions, namedLimit)}`;
  const mark = succeeded(result) ? paint.good : paint.bad;
  const steps = reportedSteps(result);
  const isOpen = !succeeded(result) && !result.dryRun;
  const sentences = [
    statusOf(result).sentence,
    ...(isOpen ? standing(result) : complete(result)),
    ...unsigned(steps),
    ...pruned(steps),
    ...notPruned(steps),
    ...(isOpen ? [nextRun] : []),
    ...failed(steps),
  ];
  return `${mark(subject)}: ${sentences.join(" ")}`;
}

/** How the versions stand at each destination, of the first few. */
function standing(result: RunResult): readonly string[] {
  const sentences = standingAt(result, (name) => name);
  const more = sentences.length - namedLimit;
  return [
    ...sentences.slice(0, namedLimit),
    ...(more > 0 ? [`How the versions stand at the others, ${more} more, is in the summary.`] : []),
  ];
}

/** Destinations that have the same versions share a line. */
function complete(result: RunResult): readonly string[] {
  const images = reportedImages(result);
  const places = result.destinations.map(({ name }) => {
    const own = images.filter(({ step }) => step.destination === name);
    const versions = result.plan.versions.filter((version) =>
      isComplete(own.filter(({ step }) => step.version === version)),
    );
    return { name, versions };
  });
  return groupsOf(places, ({ versions }) => versions).flatMap(({ first: { versions }, all }) => {
    const names = all.map(({ name }) => name).join(", ");
    return versions.length === 0 ? [] : [`Complete at ${names}: ${listOf(versions, namedLimit)}.`];
  });
}

function unsigned(steps: readonly Reported[]): readonly string[] {
  const images = steps.filter(({ refused }) => refused.length > 0);
  return groupsOf(images, ({ step }) => [step.destination]).map(
    ({ first, all }) =>
      `Without signatures or the like, which ${first.step.destination} refuses: ${countOf(all.length, "image")}.`,
  );
}

function pruned(steps: readonly Reported[]): readonly string[] {
  const deleted = steps.filter(({ outcome }) => outcome === "pruned");
  return groupsOf(deleted, ({ step }) => [step.destination]).map(({ first, all }) => {
    const versions = [...new Set(all.map(({ step }) => step.version))];
    return `Deleted at ${first.step.destination}: ${countOf(all.length, "tag")} of ${listOf(versions, namedLimit)}.`;
  });
}

/** What stays because something else failed there. */
function notPruned(steps: readonly Reported[]): readonly string[] {
  const staying = steps.filter(({ outcome }) => outcome === "not-tried");
  return groupsOf(staying, ({ step }) => [step.destination]).map(({ first, all }) => {
    const versions = [...new Set(all.map(({ step }) => step.version))];
    return `Not pruned at ${first.step.destination}: ${listOf(versions, namedLimit)}.`;
  });
}

function failed(steps: readonly Reported[]): readonly string[] {
  const groups = failureGroups(steps);
  const places = groupsOf(groups, ({ first }) => [first.step.destination]).slice(0, namedLimit);
  return places.map(({ first: group, all }) => {
    const images = all.reduce((sum, { all: own }) => sum + own.length, 0);
    const {
      first: { step },
      reason,
    } = group;
    const cause = printable(reason, reasonLimit);
    const end = /[.…]$/.test(cause) ? "" : ".";
    return `Failed at ${step.destination}: ${countOf(images, "image")}; the cause: ${cause}${end}`;
  });
}
