import { readSizes } from "../copy/sizes.ts";
import { budgetAt } from "../inventory/pull-budget.ts";
import { type Estimate, estimateOf, type ImageSize } from "../plan/estimate.ts";
import type { Plan } from "../plan/plan.ts";
import type { SourceImage } from "../plan/snapshot.ts";
import { estimateLines } from "../report/estimate-table.ts";
import type { Places, RunContext } from "./context.ts";
import { repositoriesOf } from "./registries.ts";

/** The stages that tell in advance what a plan needs. */

/** What is known of the size of each image of a plan. */
export type Sizes = ReadonlyMap<SourceImage, ImageSize>;

/** Where no sizes are needed. */
export const noSizes: Sizes = new Map();

/**
 * Reads the sizes of the images to copy.
 * @param sparePulls leaves out images that only a registry with a pull limit has: that budget is for the run, not for a look
 * at its plan.
 */
export function planSizes(
  plan: Plan,
  { sources, attachments }: Places,
  sparePulls: boolean,
  { log, signal }: RunContext,
): Promise<Sizes> {
  const steps = plan.steps.filter((step) => step.kind === "copy");
  const sourceRepositories = (image: SourceImage) => repositoriesOf(image, sources);
  const reading = { sourceRepositories, attachments, log, signal };
  return readSizes(steps, reading, (registry) => sparePulls && countsPulls(registry, sources));
}

/** Prints and returns what carrying out the plan needs. */
export function showEstimate(plan: Plan, sizes: Sizes, { sources }: Places, { log }: RunContext): Estimate {
  const estimate = estimateOf(
    plan,
    (image) => sizes.get(image),
    (registry) => countsPulls(registry, sources),
  );
  const budgetOf = (registry: string) => budgetAt(registry, sources);
  for (const line of estimateLines(estimate, budgetOf)) log.info(line);
  return estimate;
}

/** Docker Hub counts pulls even where it does not say so. A stand-in or a mirror of it is known by its headers. */
function countsPulls(registry: string, sources: Places["sources"]): boolean {
  return registry === "docker.io" || budgetAt(registry, sources) !== undefined;
}
