/**
 * Random repositories with tagged children, nested indexes, referrers and signature tags, and what may be deleted there by
 * docs/decisions.md alone: every choice of tags is tried, so nothing here is like the search of the product.
 */
import * as fc from "fast-check";
import { expect } from "vitest";
import { prune } from "../../src/copy/prune.ts";
import { verdictsOn } from "../../src/copy/prune-proof.ts";
import { type Destination, failedDeletion } from "../../src/destinations/destination.ts";
import { OperationError } from "../../src/errors.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { ociIndex, ociManifest } from "../../src/oci/media-types.ts";
import type { Repository } from "../../src/oci/repository.ts";

/** A repository as plain data. Manifests are numbers; one lists or is about smaller ones only. */
interface World {
  readonly deletion: "by-tag" | "last-tag-takes-manifest" | "shared-digest-unsafe";
  readonly manifests: readonly {
    readonly children: readonly number[];
    readonly subject: number | undefined;
    /** It was never copied here, or is lost. */
    readonly absent: boolean;
  }[];
  /** What each tag holds. Those of signatures are written `2.sig`, or `2` for the index of referrers. */
  readonly tags: Readonly<Record<string, number>>;
  /** The tags to be deleted, with what the plan saw. */
  readonly going: Readonly<Record<string, number>>;
  /** Tags whose deletion fails. */
  readonly refusing: readonly string[];
}

const size = 7;
const versions = ["v0", "v1", "v2", "v3", "v4"];
const attached = Array.from({ length: size }, (_, number) => [`${number}`, `${number}.sig`]).flat();
const numbers = (below: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: below - 1 });

const worlds: fc.Arbitrary<World> = fc
  .record({
    deletion: fc.constantFrom(
      "by-tag",
      "last-tag-takes-manifest",
      "shared-digest-unsafe",
      "shared-digest-unsafe",
    ),
    manifests: fc.tuple(
      ...Array.from({ length: size }, (_, number) =>
        fc.record({
          children:
            number === 0
              ? fc.constant([])
              : fc.oneof(fc.constant([]), fc.uniqueArray(numbers(number), { maxLength: 2 })),
          subject:
            number === 0 ? fc.constant(undefined) : fc.option(numbers(number), { nil: undefined, freq: 1 }),
          absent: numbers(12).map((dice) => dice === 0),
        }),
      ),
    ),
    tags: fc.dictionary(fc.constantFrom(...versions, ...versions, "lts", "dev", ...attached), numbers(size), {
      maxKeys: 8,
    }),
    chosen: fc.subarray([...versions, ...attached], { maxLength: 9 }),
    moved: fc.dictionary(fc.constantFrom(...versions, ...attached), numbers(size), { maxKeys: 1 }),
    refusing: fc.oneof(fc.constant([]), fc.subarray([...versions, ...attached], { maxLength: 3 })),
  })
  .map(({ chosen, moved, ...world }) => {
    const tags = Object.fromEntries(
      Object.entries(world.tags).filter(([, number]) => world.manifests[number]?.absent === false),
    );
    // Now and then one that is not there any more, as it never was here.
    const going = Object.fromEntries(chosen.map((tag) => [tag, moved[tag] ?? tags[tag] ?? 0]));
    return { ...world, deletion: world.deletion as World["deletion"], tags, going };
  });

const digests = Array.from({ length: size }, (_, number) => digestOf(`manifest ${number}`));
const numberOf = new Map(digests.map((digest, number) => [digest, number]));

/** The name of a tag at the registry. */
function nameOf(tag: string): string {
  const [number = "", suffix] = tag.split(".");
  const digest = digests[Number(number)];
  return digest === undefined
    ? tag
    : `${digest.replace(":", "-")}${suffix === undefined ? "" : `.${suffix}`}`;
}

/** What a tag is attached to. */
function subjectOf(tag: string): number | undefined {
  const number = Number(tag.split(".")[0]);
  return Number.isNaN(number) ? undefined : number;
}

/** The registry in memory, and what was done there. */
interface Place {
  readonly tags: Map<string, number>;
  readonly manifests: Set<number>;
  readonly deletions: string[];
  readonly repository: Repository;
  readonly deleteTags: Destination["deleteTags"];
}

