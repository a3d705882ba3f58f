import { InputError } from "../errors.ts";
import { printable } from "../log/log.ts";
import type { Digest } from "../oci/digest.ts";
import type { Version } from "../plan/version.ts";
import type { PlanDocument } from "./document.ts";

/**
 * Checks that a plan was made from the inputs of this job.
 * @throws InputError when it was not.
 */
export function refuseOtherInputs(document: PlanDocument, inputs: Digest): void {
  if (document.inputs === inputs) return;
  throw new InputError(
    "plan: it was made from other inputs than this job has. Give all three jobs the same destinations, version, repository, source, images, keep, keep-by, prune-limit, prereleases, overwrite, platforms and referrers.",
  );
}

/**
 * Of the versions that the inputs ask for now, those that the plan is about.
 * @throws InputError when the plan is about one that the inputs do not ask for.
 */
export function plannedVersions(document: PlanDocument, wanted: readonly Version[]): readonly Version[] {
  const foreign = document.versions.filter((tag) => !wanted.some((version) => version.tag === tag));
  if (foreign.length > 0) {
    throw new InputError(
      `plan: it is about ${printable(foreign.join(", "))}, which the inputs do not ask for now (they ask for ${wanted.map(({ tag }) => tag).join(", ")}). Run all jobs again ("Re-run all jobs"), so that a new plan is made.`,
    );
  }
  return wanted.filter(({ tag }) => document.versions.includes(tag));
}
