import * as fc from "fast-check";
import semver from "semver";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { dockerManifest } from "../../src/oci/media-types.ts";
import type { Component } from "../../src/plan/component.ts";
import {
  type DestinationSnapshot,
  imageKey,
  type Overwrite,
  type Snapshot,
} from "../../src/plan/snapshot.ts";
import { type Release, versionOf } from "../../src/plan/version.ts";
import { obstacle } from "../support/failures.ts";

/** A situation as plain data, which the plan and the oracle are both given. Images are written `image:tag`. */
export interface World {
  readonly releases: readonly Release[];
  readonly prereleases: boolean;
  readonly lines: readonly Line[];
  readonly wanted: readonly string[];
  /** Of tags at sources: those wanted ones that have no place in the order. Absent: none. */
  readonly uncounted?: readonly string[];
  /** Of tags at sources: versions that the filter leaves out. Absent: none. */
  readonly outside?: readonly string[];
  /** Images that no source has. */
  readonly missing: readonly string[];
  /** What images hold at the source, where it is not something of their own. */
  readonly sourceWords: Readonly<Record<string, string>>;
  readonly overwrite: Overwrite;
  readonly pruneLimit: number | "all";
  readonly destinations: readonly WorldDestination[];
}

/** A line of `images`, and the releases whose version has no such image. */
export interface Line {
  readonly from: string;
  readonly to: string;
  readonly lacking: readonly string[];
}

export interface WorldDestination {
  readonly keep: number | "all";
  readonly keepBy: "semver" | "published" | "minor";
  readonly deletion: DestinationSnapshot["deletion"];
  /** It cannot be asked. */
  readonly dead: boolean;
  /** What each tag holds: equal words are equal digests. */
  readonly held: Readonly<Record<string, string>>;
  readonly withheld: readonly string[];
  readonly unsigned: readonly string[];
  readonly broken: readonly string[];
  readonly onlyHere: readonly string[];
  /** Tags that a rule of the registry protects. */
  readonly ruled: readonly string[];
}

/** An image of a version, by the words of `images`. */
export interface WorldImage {
  readonly source: string;
  readonly key: string;
  /** The source's tag has no placeholder. */
  readonly fixed: boolean;
}

const tagPool = [
  "v1.10.1",
  "v2.8.6",
  "v2.13.5",
  "v2.14.3",
  "v2.14.4",
  "v2.15.0-rc1",
  "v2.15.0-rc10",
  "v2.15.0-rc9",
  "v2.15.0",
  "2.15.1",
  "v2.15.1",
  "v2.15.10",
  "v3.0.0-beta.2",
  "v2.1.0-tech-preview",
  "baseline",
  "v2.3.0.-rc1",
  "v2.14",
  "chart-2.15.0",
  "dev",
];

const linePool = [
  ["app:{{tag}}", "app:{{tag}}"],
  ["core:{{tag}}", "core:{{tag}}"],
  ["app:{{tag}}", "app:{{major}}"],
  ["app:{{tag}}", "app:{{major}}.{{minor}}"],
  ["core:{{tag}}", "core:latest"],
  ["db:{{version}}", "db:v{{version}}"],
  ["tool:7.1", "tool:7.1"],
  ["tool:7.1", "tool:{{major}}.{{minor}}"],
  ["tool:7.1", "core:tool-{{tag}}"],
] as const;

const strays = [
  "dev",
  "latest",
  "v2.15.0-dev",
  "v2.14.4-amd64",
  "v2.15.0-rc1",
  "7.1",
  "2",
  "3",
  "2.15",
  "sha256-0123.sig",
  "sha256-0123",
  ...tagPool,
];

export const words = ["one", "two", "three"];

/** Fills a template by the placeholders of the input `images`. */
function filled(template: string, tag: string): string {
  const version = tag.replace(/^v/, "");
  const [major = "", minor = "", patch = ""] = version.split(/[.+-]/);
  const values: Readonly<Record<string, string>> = { tag, version, major, minor, patch };
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? "");
}

/** What was worked out of some lines, as each is asked for often: 100,000 worlds take half the time. */
const known = new WeakMap<readonly Line[], Map<string, readonly WorldImage[]>>();

