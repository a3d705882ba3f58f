import harborTags from "../../sandbox/data/harbor-tags.json" with { type: "json" };
import { harborReleases } from "../../sandbox/harbor.ts";
import { harborTableComponents } from "../../src/harbor/harbor-components.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { dockerManifest } from "../../src/oci/media-types.ts";
import { parseNamespace } from "../../src/oci/reference.ts";
import type { Component } from "../../src/plan/component.ts";
import type { Plan } from "../../src/plan/plan.ts";
import {
  type DestinationSnapshot,
  imageKey,
  type Overwrite,
  type Snapshot,
  type SourceImage,
} from "../../src/plan/snapshot.ts";
import type { Step } from "../../src/plan/step.ts";
import { type Version, versionOf } from "../../src/plan/version.ts";
import { obstacle } from "../support/failures.ts";
import { version } from "./versions.ts";

/** Every stable release of Harbor with its components, from v1.6.0 on, with the dates of their publication. */
export const harborUniverse: readonly Version[] = harborReleases()
  .flatMap((release) => versionOf(release) ?? [])
  .filter((one) => !one.prerelease && harborTableComponents(one).length > 0);

/** The last moment before which all of `harborUniverse` was published, for versions that come later. */
export const later = Date.UTC(2026, 7, 1);

/** Tags of Harbor's repositories that are no stable release, as its pipelines and its history leave them. */
export const noReleases: readonly string[] = [
  "dev",
  "latest",
  "dev-legacy",
  "v2.15.2-dev",
  "v2.14.4-rc1",
  "v2.14.4-amd64",
  "2.14.4",
  "sha256-0123.sig",
  "v2.14.4.1",
  ...harborTags.map(({ tag }) => tag).filter((tag) => !/^v[0-9]+\.[0-9]+\.[0-9]+$/.test(tag)),
];

/** What a destination holds and how it is treated. Everything has a default; images are written `image:tag`. */
export interface GivenDestination {
  readonly name?: string;
  readonly keep?: number | "all";
  readonly keepBy?: DestinationSnapshot["retention"]["keepBy"];
  readonly deletion?: DestinationSnapshot["deletion"];
  /** Whether digests were looked up where deletion cares for them. Default: true. */
  readonly heldDigests?: boolean;
  readonly deletionUnavailable?: string;
  /** Whether another mechanism fills it. */
  readonly filledBySync?: true;
  /** What wanted images are to hold here, where it is something else than elsewhere. */
  readonly wantedContents?: Readonly<Record<string, string>>;
  /** Whether its own line says how many versions it keeps. Default: false. */
  readonly ownLine?: boolean;
  /** Why a manifest without a tag cannot be deleted. Default: it can. */
  readonly untaggedStays?: string;
  readonly failure?: string;
  /** Versions that are there with all their images, as they are at the source. */
  readonly holds?: readonly string[];
  /** Images of those versions that are not there all the same. */
  readonly lacks?: readonly string[];
  /** Further images, or others than at the source: what they hold. Equal words are equal digests. */
  readonly contents?: Readonly<Record<string, string>>;
  /** Wanted images that are there, and that nobody may pull. */
  readonly withheld?: readonly string[];
  /** Images that a rule of the registry protects, and which. */
  readonly protectedTags?: Readonly<Record<string, string>>;
  /** Wanted images whose signatures are not there. */
  readonly unsigned?: readonly string[];
  /** Wanted images that lack content, and which digests. */
  readonly broken?: Readonly<Record<string, readonly string[]>>;
  /** Wanted images that no source has but this destination itself. */
  readonly onlyHere?: readonly string[];
}

export interface GivenSnapshot {
  /** Tags of the wanted versions, newest first. */
  readonly wanted: readonly string[];
  readonly destinations: readonly GivenDestination[];
  /** Default: `harborUniverse`. */
  readonly universe?: readonly Version[];
  /** Default: the components of that Harbor version. */
  readonly componentsOf?: (version: Version) => readonly Component[];
  /** Wanted images that are at no source, and why. */
  readonly missing?: Readonly<Record<string, string>>;
  /** What wanted images hold at the source, where it matters. Default: something of their own. */
  readonly sourceContents?: Readonly<Record<string, string>>;
  readonly overwrite?: Overwrite;
  /** Default: all. */
  readonly pruneLimit?: number | "all";
}

/** The digest of what a word stands for; the word of an image that nobody changed is its `image:tag`. */
export function contentDigest(word: string): Digest {
  return digestOf(word);
}

/** Harbor's stable releases and some that are still to come, published after all others. */
export function harborUniverseWith(...tags: readonly string[]): readonly Version[] {
  return [...harborUniverse, ...tags.map((tag) => version(tag, later))];
}

