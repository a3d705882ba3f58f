import type { PruneOutcome } from "../copy/outcome.ts";
import { failureTextLimit, printable } from "../log/log.ts";
import type { Paint } from "../log/paint.ts";
import { nameOfVersion } from "../plan/plan.ts";
import { countOf } from "../wording.ts";
import { causesOf } from "./grouping.ts";

/**
 * What became of tags that were to be deleted, and of what overwritten ones held, for the log: one line for each version,
 * destination and cause.
 */
export function pruneLines(outcomes: readonly PruneOutcome[], paint: Paint): readonly string[] {
  const explained = outcomes.map((outcome) => ({ ...outcome, reason: outcome.step.reason }));
  const keyOf = ({ step, status }: PruneOutcome) => [
    step.destination,
    nameOfVersion(step),
    status,
    nounOf(step),
  ];
  return causesOf(explained, keyOf).map(({ first: { step, status }, all, reason }) => {
    const subject = `${nameOfVersion(step)} at ${step.destination}: ${countOf(all.length, nounOf(step))}`;
    if (status === "pruned") return `${paint.good("✓")} ${subject} deleted`;
    const mark = status === "failed" ? paint.bad("✗") : paint.warn("–");
    return `${mark} ${subject} not deleted: ${printable(reason, failureTextLimit)}`;
  });
}

function nounOf({ untagged }: PruneOutcome["step"]): string {
  return untagged === undefined ? "tag" : "overwritten image";
}
