import type { PruneOutcome } from "../copy/outcome.ts";
import { failureTextLimit, printable } from "../log/log.ts";
import type { Paint } from "../log/paint.ts";
import { countOf } from "../wording.ts";
import { groupsOf } from "./grouping.ts";

/** What became of tags that were to be deleted, for the log: one line for each version, destination and reason. */
export function pruneLines(outcomes: readonly PruneOutcome[], paint: Paint): readonly string[] {
  const keyOf = ({ step, status, reason }: PruneOutcome) => [step.destination, step.version, status, reason];
  return groupsOf(outcomes, keyOf).map(({ first, all }) => {
    const { step, status, reason = "" } = first;
    const subject = `${step.version} at ${step.destination}: ${countOf(all.length, "tag")}`;
    if (status === "pruned") return `${paint.good("✓")} ${subject} deleted`;
    const mark = status === "failed" ? paint.bad("✗") : paint.warn("–");
    return `${mark} ${subject} not deleted: ${printable(reason, failureTextLimit)}`;
  });
}