/** The snapshot of a situation. */
export function snapshotOf(given: GivenSnapshot): Snapshot {
  const { universe = harborUniverse, componentsOf = harborTableComponents, missing = {} } = given;
  const components = new Map(universe.map((one) => [one.tag, componentsOf(one)]));
  const wanted = given.wanted.map((tag) => {
    const found = universe.find((one) => one.tag === tag);
    if (found === undefined) throw new Error(`${tag} is not in the universe`);
    const own = componentsOfTag(components, tag);
    const absent = own.flatMap((component) => {
      const reason = missing[imageKey(component.to, component.toTag)];
      return reason === undefined ? [] : [{ component, failure: obstacle(reason) }];
    });
    return { version: found, components: own, missing: absent };
  });
  return {
    repository: "goharbor/harbor",
    universe,
    wanted,
    components,
    destinations: given.destinations.map((destination) => destinationOf(destination, given, components)),
    overwrite: given.overwrite ?? true,
    pruneLimit: given.pruneLimit ?? "all",
  };
}

function destinationOf(
  destination: GivenDestination,
  given: GivenSnapshot,
  components: Snapshot["components"],
): DestinationSnapshot {
  const { name = "goharbor.tencentcloudcr.com/goharbor", keep = 3, deletion = "by-tag" } = destination;
  const namespace = parseNamespace(name);
  if (namespace === undefined) throw new Error(`${name} is no namespace`);
  const held = heldBy(destination, components);
  const wanted = keysOf(given.wanted, components);
  const served = wanted.filter(
    (key) => given.missing?.[key] === undefined && !destination.onlyHere?.includes(key),
  );
  return {
    ...namespace,
    name,
    retention: {
      keep,
      keepBy: destination.keepBy ?? "semver",
      ...(destination.ownLine === true && { ownLine: true }),
    },
    deletion,
    deletionUnavailable: destination.deletionUnavailable,
    filledBySync: destination.filledBySync,
    untaggedStays: destination.untaggedStays,
    failure: destination.failure === undefined ? undefined : obstacle(destination.failure),
    digests: new Map([...held].filter(([key]) => wanted.includes(key))),
    withheld: new Set(destination.withheld),
    withoutAttachments: new Set(destination.unsigned),
    protectedTags: new Map(Object.entries(destination.protectedTags ?? {})),
    broken: new Map(Object.entries(destination.broken ?? {})),
    images: new Map(
      served.map((key) => [
        key,
        sourceImage(key, destination.wantedContents?.[key] ?? given.sourceContents?.[key]),
      ]),
    ),
    tags: keep === "all" ? new Map() : tagsIn([...held.keys()]),
    heldDigests:
      (deletion === "shared-digest-unsafe" || destination.ownLine === true) &&
      destination.heldDigests !== false
        ? held
        : new Map(),
  };
}

/** The digest of each `image:tag` that a destination holds. */
function heldBy(
  { holds = [], lacks = [], contents = {} }: GivenDestination,
  components: Snapshot["components"],
): ReadonlyMap<string, Digest> {
  const whole = keysOf(holds, components).filter((key) => !lacks.includes(key));
  return new Map([
    ...whole.map((key) => [key, contentDigest(key)] as const),
    ...Object.entries(contents).map(([key, word]) => [key, contentDigest(word)] as const),
  ]);
}

function keysOf(tags: readonly string[], components: Snapshot["components"]): readonly string[] {
  return tags.flatMap((tag) => componentsOfTag(components, tag).map(({ to, toTag }) => imageKey(to, toTag)));
}

function componentsOfTag(components: Snapshot["components"], tag: string): readonly Component[] {
  const found = components.get(tag);
  if (found === undefined) throw new Error(`${tag} is not in the universe`);
  return found;
}

function sourceImage(key: string, word = key): SourceImage {
  const [image = "", tag = ""] = key.split(":");
  return {
    source: { registry: "ghcr.io", path: "goharbor" },
    repository: `goharbor/${image}`,
    tag,
    digest: contentDigest(word),
    mediaType: dockerManifest,
    rewritten: undefined,
    attachments: [],
  };
}

function tagsIn(keys: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const byImage = Map.groupBy(keys, (key) => key.slice(0, key.indexOf(":")));
  return new Map(
    [...byImage].map(([image, ofImage]) => [image, ofImage.map((key) => key.slice(image.length + 1))]),
  );
}

/** The steps of one kind, and of one destination where that is said. */
export function stepsOf<Kind extends Step["kind"]>(
  plan: Plan,
  kind: Kind,
  destination?: string,
): readonly Extract<Step, { kind: Kind }>[] {
  const isOfKind = (step: Step): step is Extract<Step, { kind: Kind }> => step.kind === kind;
  return plan.steps
    .filter(isOfKind)
    .filter((step) => destination === undefined || step.destination === destination);
}

/** The versions that steps are about, each once, in the order of the plan. */
export function versionsIn(steps: readonly Step[]): readonly string[] {
  return [...new Set(steps.map((step) => step.version))];
}

/** `image:tag` of each step that is about an image. */
export function imagesIn(steps: readonly Exclude<Step, { kind: "keep" }>[]): readonly string[] {
  return steps.map(({ image, tag }) => imageKey(image, tag));
}

/** `image:tag` of all components of a Harbor version. */
export function harborImages(tag: string): readonly string[] {
  return harborTableComponents(version(tag)).map(({ to, toTag }) => imageKey(to, toTag));
}
