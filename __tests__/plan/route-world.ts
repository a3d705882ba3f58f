import * as fc from "fast-check";
import semver from "semver";
import type { Component, ImageRule } from "../../src/plan/component.ts";
import { parseSelection, type Selection } from "../../src/plan/selection.ts";
import type { DestinationSnapshot, Overwrite } from "../../src/plan/snapshot.ts";
import { destination, type Line, possibleKeys, rarely, type WorldDestination } from "./oracle-world.ts";

/** Random worlds whose versions are tags at sources: as plain data, which the run's own functions and the oracle are both given. */

/** What a line of the input `version` asks for, and what it takes by the text of docs/decisions.md. */
export type Wish =
  | { readonly kind: "named"; readonly text: string }
  | { readonly kind: "newest"; readonly text: string; readonly count: number }
  | { readonly kind: "range"; readonly text: string; readonly takes: (tag: string) => boolean }
  | { readonly kind: "pattern"; readonly text: string; readonly takes: (tag: string) => boolean };

export interface RouteWorld {
  /** One route of a list of images, or one for each repository of a pattern. */
  readonly routes: readonly RouteOfWorld[];
  readonly isPattern: boolean;
  readonly sources: readonly { readonly lists: boolean; readonly isDestination: boolean }[];
  /** No lines: what the destinations keep. */
  readonly wishes: readonly Wish[];
  readonly prereleases: boolean;
  readonly overwrite: Overwrite;
  readonly pruneLimit: number | "all";
}

export interface RouteOfWorld {
  readonly image: string;
  readonly lines: readonly Line[];
  /** The tags of each image at each source. */
  readonly tags: readonly Readonly<Record<string, readonly string[]>>[];
  readonly destinations: readonly WorldDestination[];
}

const versionTags = [
  "v1.10.1",
  "v2.13.5",
  "v2.14.3",
  "v2.14.4",
  "v2.15.0-rc1",
  "v2.15.0",
  "2.15.1",
  "v2.15.1",
  "v3.0.0-beta.2",
];
const oddTags = [
  "latest",
  "1.27",
  "sha-abc1234",
  "r42",
  `sha256-${"a".repeat(64)}`,
  `sha256-${"a".repeat(64)}.sig`,
  "v2.3.0.-rc1",
];
const tagPool = [...versionTags, ...versionTags, ...oddTags];

const digest = `sha256:${"0".repeat(64)}`;

/** The first tells the versions. */
const tellingLines = [
  ["app:{{tag}}", "app:{{tag}}"],
  ["app:{{tag}}", "app:{{tag}}"],
  ["app:r-{{tag}}-x", "app:{{tag}}"],
  ["db:{{version}}", "db:v{{version}}"],
] as const;
const otherLines = [
  ["core:{{tag}}", "core:{{tag}}"],
  ["app:{{tag}}", "app:{{major}}"],
  ["app:{{tag}}", "app:{{major}}.{{minor}}"],
  ["db:{{version}}", "db:v{{version}}"],
  ["tool:7.1", "tool:7.1"],
  ["tool:7.1", "core:tool-{{tag}}"],
  [`tool@${digest}`, "tool:d-{{tag}}"],
] as const;

const wishPool: readonly Wish[] = [
  ...["v2.14.4", "latest", "v2.15.0-rc1", "r42", "v2.15.1"].map((text) => ({ kind: "named", text }) as const),
  { kind: "newest", text: "newest:1", count: 1 },
  { kind: "newest", text: "newest:2", count: 2 },
  ...[">=2.14.0 <3.0.0", "^2.13.0", "1.x || 3.x"].map(
    (text) =>
      ({
        kind: "range",
        text,
        takes: (tag: string) => semver.satisfies(tag, text, { includePrerelease: true }),
      }) as const,
  ),
  { kind: "pattern", text: "glob:*", takes: () => true },
  { kind: "pattern", text: "glob:v2.1?.*", takes: (tag) => /^v2\.1.\./.test(tag) },
  {
    kind: "pattern",
    text: "glob:{latest,v2.13.5,v3*}",
    takes: (tag) => /^(latest|v2\.13\.5|v3.*)$/.test(tag),
  },
  { kind: "pattern", text: "/v2\\.15\\..*|r4/", takes: (tag) => /^v2\.15\./.test(tag) },
];

/** One line of any kind, or several of which one is no range and no name: else they are read as one. */
const wishes: fc.Arbitrary<readonly Wish[]> = fc
  .integer({ min: 0, max: 4 })
  .chain((dice) =>
    dice === 0
      ? fc.constant<readonly Wish[]>([])
      : dice < 4
        ? fc.constantFrom(...wishPool).map((wish) => [wish])
        : fc
            .subarray([...wishPool], { minLength: 2, maxLength: 3 })
            .filter((some) => some.some(({ kind }) => kind === "newest" || kind === "pattern")),
  );

/** What the run makes of the wishes. */
export function selectionOf(
  { wishes: given }: RouteWorld,
  retentions: readonly { readonly keep: number | "all"; readonly keepBy: "semver" | "minor" }[],
): Selection {
  if (given.length > 0) return parseSelection(given.map(({ text }) => text).join("\n"));
  return { kind: "kept", retentions };
}

