import { type Digest, digestOf } from "../oci/digest.ts";
import type { Inputs, RouteInputs } from "./types.ts";

/**
 * A digest of the inputs that decide what is mirrored and pruned. It shows a job whose inputs differ from those of the plan.
 * Logins are left out: the digest is public, and a short secret could be guessed from it. So is what may differ from runner
 * to runner: waiting time, disk, connections.
 */
export function digestOfInputs({ routes, pruneLimit }: Inputs): Digest {
  return digestOf(JSON.stringify({ routes: routes.map(decidingOf), pruneLimit }));
}

function decidingOf({ repositoryLimit: _, verify: __, wait: ___, ...route }: RouteInputs): unknown {
  const repositories = route.repositories?.map(({ text }) => text);
  const destinations = route.destinations.map(({ api, ...each }) => ({ ...each, api: api?.href }));
  return { ...route, repositories, destinations };
}
