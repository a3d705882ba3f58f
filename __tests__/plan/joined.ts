import { joinPlans } from "../../src/plan/join.ts";
import type { Plan } from "../../src/plan/plan.ts";
import type { Snapshot } from "../../src/plan/snapshot.ts";

/** The plans of routes of which each has repositories of its own, as one. */
export function joined(
  plans: readonly Plan[],
  pruneLimit: Snapshot["pruneLimit"],
  repository = "routes",
): Plan {
  const reach = { repositories: new Set<string>(), places: [] };
  const routes = plans.map((plan, index) => ({
    route: plan.steps[0]?.route ?? `route ${index}`,
    plan,
    reach,
  }));
  return joinPlans(repository, routes, [], pruneLimit);
}
