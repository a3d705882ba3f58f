import { messageOf, OperationError } from "../errors.ts";
import type { PullBudget } from "../http/pull-limit.ts";
import type { Log } from "../log/log.ts";
import { imageOf, repositoryOf, sameNamespace } from "../oci/reference.ts";
import type { Repository } from "../oci/repository.ts";
import { makePlan, type Plan } from "../plan/plan.ts";
import { type PullsNeeded, pullsNeeded } from "../plan/pulls.ts";
import { listedAtSource, type Snapshot, type SourceImage } from "../plan/snapshot.ts";
import type { Source } from "./sources.ts";

/**
 * Compares the pulls that the copies need with those that each source says are left. Where they do not suffice, images that
 * another source of their route has, byte for byte, are read there instead. If it is still too much, a warning says so before
 * anything starts. Sends HEAD requests only, and none while the pulls suffice.
 * @param sources those of each snapshot, in order of preference.
 */
export async function withinPullBudgets(
  snapshots: readonly Snapshot[],
  sources: readonly (readonly Source[])[],
  log: Log,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const all = [...new Set(sources.flat())];
  if (all.every(({ client }) => client.pullBudget === undefined)) return snapshots;
  let current = snapshots;
  for (const need of pullsNeeded(planned(snapshots))) {
    const budget = budgetAt(need.registry, all);
    if (budget === undefined || need.pulls <= budget.remaining) continue;
    current = await readElsewhere(current, need, budget, sources, log, signal);
  }
  return current;
}

/** What the plans of all routes do. */
function planned(snapshots: readonly Snapshot[]): Pick<Plan, "steps"> {
  return { steps: snapshots.flatMap((snapshot) => makePlan(snapshot).steps) };
}

/**
 * The pulls that are left at a registry, as it last said. Where its repositories use different logins, the smallest number.
 * Undefined where it has said nothing. Sends nothing.
 */
export function budgetAt(registry: string, sources: readonly Source[]): PullBudget | undefined {
  const budgets = sources
    .filter((source) => source.registry === registry)
    .flatMap(({ client }) => client.pullBudget ?? []);
  return budgets.sort((one, other) => one.remaining - other.remaining)[0];
}

async function readElsewhere(
  snapshots: readonly Snapshot[],
  need: PullsNeeded,
  budget: PullBudget,
  sources: readonly (readonly Source[])[],
  log: Log,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const images = new Map<SourceImage, readonly Source[]>();
  for (const [index, snapshot] of snapshots.entries()) {
    const others = (sources[index] ?? []).filter((source) => source.registry !== need.registry);
    for (const step of makePlan(snapshot).steps)
      if (step.kind === "copy" && step.source.source.registry === need.registry)
        images.set(step.source, others);
  }
  const moves = new Map<SourceImage, SourceImage>();
  await Promise.all(
    [...images].map(async ([image, others]) => {
      const other = await findElsewhere(image, others, log, signal);
      if (other !== undefined) moves.set(image, other);
    }),
  );
  const moved = snapshots.map((snapshot) => withMoves(snapshot, moves));
  const left = pullsNeeded(planned(moved)).find(({ registry }) => registry === need.registry);
  if (left === undefined || left.pulls <= budget.remaining) {
    log.info(`${tooMany(need, budget)} Images read from another source instead: ${moves.size}.`);
  } else {
    const rest = moves.size === 0 ? "" : ` Images read from another source: ${moves.size}.`;
    log.warning(`${tooMany(left, budget)}${rest} ${advice(budget)}`);
  }
  return moved;
}

/** The same image at another source: the same digests, those of its attachments included. */
async function findElsewhere(
  image: SourceImage,
  sources: readonly Source[],
  log: Log,
  signal: AbortSignal,
): Promise<SourceImage | undefined> {
  const name = imageOf(image.source, image.repository);
  for (const source of sources) {
    if (source.onlyNamed) continue;
    const repository = source.repository(repositoryOf(source, name));
    try {
      if (!(await hasAll(image, repository, signal))) continue;
      const { registry, path } = source;
      return { ...image, source: { registry, path }, repository: repository.name };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof OperationError)) throw error;
      // This source did not have to answer before, and does not have to now.
      log.debug(messageOf(error));
    }
  }
  return undefined;
}

async function hasAll(
  image: SourceImage,
  repository: Pick<Repository, "resolve">,
  signal: AbortSignal,
): Promise<boolean> {
  const { rewritten, attachments, tag, digest } = image;
  if (rewritten === undefined && (await repository.resolve(tag, signal))?.digest !== digest) return false;
  // The new index of a platform subset is at no source, but its platforms have to be.
  const below = [...listedAtSource(image), ...attachments];
  const found = await Promise.all(below.map((manifest) => repository.resolve(manifest.digest, signal)));
  return found.every((resolved) => resolved !== undefined);
}

/** The snapshot with images read from other sources, but never from the destination itself. */
function withMoves(snapshot: Snapshot, moves: ReadonlyMap<SourceImage, SourceImage>): Snapshot {
  const destinations = snapshot.destinations.map((destination) => {
    const images = [...destination.images].map(([key, image]) => {
      const other = moves.get(image);
      const isUsable = other !== undefined && !sameNamespace(other.source, destination);
      return [key, isUsable ? other : image] as const;
    });
    return { ...destination, images: new Map(images) };
  });
  return { ...snapshot, destinations };
}

function tooMany({ registry, pulls, atLeast }: PullsNeeded, { limit, remaining }: PullBudget): string {
  const needed = `${atLeast ? "at least " : ""}${pulls} pulls`;
  return `The plan needs ${needed} at ${registry}, which grants ${limit} and has ${remaining} left.`;
}

function advice({ windowMs }: PullBudget): string {
  const hours = windowMs === undefined ? "" : ` within ${Math.ceil(windowMs / 3_600_000)} hours`;
  return (
    `Copying will stop at the limit; what is copied until then stays, and a later run goes on. The limit passes${hours}: ` +
    "log in to be granted more, or put another source first."
  );
}