/** The line as the input `images` has it. */
export function ruleOf({ from, to }: Pick<Line, "from" | "to">): ImageRule {
  const [image = "", tag = ""] = from.split(/[:@](.*)/);
  const [toImage = "", toTag = ""] = to.split(":");
  return { from: image, fromTag: tag, to: toImage, toTag };
}

/** `image:tag`, or `image@digest`, that a component reads. */
export function readBy({ from, fromTag }: Pick<Component, "from" | "fromTag">): string {
  return `${from}${fromTag.startsWith("sha256:") ? "@" : ":"}${fromTag}`;
}

function linesOf(isPattern: boolean, image: string): fc.Arbitrary<readonly Line[]> {
  if (isPattern) return fc.constant([{ from: `${image}:{{tag}}`, to: `${image}:{{tag}}`, lacking: [] }]);
  return fc
    .tuple(fc.constantFrom(...tellingLines), fc.subarray([...otherLines], { maxLength: 2 }))
    .map(([first, others]) => [first, ...others].map(([from, to]) => ({ from, to, lacking: [] })))
    .filter((lines) => new Set(lines.map(({ to }) => to)).size === lines.length);
}

/** The tags that the images of a line have at a source for some versions, and a few for nothing. */
function tagsAt(lines: readonly Line[]): fc.Arbitrary<Readonly<Record<string, readonly string[]>>> {
  return fc
    .tuple(
      fc.subarray(tagPool, { minLength: 3 }),
      fc.dictionary(fc.constantFrom("app", "core", "db", "tool"), fc.subarray(tagPool, { maxLength: 3 }), {
        maxKeys: 1,
      }),
      fc.integer({ min: 0, max: 9 }),
    )
    .map(([had, strays, dice]) => {
      const written = lines.flatMap(({ from }) => {
        const { from: image, fromTag } = ruleOf({ from, to: from });
        return had.map((tag) => {
          const version = semver.valid(tag) ?? tag;
          return [image, fromTag.replace("{{tag}}", tag).replace("{{version}}", version)] as const;
        });
      });
      const images = [...Map.groupBy(written, ([image]) => image)];
      const tags = images.map(([image, own], index) => {
        const lacking = dice === index ? own.slice(1) : own;
        return [image, [...new Set([...lacking.map(([, tag]) => tag), ...(strays[image] ?? [])])]] as const;
      });
      return Object.fromEntries(tags);
    });
}

function routeOf(
  isPattern: boolean,
  image: string,
  sources: number,
  kept: readonly Pick<WorldDestination, "keep" | "keepBy" | "deletion">[],
): fc.Arbitrary<RouteOfWorld> {
  return linesOf(isPattern, image).chain((lines) => {
    const versions = [...new Set(tagPool)].filter((tag) => !tag.startsWith("sha256"));
    const keyed = lines.some(({ from, to }) => /major|minor|version/.test(from + to))
      ? versions.filter((tag) => semver.valid(tag) !== null)
      : versions;
    const world = { lines, missing: [], sourceWords: {} };
    const fixed = { world, tags: keyed, wantedKeys: possibleKeys(lines, keyed) };
    return fc.record({
      image: fc.constant(image),
      lines: fc.constant(lines),
      tags: fc.tuple(...Array.from({ length: sources }, () => tagsAt(lines))),
      destinations: fc.tuple(
        ...kept.map((own) =>
          destination(fixed).map((one) => ({ ...one, ...own, withheld: [], onlyHere: [] })),
        ),
      ),
    });
  });
}

const destinations = fc.array(
  fc.record({
    keep: fc.constantFrom<number | "all">(1, 1, 2, 3, "all"),
    keepBy: fc.constantFrom<"semver" | "minor">("semver", "semver", "minor"),
    deletion: fc.constantFrom<DestinationSnapshot["deletion"]>(
      "by-tag",
      "shared-digest-unsafe",
      "last-tag-takes-manifest",
      "unavailable",
    ),
  }),
  { minLength: 1, maxLength: 2 },
);

export const routeWorlds: fc.Arbitrary<RouteWorld> = fc
  .tuple(
    fc.boolean(),
    fc.integer({ min: 1, max: 3 }),
    destinations,
    fc.array(fc.record({ lists: rarely().map((is) => !is), isDestination: rarely() }), {
      minLength: 1,
      maxLength: 3,
    }),
  )
  .chain(([isPattern, count, kept, sources]) => {
    const images = isPattern ? ["one", "two", "three"].slice(0, count) : ["list"];
    return fc.record({
      routes: fc.tuple(...images.map((image) => routeOf(isPattern, image, sources.length, kept))),
      isPattern: fc.constant(isPattern),
      sources: fc.constant(sources),
      wishes,
      prereleases: fc.boolean(),
      overwrite: fc.constantFrom<Overwrite>(true, true, false, "skip"),
      pruneLimit: fc.constantFrom<number | "all">("all", "all", 1, 2, 3),
    });
  });
