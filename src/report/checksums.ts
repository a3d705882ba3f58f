import { digestOfStep, isUncompared } from "../plan/plan.ts";
import { isInPlace, reportedImages } from "./reported-step.ts";
import type { RunResult } from "./result.ts";

/** Most subjects that one attestation may have: https://github.com/actions/attest#subject-limits */
const subjectLimit = 1024;

/**
 * The texts of the files that the output `checksums` names, in the form of `sha256sum`: each digest at each place once, for
 * `subject-checksums` of actions/attest. Only what this run has brought there or has compared with a source is in them, so
 * after a dry run nothing.
 */
export function checksumsOf(result: RunResult): readonly string[] {
  if (result.dryRun) return [];
  const lines = reportedImages(result).flatMap((reported) => {
    const { step } = reported;
    const digest = digestOfStep(step);
    if (digest === undefined || !isInPlace(reported) || isUncompared(step)) return [];
    // The action tells the algorithm by the length.
    const [, hex = ""] = digest.split(":");
    return [`${hex}  ${step.destination}/${step.image}\n`];
  });
  const subjects = [...new Set(lines)];
  const files = Math.ceil(subjects.length / subjectLimit);
  return Array.from({ length: files }, (_, file) =>
    subjects.slice(file * subjectLimit, (file + 1) * subjectLimit).join(""),
  );
}
