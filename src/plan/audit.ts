import type { Failure } from "../errors.ts";
import { fillerAdvice } from "./awaited.ts";
import type { Component } from "./component.ts";
import { ownershipOf } from "./ownership.ts";
import type { Plan } from "./plan.ts";
import { imageKey, type Snapshot } from "./snapshot.ts";
import { type CopyStep, failing, isLeftAlone, type Step } from "./step.ts";

/**
 * The plan as an audit tells it: what would have to be brought to a destination that has a tag of the version already is a
 * failure there, because somebody can pull half of it, or something else, whatever `overwrite` says. A version without any tag
 * there is not mirrored yet, and stays a copy. A tag that other versions have too tells nothing of this one.
 */
export function audited(plan: Plan, snapshot: Snapshot): Plan {
  const present = new Set(
    snapshot.destinations.flatMap(({ name, digests, withheld }) =>
      [...digests.keys(), ...withheld].map((key) => `${name} ${key}`),
    ),
  );
  const isPresent = (destination: string, image: string, tag: string): boolean =>
    present.has(`${destination} ${imageKey(image, tag)}`);
  const marks = tellingTags(snapshot);
  const isMirrored = ({ destination, version }: Step): boolean =>
    (marks.get(version) ?? []).some(({ to, toTag }) => isPresent(destination, to, toTag));
  return {
    ...plan,
    steps: plan.steps.map((step) => {
      if (!isMirrored(step)) return step;
      if (step.kind === "copy")
        return failing(step, findingOf(step, isPresent(step.destination, step.image, step.tag)));
      if (step.kind === "await")
        return failing(step, { kind: "obstacle", problem: step.reason, advice: fillerAdvice });
      return isLeftAlone(step) ? failing(step, step.warning) : step;
    }),
  };
}

/**
 * The tags that show whether a wanted version is at a destination, by its own: those that no other version has, or, where all
 * are shared, those that belong to it.
 */
function tellingTags({
  universe: counting,
  outside = [],
  components,
  wanted,
}: Snapshot): ReadonlyMap<string, readonly Component[]> {
  const universe = [...counting, ...outside];
  const ownership = ownershipOf(universe, components);
  return new Map(
    wanted.map(({ version, components: own }) => {
      const others = universe.filter(({ tag }) => tag !== version.tag);
      const alone = own.filter(({ to, toTag }) => !others.some((other) => ownership.lists(other, to, toTag)));
      return [version.tag, alone.length > 0 ? alone : ownership.owned(version)] as const;
    }),
  );
}

function findingOf({ reason, replaces, attachmentsOnly, version }: CopyStep, isThere: boolean): Failure {
  const run = `A run without dry-run, with version: ${version},`;
  if (attachmentsOnly === true)
    return {
      kind: "obstacle",
      problem: reason,
      advice: `${run} brings them, or says why the registry refuses them; an audit with referrers: false does without.`,
    };
  const advice = `${run} brings it back.`;
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