/** The images of a version, each destination tag once. */
export function imagesOf({ lines }: Pick<World, "lines">, tag: string): readonly WorldImage[] {
  const ofLines = known.get(lines) ?? new Map<string, readonly WorldImage[]>();
  const images = ofLines.get(tag) ?? filledLines(lines, tag);
  known.set(lines, ofLines.set(tag, images));
  return images;
}

function filledLines(lines: readonly Line[], tag: string): readonly WorldImage[] {
  const images = new Map<string, WorldImage>();
  for (const { from, to, lacking } of lines) {
    const key = filled(to, tag);
    if (lacking.includes(tag) || images.has(key)) continue;
    images.set(key, { source: filled(from, tag), key, fixed: !from.includes("{{") });
  }
  return [...images.values()];
}

/** What the source holds: two lines that read one image get the same. */
export function sourceWord({ sourceWords }: Pick<World, "sourceWords">, { source }: WorldImage): string {
  return sourceWords[source] ?? source;
}

/** Every tag that the images of some version have at a destination. */
export function possibleKeys(lines: readonly Line[], tags: readonly string[]): readonly string[] {
  return [...new Set(tags.flatMap((tag) => imagesOf({ lines }, tag).map(({ key }) => key)))];
}

const releases = fc.subarray(tagPool, { minLength: 2, maxLength: 9 }).chain((tags) =>
  fc.tuple(
    ...tags.map((tag) =>
      fc.record({
        tag: fc.constant(tag),
        prerelease: fc.integer({ min: 0, max: 11 }).map((dice) => dice === 0),
        publishedAt: fc.integer({ min: 0, max: 6 }),
      }),
    ),
  ),
);

const lines = (tags: readonly string[]): fc.Arbitrary<readonly Line[]> =>
  fc
    .subarray([...linePool], { minLength: 1, maxLength: 5 })
    .chain((chosen) =>
      fc.tuple(
        ...chosen.map(([from, to], index) =>
          few(index === 0 ? [] : tags).map((lacking) => ({ from, to, lacking })),
        ),
      ),
    );

export const rarely = (): fc.Arbitrary<boolean> => fc.integer({ min: 0, max: 19 }).map((dice) => dice === 0);

const atMost = (limit: number, from: readonly string[]): fc.Arbitrary<readonly string[]> =>
  fc.subarray([...from], { maxLength: Math.min(limit, from.length) });

/** A few of what is there, often none. */
export const few = (from: readonly string[]): fc.Arbitrary<readonly string[]> =>
  fc.integer({ min: 0, max: 3 }).chain((dice) => (dice === 0 ? atMost(2, from) : fc.constant([])));

/** What destinations are made for. */
export interface Fixed {
  readonly world: Pick<World, "lines" | "sourceWords" | "missing">;
  readonly tags: readonly string[];
  readonly wantedKeys: readonly string[];
}

/** A random destination. */
export function destination({ world, tags, wantedKeys }: Fixed): fc.Arbitrary<WorldDestination> {
  const keys = possibleKeys(world.lines, tags);
  const repositories = [...new Set(keys.map((key) => key.replace(/:.*/, "")))];
  const strayKeys = repositories.flatMap((image) => strays.map((tag) => imageKey(image, tag)));
  return fc
    .record({
      keep: fc.constantFrom(1, 1, 2, 2, 3, 4, "all" as const),
      keepBy: fc.constantFrom("semver" as const, "published" as const, "minor" as const),
      deletion: fc.constantFrom(
        "by-tag" as const,
        "last-tag-takes-manifest" as const,
        "shared-digest-unsafe" as const,
        "shared-digest-unsafe" as const,
        "unavailable" as const,
      ),
      dead: rarely(),
      holds: fc.subarray([...tags]),
      lacks: few(keys),
      others: fc.array(
        fc.tuple(fc.constantFrom("stray:dev", ...keys, ...strayKeys), fc.constantFrom(...words)),
        {
          maxLength: 5,
        },
      ),
      withheld: few(wantedKeys).chain((some) => rarely().map((is) => (is ? some : []))),
      unsigned: few(wantedKeys),
      broken: few(wantedKeys),
      onlyHere: few(wantedKeys),
      ruled: few(keys).chain((some) => rarely().map((is) => (is ? some : []))),
    })
    .map(({ holds, lacks, others, ...rest }) => {
      const whole = holds.flatMap((tag) =>
        imagesOf(world, tag)
          .filter(({ key }) => !lacks.includes(key))
          .map((image) => [image.key, sourceWord(world, image)] as const),
      );
      const held = Object.fromEntries([...whole, ...others]);
      const isHeld = (key: string): boolean => held[key] !== undefined;
      // What no source has is not read here either, and what only this destination has is there.
      const onlyHere = rest.onlyHere.filter((key) => isHeld(key) && !world.missing.includes(key));
      return { ...rest, held, onlyHere, withheld: rest.withheld.filter(isHeld) };
    });
}

