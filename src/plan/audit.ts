import type { Failure } from "../errors.ts";
import type { Plan } from "./plan.ts";
import { imageKey, type Snapshot } from "./snapshot.ts";
import { type CopyStep, failing, isImageStep } from "./step.ts";

/**
 * The plan as an audit tells it: what would have to be brought to a destination that has a tag of the version already is a
 * failure there, because somebody can pull half of it, or something else. A version without any tag there is not mirrored yet,
 * and stays a copy.
 */
export function audited(plan: Plan, { destinations }: Snapshot): Plan {
  const present = new Set(
    destinations.flatMap(({ name, digests, withheld }) =>
      [...digests.keys(), ...withheld].map((key) => `${name} ${key}`),
    ),
  );
  const isThere = ({ destination, image, tag }: CopyStep): boolean =>
    present.has(`${destination} ${imageKey(image, tag)}`);
  const versionsThere = new Set(
    plan.steps
      .filter(isImageStep)
      .filter(({ destination, image, tag }) => present.has(`${destination} ${imageKey(image, tag)}`))
      .map(({ destination, version }) => `${destination} ${version}`),
  );
  return {
    ...plan,
    steps: plan.steps.map((step) =>
      step.kind === "copy" && versionsThere.has(`${step.destination} ${step.version}`)
        ? failing(step, findingOf(step, isThere(step)))
        : step,
    ),
  };
}

function findingOf({ reason, replaces, version }: CopyStep, isThere: boolean): Failure {
  const advice = `A run without dry-run, with version: ${version}, brings it back.`;
  if (!isThere)
    return {
      kind: "obstacle",
      problem: "other images of this version are there, and this one is not",
      advice,
    };
  if (replaces !== undefined)
    return {
      kind: "obstacle",
      problem: "the tag holds another digest than the source",
      subject: replaces,
      advice,
    };
  return { kind: "obstacle", problem: reason, advice };
}
