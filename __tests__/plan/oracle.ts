import semver from "semver";
import {
  imagesOf,
  isInPlace,
  sourceWord,
  universeOf,
  type World,
  type WorldDestination,
  type WorldImage,
} from "./oracle-world.ts";

/**
 * What is to happen at a destination, by docs/decisions.md alone: nothing here knows how the plan is made, and what is slow
 * and plain is left so.
 */
export interface Verdict {
  /** Tags of the versions that are kept. */
  readonly kept: readonly string[];
  /** `version image:tag` of what is copied. */
  readonly copied: readonly string[];
  /** Tags of the wanted versions that are not mirrored, as an image cannot be brought. */
  readonly failed: readonly string[];
  /** `image:tag` of what is deleted. */
  readonly pruned: readonly string[];
  /** The versions that `prune-limit` counts. */
  readonly going: readonly string[];
}

/** Judges one destination of a world. */
export function verdictOn(world: World, destination: WorldDestination): Verdict {
  const universe = universeOf(world);
  const uncounted = world.uncounted ?? [];
  const wanted = [...universe.filter((tag) => world.wanted.includes(tag)), ...uncounted];
  if (destination.dead) return { kept: [], copied: [], failed: wanted, pruned: [], going: [] };

  const held = new Set(Object.keys(destination.held));
  const own = new Map([...universe, ...uncounted].map((tag) => [tag, ownImages(world, tag)]));
  const imagesWith = (tag: string): readonly WorldImage[] => own.get(tag) ?? [];
  const hasFate = (tag: string, fate: Fate): boolean =>
    imagesWith(tag).some((image) => fateOf(world, destination, image) === fate);
  const cannotBe = (tag: string): boolean => hasFate(tag, "fails") || hasFate(tag, "is left alone");
  // "Waiting": without one image, nothing of the version is mirrored.
  const without = wanted.filter((tag) => imagesOf(world, tag).some(({ key }) => world.missing.includes(key)));
  // But where all its tags are in place, as far as that can be known, they stay.
  const isSettled = (tag: string): boolean =>
    imagesWith(tag).length > 0 &&
    imagesWith(tag).every((image) => {
      const { key } = image;
      const isUnknown = world.missing.includes(key) || destination.onlyHere.includes(key);
      const isKnown = held.has(key) && !destination.withheld.includes(key);
      return isKnown && (isUnknown || destination.held[key] === sourceWord(world, image));
    });
  const lacking = without.filter((tag) => !isSettled(tag));
  const uncompared = without.filter(
    (tag) => isSettled(tag) && imagesWith(tag).some(({ key }) => world.missing.includes(key)),
  );
  const bringable = wanted.filter(
    (tag) => !without.includes(tag) && !cannotBe(tag) && imagesWith(tag).length > 0,
  );
  // "Retention": the newest of those that it holds completely or is about to get.
  const isWhole = (tag: string): boolean =>
    isThere(world, destination, tag) && imagesWith(tag).every(({ key }) => held.has(key));
  const hasOwn = (tag: string): boolean =>
    imagesOf(world, tag).some(({ key }) => ownerOf(world, key) === tag);
  // "Overwriting": with `overwrite: skip`, what is left alone takes no place of `keep`, and stays.
  const leftAlone = wanted.filter((tag) => !without.includes(tag) && hasFate(tag, "is left alone"));
  const contenders = universe.filter(
    (tag) => (bringable.includes(tag) && hasOwn(tag)) || (isWhole(tag) && !leftAlone.includes(tag)),
  );
  const kept = newest(world, contenders, destination);
  // One without a tag that belongs to it takes no place from others.
  const wouldBeKept = (tag: string): boolean =>
    uncounted.includes(tag) || newest(world, [...new Set([...contenders, tag])], destination).includes(tag);
  // A version that would not be kept is not copied, so nothing of it can fail.
  const refused = wanted.filter((tag) => !without.includes(tag) && hasFate(tag, "fails") && wouldBeKept(tag));
  const failing = [...new Set([...lacking, ...refused])];
  const settled = without.filter((tag) => isSettled(tag));
  const copies = [...bringable, ...settled]
    .filter((tag) => wouldBeKept(tag) || uncompared.includes(tag))
    .flatMap((tag) =>
      imagesWith(tag)
        .filter((image) => fateOf(world, destination, image) === "is copied")
        .map((image) => ({ tag, image })),
    );
  const set = copies.map(({ image }) => image);
  return {
    kept: destination.keep === "all" ? [] : kept,
    copied: copies.map(({ tag, image }) => `${tag} ${image.key}`),
    failed: failing,
    // Beside what could not be compared, nothing is deleted.
    ...(uncompared.length > 0
      ? { pruned: [], going: [] }
      : prunedAt(world, destination, { kept, failing, set })),
  };
}

/** "Tags that several versions share": what a version sets, and is complete with. */
function ownImages(world: World, tag: string): readonly WorldImage[] {
  return imagesOf(world, tag).filter((image) => {
    const owner = ownerOf(world, image.key);
    if (owner === tag) return true;
    const same = imagesOf(world, owner ?? "").find(({ key }) => key === image.key);
    return image.fixed && same?.fixed === true && same.source === image.source;
  });
}

/** Whether a version is there, in whole or in part: a tag that belongs to it is. */
function isThere(world: World, { held }: WorldDestination, tag: string): boolean {
  return imagesOf(world, tag).some(({ key }) => held[key] !== undefined && ownerOf(world, key) === tag);
}

