import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { expect } from "vitest";
import { makePlan } from "../../src/plan/plan.ts";
import { imageKey } from "../../src/plan/snapshot.ts";
import { verdictOn, type Verdict as WholeVerdict } from "./oracle.ts";
import { nameOfDestination, snapshotOfWorld, type World, worlds } from "./oracle-world.ts";
import { imagesIn, stepsOf, versionsIn } from "./snapshot-builder.ts";

/** What a plan says of a destination. */
type Verdict = Omit<WholeVerdict, "going">;

/**
 * Holds the plan to the oracle in that many random worlds. A failure prints the world and a seed and path;
 * `ORACLE_SEED` repeats it.
 */
export function holdPlanToOracle(numRuns: number): void {
  const seed = process.env.ORACLE_SEED;
  fc.assert(
    fc.property(worlds, (world) => {
      const [plan, oracle] = [planned(world), expected(world)];
      // Vitest's comparison is the slower half of a world.
      if (!isDeepStrictEqual(plan, oracle)) expect(plan).toEqual(oracle);
    }),
    { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) },
  );
}

function planned(world: World): readonly Verdict[] {
  const plan = makePlan(snapshotOfWorld(world));
  return world.destinations.map((_, index) => {
    const name = nameOfDestination(index);
    const copies = stepsOf(plan, "copy", name);
    return sorted({
      kept: versionsIn(stepsOf(plan, "keep", name)),
      copied: copies.map(({ version, image, tag }) => `${version} ${imageKey(image, tag)}`),
      failed: versionsIn(stepsOf(plan, "fail", name)),
      pruned: imagesIn(stepsOf(plan, "prune", name)),
    });
  });
}

function expected(world: World): readonly Verdict[] {
  return world.destinations.map((destination) => sorted(verdictOn(world, destination)));
}

function sorted({ kept, copied, failed, pruned }: Verdict): Verdict {
  return {
    kept: kept.toSorted(),
    copied: copied.toSorted(),
    failed: failed.toSorted(),
    pruned: pruned.toSorted(),
  };
}
