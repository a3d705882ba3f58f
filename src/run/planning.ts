import type { GitHubClient } from "../github/client.ts";
import type { Inputs } from "../inputs/inputs.ts";
import { routesAtOnce, takeSnapshots } from "../inventory/snapshot.ts";
import { printNamespace } from "../oci/reference.ts";
import { audited } from "../plan/audit.ts";
import { joinPlans, type RoutePlan, reachOf } from "../plan/join.ts";
import { failing, makePlan, type Plan, type Step, unknownVersion } from "../plan/plan.ts";
import type { Snapshot } from "../plan/snapshot.ts";
import { planLines } from "../report/plan-table.ts";
import { snapshotLines } from "../report/snapshot-lines.ts";
import { inTurns } from "../turns.ts";
import { countOf, listOf } from "../wording.ts";
import type { Places, RunContext } from "./context.ts";
import { checksOf, type LastChecks } from "./last-checks.ts";
import { type LookContext, type LookedAt, lookAtRoute, type UnknownRoute } from "./look.ts";
import { githubClient, placesOf, registryContext } from "./places.ts";
import { nameOfSources } from "./tags.ts";
import { type IdleRoute, type ResolvedRoutes, sentenceOfIdle } from "./wanted.ts";

/** The stages that make the plan. */

/** A plan, and what is asked again before it is carried out. */
export interface Planned {
  readonly plan: Plan;
  readonly checks: LastChecks;
  /** How long the route of a step waits for images, in milliseconds. */
  readonly waitOf: (step: Pick<Step, "route">) => number;
  /** Whether a route had nothing to do. */
  readonly hasIdle: boolean;
}

export interface PlanOptions {
  /** Whether to wait for images that are at no source yet. */
  readonly waits: boolean;
}

/**
 * Looks at GitHub, sources and destinations for every route, and makes one plan for all of them.
 * @returns a text where there is nothing to do: it says why.
 * @throws InputError or OperationError when no plan can be made; nothing was written anywhere then.
 */
export function makePlanFor(
  { wanted, idle }: ResolvedRoutes,
  inputs: Inputs,
  places: Places,
  options: PlanOptions,
  context: RunContext,
): Promise<Planned | string> {
  const { log } = context;
  return log.group("Look at releases, sources and destinations", async () => {
    const looking = lookContext(inputs, context);
    const looks = await inTurns(wanted, routesAtOnce, (route) =>
      lookAtRoute(route, inputs, placesOf(route.inputs, places), looking),
    );
    const nothing = [...idle, ...looks.flatMap((look) => ("reason" in look ? [look] : []))];
    const found = looks.flatMap((look) => ("reason" in look ? [] : [look]));
    if (found.length === 0) return nothing.map(sentenceOfIdle).join("; ");
    for (const route of nothing) log.info(`Nothing to do for ${sentenceOfIdle(route)}`);
    const known = found.flatMap((look) => look.known);
    const unknown = found.flatMap((look) => look.unknown);
    const snapshots = await lookAround(known, inputs, options, context);
    const plans = snapshots.map((snapshot, index): RoutePlan => {
      for (const line of snapshotLines(snapshot, log.paint)) {
        if (snapshot.route === undefined) log.info(line);
        else log.debug(line);
      }
      const plan = makePlan(snapshot);
      const audits = inputs.dryRun && known[index]?.inputs.verify === "full";
      return {
        route: snapshot.route ?? "",
        plan: audits ? audited(plan, snapshot) : plan,
        reach: reachOf(snapshot),
      };
    });
    const waits = new Map(known.map((each) => [each.route.route, each.inputs.wait]));
    const waitOf = ({ route }: Pick<Step, "route">) => waits.get(route) ?? 0;
    const plan = joinPlans(
      nameOfRoutes(inputs, plans),
      [...plans, ...unknown.map(planUnknown)],
      nothing.map(anywhere),
      inputs.pruneLimit,
    );
    return { plan, checks: checksOf(known, plan, looking), waitOf, hasIdle: nothing.length > 0 };
  });
}

/** What looking at routes takes. The client of GitHub is made once, and only where releases are looked at. */
export function lookContext(inputs: Inputs, context: RunContext): LookContext {
  const { signal } = context;
  let client: Promise<GitHubClient> | undefined;
  const github = (): Promise<GitHubClient> => {
    client ??= githubClient(inputs, context);
    return client;
  };
  return { ...registryContext(inputs, context), github, signal };
}

/** The plan of a route whose versions are not known: it fails everywhere, and the rest goes on. */
function planUnknown({ route, image = "*", destinations, failure }: UnknownRoute): RoutePlan {
  const steps = destinations.map((destination) =>
    failing({ route, destination, version: unknownVersion, image, tag: "*" }, failure),
  );
  const plan = { repository: route, versions: [], steps };
  return { route, plan, reach: { repositories: [], places: destinations } };
}

/** Where a route may have brought images in another run. */
function anywhere({ inputs }: IdleRoute): Omit<RoutePlan, "plan"> {
  const places = inputs.destinations.map(printNamespace);
  return { route: inputs.name ?? "", reach: { repositories: [], places } };
}

/** Most names of routes that a title has. */
const namedInTitle = 3;

/** What the plan of several routes is about. */
function nameOfRoutes({ routes }: Inputs, plans: readonly RoutePlan[]): string {
  const names = routes.flatMap(({ name }) => name ?? []);
  const [only] = routes;
  const [first] = plans;
  if (first !== undefined && plans.length === 1 && routes.length === 1) return first.plan.repository;
  return names.length === 0 && only !== undefined ? nameOfSources(only) : listOf(names, namedInTitle);
}

/** Most routes that the log names one by one. */
const namedRoutes = 20;

async function lookAround(
  routes: readonly LookedAt[],
  { pruneLimit }: Pick<Inputs, "pruneLimit">,
  { waits }: PlanOptions,
  { clock, log, signal }: RunContext,
): Promise<readonly Snapshot[]> {
  for (const { repository, route, wanted } of routes.map((each) => each.route)) {
    const line = `Mirroring ${route ?? repository} ${wanted.map(({ tag }) => tag).join(", ")}`;
    if (routes.length > namedRoutes) log.debug(line);
    else log.info(line);
  }
  if (routes.length > namedRoutes) log.info(`Mirroring ${countOf(routes.length, "repository")}`);
  const requests = routes.map(({ route, inputs, places }) => ({
    ...route,
    destinations: places.destinations,
    overwrite: inputs.overwrite,
    // It is for all routes together, so it is applied when their plans are joined.
    pruneLimit: routes.length > 1 ? ("all" as const) : pruneLimit,
    proves: inputs.verify === "full",
    wait: {
      sources: places.sources,
      platforms: inputs.platforms,
      attachments: places.attachments,
      log,
      clock,
      wait: waits ? inputs.wait : 0,
    },
    signal,
  }));
  return takeSnapshots(requests, log, signal);
}

/** Prints the plan. */
export function showPlan(plan: Plan, title: string, { log }: RunContext): Promise<void> {
  return log.group(title, async () => {
    for (const line of planLines(plan, log.paint)) log.info(line);
  });
}