/** Random worlds. */
export const worlds: fc.Arbitrary<World> = releases.chain((made) => {
  const tags = made.map(({ tag }) => tag);
  return fc.boolean().chain((prereleases) => {
    const universe = universeOf({ releases: made, prereleases });
    return fc.record({ lines: lines(tags), wanted: atMost(3, universe) }).chain((chosen) => {
      const wantedKeys = possibleKeys(chosen.lines, chosen.wanted);
      const sources = universe.flatMap((tag) => imagesOf(chosen, tag).map(({ source }) => source));
      return fc
        .record({
          missing: few(wantedKeys).chain((some) => fc.constantFrom<readonly string[]>([], [], some)),
          sourceWords: fc.dictionary(fc.constantFrom(...sources, "app:v2.15.0"), fc.constantFrom(...words), {
            maxKeys: 4,
          }),
        })
        .chain(({ missing, sourceWords }) => {
          const world = { lines: chosen.lines, missing, sourceWords };
          return fc.record({
            releases: fc.constant(made),
            prereleases: fc.constant(prereleases),
            lines: fc.constant(chosen.lines),
            wanted: fc.constant(chosen.wanted),
            missing: fc.constant(missing),
            sourceWords: fc.constant(sourceWords),
            overwrite: fc.constantFrom<Overwrite>(true, true, true, false, "skip"),
            pruneLimit: fc.constantFrom("all" as const, "all" as const, 1, 2),
            destinations: fc.array(destination({ world, tags: universe, wantedKeys }), {
              minLength: 1,
              maxLength: 2,
            }),
          });
        });
    });
  });
});

/** The tags that count as versions, by docs/decisions.md: no drafts, no odd tags, prereleases only by choice. */
export function universeOf(world: Pick<World, "releases" | "prereleases">): readonly string[] {
  const counting = universes.get(world) ?? countingOf(world);
  universes.set(world, counting);
  return counting;
}

/** Asked for each tag of each version. */
const universes = new WeakMap<object, readonly string[]>();

function countingOf({
  releases: published,
  prereleases,
}: Pick<World, "releases" | "prereleases">): readonly string[] {
  const form = /^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;
  return published
    .filter(({ tag }) => form.test(tag))
    .filter(({ tag, prerelease }) => prereleases || !(prerelease || tag.includes("-")))
    .map(({ tag }) => tag);
}

const digests = new Map<string, Digest>();

/** The digest of a word. */
export function digestOfWord(word: string): Digest {
  const digest = digests.get(word) ?? digestOf(word);
  digests.set(word, digest);
  return digest;
}

/** The snapshot that a run would take of a world. */
export function snapshotOfWorld(world: World): Snapshot {
  const universe = world.releases
    .flatMap((release) => versionOf(release) ?? [])
    .filter((version) => world.prereleases || !version.prerelease);
  const components = new Map(
    universe.map(({ tag }) => [tag, imagesOf(world, tag).map(componentOf)] as const),
  );
  const wanted = universe.filter(({ tag }) => world.wanted.includes(tag));
  return {
    repository: "goharbor/harbor",
    universe,
    wanted: wanted.map((version) => {
      const own = components.get(version.tag) ?? [];
      const absent = own.filter(({ to, toTag }) => world.missing.includes(imageKey(to, toTag)));
      const missing = absent.map((component) => ({ component, failure: obstacle("no source has it") }));
      return { version, components: own, missing };
    }),
    components,
    destinations: world.destinations.map((one, index) => destinationSnapshot(world, one, index)),
    overwrite: world.overwrite,
    pruneLimit: world.pruneLimit,
  };
}

