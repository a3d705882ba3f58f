import { type Failure, failureOf } from "../errors.ts";
import { repositoryOf } from "../oci/reference.ts";
import type { KeepStep } from "../plan/plan.ts";
import { listOf } from "../wording.ts";
import type { KeepOutcome, PruneOutcome } from "./outcome.ts";
import type { DestinationToPrune } from "./prune.ts";

/** Most tags that a message names: more than any Harbor release has. */
const namedLimit = 30;

/** What a look after the deletions shows. */
export interface Aftermath {
  /** The outcomes of the deletions, where a tag that is back has failed. */
  readonly prunes: readonly PruneOutcome[];
  /** The kept versions that lack a tag now. */
  readonly keeps: readonly KeepOutcome[];
}

/**
 * Looks for versions that are half there after tags were deleted: two runs at once can delete and bring the same one, and a
 * registry has no transactions. Asks nothing where nothing was deleted.
 * @param kept what stays at this destination.
 */
export async function lookForHalfVersions(
  outcomes: readonly PruneOutcome[],
  kept: readonly KeepStep[],
  destination: DestinationToPrune,
  signal: AbortSignal,
): Promise<Aftermath> {
  if (outcomes.every(({ status }) => status !== "pruned")) return { prunes: outcomes, keeps: [] };
  const isThere = async ({
    image,
    tag,
  }: {
    readonly image: string;
    readonly tag: string;
  }): Promise<boolean> =>
    (await destination.repository(repositoryOf(destination, image)).resolve(tag, signal)) !== undefined;
  const [prunes, keeps] = await Promise.all([
    // A registry that deletes tags alone may show one from a cache for a while after it is gone.
    destination.deletion === "shared-digest-unsafe" ? pruneOutcomes(outcomes, isThere) : outcomes,
    Promise.all(kept.map((step) => keepOutcome(step, isThere))),
  ]);
  return { prunes, keeps: keeps.flat() };
}

type Look = (tag: { readonly image: string; readonly tag: string }) => Promise<boolean>;

async function keepOutcome(step: KeepStep, isThere: Look): Promise<readonly KeepOutcome[]> {
  try {
    const found = await Promise.all(step.images.map(isThere));
    const missing = step.images.filter((_image, index) => !found[index]);
    if (missing.length === 0) return [];
    return [{ step, failure: halfThere(step.version, missing.map(nameOf)) }];
  } catch (error) {
    return [{ step, failure: failureOf(error, "it is not known whether it is whole after the pruning") }];
  }
}

/**
 * A version that came back whole was brought by somebody, and is none of our business. Its deletion was answered, so a look that
 * fails leaves it at that.
 */
async function pruneOutcomes(
  outcomes: readonly PruneOutcome[],
  isThere: Look,
): Promise<readonly PruneOutcome[]> {
  const deleted = outcomes.filter(({ status }) => status === "pruned");
  const looked = await Promise.all(
    deleted.map(async (outcome) => ({ outcome, back: await isThere(outcome.step).catch(() => false) })),
  );
  const failed = new Map<PruneOutcome, PruneOutcome>();
  for (const [version, ofVersion] of Map.groupBy(looked, ({ outcome }) => outcome.step.version)) {
    const back = ofVersion.filter((look) => look.back);
    if (back.length === 0 || back.length === ofVersion.length) continue;
    const missing = ofVersion.filter((look) => !look.back).map(({ outcome }) => nameOf(outcome.step));
    const failure = halfThere(version, missing);
    for (const { outcome } of back) failed.set(outcome, { ...outcome, status: "failed", failure });
  }
  return outcomes.map((outcome) => failed.get(outcome) ?? outcome);
}

function nameOf({ image, tag }: { readonly image: string; readonly tag: string }): string {
  return `${image}:${tag}`;
}

function halfThere(version: string, missing: readonly string[]): Failure {
  return {
    kind: "obstacle",
    problem: `after the pruning, ${version} is half there: ${listOf(missing, namedLimit)} is missing`,
    advice: `Another run was at this destination at the same time. Give all workflows that mirror to it one concurrency group, and run with version: ${version} to bring it back.`,
  };
}
