import type { Clock } from "../clock.ts";
import type { Destination } from "../destinations/destination.ts";
import { type Failure, failureOf } from "../errors.ts";
import { firstPause, longestPause } from "../inventory/wait.ts";
import type { Log } from "../log/log.ts";
import { repositoryOf } from "../oci/reference.ts";
import type { Repository } from "../oci/repository.ts";
import { unlessWithheld } from "../oci/withheld.ts";
import { fillerAdvice, fillingsOf, unfilledFailure } from "../plan/awaited.ts";
import {
  type AwaitStep,
  type CopyStep,
  heldBackBy,
  isImageStep,
  type SkipStep,
  type Step,
  versionKey,
} from "../plan/plan.ts";
import { countOf, formatDuration, listOf } from "../wording.ts";
import type { AwaitOutcome, CopyOutcome } from "./outcome.ts";
import { arrivalLine } from "./story.ts";

/** Most images that a line of the log names: more than any Harbor release has. */
const namedLimit = 30;

export interface AwaitContext {
  /** All of the run: those that another mechanism fills, and those that they may be filled from. */
  readonly destinations: readonly DestinationToAwait[];
  /** What this run has copied. */
  readonly copies: readonly CopyOutcome[];
  /** How long an image is waited for, in milliseconds; 0: it is looked for once. */
  readonly waitOf: (step: AwaitStep) => number;
  readonly clock: Pick<Clock, "now" | "sleep">;
  readonly log: Log;
  readonly signal: AbortSignal;
}

interface DestinationToAwait extends Pick<Destination, "name" | "registry" | "path" | "filledBySync"> {
  readonly repository: (name: string) => Pick<Repository, "name" | "registry" | "resolve">;
}

/** The images of a version that one destination waits for. At least one. */
interface AwaitedVersion {
  readonly destination: DestinationToAwait;
  readonly steps: readonly AwaitStep[];
  /** In milliseconds. */
  readonly wait: number;
}

/**
 * Reads the tags of images that another mechanism brings until all of them are right, or the time is over. Nothing is written.
 * A version is there when all its images are; until then none of them counts (P3). What no other destination has got after all is
 * not waited for.
 * @param steps all that are planned.
 */
export async function awaitImages(
  steps: readonly Step[],
  context: AwaitContext,
): Promise<readonly AwaitOutcome[]> {
  const { clock, log, signal } = context;
  const started = clock.now();
  const outcomes = new Map<Step, AwaitOutcome>();
  const hindranceOf = hindrances(steps, context);
  const settle = (version: AwaitedVersion, fateOf: (step: AwaitStep) => Fate): void => {
    const milliseconds = clock.now() - started;
    const settled = version.steps.map((step) => ({ ...fateOf(step), step, milliseconds }));
    for (const outcome of settled) outcomes.set(outcome.step, outcome);
    log.info(arrivalLine(settled, milliseconds, log.paint));
  };
  let waiting: readonly AwaitedVersion[] = versionsIn(steps, context).filter((version) => {
    const hindrance = hindranceOf(version);
    if (hindrance !== undefined) settle(version, () => hindrance);
    return hindrance === undefined;
  });
  const arrived = new Set<AwaitStep>();
  const isWhole = (version: AwaitedVersion): boolean => version.steps.every((step) => arrived.has(step));
  for (let pause = firstPause; waiting.length > 0; pause = Math.min(pause * 2, longestPause)) {
    const failures = new Map<AwaitStep, Failure>();
    const waited = clock.now() - started;
    const looks = waiting.flatMap(({ destination, steps: own }) => {
      const missing = own.filter((step) => !arrived.has(step));
      return missing.map(async (step) => {
        const failure = await whyAbsent(step, destination, waited, signal);
        if (failure === undefined) arrived.add(step);
        else failures.set(step, failure);
      });
    });
    await Promise.all(looks);
    for (const version of waiting.filter(isWhole)) settle(version, () => ({ failure: undefined }));
    waiting = waiting.filter((version) => !isWhole(version));
    const leftOf = ({ wait }: AwaitedVersion): number => started + wait - clock.now();
    const isOver = (version: AwaitedVersion): boolean => leftOf(version) <= 0 || signal.aborted;
    for (const version of waiting.filter(isOver)) settle(version, fateOfPart(version, failures));
    waiting = waiting.filter((version) => !isOver(version));
    if (waiting.length === 0) break;
    const left = waiting.map(leftOf);
    const absent = waiting.flatMap(({ steps: own }) => own.filter((step) => !arrived.has(step)));
    const names = listOf(
      absent.map((step) => `${step.image}:${step.tag}`),
      namedLimit,
    );
    const places = [...new Set(waiting.map(({ destination }) => destination.name))].join(", ");
    log.info(
      `Waiting for ${countOf(absent.length, "image")} at ${places}, ${Math.ceil(Math.max(...left) / 60_000)} min at most: ${names}`,
    );
    // Who cancels gets a report of what has come by then.
    await clock.sleep(Math.min(pause, ...left), signal).catch(() => undefined);
  }
  return steps.flatMap((step) => outcomes.get(step) ?? []);
}

