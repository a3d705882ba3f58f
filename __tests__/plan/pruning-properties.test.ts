import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makePlan } from "../../src/plan/plan.ts";
import { keepByChoices, newest } from "../../src/plan/retention.ts";
import { type DestinationSnapshot, imageKey, type Snapshot } from "../../src/plan/snapshot.ts";
import {
  harborImages,
  harborUniverse,
  imagesIn,
  noReleases,
  snapshotOf,
  stepsOf,
  versionsIn,
} from "./snapshot-builder.ts";

describe("whatever tags a destination has", () => {
  const universe = harborUniverse.filter(({ tag }) =>
    ["v1.10.1", "v2.8.6", "v2.13.5", "v2.14.3", "v2.14.4", "v2.15.0", "v2.15.1", "v2.15.2"].includes(tag),
  );
  const releases = universe.map(({ tag }) => tag);
  const possibleKeys = releases.flatMap(harborImages);
  const strayKeys = ["harbor-core", "prepare", "redis-photon"].flatMap((image) =>
    [...noReleases, ...releases].map((tag) => imageKey(image, tag)),
  );

  /** Few contents, so that many tags share one. */
  const contents = fc.constantFrom("one", "two", "three");
  const situations = fc.record({
    wanted: fc.subarray(releases, { minLength: 1, maxLength: 3 }),
    keep: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant("all" as const)),
    keepBy: fc.constantFrom(...keepByChoices),
    deletion: fc.constantFrom("by-tag" as const, "shared-digest-unsafe" as const, "unavailable" as const),
    holds: fc.subarray(releases),
    lacks: fc.subarray(possibleKeys, { maxLength: 3 }),
    contents: fc.dictionary(fc.constantFrom(...possibleKeys, ...strayKeys), contents, { maxKeys: 40 }),
    sourceContents: fc.dictionary(fc.constantFrom(...possibleKeys), contents, { maxKeys: 20 }),
    overwrite: fc.constantFrom(true, false, "skip" as const),
  });
  const snapshots = situations.map(({ wanted, sourceContents, overwrite, ...destination }) =>
    snapshotOf({ universe, wanted, sourceContents, overwrite, destinations: [destination] }),
  );

  test("only tags of releases outside the newest N are pruned", () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const kept = keptTags(snapshot);
        for (const step of stepsOf(makePlan(snapshot), "prune")) {
          expect(releases).toContain(step.version);
          expect(harborImages(step.version)).toContain(imageKey(step.image, step.tag));
          expect(onlyDestination(snapshot).tags.get(step.image)).toContain(step.tag);
          expect(kept).not.toContain(step.version);
        }
      }),
    );
  });

  test("no pruned tag has the digest of one that stays or is set, where deletion may take that along", () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const { deletion, heldDigests } = onlyDestination(snapshot);
        fc.pre(deletion === "shared-digest-unsafe");
        const plan = makePlan(snapshot);
        const pruned = stepsOf(plan, "prune");
        const going = imagesIn(pruned);
        const staying = [
          ...[...heldDigests].filter(([key]) => !going.includes(key)),
          ...stepsOf(plan, "copy").map((step) => [imageKey(step.image, step.tag), step.source.digest]),
        ].map(([key = "", digest]) => `${key.slice(0, key.indexOf(":"))}@${digest}`);
        for (const { image, digest } of pruned) expect(staying).not.toContain(`${image}@${digest}`);
      }),
    );
  });

  test("nothing is pruned beside a failure, without a right to delete, or where all is kept", () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const { deletion, retention } = onlyDestination(snapshot);
        const plan = makePlan(snapshot);
        fc.pre(deletion === "unavailable" || retention.keep === "all" || stepsOf(plan, "fail").length > 0);
        expect(stepsOf(plan, "prune")).toEqual([]);
      }),
    );
  });

  test("no version is copied in part: its images are copied or in place, or none of them is copied", () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const plan = makePlan(snapshot);
        const failed = versionsIn(stepsOf(plan, "fail"));
        for (const tag of versionsIn(stepsOf(plan, "copy"))) expect(failed).not.toContain(tag);
      }),
    );
  });

  test("the plan is the same when it is made again, and in whatever order the registry answered", () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const plan = makePlan(snapshot);
        expect(makePlan(snapshot)).toEqual(plan);
        expect(makePlan(reordered(snapshot))).toEqual(plan);
      }),
    );
  });

  /** What a destination is to keep, by the words of the contract: the newest N it holds whole or is about to. */
  function keptTags(snapshot: Snapshot): readonly string[] {
    const { tags, retention } = onlyDestination(snapshot);
    const whole = universe.filter(({ tag }) =>
      harborImages(tag).every((key) => {
        const [image = "", imageTag = ""] = key.split(":");
        return tags.get(image)?.includes(imageTag);
      }),
    );
    const wanted = universe.filter((version) => snapshot.wanted.some((one) => one.version === version));
    return newest([...new Set([...whole, ...wanted])], retention).map(({ tag }) => tag);
  }
});

function onlyDestination({ destinations }: Snapshot): DestinationSnapshot {
  const [destination] = destinations;
  if (destination === undefined) throw new Error("the snapshot has no destination");
  return destination;
}

/** The same snapshot with every map, and every list of tags, the other way round. */
function reordered(snapshot: Snapshot): Snapshot {
  return {
    ...snapshot,
    components: reversed(snapshot.components),
    destinations: snapshot.destinations.map((destination) => ({
      ...destination,
      digests: reversed(destination.digests),
      images: reversed(destination.images),
      tags: new Map([...reversed(destination.tags)].map(([image, tags]) => [image, tags.toReversed()])),
      heldDigests: reversed(destination.heldDigests),
      withoutAttachments: new Set([...destination.withoutAttachments].reverse()),
    })),
  };
}

function reversed<Key, Value>(map: ReadonlyMap<Key, Value>): ReadonlyMap<Key, Value> {
  return new Map([...map].reverse());
}
