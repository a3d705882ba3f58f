import type { Inputs } from "../inputs/inputs.ts";
import { type Route, takeSnapshots } from "../inventory/snapshot.ts";
import { audited } from "../plan/audit.ts";
import { failing, joinPlans, makePlan, type Plan } from "../plan/plan.ts";
import type { Snapshot } from "../plan/snapshot.ts";
import { planLines } from "../report/plan-table.ts";
import { snapshotLines } from "../report/snapshot-lines.ts";
import { countOf } from "../wording.ts";
import type { Places, RunContext } from "./context.ts";
import { githubClient, registryContext } from "./places.ts";
import { lookAtReleases } from "./releases.ts";
import { listFitting } from "./repositories.ts";
import { lookAtRepositories, lookAtTags, nameOfSources, type UnknownRoute } from "./tags.ts";
import type { Wanted } from "./wanted.ts";

/** The stages that make the plan. */

export interface PlanOptions {
  /** How long to wait for images that are at no source yet, in milliseconds. */
  readonly wait: number;
}

/**
 * Looks at GitHub, sources and destinations, and makes the plan.
 * @returns a text where there is nothing to do: it says why.
 * @throws InputError or OperationError when no plan can be made; nothing was written anywhere then.
 */
export function makePlanFor(
  wanted: Wanted,
  inputs: Inputs,
  places: Places,
  options: PlanOptions,
  context: RunContext,
): Promise<Plan | string> {
  return context.log.group("Look at releases, sources and destinations", async () => {
    const routes = await lookAtRoutes(wanted, inputs, places, context);
    if (typeof routes === "string") return routes;
    const known = routes.filter((route): route is Route => !("failure" in route));
    const snapshots = await lookAround(known, inputs, places, options, context);
    const plans = snapshots.map((snapshot) => {
      const { log } = context;
      for (const line of snapshotLines(snapshot, log.paint)) {
        if (snapshot.route === undefined) log.info(line);
        else log.debug(line);
      }
      const plan = makePlan(snapshot);
      return inputs.dryRun && inputs.verify === "full" ? audited(plan, snapshot) : plan;
    });
    const [only] = plans;
    if (only !== undefined && routes.length === 1 && known.length === 1) return only;
    const unknown = routes.flatMap((route) => ("failure" in route ? [planUnknown(route, places)] : []));
    return joinPlans(nameOfSources(inputs), [...plans, ...unknown], inputs.pruneLimit);
  });
}

/** What is mirrored in this run: the versions of one product, or of each repository. */
async function lookAtRoutes(
  wanted: Wanted,
  inputs: Inputs,
  places: Places,
  context: RunContext,
): Promise<readonly (Route | UnknownRoute)[] | string> {
  if (wanted.kind === "releases") {
    const route = await lookAtReleases(await githubClient(inputs, context), wanted, inputs, context.log);
    return typeof route === "string" ? route : [route];
  }
  if (inputs.repositories === undefined) return [await lookAtTags(wanted, inputs, places, context)];
  const names = await listFitting(inputs.repositories, inputs, places.sources, {
    ...registryContext(inputs, context),
    signal: context.signal,
  });
  return lookAtRepositories(wanted, inputs, names, places, context);
}

/** The plan of a repository whose versions are not known: it fails everywhere, and the rest goes on. */
function planUnknown({ route, failure }: UnknownRoute, { destinations }: Places): Plan {
  const steps = destinations.map(({ name }) =>
    failing({ route, destination: name, version: "*", image: route, tag: "*" }, failure),
  );
  return { repository: route, versions: [], steps };
}

/** Most routes that the log names one by one. */
const namedRoutes = 20;

async function lookAround(
  routes: readonly Route[],
  inputs: Inputs,
  places: Places,
  { wait }: PlanOptions,
  { clock, log, signal }: RunContext,
): Promise<readonly Snapshot[]> {
  for (const { repository, route, wanted } of routes) {
    const line = `Mirroring ${route ?? repository} ${wanted.map(({ tag }) => tag).join(", ")}`;
    if (routes.length > namedRoutes) log.debug(line);
    else log.info(line);
  }
  if (routes.length > namedRoutes) log.info(`Mirroring ${countOf(routes.length, "repository")}`);
  return takeSnapshots(routes, {
    destinations: places.destinations,
    overwrite: inputs.overwrite,
    // It is for all routes together, so it is applied when their plans are joined.
    pruneLimit: routes.length > 1 ? "all" : inputs.pruneLimit,
    proves: inputs.verify === "full",
    wait: {
      sources: places.sources,
      platforms: inputs.platforms,
      attachments: places.attachments,
      log,
      clock,
      wait,
    },
    signal,
  });
}

/** Prints the plan. */
export function showPlan(plan: Plan, title: string, { log }: RunContext): Promise<void> {
  return log.group(title, async () => {
    for (const line of planLines(plan, log.paint)) log.info(line);
  });
}
