import { lookForHalfVersions } from "../copy/half-versions.ts";
import type { Aftermath, CopyOutcome, PruneOutcome } from "../copy/outcome.ts";
import { prune } from "../copy/prune.ts";
import { askToPublish, type PublicationCheck, type VersionOfRoute } from "../copy/publish.ts";
import type { Failure } from "../errors.ts";
import { isUntagged, type KeepStep, type Plan, type PruneStep, type Step, versionKey } from "../plan/plan.ts";
import { pruneLines } from "../report/prune-lines.ts";
import type { Places, RunContext } from "./context.ts";
import type { LastChecks } from "./last-checks.ts";

/** The stage that deletes. */

/**
 * Prunes each destination at which everything went well (P5), and looks for versions that are half there then.
 * @param whyNotPublish is asked of what is kept: what is no published release any more took the place of another.
 * @param whyNotDelete is asked of what goes.
 */
export async function pruneAll(
  plan: Plan,
  copies: readonly CopyOutcome[],
  { destinations }: Places,
  { whyNotPublish, whyNotDelete }: LastChecks,
  { clock, log, signal }: RunContext,
): Promise<Aftermath> {
  const planned = plan.steps.filter((step) => step.kind === "prune");
  if (planned.length === 0) return { prunes: [], keeps: [] };
  const keeps = plan.steps.filter((step) => step.kind === "keep");
  const doubtOf = doubts(whyNotPublish);
  return log.group("Prune", async () => {
    const outcomes = await Promise.all(
      destinations.map(async (destination) => {
        const isHere = (step: Pick<Step, "destination">) => step.destination === destination.name;
        const failed = plan.steps.filter((step) => step.kind === "fail" && isHere(step)).length;
        const own = copies.filter(({ step }) => isHere(step));
        const failures = failed + own.filter(({ failure }) => failure !== undefined).length;
        const routes: Aftermath[] = [];
        for (const [route, steps] of Map.groupBy(planned.filter(isHere), (step) => step.route)) {
          const isOfRoute = (step: KeepStep | Step) => isHere(step) && step.route === route;
          const kept = keeps.filter(isOfRoute);
          const unpublished = copies.find(({ step, withheld }) => isOfRoute(step) && withheld !== undefined);
          // In a cancelled run nothing more is asked: nothing more is deleted either.
          const asks = failures === 0 && !signal.aborted;
          const stays = asks
            ? await reasonsToStay(steps, kept, unpublished).catch(noneIfCancelled)
            : new Map();
          const left = steps.flatMap((step): readonly PruneOutcome[] => {
            const failure = stays.get(step.version);
            return failure === undefined ? [] : [{ step, status: "left", failure }];
          });
          const going = steps.filter(({ version }) => !stays.has(version));
          const pruned = await prune(going, kept, destination, { failures, copies: own }, clock, signal);
          const done = { ...pruned, prunes: [...pruned.prunes, ...left] };
          const aftermath = await lookForHalfVersions(done, kept, destination, clock, signal);
          for (const line of pruneLines(aftermath.prunes, log.paint)) log.info(line);
          routes.push(aftermath);
        }
        return routes;
      }),
    );
    return {
      prunes: outcomes.flat().flatMap(({ prunes }) => prunes),
      keeps: outcomes.flat().flatMap(({ keeps: own }) => own),
    };
  });

  function noneIfCancelled(error: unknown): ReadonlyMap<string, Failure> {
    if (!signal.aborted) throw error;
    return new Map();
  }

  /** Why versions stay after all, by version: what is kept has changed, or what goes would be lost. */
  async function reasonsToStay(
    steps: readonly PruneStep[],
    kept: readonly KeepStep[],
    unpublished: CopyOutcome | undefined,
  ): Promise<ReadonlyMap<string, Failure>> {
    const answers = await Promise.all(kept.map(doubtOf));
    const doubt =
      answers.find((answer) => answer !== undefined) ??
      (unpublished && notPublished(unpublished.step.version));
    const asked = [...Map.groupBy(steps, ({ version }) => version)].map(async ([version, ofVersion]) => {
      // Of a version whose tag this run has overwritten, no tag goes, but what it held: a source need not have that.
      const goes = ofVersion.some(isUntagged) ? undefined : ofVersion[0];
      const reason = doubt ?? (goes && (await whyNotDelete(goes)));
      return reason === undefined ? [] : [[version, reason] as const];
    });
    return new Map((await Promise.all(asked)).flat());
  }
}

/** What follows where a version that was to be kept is not what the plan thought. */
const nothingDeleted = "nothing is deleted, as what is kept may have changed";

function notPublished(version: string): Failure {
  return { kind: "obstacle", problem: `${nothingDeleted}: ${version} was not published` };
}

/**
 * Asks about each version once. A version that is not published now, or of which nobody knows, stops deletions where it is
 * kept.
 */
function doubts(whyNotPublish: PublicationCheck): (version: VersionOfRoute) => Promise<Failure | undefined> {
  const asked = new Map<string, Promise<Failure | undefined>>();
  return (version) => {
    const key = versionKey(version);
    const asking =
      asked.get(key) ??
      askToPublish(version, whyNotPublish, nothingDeleted).then((refusal) => refusal?.failure);
    asked.set(key, asking);
    return asking;
  };
}