/** The newest published version, by number, that lists an image's tag; one without a place in the order only after those. */
function ownerOf(world: World, key: string): string | undefined {
  const lists = (tag: string) => imagesOf(world, tag).some((image) => image.key === key);
  const sharing = [...universeOf(world), ...(world.outside ?? [])].filter(lists);
  const uncounted = (world.uncounted ?? []).filter(lists);
  const numbered = uncounted.filter((tag) => semver.valid(tag) !== null);
  return sharing.toSorted(bySemver)[0] ?? numbered.toSorted(bySemver)[0] ?? uncounted[0];
}

type Fate = "fails" | "is copied" | "is in place" | "is left alone";

/** "Overwriting", "What counts as in place" and "Which source", of one image. */
function fateOf(world: World, destination: WorldDestination, image: WorldImage): Fate {
  const { key } = image;
  const ofAnother = { true: "is copied", false: "fails", skip: "is left alone" } as const;
  const another = ofAnother[`${world.overwrite}`];
  if (world.missing.includes(key)) return "fails";
  if (destination.onlyHere.includes(key)) return "is in place";
  if (destination.withheld.includes(key)) return another;
  const word = destination.held[key];
  if (word === undefined) return "is copied";
  if (word !== sourceWord(world, image)) return another;
  const lacks = destination.broken.includes(key) || destination.unsigned.includes(key);
  return lacks && isInPlace(world, destination, image) ? "is copied" : "is in place";
}

/** What is to be at a destination. */
interface Outlook {
  readonly kept: readonly string[];
  readonly failing: readonly string[];
  /** Images whose tags are set. */
  readonly set: readonly WorldImage[];
}

/** "Retention": what is deleted. */
function prunedAt(
  world: World,
  destination: WorldDestination,
  { kept, failing, set }: Outlook,
): Pick<Verdict, "pruned" | "going"> {
  const nothing = { pruned: [], going: [] };
  if (destination.keep === "all" || destination.deletion === "unavailable" || failing.length > 0)
    return nothing;
  // "Overwriting": nothing is pruned beside an image that nobody may pull.
  const wanted = [...world.wanted, ...(world.uncounted ?? [])];
  if (wanted.some((tag) => imagesOf(world, tag).some(({ key }) => destination.withheld.includes(key))))
    return nothing;
  const universe = universeOf(world);
  // Incomplete, but with it complete it would be kept.
  const newEnough = universe.filter(
    (tag) =>
      !kept.includes(tag) &&
      isThere(world, destination, tag) &&
      newest(world, [...kept, tag], destination).includes(tag),
  );
  // Half of a version that a rule protects would be left.
  const ruled = universe.filter((tag) =>
    imagesOf(world, tag).some(
      ({ key }) =>
        destination.held[key] !== undefined && destination.ruled.includes(key) && ownerOf(world, key) === tag,
    ),
  );
  const others = (world.outside ?? []).filter((tag) => isThere(world, destination, tag));
  const staying = new Set([...kept, ...newEnough, ...ruled, ...others, ...(world.uncounted ?? [])]);
  const going = universe.filter((tag) => !staying.has(tag));
  const needed = new Set([...staying].flatMap((tag) => imagesOf(world, tag).map(({ key }) => key)));
  const candidates = [...new Set(going.flatMap((tag) => imagesOf(world, tag).map(({ key }) => key)))]
    .filter((key) => going.includes(ownerOf(world, key) ?? ""))
    .filter((key) => destination.held[key] !== undefined && !needed.has(key));
  const pruned =
    destination.deletion === "shared-digest-unsafe" ? alone(world, destination, candidates, set) : candidates;
  const versions = [...new Set(candidates.map((key) => ownerOf(world, key) ?? ""))];
  return world.pruneLimit !== "all" && versions.length > world.pruneLimit
    ? nothing
    : { pruned, going: versions };
}

/** Those that share their digest with no tag that stays or is set. */
function alone(
  world: World,
  destination: WorldDestination,
  candidates: readonly string[],
  set: readonly WorldImage[],
): readonly string[] {
  const place = (key: string): string => `${key.replace(/:.*/, "")}@${destination.held[key]}`;
  const staying = Object.keys(destination.held).filter((key) => !candidates.includes(key));
  const coming = set.map((image) => `${image.key.replace(/:.*/, "")}@${sourceWord(world, image)}`);
  const places = new Set([...staying.map(place), ...coming]);
  return candidates.filter((key) => !places.has(place(key)));
}

/** The table of `keep-by`. */
export function newest(
  world: World,
  versions: readonly string[],
  { keep, keepBy }: Pick<WorldDestination, "keep" | "keepBy">,
): readonly string[] {
  const limit = keep === "all" ? versions.length : keep;
  const ordered = versions.toSorted(bySemver);
  if (keep === "all" || keepBy === "semver") return ordered.slice(0, limit);
  const date = (tag: string): number =>
    world.releases.find((release) => release.tag === tag)?.publishedAt ?? Number.NaN;
  if (keepBy === "published")
    return ordered.toSorted((one, other) => date(other) - date(one)).slice(0, limit);
  const line = (tag: string): string => tag.replace(/^v/, "").split(".").slice(0, 2).join(".");
  return ordered
    .filter((tag, index) => ordered.findIndex((other) => line(other) === line(tag)) === index)
    .slice(0, limit);
}

/** Newest first by number; of one number, the tag with the `v`. */
function bySemver(one: string, other: string): number {
  return semver.rcompare(one, other) || Number(other.startsWith("v")) - Number(one.startsWith("v"));
}