export function componentOf({ source, key, fixed }: WorldImage): Component {
  const [from = "", fromTag = ""] = source.split(":");
  const [to = "", toTag = ""] = key.split(":");
  return { from, fromTag, to, toTag, ...(fixed ? { fixed } : {}) };
}

/** The name of a destination of a world. */
export function nameOfDestination(index: number): string {
  return `registry-${index}.example.com/goharbor`;
}

/** Of one number, the tag with the `v` is the newer. */
function oldestFirst(one: string, other: string): number {
  return semver.compare(one, other) || Number(one.startsWith("v")) - Number(other.startsWith("v"));
}

/** What a run would see of a destination of a world. */
export function destinationSnapshot(world: World, one: WorldDestination, index: number): DestinationSnapshot {
  const { held, keep, keepBy, deletion, withheld } = one;
  const name = nameOfDestination(index);
  // A tag that several make belongs to the newest.
  const wanted = new Map(
    [...(world.uncounted ?? []), ...world.wanted.toSorted(oldestFirst)]
      .flatMap((tag) => imagesOf(world, tag))
      .map((image) => [image.key, image] as const),
  );
  const empty = {
    name,
    registry: name.replace(/\/.*/, ""),
    path: "goharbor",
    retention: { keep, keepBy },
    deletion,
    untaggedStays: undefined,
    deletionUnavailable: deletion === "unavailable" ? "It deletes nothing." : undefined,
    failure: undefined,
    digests: new Map(),
    withheld: new Set<string>(),
    withoutAttachments: new Set<string>(),
    broken: new Map(),
    images: new Map(),
    tags: new Map(),
    heldDigests: new Map(),
    protectedTags: new Map(one.ruled.map((key) => [key, "a rule protects it"])),
  };
  if (one.dead) return { ...empty, failure: obstacle("it does not answer") };
  const known = Object.entries(held)
    .filter(([key]) => !withheld.includes(key))
    .map(([key, word]) => [key, digestOfWord(word)] as const);
  const isSame = (key: string): boolean => {
    const image = wanted.get(key);
    return image !== undefined && isInPlace(world, one, image);
  };
  const unsigned = one.unsigned.filter(isSame);
  const broken = one.broken.filter(isSame);
  const served = [...wanted.values()].filter(
    ({ key }) => !world.missing.includes(key) && !one.onlyHere.includes(key),
  );
  const byImage = Map.groupBy(Object.keys(held), (key) => key.replace(/:.*/, ""));
  return {
    ...empty,
    digests: new Map(known.filter(([key]) => wanted.has(key))),
    withheld: new Set(withheld),
    withoutAttachments: new Set(unsigned),
    broken: new Map(broken.map((key) => [key, [digestOfWord("a layer")]])),
    images: new Map(
      served.map((image) => {
        const [repository = "", tag = ""] = image.source.split(":");
        const read = {
          source: { registry: "ghcr.io", path: "goharbor" },
          repository: `goharbor/${repository}`,
          tag,
          digest: digestOfWord(sourceWord(world, image)),
          mediaType: dockerManifest,
          rewritten: undefined,
          attachments: [],
        };
        return [image.key, read];
      }),
    ),
    tags:
      keep === "all"
        ? new Map()
        : new Map([...byImage].map(([image, keys]) => [image, keys.map((key) => key.replace(/.*:/, ""))])),
    heldDigests: new Map(known),
  };
}

/** Whether the tag of an image that a source serves holds what the source has. */
export function isInPlace(world: World, one: WorldDestination, image: WorldImage): boolean {
  return (
    !world.missing.includes(image.key) &&
    !one.onlyHere.includes(image.key) &&
    !one.withheld.includes(image.key) &&
    one.held[image.key] === sourceWord(world, image)
  );
}
