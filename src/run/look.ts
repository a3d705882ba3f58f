import { type Failure, failureOf, InputError, OperationError } from "../errors.ts";
import type { GitHubClient } from "../github/client.ts";
import type { Inputs, RouteInputs } from "../inputs/inputs.ts";
import type { Route } from "../inventory/snapshot.ts";
import { PatternError } from "../pattern.ts";
import type { Places } from "./context.ts";
import type { RegistryContext } from "./registries.ts";
import { lookAtReleases } from "./releases.ts";
import { listFitting } from "./repositories.ts";
import { lookAtRepositories, lookAtTags } from "./tags.ts";
import type { IdleRoute, Wanted, WantedRoute } from "./wanted.ts";

/** The stage that finds out which versions of which images a route is about. */

/** What is mirrored as one: the versions of one product, or of one repository. */
export interface LookedAt {
  readonly route: Route;
  /** The route of the inputs that it is of. */
  readonly inputs: RouteInputs;
  readonly wanted: Wanted;
  readonly places: Places;
}

/** What cannot be planned: its versions are not known. */
export interface UnknownRoute {
  readonly route: string;
  /** Absent: all of them. */
  readonly image?: string;
  /** The names of its destinations. */
  readonly destinations: readonly string[];
  readonly failure: Failure;
}

/** What looking takes. */
export interface LookContext extends RegistryContext {
  readonly github: () => Promise<GitHubClient>;
  readonly signal: AbortSignal;
}

/** What was found out about a route of the inputs. */
export interface Look {
  readonly known: readonly LookedAt[];
  readonly unknown: readonly UnknownRoute[];
}

/**
 * Asks GitHub or the sources. Where a run has several routes, one that cannot be planned fails alone.
 * @returns with a reason where there is nothing to do.
 * @throws InputError or OperationError when nothing can be planned for the only route.
 */
export async function lookAtRoute(
  of: WantedRoute,
  inputs: Inputs,
  places: Places,
  context: LookContext,
): Promise<Look | IdleRoute> {
  const { name } = of.inputs;
  if (name === undefined) return lookAt(of, inputs, places, context);
  try {
    return await lookAt(of, inputs, places, context);
  } catch (error) {
    context.signal.throwIfAborted();
    const isOfRoute = error instanceof OperationError || error instanceof InputError;
    if (!isOfRoute || error instanceof PatternError) throw error;
    const destinations = places.destinations.map((destination) => destination.name);
    return { known: [], unknown: [{ route: name, destinations, failure: failureOf(error) }] };
  }
}

async function lookAt(
  { inputs: own, wanted }: WantedRoute,
  inputs: Inputs,
  places: Places,
  context: LookContext,
): Promise<Look | IdleRoute> {
  const { name } = own;
  const knownAs = (route: Route): Look => {
    const named = name === undefined ? route : { ...route, route: name };
    return { known: [{ route: named, inputs: own, wanted, places }], unknown: [] };
  };
  if (wanted.kind === "releases") {
    const route = await lookAtReleases(await context.github(), wanted, own, context.log);
    return typeof route === "string" ? { inputs: own, reason: route } : knownAs(route);
  }
  if (own.repositories === undefined) return knownAs(await lookAtTags(wanted, own, places, context));
  const { repositoryLimit } = own;
  const names = await listFitting(own.repositories, { ...inputs, repositoryLimit }, places.sources, context);
  const found = await lookAtRepositories(wanted, own, names, places, context);
  const nameOf = (repository: string): string =>
    name === undefined ? repository : `${name} › ${repository}`;
  const destinations = places.destinations.map((destination) => destination.name);
  return {
    known: found.flatMap((each) =>
      "failure" in each
        ? []
        : [{ route: { ...each.route, route: nameOf(each.name) }, inputs: own, wanted, places }],
    ),
    unknown: found.flatMap((each) =>
      "failure" in each
        ? [{ route: nameOf(each.name), image: each.name, destinations, failure: each.failure }]
        : [],
    ),
  };
}
