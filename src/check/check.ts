import type { Clock } from "../clock.ts";
import type { Finding } from "../destinations/destination.ts";
import { InputError, messageOf, OperationError } from "../errors.ts";
import { printable } from "../log/log.ts";

/** One thing that was checked: a row of the report. */
export interface CheckResult extends Finding {
  /** What it is about: a destination, a source, GitHub, the runner. */
  readonly place: string;
  /** What was tried there, in a few words. */
  readonly subject: string;
  /** Whether a run fails without it. */
  readonly needed: boolean;
}

/** What bounds each check. */
export interface CheckContext {
  readonly clock: Clock;
  /** Aborts when the job is cancelled. */
  readonly signal: AbortSignal;
}

/** Time for one check, in milliseconds: all tries of a request to a registry that cuts connections take half a minute. */
const checkTime = 60_000;

/**
 * Runs one check within a time limit. A failure is the result of this check, and ends no other.
 * @throws the signal's reason when it aborted, and nothing else.
 */
export async function attempt(
  row: Pick<CheckResult, "place" | "subject">,
  examine: (signal: AbortSignal) => Promise<Finding>,
  { clock, signal }: CheckContext,
): Promise<CheckResult> {
  const limit = clock.timeout(checkTime);
  try {
    const { outcome, finding, remedy } = await examine(AbortSignal.any([signal, limit]));
    return { ...row, needed: true, outcome, finding, remedy };
  } catch (error) {
    signal.throwIfAborted();
    return { ...row, needed: true, ...(limit.aborted ? tooLate : findingOf(error)) };
  }
}

const tooLate: Finding = {
  outcome: "missing",
  finding: `No answer came within ${checkTime / 1000} seconds.`,
  remedy: "Check that the runner can reach it: firewalls and allowlists often drop what they refuse.",
};

/** A failure as a finding: what went wrong, and apart from it what to do. */
export function findingOf(error: unknown): Finding {
  const outcome = "missing";
  if (!(error instanceof OperationError)) return { outcome, finding: textOf(error) };
  const { advice: remedy, ...details } = error.details;
  return { outcome, finding: new OperationError(details).message, remedy };
}

/** The text of an InputError is our own, so it is not shortened. */
function textOf(error: unknown): string {
  return error instanceof InputError ? error.message : printable(messageOf(error));
}

/** Whether a run has all that it needs, as far as that can be told. */
export function isReady(results: readonly CheckResult[]): boolean {
  return !results.some(({ outcome, needed }) => outcome === "missing" && needed);
}
