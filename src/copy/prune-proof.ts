import type { TagToDelete } from "../destinations/destination.ts";
import { OperationError } from "../errors.ts";
import { referrersTag } from "../inventory/attachments.ts";
import type { Digest } from "../oci/digest.ts";
import type { Repository } from "../oci/repository.ts";

/** What the look before a deletion asks of a repository. */
export type LookedAt = Pick<Repository, "tags" | "resolve" | "manifest">;

/**
 * Most manifests that are read in one repository to find out what they need. A thousand take about a minute at a far
 * registry; a repository with more is looked through by its owner, not by a run that deletes.
 */
const manifestLimit = 1_000;

/** Why each tag must stay; nothing for those that may go. */
type Reasons = ReadonlyMap<string, string>;

/**
 * Looks at a repository right before tags of it are deleted together with their manifests, and says which must stay after
 * all: what no longer is what the plan saw, and what anything that stays needs, be it a tag of the same digest, an index at
 * any depth, or a manifest that has it as its subject (P5). What cannot be proven stays, with the reason.
 */
export async function reasonsToStay(
  going: readonly TagToDelete[],
  repository: LookedAt,
  signal: AbortSignal,
): Promise<Reasons> {
  try {
    return await look(going, repository, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof OperationError)) throw error;
    const reason = `it could not be proven that nothing else needs it: ${error.message}`;
    return new Map(going.map(({ tag }) => [tag, reason]));
  }
}

async function look(
  going: readonly TagToDelete[],
  repository: LookedAt,
  signal: AbortSignal,
): Promise<Reasons> {
  const held = await heldDigests(repository, signal);
  const reasons = new Map(
    going.flatMap((tag) => {
      const reason = reasonOfItsOwn(tag, held);
      return reason === undefined ? [] : [[tag.tag, reason] as const];
    }),
  );
  const needs = neededBy(repository, signal);
  // A tag that stays after all needs things in its turn: until nothing more has to stay.
  for (;;) {
    const leaving = going.filter(({ tag }) => held.has(tag) && !reasons.has(tag));
    const staying = stayingTags(held, leaving);
    if (new Set(staying.values()).size > manifestLimit) {
      const reason = `the ${staying.size} other tags of its repository may need it, and at most ${manifestLimit} manifests are looked at`;
      return new Map(going.map(({ tag }) => [tag, reason]));
    }
    const needed = await needs(staying);
    const kept = leaving.flatMap(({ tag }) => {
      const because = needed.get(held.get(tag) as Digest);
      return because === undefined ? [] : [[tag, because] as const];
    });
    if (kept.length === 0) return reasons;
    for (const [tag, because] of kept) reasons.set(tag, `its manifest is needed by ${because}, which stays`);
  }
}

async function heldDigests(repository: LookedAt, signal: AbortSignal): Promise<ReadonlyMap<string, Digest>> {
  const tags = await repository.tags(signal);
  const resolved = await Promise.all(
    tags.map(async (tag) => [tag, (await repository.resolve(tag, signal))?.digest] as const),
  );
  return new Map(resolved.flatMap(([tag, digest]) => (digest === undefined ? [] : [[tag, digest] as const])));
}

function reasonOfItsOwn({ tag, digest }: TagToDelete, held: ReadonlyMap<string, Digest>): string | undefined {
  const present = held.get(tag);
  if (present === undefined || present === digest) return undefined;
  return digest === undefined
    ? "its digest was not looked up for the plan"
    : `the tag was moved to ${present} since the plan was made`;
}

/** The tags that stay; not those of signatures and the like of what goes, which mean nothing without it. */
function stayingTags(
  held: ReadonlyMap<string, Digest>,
  leaving: readonly TagToDelete[],
): ReadonlyMap<string, Digest> {
  const names = new Set(leaving.map(({ tag }) => tag));
  const subjects = leaving.flatMap(({ tag }) => {
    const digest = held.get(tag);
    return digest === undefined ? [] : [referrersTag(digest)];
  });
  const isOfSubject = (tag: string): boolean =>
    subjects.some((subject) => tag === subject || tag.startsWith(`${subject}.`));
  return new Map([...held].filter(([tag]) => !names.has(tag) && !isOfSubject(tag)));
}

/** Finds what tags need: for each digest, at any depth, the tag that leads to it. Each manifest is read once. */
function neededBy(repository: LookedAt, signal: AbortSignal) {
  const below = new Map<Digest, Promise<readonly Digest[]>>();
  const read = async (digest: Digest): Promise<readonly Digest[]> => {
    try {
      const { children, subject } = await repository.manifest(digest, signal);
      return [...children.map((child) => child.digest), ...(subject === undefined ? [] : [subject])];
    } catch (error) {
      // What is not there needs nothing more; an index may list what was never copied.
      if (error instanceof OperationError && error.status === 404) return [];
      throw error;
    }
  };
  return async (staying: ReadonlyMap<string, Digest>): Promise<ReadonlyMap<Digest, string>> => {
    const needed = new Map<Digest, string>();
    const follow = async (digest: Digest, tag: string): Promise<void> => {
      if (needed.has(digest)) return;
      needed.set(digest, tag);
      const reading = below.get(digest) ?? read(digest);
      below.set(digest, reading);
      await Promise.all((await reading).map((each) => follow(each, tag)));
    };
    await Promise.all([...staying].map(([tag, digest]) => follow(digest, tag)));
    return needed;
  };
}