type Fate = Pick<AwaitOutcome, "failure" | "withheld">;

/** What becomes of each image of a version that has not come whole. */
function fateOfPart(
  { steps }: AwaitedVersion,
  failures: ReadonlyMap<AwaitStep, Failure>,
): (step: AwaitStep) => Fate {
  const first = steps.find((step) => failures.has(step));
  return (step) => ({ failure: failures.get(step) ?? (first && heldBackBy(first, "has not come")) });
}

function versionsIn(
  steps: readonly Step[],
  { destinations, waitOf }: Pick<AwaitContext, "destinations" | "waitOf">,
): readonly AwaitedVersion[] {
  const awaited = steps.filter((step) => step.kind === "await");
  return destinations.flatMap((destination) => {
    const here = awaited.filter((step) => step.destination === destination.name);
    return [...Map.groupBy(here, versionKey).values()].map((own) => ({
      destination,
      steps: own,
      wait: Math.max(...own.map(waitOf)),
    }));
  });
}

/** Why a version cannot come: every destination that it could come from was to get it and has not. Undefined: it can. */
function hindrances(
  steps: readonly Step[],
  { copies, destinations }: AwaitContext,
): (awaited: AwaitedVersion) => Fate | undefined {
  const filled = new Set(destinations.flatMap((each) => (each.filledBySync === true ? [each.name] : [])));
  const outcomeOf = new Map<Step, CopyOutcome>(copies.map((copy) => [copy.step, copy]));
  const versions = Map.groupBy(steps.filter(isImageStep), versionKey);
  const isThere = (step: CopyStep | SkipStep): boolean => {
    const copy = outcomeOf.get(step);
    return step.kind === "skip" || (copy !== undefined && (copy.failure ?? copy.withheld) === undefined);
  };
  return ({ steps: awaited }) => {
    const images = awaited.slice(0, 1).flatMap((step) => versions.get(versionKey(step)) ?? []);
    // Nobody here knows what comes from elsewhere.
    if (images.every(({ destination }) => filled.has(destination))) return undefined;
    const fillings = fillingsOf(awaited, images);
    if (fillings.some((filling) => filling.every(isThere))) return undefined;
    const copied = fillings.flat().flatMap((step) => outcomeOf.get(step) ?? []);
    const withheld = copied.flatMap((copy) => copy.withheld ?? [])[0];
    return withheld === undefined ? { failure: unfilledFailure } : { failure: undefined, withheld };
  };
}

/** Why an image has not come, or why that is not known. Undefined: its tag is right. */
async function whyAbsent(
  { image, tag, digest }: AwaitStep,
  destination: DestinationToAwait,
  waited: number,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  try {
    const repository = destination.repository(repositoryOf(destination, image));
    const found = await unlessWithheld(repository.resolve(tag, signal));
    if (found !== undefined && found !== "withheld" && found.digest === digest) return undefined;
    const other =
      found === "withheld"
        ? "; a policy lets nobody pull what its tag leads to"
        : found && `; its tag leads to ${found.digest} and not to ${digest}`;
    const problem = `it has not come after ${formatDuration(waited)}${other ?? ""}`;
    const scopes = [repository.registry.readingScope(repository.name)] as const;
    const request = {
      scopes,
      operation: "waiting for what fills this destination to bring the tag",
      subject: tag,
    };
    return failureOf(repository.registry.failure(request, { problem, advice: fillerAdvice }));
  } catch (error) {
    return failureOf(error, "it is not known whether it has come");
  }
}
