import type { Failure } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { listOf } from "../wording.ts";
import { type DestinationSnapshot, imageKey, type Snapshot } from "./snapshot.ts";
import {
  type AwaitStep,
  type CopyStep,
  digestOfStep,
  type FailStep,
  failing,
  heldBackBy,
  type ImageStep,
  isImageStep,
  type PlannedPlace,
  placeOf,
  type SkipStep,
  type Step,
  versionKey,
} from "./step.ts";

/** What is planned for destinations that another mechanism fills, such as a synchronisation rule of a registry. */

/** Most digests that a reason names. */
const namedLimit = 3;

/** What happens to an image that another mechanism brings. @param wanted what its tag is to point to. */
export function planAwaited(
  place: PlannedPlace,
  wanted: Digest,
  { digests, withheld, broken }: DestinationSnapshot,
): AwaitStep | SkipStep | FailStep {
  const key = imageKey(place.image, place.tag);
  const present = digests.get(key);
  const lacking = broken.get(key);
  if (present === wanted && lacking !== undefined)
    return failing(place, {
      kind: "obstacle",
      problem: `its tag is right, but it lacks ${listOf(lacking, namedLimit)}, and nothing is written here`,
      advice: fillerAdvice,
    });
  if (present === wanted) return { kind: "skip", digest: present, ...place, reason: "it is in place" };
  const why = withheld.has(key)
    ? "a policy of the registry lets nobody pull it now, so its digest is not known"
    : present === undefined
      ? "it is not there yet"
      : `the tag holds another digest, ${present}`;
  return {
    kind: "await",
    digest: wanted,
    ...place,
    reason: `${why}; what fills this destination is to bring it`,
  };
}

/** What to look at where something does not arrive. */
export const fillerAdvice =
  "Look at the rule that fills this destination: its last executions, its filters of names and tags, the namespace it writes to, " +
  "and whether it replaces tags. The next run looks again.";

/** What a destination has or gets of the images that another one waits for. */
export type Filling = readonly (CopyStep | SkipStep)[];

/**
 * What the destinations that could fill another one have or get: of each that has all of these images, with these digests.
 * @param awaited images of one version at one destination.
 * @param images what is planned for that version everywhere.
 */
export function fillingsOf(awaited: readonly AwaitStep[], images: readonly ImageStep[]): readonly Filling[] {
  const brings = (step: ImageStep): step is CopyStep | SkipStep =>
    step.kind === "copy" || step.kind === "skip";
  return [...Map.groupBy(images.filter(brings), ({ destination }) => destination).values()].flatMap(
    (there) => {
      const filling = awaited.flatMap((wanted) =>
        there.filter((step) => isSameImage(step, wanted) && digestOfStep(step) === wanted.digest).slice(0, 1),
      );
      return filling.length === awaited.length ? [filling] : [];
    },
  );
}

/**
 * Waits for nothing that cannot come: what no other destination of the run has or gets. Where all destinations are filled by
 * others, nobody here knows what comes.
 */
export function awaitingWhatComes(
  steps: readonly Step[],
  { destinations }: Pick<Snapshot, "destinations">,
): readonly Step[] {
  if (destinations.every(({ filledBySync }) => filledBySync === true)) return steps;
  const versions = Map.groupBy(steps.filter(isImageStep), versionKey);
  const instead = new Map<Step, Step>();
  for (const images of versions.values()) {
    const awaited = images.filter((step) => step.kind === "await");
    for (const here of Map.groupBy(awaited, ({ destination }) => destination).values()) {
      if (fillingsOf(here, images).length > 0) continue;
      for (const step of unfilled(here, images)) instead.set(step.awaited, step.instead);
    }
  }
  return steps.map((step) => instead.get(step) ?? step);
}

/** What is planned in place of waiting for what no destination can give. @param images what is planned for that version everywhere. */
function unfilled(
  awaited: readonly AwaitStep[],
  images: readonly ImageStep[],
): readonly { readonly awaited: AwaitStep; readonly instead: FailStep | SkipStep }[] {
  const elsewhere = awaited.map((step) => {
    const others = images.filter((other) => other.kind !== "await" && isSameImage(other, step));
    const digests = others.flatMap((other) => digestOfStep(other) ?? []);
    const isOther = digests.length > 0 && !digests.includes(step.digest);
    return { step, isOther, hasFailed: others.some(({ kind }) => kind === "fail") };
  });
  const hasFailed = elsewhere.some((each) => each.hasFailed);
  const other = elsewhere.find(({ isOther }) => isOther);
  return elsewhere.map(({ step, isOther }) => {
    if (hasFailed) return { awaited: step, instead: failing(step, unfilledFailure) };
    if (other === undefined)
      return {
        awaited: step,
        instead: { kind: "skip", digest: undefined, ...placeOf(step), reason: unwanted },
      };
    const failure: Failure = isOther
      ? { kind: "obstacle", problem: otherDigest, subject: step.digest, advice: attributesAdvice }
      : heldBackBy(other.step, "cannot come");
    return { awaited: step, instead: failing(step, failure) };
  });
}

const unwanted = "no other destination is to have it";
const otherDigest = "the other destinations have or get it with another digest than this one is to have";
const attributesAdvice =
  "Give this line the same `attestations=` as that of the destination that it is filled from.";

/** Why an image cannot come to a destination that another mechanism fills: those that it could come from do not get it. */
export const unfilledFailure: Failure = {
  kind: "held-back",
  problem: "held back: it is at no destination that this one could be filled from",
};

function isSameImage(one: PlannedPlace, other: PlannedPlace): boolean {
  return one.image === other.image && one.tag === other.tag;
}