function placeOf(world: World): Place {
  const tags = new Map(Object.entries(world.tags));
  const byName = new Map([...tags.keys(), ...Object.keys(world.going)].map((tag) => [nameOf(tag), tag]));
  const manifests = new Set(
    [...digests.keys()].filter((number) => world.manifests[number]?.absent === false),
  );
  const deletions: string[] = [];
  const typeOf = (number: number): string =>
    (world.manifests[number]?.children.length ?? 0) > 0 ? ociIndex : ociManifest;
  const digestAt = (number: number): Digest => digests[number] ?? digestOf("none");
  const repository = {
    tags: () => Promise.resolve([...tags.keys()].map(nameOf)),
    resolve: (name: string) => {
      const number = tags.get(byName.get(name) ?? "");
      const found =
        number === undefined ? undefined : { digest: digestAt(number), mediaType: typeOf(number), size: 1 };
      return Promise.resolve(found);
    },
    manifest: (digest: string) => {
      const number = numberOf.get(digest as Digest) ?? -1;
      if (!manifests.has(number)) return Promise.reject(notFound);
      const { children = [], subject } = world.manifests[number] ?? {};
      return Promise.resolve({
        children: children.map((child) => ({ digest: digestAt(child), mediaType: typeOf(child), size: 1 })),
        subject: subject === undefined ? undefined : digestAt(subject),
        blobs: [],
      } as never as Manifest);
    },
    hasBlob: () => Promise.resolve(true),
  } as never as Repository;
  return {
    tags,
    manifests,
    deletions,
    repository,
    deleteTags: (_repository, going) =>
      Promise.resolve(
        going.map(({ tag: name }) => {
          const tag = byName.get(name) ?? name;
          deletions.push(tag);
          const number = tags.get(tag);
          if (number === undefined) return { tag: name, failure: undefined };
          const byDigest = world.deletion === "shared-digest-unsafe";
          if (world.refusing.some((each) => each === tag || (byDigest && world.tags[each] === number)))
            return failedDeletion(name, new Error("it failed"));
          tags.delete(tag);
          const alike = [...tags].filter(([, held]) => held === number).map(([other]) => other);
          if (byDigest) for (const other of alike) tags.delete(other);
          if (byDigest || (world.deletion !== "by-tag" && alike.length === 0)) manifests.delete(number);
          return { tag: name, failure: undefined };
        }),
      ),
  };
}

const notFound = new OperationError({
  kind: "operation",
  side: "destination",
  host: "registry.example.com",
  repository: "mirror/app",
  operation: "reading the manifest",
  status: 404,
} as never);

/** All that some tags need: what they hold, its children and subjects at any depth. */
function needs(
  world: World,
  tags: Iterable<readonly [string, number]>,
  there: ReadonlySet<number>,
): ReadonlySet<number> {
  const needed = new Set<number>();
  const follow = (number: number): void => {
    if (needed.has(number)) return;
    needed.add(number);
    const { children = [], subject } = there.has(number) ? (world.manifests[number] ?? {}) : {};
    for (const below of [...children, ...(subject === undefined ? [] : [subject])]) follow(below);
  };
  for (const [, number] of tags) follow(number);
  return needed;
}

/** The tags that hold what the plan saw. */
function unmoved({ tags, going }: World): readonly string[] {
  return Object.keys(going).filter((tag) => tags[tag] === going[tag]);
}

/** Whether some tags may all go. */
function isSafe(world: World, chosen: readonly string[]): boolean {
  const { deletion } = world;
  const there = new Set([...digests.keys()].filter((number) => world.manifests[number]?.absent === false));
  const others = Object.entries(world.tags).filter(([tag]) => !chosen.includes(tag));
  const held = new Set(chosen.map((tag) => world.tags[tag]));
  // A signature means nothing without what it is about.
  const staying = others.filter(([tag]) => deletion === "by-tag" || !held.has(subjectOf(tag)));
  const holds = new Set(others.map(([, number]) => number));
  const needed = needs(world, staying, there);
  // No manifest is read there, so any index may be one of it.
  const hidesMore = staying.some(
    ([tag, number]) => subjectOf(tag) === undefined && (world.manifests[number]?.children.length ?? 0) > 0,
  );
  return chosen.every((tag) => {
    const number = world.tags[tag] ?? 0;
    const about = subjectOf(tag);
    if (deletion === "by-tag") return about === undefined || !(hidesMore || holds.has(about));
    if (about !== undefined && needed.has(about)) return false;
    // By digest, another tag of it would go along.
    if (holds.has(number)) return deletion === "last-tag-takes-manifest";
    const subject = world.manifests[number]?.subject;
    return !needed.has(number) && !(subject !== undefined && needed.has(subject));
  });
}

