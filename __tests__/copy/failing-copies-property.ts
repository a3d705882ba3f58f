import * as fc from "fast-check";
import { expect } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { noBytes } from "../../src/copy/outcome.ts";
import { type DestinationToPrune, prune } from "../../src/copy/prune.ts";
import type { Tagging } from "../../src/copy/publish.ts";
import { type ImageResult, publishVersion } from "../../src/copy/version.ts";
import { OperationError } from "../../src/errors.ts";
import { silentLog } from "../../src/log/log.ts";
import type { Digest } from "../../src/oci/digest.ts";
import {
  type CopyStep,
  digestOfStep,
  type ImageStep,
  isImageStep,
  isLeftAlone,
  makePlan,
  type Plan,
} from "../../src/plan/plan.ts";
import { imageKey } from "../../src/plan/snapshot.ts";
import type { RunResult } from "../../src/report/result.ts";
import { imagesInPlace, mirroredVersions, succeeded } from "../../src/report/tally.ts";
import { snapshotOfWorld, type World, worlds } from "../plan/oracle-world.ts";

/** What befalls copies, in the order of the plan's steps, over and over. */
type Trouble = "none" | "content" | "tag";

const troubles = fc.array(
  fc.constantFrom<Trouble>("none", "none", "none", "none", "none", "none", "content", "tag"),
  { minLength: 1, maxLength: 40 },
);

/** What is known of a run afterwards. */
interface Afterwards {
  /** Tags at all destinations, by `destination/image:tag`. */
  readonly tags: ReadonlyMap<string, string>;
  readonly claimed: readonly string[];
  readonly mirrored: readonly string[];
  readonly succeeded: boolean;
  /** Images of which is said that no tag of their version has moved. */
  readonly untouched: readonly string[];
}

/**
 * Carries out the plans of that many random worlds while copies fail at random, with a registry in memory, and compares what
 * is there and what is claimed with docs/decisions.md: no tag of a version before all its images are complete, nothing deleted
 * at a destination where anything failed, nothing claimed that is not there.
 */
export async function holdFailingCopies(numRuns: number): Promise<void> {
  const seed = process.env.ORACLE_SEED;
  await fc.assert(
    fc.asyncProperty(worlds, troubles, async (world, trouble) => {
      const plan = makePlan(snapshotOfWorld(world));
      const befalls = fates(plan, trouble);
      expect(await carriedOut(world, plan, befalls)).toEqual(expected(world, plan, befalls));
    }),
    { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) },
  );
}

function copiesOf(plan: Plan): readonly CopyStep[] {
  return plan.steps.filter((step) => step.kind === "copy");
}

function fates(plan: Plan, trouble: readonly Trouble[]): ReadonlyMap<CopyStep, Trouble> {
  return new Map(copiesOf(plan).map((step, index) => [step, trouble[index % trouble.length] ?? "none"]));
}

function keyOf({ destination, image, tag }: Pick<CopyStep, "destination" | "image" | "tag">): string {
  return `${destination}/${imageKey(image, tag)}`;
}

function tagsBefore(world: World): Map<string, string> {
  return new Map(
    snapshotOfWorld(world).destinations.flatMap(({ name, digests }) =>
      [...digests].map(([key, digest]) => [`${name}/${key}`, digest] as const),
    ),
  );
}

