import { InputError } from "../errors.ts";
import { printable } from "../log/log.ts";
import type { Digest } from "../oci/digest.ts";
import type { Selection } from "../plan/selection.ts";
import { listOf } from "../wording.ts";
import type { PlanDocument } from "./document.ts";

/**
 * Checks that a plan was made from the inputs of this job.
 * @throws InputError when it was not.
 */
export function refuseOtherInputs(document: PlanDocument, inputs: Digest): void {
  if (document.inputs === inputs) return;
  throw new InputError(
    "plan: it was made from other inputs than this job has. Give all three jobs the same destinations, routes, version, repository, source, images, keep, keep-by, prune-limit, versions-from, prereleases, overwrite, platforms and referrers.",
  );
}

/**
 * Most versions of a plan that releases can overtake between two jobs. GitHub is asked about each, and a plan that was changed
 * can name any number.
 */
const overtakenLimit = 100;

/** Most versions that a message names. */
const namedLimit = 5;

/**
 * The versions of a plan that the inputs do not ask for now. A release or its withdrawal moves the newest versions and those of
 * a range; tags stay what they are.
 * @param wanted the versions that the inputs ask for now.
 * @throws InputError when the plan is about another version than the tags that the inputs ask for, or about far too many others.
 */
export function overtakenVersions(
  document: PlanDocument,
  selections: readonly Selection[],
  wanted: readonly string[],
): readonly string[] {
  const foreign = document.versions.filter((tag) => !wanted.includes(tag));
  if (
    foreign.length === 0 ||
    (selections.some(({ kind }) => kind !== "tags") && foreign.length <= overtakenLimit)
  )
    return foreign;
  throw new InputError(
    `plan: it is about ${printable(listOf(foreign, namedLimit))}, which the inputs do not ask for now (they ask for ${wanted.join(", ")}). Run all jobs again ("Re-run all jobs"), so that a new plan is made.`,
  );
}
