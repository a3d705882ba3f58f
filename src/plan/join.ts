import { listOf } from "../wording.ts";
import { holdBack, type Plan } from "./plan.ts";
import { leavingBesideFailures, leavingVersions, withinLimit } from "./pruning.ts";
import type { Snapshot } from "./snapshot.ts";
import {
  digestOfStep,
  failing,
  type ImageStep,
  isImageStep,
  type LeaveStep,
  type PlannedPlace,
  type PruneStep,
  type Step,
  versionKey,
} from "./step.ts";
import { bySemver, versionOfTag } from "./version.ts";

/** Most routes that a reason names. */
const namedLimit = 3;

/** The plan of one route, and which repositories the route may bring images to. */
export interface RoutePlan {
  readonly route: string;
  readonly plan: Plan;
  readonly reach: Reach;
}

/** Repositories at destinations, as `registry/path`: each once for every destination by which it is reached. */
export interface Reach {
  readonly repositories: Iterable<string>;
  /** Places of which any repository may be meant, as the route does not say which: `registry/namespace`. */
  readonly places: readonly string[];
}

/** The repositories that a route reaches whose images are known. */
export function reachOf({ components, wanted, destinations }: Snapshot): Reach {
  const all = [...components.values(), ...wanted.map((each) => each.components)].flat();
  const images = new Set(all.map(({ to }) => to));
  const repositories = destinations.flatMap(({ name, tags }) =>
    [...new Set([...images, ...tags.keys()])].map((image) => `${name}/${image}`),
  );
  return { repositories, places: [] };
}

/**
 * The plans of all routes as one. How much may be deleted at a destination is said of all routes together, and nothing is
 * where any of them fails. Where two routes bring images to one repository, neither deletes there, as what is old for the one
 * may be wanted by the other; so it is with two destinations of which one lies in the other. A tag that would be set to two
 * digests is set to none.
 * @param repository what the routes are about.
 * @param others what routes without a plan may have brought images to, by their names.
 */
export function joinPlans(
  repository: string,
  plans: readonly RoutePlan[],
  others: readonly Omit<RoutePlan, "plan">[],
  pruneLimit: Snapshot["pruneLimit"],
): Plan {
  const planned = withoutClashes(plans.flatMap(({ plan }) => plan.steps));
  const shared = sharedRepositories([...plans, ...others]);
  const decided = new Map<Step, Step>(
    [...Map.groupBy(planned, ({ destination }) => destination).values()].flatMap((here) => {
      const old = here.filter((step) => step.kind === "prune" || step.kind === "leave");
      const own = leavingVersions(old, (step) => shared(step));
      const after = withinLimit(leavingBesideFailures(own, here.filter(isImageStep)), pruneLimit);
      return old.map((step, index) => [step, after[index] ?? step] as const);
    }),
  );
  const [only, ...more] = plans;
  const versions = new Set(plans.flatMap(({ plan }) => plan.versions));
  return {
    repository,
    versions:
      only !== undefined && more.length === 0
        ? only.plan.versions
        : [...versions]
            .map(versionOfTag)
            .sort(bySemver)
            .map(({ tag }) => tag),
    steps: planned.map((step) => decided.get(step) ?? step),
  };
}

/** Makes a function that says why nothing is deleted in the repository of a step: another route reaches it. */
function sharedRepositories(
  routes: readonly Omit<RoutePlan, "plan">[],
): (step: PruneStep | LeaveStep) => string | undefined {
  const byRepository = new Map<string, string[]>();
  for (const { route, reach } of routes)
    for (const repository of reach.repositories) {
      const known = byRepository.get(repository);
      if (known === undefined) byRepository.set(repository, [route]);
      else known.push(route);
    }
  const wide = routes.flatMap(({ route, reach }) => reach.places.map((place) => ({ route, place })));
  return (step) => {
    const repository = `${step.destination}/${step.image}`;
    const everywhere = wide
      .filter(({ place }) => repository.startsWith(`${place}/`))
      .map(({ route }) => route);
    const there = byRepository.get(repository) ?? [];
    const own = step.route ?? "";
    const routesThere = new Set([...there, ...everywhere]);
    routesThere.delete(own);
    if (routesThere.size === 0)
      return there.filter((route) => route === own).length > 1
        ? `another destination may bring images to ${repository} as well, so nothing is deleted there`
        : undefined;
    return `${listOf([...routesThere].sort(), namedLimit)} may bring images to ${step.image} as well, so nothing is deleted there`;
  };
}

/** Fails what two routes, or two destinations, would set to two digests, and holds back what belongs to it. */
function withoutClashes(steps: readonly Step[]): readonly Step[] {
  const images = steps.filter(isImageStep);
  const clashing = new Map<ImageStep, ImageStep>();
  for (const [tag, own] of Map.groupBy(
    images,
    ({ destination, image, tag }) => `${destination}/${image}:${tag}`,
  )) {
    const setters = own.filter((step) => digestOfStep(step) !== undefined);
    if (setters.length < 2 || new Set(setters.map(digestOfStep)).size < 2) continue;
    // Within a route, what is set belongs together, such as the tag that several versions share.
    if (new Set(setters.map(({ route, destination }) => `${destination} ${route}`)).size < 2) continue;
    const routes = new Set(setters.map(nameOf));
    const names = routes.size > 1 ? routes : new Set(setters.map(({ destination }) => destination));
    const problem = `${listOf([...names].sort(), namedLimit)} would each set ${tag} to another digest, so none of them does`;
    for (const step of own) clashing.set(step, failing(step, { kind: "obstacle", problem }));
  }
  if (clashing.size === 0) return steps;
  const versions = new Set([...clashing.keys()].map(keyAt));
  const affected = Map.groupBy(
    images.filter((step) => versions.has(keyAt(step))),
    keyAt,
  );
  const after = new Map(
    [...affected.values()].flatMap((before) => {
      const held = holdBack(before.map((step) => clashing.get(step) ?? step));
      return before.map((step, index) => [step, held[index] ?? step] as const);
    }),
  );
  return steps.map((step) => (isImageStep(step) ? (after.get(step) ?? step) : step));
}

/** What is published as one. */
function keyAt(step: PlannedPlace): string {
  return `${step.destination} ${versionKey(step)}`;
}

function nameOf({ route = "" }: PlannedPlace): string {
  return route;
}
