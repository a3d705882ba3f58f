import type { Clock } from "../clock.ts";
import { type Failure, failureOf } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { repositoryOf } from "../oci/reference.ts";
import { type KeepStep, versionKey } from "../plan/plan.ts";
import { listOf } from "../wording.ts";
import type { Aftermath, KeepOutcome, PruneOutcome } from "./outcome.ts";
import type { DestinationToPrune } from "./prune.ts";

/** Most tags that a message names: more than any Harbor release has. */
const namedLimit = 30;

/**
 * Looks for versions that are half there after tags were deleted: two runs at once can delete and bring the same one, and a
 * registry has no transactions. Asks nothing where nothing was deleted.
 * @param kept what stays at this destination.
 * @returns the outcomes of the deletions, where a tag that is back has failed, and the kept versions that lack a tag now.
 */
export async function lookForHalfVersions(
  pruned: Aftermath,
  kept: readonly KeepStep[],
  destination: DestinationToPrune,
  clock: Pick<Clock, "sleep">,
  signal: AbortSignal,
): Promise<Aftermath> {
  if (pruned.prunes.every(({ status }) => status !== "pruned")) return pruned;
  const look: Look = async ({ image, tag }) =>
    (await destination.repository(repositoryOf(destination, image)).resolve(tag, signal))?.digest;
  const known = new Set(pruned.keeps.map(({ step }) => step));
  const [prunes, keeps] = await Promise.all([
    lookAtPruned(),
    Promise.all(kept.filter((step) => !known.has(step)).map((step) => keepOutcome(step, look))),
  ]);
  return { prunes, keeps: [...pruned.keeps, ...keeps.flat()] };

  async function lookAtPruned(): Promise<readonly PruneOutcome[]> {
    let outcomes = await pruneOutcomes(pruned.prunes, look);
    for (const pause of destination.deletion === "shared-digest-unsafe" ? [] : cachePauses) {
      if (outcomes.every((outcome, index) => outcome === pruned.prunes[index])) break;
      // Who cancels still gets to know what has been deleted, and what the last look has shown.
      await clock.sleep(pause, signal).catch(() => undefined);
      if (signal.aborted) break;
      outcomes = await pruneOutcomes(pruned.prunes, look);
    }
    return outcomes;
  }
}

/**
 * Pauses before another look at half a version, in milliseconds: a registry that deletes tags alone may show one from a cache for
 * a while after it is gone.
 */
const cachePauses = [15_000, 15_000];

/** What a tag leads to; undefined: it is not there. */
type Look = (tag: { readonly image: string; readonly tag: string }) => Promise<Digest | undefined>;

async function keepOutcome(step: KeepStep, look: Look): Promise<readonly KeepOutcome[]> {
  try {
    const looked = await Promise.all(step.images.map(async (image) => ({ image, found: await look(image) })));
    const lacking = looked.filter(
      ({ image, found }) => found === undefined || found !== (image.digest ?? found),
    );
    if (lacking.length === 0) return [];
    const names = lacking.map(({ image, found }) =>
      found === undefined ? nameOf(image) : `${image.digest} of ${nameOf(image)}`,
    );
    return [{ step, missing: lacking.map(({ image }) => image), failure: halfThere(step.version, names) }];
  } catch (error) {
    const failure = failureOf(error, "it is not known whether it is whole after the pruning");
    return [{ step, missing: [], failure }];
  }
}

/**
 * A version that came back whole was brought by somebody, and is none of our business. Its deletion was answered, so a look that
 * fails leaves it at that.
 */
async function pruneOutcomes(
  outcomes: readonly PruneOutcome[],
  look: Look,
): Promise<readonly PruneOutcome[]> {
  const deleted = outcomes.filter(({ step, status }) => status === "pruned" && step.untagged === undefined);
  const looked = await Promise.all(
    deleted.map(async (outcome) => {
      const found = await look(outcome.step).catch(() => undefined);
      return { outcome, back: found !== undefined };
    }),
  );
  const failed = new Map<PruneOutcome, PruneOutcome>();
  for (const ofVersion of Map.groupBy(looked, ({ outcome }) => versionKey(outcome.step)).values()) {
    const back = ofVersion.filter((each) => each.back);
    if (back.length === 0 || back.length === ofVersion.length) continue;
    const missing = ofVersion.filter((each) => !each.back).map(({ outcome }) => nameOf(outcome.step));
    const failure = halfThere(ofVersion[0]?.outcome.step.version ?? "", missing);
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