async function carriedOut(
  world: World,
  plan: Plan,
  befalls: ReadonlyMap<CopyStep, Trouble>,
): Promise<Afterwards> {
  const tags = tagsBefore(world);
  const tagging: Tagging = {
    overwrite: world.overwrite,
    clock: systemClock,
    log: silentLog,
    signal: new AbortController().signal,
    whyNotPublish: () => Promise.resolve(undefined),
  };
  const copies: RunResult["copies"][number][] = [];
  const prunes: RunResult["prunes"][number][] = [];
  for (const [name, ofDestination] of Map.groupBy(plan.steps, ({ destination }) => destination)) {
    const own = copiesOf({ ...plan, steps: ofDestination });
    for (const ofVersion of Map.groupBy(own, ({ version }) => version).values()) {
      const results = ofVersion.map((step) => resultOf(step, befalls.get(step), tags));
      const outcomes = await publishVersion(results, tagging);
      copies.push(...outcomes.map((outcome) => ({ ...outcome, milliseconds: 0, moved: undefined })));
    }
    const failed =
      ofDestination.filter(({ kind }) => kind === "fail").length +
      copies.filter(({ step, failure }) => step.destination === name && failure !== undefined).length;
    if (failed === 0) continue;
    const going = ofDestination.filter((step) => step.kind === "prune");
    const kept = ofDestination.filter((step) => step.kind === "keep");
    const clock = { now: () => 0, timeout: () => tagging.signal };
    const done = await prune(going, kept, untouchable, { failures: failed, copies }, clock, tagging.signal);
    prunes.push(...done.prunes);
  }
  expect(prunes.every(({ status }) => status === "not-tried")).toBe(true);
  const names = [...new Set(plan.steps.map(({ destination }) => destination))];
  const result: RunResult = {
    plan: { ...plan, steps: plan.steps.filter(isImageStep) },
    dryRun: false,
    destinations: names.map((name) => ({ name, registry: "", path: "" })),
    copies,
    prunes: [],
    bytesRead: 0,
    requests: new Map(),
    startedAt: 0,
    milliseconds: 0,
  };
  return {
    tags,
    claimed: imagesInPlace(result)
      .map(({ reference, digest }) => `${reference} ${digest}`)
      .sort(),
    mirrored: mirroredVersions(result),
    succeeded: succeeded(result),
    untouched: copies
      .filter(({ untouched }) => untouched)
      .map(({ step }) => keyOf(step))
      .sort(),
  };
}

/** A destination at which nothing may be asked or deleted. */
const untouchable = new Proxy({} as DestinationToPrune, {
  get: (_, name) => {
    throw new Error(`${String(name)} of a destination where something failed`);
  },
});

function resultOf(step: CopyStep, trouble: Trouble | undefined, tags: Map<string, string>): ImageResult {
  const told = { step, bytes: noBytes, moved: undefined };
  if (trouble === "content") return { ...told, failure: { kind: "obstacle", problem: "its content failed" } };
  const details = {
    side: "destination",
    host: step.destination,
    operation: "setting the tag",
    problem: "refused",
  } as const;
  const repository = {
    reference: step.destination,
    resolve: () => {
      const digest = tags.get(keyOf(step));
      return Promise.resolve(digest === undefined ? undefined : { digest, mediaType: "" });
    },
    putManifest: (_tag: string, { digest }: { readonly digest: Digest }) => {
      if (trouble === "tag") return Promise.reject(new OperationError(details));
      tags.set(keyOf(step), digest);
      return Promise.resolve();
    },
    registry: {
      failure: (_request: unknown, { problem }: { readonly problem: string }) =>
        new OperationError({ ...details, problem }),
    },
  };
  const content = { root: { manifest: { digest: step.source.digest } }, attachments: [], blobs: [] };
  const ready = { repository, tag: step.tag, replaces: step.replaces, content, untracked: [], refused: [] };
  return { ...told, ready } as unknown as ImageResult;
}

/** By docs/decisions.md, "Copying and publishing", "Retention" and "Outputs". */
function expected(world: World, plan: Plan, befalls: ReadonlyMap<CopyStep, Trouble>): Afterwards {
  const tags = tagsBefore(world);
  const copies = copiesOf(plan);
  const together = (one: CopyStep) =>
    copies.filter(({ destination, version }) => destination === one.destination && version === one.version);
  const isSet = (step: CopyStep): boolean =>
    together(step).every((other) => befalls.get(other) !== "content") && befalls.get(step) === "none";
  for (const step of copies.filter(isSet)) tags.set(keyOf(step), step.source.digest);
  const images = plan.steps.filter(isImageStep);
  const isThere = (step: ImageStep): boolean =>
    step.kind === "copy" ? isSet(step) : digestOfStep(step) !== undefined && !isLeftAlone(step);
  // What was left alone on purpose has not failed, and its version is not mirrored.
  const isRight = (step: ImageStep): boolean => (step.kind === "copy" ? isSet(step) : step.kind === "skip");
  const claimed = images.filter(isThere).map((step) => `${keyOf(step)} ${digestOfStep(step)}`);
  return {
    tags,
    claimed: [...new Set(claimed)].sort(),
    mirrored: plan.versions.filter((version) => {
      const own = images.filter((step) => step.version === version);
      return own.every((step) => isRight(step) && !isLeftAlone(step)) && own.some(isThere);
    }),
    succeeded: images.every(isRight),
    untouched: copies
      .filter((step) => together(step).some((other) => befalls.get(other) === "content"))
      .map(keyOf)
      .sort(),
  };
}
