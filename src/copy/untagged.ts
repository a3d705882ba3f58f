import type { Failure } from "../errors.ts";
import { attachedTo } from "../plan/attached.ts";
import type { PruneStep } from "../plan/plan.ts";
import { imageKey } from "../plan/snapshot.ts";
import type { CopyOutcome, PruneOutcome } from "./outcome.ts";

/** Steps of a plan, by whether they are carried out. */
export interface Sorted {
  readonly going: readonly PruneStep[];
  readonly left: readonly PruneOutcome[];
}

/**
 * Leaves the manifests that this run has not left untagged after all: it has not set the tag, or the tag held something else
 * by then. What is attached to them stays with them.
 * @param copies what became of the images at the same destination.
 */
export function withoutUnreplaced(steps: readonly PruneStep[], copies: readonly CopyOutcome[]): Sorted {
  const replaced = new Map(copies.map(({ step, replaced: held }) => [imageKey(step.image, step.tag), held]));
  const stays = ({ image, tag, untagged }: PruneStep): boolean =>
    untagged !== undefined && replaced.get(imageKey(image, tag)) !== untagged;
  const staying = steps.filter(stays);
  const rest = withoutAttached(
    steps.filter((step) => !stays(step)),
    staying,
  );
  return { going: rest.going, left: [...staying.map((step) => leave(step, notReplaced)), ...rest.left] };
}

/** Leaves what is attached to manifests that were to go and stay: they have no tag that would show it. */
export function withoutAttached(steps: readonly PruneStep[], staying: readonly PruneStep[]): Sorted {
  const isAttached = attachedTo(staying);
  return {
    going: steps.filter((step) => !isAttached(step)),
    left: steps.filter(isAttached).map((step) => leave(step, notAlone)),
  };
}

const notReplaced: Failure = {
  kind: "obstacle",
  problem: "this run has not overwritten its tag, or the tag held something else by then",
};

const notAlone: Failure = { kind: "obstacle", problem: "what it is attached to was not deleted" };

function leave(step: PruneStep, failure: Failure): PruneOutcome {
  return { step, status: "left", failure };
}