/** All that may go of some tags that are looked at together. */
function mayGo(world: World): ReadonlySet<string> {
  const candidates = unmoved(world);
  // Two choices that are safe are safe together: fewer tags stay then.
  const safe = new Set<string>();
  for (let bits = 0; bits < 2 ** candidates.length; bits += 1) {
    const chosen = candidates.filter((_tag, index) => (bits >> index) % 2 === 1);
    if (chosen.some((tag) => !safe.has(tag)) && isSafe(world, chosen))
      for (const tag of chosen) safe.add(tag);
  }
  return safe;
}

/** A world whose tags that go are looked at together: what is attached to something that goes is looked at after that. */
function onePortion(world: World): World {
  const seen = new Set<number | undefined>(Object.values(world.going));
  const going = Object.entries(world.going).filter(([tag]) => !seen.has(subjectOf(tag)));
  return { ...world, going: Object.fromEntries(going) };
}

const signal = new AbortController().signal;

/** Holds the look right before a deletion, and all of a pruning, to docs/decisions.md. `ORACLE_SEED` repeats a failure. */
export async function holdPruningToOracle(numRuns: number): Promise<void> {
  const seed = process.env.ORACLE_SEED;
  const options = { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) };
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      await holdLook(onePortion(world));
      await holdPruning(world);
    }),
    options,
  );
}

async function holdLook(world: World): Promise<void> {
  const { repository } = placeOf(world);
  const going = Object.entries(world.going);
  const asked = going.map(([tag, number]) => ({ tag: nameOf(tag), digest: digests[number] }));
  const verdicts = await verdictsOn(asked, repository, world.deletion, signal);
  const kindOf = (tag: string): string => verdicts.get(nameOf(tag))?.kind ?? "goes";
  const chosen = Object.keys(world.going).filter((tag) => ["goes", "later"].includes(kindOf(tag)));
  const gone = Object.keys(world.going).filter((tag) => kindOf(tag) === "gone");
  expect(gone).toEqual(Object.keys(world.going).filter((tag) => world.tags[tag] === undefined));
  expect(chosen.filter((tag) => !unmoved(world).includes(tag))).toEqual([]);
  expect(isSafe(world, chosen)).toBe(true);
  // Which of two tags of one manifest keeps it for the other, nothing says; so at least that goes that may go by digest.
  const certain = world.deletion === "last-tag-takes-manifest" ? "shared-digest-unsafe" : world.deletion;
  const may = mayGo({ ...world, deletion: certain });
  if (certain === world.deletion) expect(chosen.toSorted()).toEqual([...may].toSorted());
  else expect([...may].filter((tag) => !chosen.includes(tag))).toEqual([]);
}

/** Whatever fails, and in whatever order: what is there afterwards lacks nothing that it had. */
async function holdPruning(world: World): Promise<void> {
  const place = placeOf(world);
  const before = { tags: new Map(place.tags), manifests: new Set(place.manifests) };
  const steps = Object.entries(world.going).map(([tag, number]) => ({
    kind: "prune" as const,
    destination: "registry.example.com/mirror",
    version: tag,
    image: "app",
    tag: nameOf(tag),
    digest: digests[number],
    reason: "not among the newest",
  }));
  const destination = {
    registry: "registry.example.com",
    path: "mirror",
    deletion: world.deletion,
    deleteTags: place.deleteTags,
    deleteUntagged: "nothing is untagged here",
    repository: () => place.repository,
  };
  const { prunes } = await prune(
    steps,
    [],
    destination,
    { failures: 0, copies: [] },
    { now: () => 0, timeout: () => signal },
    signal,
  );
  const status = new Map(prunes.map((outcome) => [outcome.step.version, outcome.status]));
  expect([...status.keys()].toSorted()).toEqual(Object.keys(world.going).toSorted());
  for (const [tag, number] of before.tags) {
    const isPruned = status.get(tag) === "pruned";
    expect([tag, place.tags.get(tag)]).toEqual([tag, isPruned ? undefined : number]);
  }
  expect(place.deletions.filter((tag) => !before.tags.has(tag))).toEqual([]);
  // Signature tags mean nothing without their subjects: what they need is not asked for where those are to go.
  const subjects = new Set(Object.values(world.going));
  const gone = new Set([...before.manifests].filter((number) => !place.manifests.has(number)));
  const staying = [...place.tags].filter(([tag]) => !subjects.has(subjectOf(tag) ?? -1));
  const needed = needs(world, staying, before.manifests);
  expect([...gone].filter((number) => needed.has(number))).toEqual([]);
}
