import type { Destination, TagToDelete } from "../destinations/destination.ts";
import { type Failure, failureOf, OperationError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { isIndexType } from "../oci/media-types.ts";
import { attachmentTags, isAttachmentTag } from "../oci/reference.ts";
import type { Repository, ResolvedManifest } from "../oci/repository.ts";

/** What pruning needs of a repository. */
export type RepositoryToPrune = Pick<Repository, "tags" | "resolve" | "manifest">;

/**
 * Most manifests that are read in one repository to find out what they need. A thousand take about a minute at a far
 * registry; a repository with more is looked through by its owner, not by a run that deletes.
 */
const manifestLimit = 1_000;

/** A repository needs more manifests to be read than the limit. */
class TooManyManifests extends Error {
  override readonly name = "TooManyManifests";
}

/** What a look says of a tag that is to go. */
export type Verdict =
  | { readonly kind: "stays"; readonly failure: Failure }
  /** It is not there. Nothing is sent for it: what another sets there meanwhile was never looked at. */
  | { readonly kind: "gone" }
  /** Another tag that goes needs its manifest, and has to be gone first: its deletion may fail. */
  | { readonly kind: "later" };

/**
 * Looks at a repository right before tags are deleted, and says which tags must not be deleted now, and why. A tag stays if it no
 * longer holds what the plan saw. Where its manifest may go with it, it stays if anything that stays needs that manifest: a tag
 * of the same digest, an index at any depth, or a manifest that has it as its subject (P5). What cannot be proven stays, with
 * the reason.
 * @returns nothing for a tag that may be deleted.
 */
export async function verdictsOn(
  going: readonly TagToDelete[],
  repository: RepositoryToPrune,
  deletion: Destination["deletion"],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Verdict>> {
  return deletion === "by-tag"
    ? verdictsOr("it is not known whether the tag was moved since the plan was made", going, signal, () =>
        lookAtTags(going, repository, signal),
      )
    : verdictsOr(notProven, going, signal, () =>
        look(going, repository, deletion === "last-tag-takes-manifest", signal),
      );
}

/**
 * Looks at a repository right before manifests without a tag are deleted, by the same rules: one stays if a tag leads to it
 * after all, or if anything that stays needs it.
 * @param going digests, each in the place of a tag.
 * @param staying manifests without a tag that were to go and stay, which no tag shows.
 */
export async function verdictsOnUntagged(
  going: readonly TagToDelete[],
  staying: readonly Digest[],
  repository: RepositoryToPrune,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Verdict>> {
  return verdictsOr(notProven, going, signal, () => look(going, repository, false, signal, staying));
}

const notProven = "it could not be proven that nothing else needs it";

/** What a look says; where it fails, all stay for that. */
async function verdictsOr(
  unproven: string,
  going: readonly TagToDelete[],
  signal: AbortSignal,
  looking: () => Promise<ReadonlyMap<string, Verdict>>,
): Promise<ReadonlyMap<string, Verdict>> {
  try {
    return await looking();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof OperationError || error instanceof TooManyManifests)) throw error;
    const failure = failureOf(error, unproven);
    return new Map(going.map(({ tag }) => [tag, { kind: "stays", failure }]));
  }
}

/** The verdicts on tags that have a reason to stay, that are not there, and that have to wait for others. */
function verdicts(
  reasons: ReadonlyMap<string, string>,
  gone: readonly string[],
  later: readonly string[] = [],
): ReadonlyMap<string, Verdict> {
  return new Map<string, Verdict>([
    ...[...reasons].map(([tag, problem]) => {
      const failure: Failure = { kind: "obstacle", problem };
      return [tag, { kind: "stays", failure }] as const;
    }),
    ...gone.map((tag) => [tag, { kind: "gone" }] as const),
    ...later.map((tag) => [tag, { kind: "later" }] as const),
  ]);
}

/**
 * Where deleting a tag leaves everything else as it is. What is attached to a manifest stays with it, though: every tag is
 * looked at then. No manifest is read, so an index that stays may have the manifest below it.
 */
async function lookAtTags(
  going: readonly TagToDelete[],
  repository: RepositoryToPrune,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Verdict>> {
  const attached = going.filter(({ tag }) => isAttachmentTag(tag));
  const all = attached.length === 0 ? [] : await repository.tags(signal);
  const isTooMany = all.length > manifestLimit;
  const looked = isTooMany ? namesOf(going) : new Set([...namesOf(going), ...all]);
  const found = await resolved([...looked], repository, signal);
  const held = digestsOf(found);
  const reasons = reasonsOfTheirOwn(going, held);
  const names = new Set(namesOf(going));
  const gone = [...names].filter((tag) => !held.has(tag));
  if (isTooMany) {
    const many = `${all.length} tags of its repository would have to be looked at, and ${manifestLimit} are the most`;
    for (const { tag } of attached) reasons.set(tag, many);
    return verdicts(reasons, gone);
  }
  const staying = new Map([...found].filter(([tag]) => !names.has(tag) || reasons.has(tag)));
  const needed = attachmentsOf([...digestsOf(staying)].map(([tag, digest]) => [digest, tag]));
  const index = [...staying].find(([tag, { mediaType }]) => isIndexType(mediaType) && !isAttachmentTag(tag));
  for (const { tag } of attached.filter((one) => !reasons.has(one.tag))) {
    const subject = needed.get(tag);
    if (subject !== undefined) reasons.set(tag, attachedTo(subject));
    else if (index !== undefined)
      reasons.set(tag, `what it is attached to may be needed by ${index[0]}, an index, which stays`);
  }
  return verdicts(reasons, gone);
}

/** The tags of what is attached to digests, each with the name of what stays. */
function attachmentsOf(staying: Iterable<readonly [Digest, string]>): ReadonlyMap<string, string> {
  return new Map(
    [...staying].flatMap(([digest, name]) => attachmentTags(digest).map((tag) => [tag, name] as const)),
  );
}

function attachedTo(name: string): string {
  return `it is attached to what ${name} needs, which stays`;
}

/**
 * @param withLastTag whether a manifest goes with its last tag only, so that any other tag keeps it.
 * @param stayingUntagged manifests without a tag that stay for sure.
 */
async function look(
  going: readonly TagToDelete[],
  repository: RepositoryToPrune,
  withLastTag: boolean,
  signal: AbortSignal,
  stayingUntagged: readonly Digest[] = [],
): Promise<ReadonlyMap<string, Verdict>> {
  const names = new Set(namesOf(going));
  // What has no tag stands beside the tags under its digest, which no tag is called, and is not asked for as one.
  const untagged = new Map(
    going.flatMap(({ tag, digest }) => (tag === digest ? [[tag, digest] as const] : [])),
  );
  // A list may lag behind: one that goes counts as gone only where it is not found by itself either.
  const all = new Set([
    ...(await repository.tags(signal)),
    ...[...names].filter((tag) => !untagged.has(tag)),
  ]);
  const held = new Map([
    ...digestsOf(await resolved([...all], repository, signal)),
    ...stayingUntagged.map((digest) => [digest, digest] as const),
    ...untagged,
  ]);
  const gone = [...names].filter((tag) => !held.has(tag));
  const reasons = reasonsOfTheirOwn(going, held);
  const read = readEachOnce(repository, signal);
  // A tag that stays after all has needs of its own, so this is repeated until no further tag has to stay.
  for (;;) {
    const leaving = new Map([...held].filter(([tag]) => names.has(tag) && !reasons.has(tag)));
    const others = stayingTags(held, leaving);
    const needed = await neededBy(others, read);
    // A signature tag of what goes needs nothing, but keeps what it holds: it would go along with that unseen.
    const holders = new Map([...held].flatMap(([tag, digest]) => (leaving.has(tag) ? [] : [[digest, tag]])));
    const attached = attachmentsOf(needed);
    const staying = await Promise.all(
      [...leaving].map(async ([tag, digest]) => {
        const about = attached.get(tag);
        if (about !== undefined) return [[tag, attachedTo(about)] as const];
        const holder = holders.get(digest);
        if (withLastTag && holder !== undefined) return [];
        const because = needed.get(digest) ?? holder;
        const { subject } = await (untagged.has(tag) ? readable(read(digest)) : read(digest));
        const reason = reasonOfOthers(because, subject, needed);
        return reason === undefined ? [] : [[tag, reason] as const];
      }),
    );
    if (staying.flat().length === 0) {
      const below = await neededBelow(new Set(leaving.values()), read);
      const later = [...leaving].flatMap(([tag, digest]) => (below.has(digest) ? [tag] : []));
      return verdicts(reasons, gone, later);
    }
    for (const [tag, reason] of staying.flat()) reasons.set(tag, reason);
  }
}

function namesOf(tags: readonly TagToDelete[]): readonly string[] {
  return tags.map(({ tag }) => tag);
}

async function resolved(
  tags: readonly string[],
  repository: RepositoryToPrune,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ResolvedManifest>> {
  const found = await Promise.all(
    tags.map(async (tag) => [tag, await repository.resolve(tag, signal)] as const),
  );
  return new Map(
    found.flatMap(([tag, manifest]) => (manifest === undefined ? [] : [[tag, manifest] as const])),
  );
}

function digestsOf(held: ReadonlyMap<string, ResolvedManifest>): ReadonlyMap<string, Digest> {
  return new Map([...held].map(([tag, { digest }]) => [tag, digest]));
}

function reasonsOfTheirOwn(
  going: readonly TagToDelete[],
  held: ReadonlyMap<string, Digest>,
): Map<string, string> {
  return new Map(
    going.flatMap((tag) => {
      const reason = reasonOfItsOwn(tag, held);
      return reason === undefined ? [] : [[tag.tag, reason] as const];
    }),
  );
}

function reasonOfItsOwn({ tag, digest }: TagToDelete, held: ReadonlyMap<string, Digest>): string | undefined {
  const present = held.get(tag);
  if (present === undefined || present === digest) return undefined;
  return digest === undefined
    ? "its digest was not looked up for the plan"
    : `the tag was moved to ${present} since the plan was made`;
}

/**
 * Why a manifest must stay for others: something that stays needs it, or it is about something that stays.
 * @param because a tag that stays and needs it.
 */
function reasonOfOthers(
  because: string | undefined,
  subject: Digest | undefined,
  needed: ReadonlyMap<Digest, string>,
): string | undefined {
  if (because !== undefined) return `its manifest is needed by ${because}, which stays`;
  const about = subject === undefined ? undefined : needed.get(subject);
  return about === undefined ? undefined : `its manifest is about that of ${about}, which stays`;
}

/** The tags that stay, without the attachment tags of manifests that go: those mean nothing without their subject. */
function stayingTags(
  held: ReadonlyMap<string, Digest>,
  leaving: ReadonlyMap<string, Digest>,
): ReadonlyMap<string, Digest> {
  const ofSubjects = new Set([...leaving.values()].flatMap(attachmentTags));
  return new Map([...held].filter(([tag]) => !leaving.has(tag) && !ofSubjects.has(tag)));
}

/** What a manifest needs, and what it is about. */
type Relations = Pick<Manifest, "children" | "subject">;

/** Reads each manifest once, and no more than the limit. */
function readEachOnce(
  repository: RepositoryToPrune,
  signal: AbortSignal,
): (digest: Digest) => Promise<Relations> {
  const known = new Map<Digest, Promise<Relations>>();
  return (digest) => {
    const started = known.get(digest);
    if (started !== undefined) return started;
    // Before it is asked for: nobody waits for the answer then.
    if (known.size >= manifestLimit)
      throw new TooManyManifests(
        `more than ${manifestLimit} manifests of its repository would have to be read`,
      );
    const reading = repository.manifest(digest, signal);
    known.set(digest, reading);
    return reading;
  };
}

/** An index may list manifests that were never copied; those need nothing. */
async function readable(reading: Promise<Relations>): Promise<Relations> {
  return reading.catch((error: unknown) => {
    if (error instanceof OperationError && error.status === 404) return nothing;
    throw error;
  });
}

/** What tags need: for each digest, at any depth, a tag that leads to it. */
async function neededBy(
  staying: ReadonlyMap<string, Digest>,
  read: (digest: Digest) => Promise<Relations>,
): Promise<ReadonlyMap<Digest, string>> {
  const needed = new Map<Digest, string>();
  const follow = async (digest: Digest, tag: string, isChild: boolean): Promise<void> => {
    if (needed.has(digest)) return;
    needed.set(digest, tag);
    // A tag's own manifest must be readable; what has no tag may be gone by now.
    const { children, subject } = await (isChild ? readable(read(digest)) : read(digest));
    const below = [...children.map((child) => child.digest), ...(subject === undefined ? [] : [subject])];
    await Promise.all(below.map((each) => follow(each, tag, true)));
  };
  await Promise.all([...staying].map(([tag, digest]) => follow(digest, tag, tag === digest)));
  return needed;
}

/**
 * What manifests need that go together, but for themselves. Of untagged manifests below, only indexes can need any of them:
 * the others are not read.
 */
async function neededBelow(
  leaving: ReadonlySet<Digest>,
  read: (digest: Digest) => Promise<Relations>,
): Promise<ReadonlySet<Digest>> {
  const below = new Set<Digest>();
  const follow = async (digest: Digest): Promise<void> => {
    const { children, subject } = await readable(read(digest));
    if (subject !== undefined) below.add(subject);
    const inner = children.filter((child) => isIndexType(child.mediaType) && !below.has(child.digest));
    for (const child of children) below.add(child.digest);
    await Promise.all(inner.map((child) => follow(child.digest)));
  };
  if (leaving.size > 1) await Promise.all([...leaving].map(follow));
  return below;
}

const nothing: Relations = { children: [], subject: undefined };
