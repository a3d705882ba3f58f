import type { PublicationCheck, Refusal } from "../copy/publish.ts";
import type { Failure } from "../errors.ts";
import { printReference } from "../oci/reference.ts";
import type { Plan, PruneStep } from "../plan/plan.ts";
import type { LookContext, LookedAt } from "./look.ts";
import { publicationCheck } from "./releases.ts";
import { lastCopyCheck } from "./tags.ts";

/** Why the version of a step must not be deleted; undefined: it may. */
export type DeletionCheck = (step: Pick<PruneStep, "route" | "version">) => Promise<Failure | undefined>;

/** What is asked of a version again, right before tags move or go. */
export interface LastChecks {
  readonly whyNotPublish: PublicationCheck;
  readonly whyNotDelete: DeletionCheck;
}

/**
 * Of releases, whether they still are published; of tags, whether the sources still have what would be deleted.
 * @param routes those that the plan is about.
 * @param plan of all of them: what it deletes at a destination is no other copy for a route that reads there.
 */
export function checksOf(
  routes: readonly LookedAt[],
  plan: Pick<Plan, "steps">,
  context: LookContext,
): LastChecks {
  const going = new Set(
    plan.steps.flatMap((step) =>
      step.kind === "prune" ? [printReference(`${step.destination}/${step.image}`, step.tag)] : [],
    ),
  );
  const byRoute = new Map(routes.map((each) => [each.route.route, each]));
  const whyNotOf = async ({ wanted, inputs }: LookedAt, version: string): Promise<Refusal | undefined> =>
    wanted.kind === "tags" ? undefined : publicationCheck(await context.github(), wanted, inputs)(version);
  return {
    whyNotPublish: async ({ route, version }) => {
      const of = byRoute.get(route);
      if (of !== undefined) return whyNotOf(of, version);
      // The plan of another job does not name routes. What one of them may publish is not withdrawn.
      const refusals = await Promise.all(routes.map((each) => whyNotOf(each, version)));
      return refusals.every((refusal) => refusal !== undefined) ? refusals[0] : undefined;
    },
    whyNotDelete: async ({ route, version }) => {
      const of = byRoute.get(route);
      if (of?.wanted.kind !== "tags") return undefined;
      return lastCopyCheck(of.route.catalogue, of.places, going, context)(version);
    },
  };
}
