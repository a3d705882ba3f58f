import { type AwaitContext, awaitImages } from "../copy/awaited.ts";
import type { AwaitOutcome, CopyOutcome } from "../copy/outcome.ts";
import type { Plan } from "../plan/plan.ts";
import type { Places, RunContext } from "./context.ts";

/** Waits for what other mechanisms bring to their destinations, once this run has published where they take it from. */
export async function awaitAll(
  plan: Plan,
  copies: readonly CopyOutcome[],
  { destinations }: Places,
  waitOf: AwaitContext["waitOf"],
  { clock, log, signal }: RunContext,
): Promise<readonly AwaitOutcome[]> {
  if (plan.steps.every(({ kind }) => kind !== "await")) return [];
  return log.group("Wait for what fills other destinations", () =>
    awaitImages(plan.steps, { destinations, copies, waitOf, clock, log, signal }),
  );
}
