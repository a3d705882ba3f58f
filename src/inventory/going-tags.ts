import type { Finding } from "../destinations/destination.ts";
import { OperationError } from "../errors.ts";
import type { Log } from "../log/log.ts";
import type { Digest } from "../oci/digest.ts";
import { attachmentTags, repositoryOf } from "../oci/reference.ts";
import { unlessWithheld } from "../oci/withheld.ts";
import { deletingTagsAlone, makePlan, type PruneStep } from "../plan/plan.ts";
import { attachmentDepth, type DestinationSnapshot, imageKey, type Snapshot } from "../plan/snapshot.ts";
import { type DestinationToRead, repositoryAt } from "./destinations.ts";

/**
 * Adds what a plan that deletes needs to know: whether deletion is offered at all, and what tags point to. Where a deletion may
 * take other tags along, as that of a digest does, those are all tags of the repositories that lose one; elsewhere, the tags
 * that go and those of their signatures. The plan itself says which these are, and without any, nothing is asked.
 */
export async function withHeldDigests(
  snapshot: Snapshot,
  held: DestinationSnapshot,
  destination: DestinationToRead,
  log: Log,
  signal: AbortSignal,
): Promise<DestinationSnapshot> {
  if (held.deletion === "unavailable" || held.failure !== undefined) return held;
  // What a rule protects counts for no limit.
  const limited =
    destination.whyProtected === undefined ? snapshot : { ...snapshot, pruneLimit: "all" as const };
  const [first] = tagsToPrune(limited, held);
  if (first === undefined) return held;
  const finding = await deletionAt(destination, first.image, signal);
  if (finding?.outcome === "missing") {
    const reason = [finding.finding, finding.remedy].filter((text) => text !== undefined).join(" ");
    log.warning(`Nothing will be pruned at ${held.name}. ${reason}`);
    return { ...held, deletion: "unavailable", deletionUnavailable: reason };
  }
  const protectedTags = await protectedAmong(snapshot, held, destination, signal);
  const guarded = { ...held, protectedTags };
  const going = tagsToPrune(snapshot, guarded);
  const taking = going.filter(
    (step) => held.deletion === "shared-digest-unsafe" || step.untagged !== undefined,
  );
  const repositories = new Set(taking.map(({ image }) => image));
  const looked = [
    ...[...repositories].flatMap((image) => (held.tags.get(image) ?? []).map((tag) => ({ image, tag }))),
    ...going.filter(({ image }) => !repositories.has(image)),
  ];
  const heldDigests = new Map<string, Digest>();
  const listed = new Set([...held.tags].flatMap(([image, tags]) => tags.map((tag) => imageKey(image, tag))));
  let level: readonly Pick<PruneStep, "image" | "tag">[] = looked;
  for (let depth = 0; level.length > 0; depth += 1) {
    const found = await Promise.all(
      level.map(async ({ image, tag }) => {
        const resolved = await unlessWithheld(repositoryAt(destination, image).resolve(tag, signal));
        if (resolved === undefined || resolved === "withheld") return [];
        heldDigests.set(imageKey(image, tag), resolved.digest);
        return attachmentTags(resolved.digest).map((attached) => ({ image, tag: attached }));
      }),
    );
    // What is attached to a tag that goes may go with it.
    level = found
      .flat()
      .filter(({ image, tag }) => listed.has(imageKey(image, tag)) && !heldDigests.has(imageKey(image, tag)));
    if (depth >= attachmentDepth) break;
  }
  return { ...guarded, heldDigests };
}

/** The tags that a plan prunes at a destination, should the deletion of one never take others along. */
function tagsToPrune(snapshot: Snapshot, held: DestinationSnapshot): readonly PruneStep[] {
  const alone = { ...snapshot, destinations: [deletingTagsAlone(held)] };
  return makePlan(alone).steps.filter((step) => step.kind === "prune");
}

/**
 * Which of the tags that would go are protected by a rule of the registry. One tag of each version is asked about first: a
 * rule that protects it protects the others mostly, and the version stays anyway. What cannot be asked is found out when it is
 * deleted.
 */
async function protectedAmong(
  snapshot: Snapshot,
  held: DestinationSnapshot,
  destination: DestinationToRead,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const { whyProtected } = destination;
  const rules = new Map<string, string>();
  if (whyProtected === undefined) return rules;
  const asked = new Set<string>();
  const ask = async ({ image, tag }: PruneStep): Promise<void> => {
    const key = imageKey(image, tag);
    if (asked.has(key)) return;
    asked.add(key);
    try {
      const rule = await whyProtected(signal, repositoryOf(destination, image), tag);
      if (rule !== undefined) rules.set(key, rule);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof OperationError)) throw error;
    }
  };
  const going = tagsToPrune({ ...snapshot, pruneLimit: "all" }, held);
  const ofEach = [...Map.groupBy(going, ({ version }) => version).values()];
  await Promise.all(ofEach.flatMap((ofVersion) => ofVersion.slice(0, 1).map(ask)));
  await Promise.all(tagsToPrune(snapshot, { ...held, protectedTags: rules }).map(ask));
  return rules;
}

/** What the vendor says of deleting there; undefined where there is nothing to ask, or the question fails. */
async function deletionAt(
  destination: DestinationToRead,
  image: string,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  try {
    return await destination.tryDeletion?.(signal, repositoryOf(destination, image), true);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof OperationError) return undefined;
    throw error;
  }
}
