import { isUncompared } from "../plan/plan.ts";
import { countOf, formatBytes, formatDuration } from "../wording.ts";
import { type Reported, reportedSteps } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import { leftImages, movedBytes, plannedOf, tallySteps } from "./tally.ts";

/** How a run ended, in one sentence. */
export interface Status {
  /** An emoji for the summary; logs do without. */
  readonly icon: string;
  readonly sentence: string;
}

/** How a run ended: what was done, what failed, how much moved, how long it took. */
export function statusOf(result: RunResult): Status {
  return result.dryRun ? dryRunStatus(result) : runStatus(result);
}

function dryRunStatus(result: RunResult): Status {
  const steps = reportedSteps(result);
  const { skipped, failed } = tallySteps(steps);
  const start = result.job === "plan" ? "The plan for the jobs that follow" : "Dry run, nothing was written";
  const awaited = plannedOf(steps, "await");
  const awaiting = awaited === 0 ? "" : `, ${awaited} to await`;
  const sentence = `${start}: ${countOf(plannedOf(steps, "copy"), "image")} to copy${awaiting}, ${skipped} to skip${skippedWords(steps)}, ${plannedOf(steps, "prune")} to prune, ${failed} that cannot be mirrored.`;
  return { icon: failed > 0 ? "❌" : "🔎", sentence };
}

function runStatus(result: RunResult): Status {
  const steps = reportedSteps(result);
  const { copied, skipped, pruned, failed } = tallySteps(steps);
  const took = formatDuration(result.milliseconds);
  if (copied + pruned + failed === 0) {
    return {
      icon: "✅",
      sentence: `Nothing had to be done: ${countOf(skipped, "image")} skipped${skippedWords(steps)}, in ${took}.`,
    };
  }
  const notTried = steps.filter(({ outcome }) => outcome === "not-tried").length;
  const arrived = steps.filter(({ outcome }) => outcome === "arrived").length;
  const ofThem = arrived === 0 ? "" : ` (${arrived} not by this run)`;
  const counts = `${countOf(copied, "image")} copied${ofThem}, ${skipped} skipped${skippedWords(steps)}, ${pruned} pruned, ${failed} failed`;
  const givenUp = notTried === 0 ? "" : `, pruning of ${notTried} given up`;
  const traffic = `${formatBytes(result.bytesRead)} read, ${formatBytes(movedBytes(steps).uploaded)} uploaded`;
  return {
    icon: failed > 0 ? "❌" : "✅",
    sentence: `${counts}${givenUp}; ${traffic}, in ${took}.${result.job === "copy" ? " No tag has moved yet: the last job publishes." : ""}`,
  };
}

/** What is not as one would think of images that are skipped. */
function skippedWords(steps: readonly Reported[]): string {
  const left = leftImages(steps);
  const uncompared = steps.filter(({ step, outcome }) => outcome === "skipped" && isUncompared(step)).length;
  const words = [
    ...(left === 0 ? [] : [`${left} left alone`]),
    ...(uncompared === 0 ? [] : [`${uncompared} not compared`]),
  ];
  return words.length === 0 ? "" : ` (${words.join(", ")})`;
}
