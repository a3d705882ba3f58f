import { type Digest, digestOf } from "../oci/digest.ts";
import type { Inputs } from "./inputs.ts";

/**
 * A digest of the inputs that decide what is mirrored and pruned. It shows a job whose inputs differ from those of the plan.
 * Logins are left out: the digest is public, and a short secret could be guessed from it. So is what may differ from runner
 * to runner: waiting time, disk, connections.
 */
export function digestOfInputs(inputs: Inputs): Digest {
  const {
    version,
    versionsFrom,
    repository,
    sources,
    images,
    pruneLimit,
    prereleases,
    overwrite,
    platforms,
    referrers,
  } = inputs;
  const repositories = inputs.repositories?.map(({ text }) => text);
  const destinations = inputs.destinations.map(({ api, ...each }) => ({ ...each, api: api?.href }));
  const deciding = {
    destinations,
    version,
    versionsFrom,
    repository,
    sources,
    images,
    repositories,
    pruneLimit,
    prereleases,
    overwrite,
    platforms,
    referrers,
  };
  return digestOf(JSON.stringify(deciding));
}
