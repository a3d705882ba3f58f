import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import harborTags from "../../sandbox/data/harbor-tags.json" with { type: "json" };
import { makePlan } from "../../src/plan/plan.ts";
import { keepByChoices, newest } from "../../src/plan/retention.ts";
import { type DestinationSnapshot, imageKey, type Snapshot } from "../../src/plan/snapshot.ts";
import {
  type GivenSnapshot,
  harborImages,
  harborUniverse,
  imagesIn,
  snapshotOf,
  stepsOf,
  versionsIn,
} from "./snapshot-builder.ts";

/** Tags of Harbor's repositories that are no stable release, as its pipelines and its history leave them. */
const noReleases = [
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

describe("an incomplete version", () => {
  const lacks = ["harbor-db:v2.15.1"];

  test("that is new enough is left: somebody's half-finished work", () => {
    const plan = makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        destinations: [{ holds: ["v2.15.1", "v2.15.0", "v2.14.4"], lacks }],
      }),
    );
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v2.15.2", "v2.15.0", "v2.14.4"]);
    expect(imagesIn(stepsOf(plan, "leave"))).toEqual(
      harborImages("v2.15.1").filter((key) => !lacks.includes(key)),
    );
    expect(stepsOf(plan, "leave")[0]?.reason).toMatch(/incomplete.*new enough/);
    expect(stepsOf(plan, "prune")).toEqual([]);
  });

  test("that is old goes like any other", () => {
    const plan = makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        destinations: [
          { holds: ["v2.15.1", "v2.15.0"], contents: { "harbor-db:v2.9.0": "x", "prepare:v1.10.19": "y" } },
        ],
      }),
    );
    expect([...imagesIn(stepsOf(plan, "prune"))].sort()).toEqual(["harbor-db:v2.9.0", "prepare:v1.10.19"]);
    expect(stepsOf(plan, "leave")).toEqual([]);
  });
});

test("tags that are no release are not looked at, whatever they are called", () => {
  const images = ["harbor-core", "redis-photon", "valkey-photon"];
  const contents = Object.fromEntries(
    images.flatMap((image) => noReleases.map((tag) => [imageKey(image, tag), `${image} ${tag}`])),
  );
  const plan = makePlan(
    snapshotOf({ wanted: ["v2.15.2"], destinations: [{ keep: 1, holds: ["v2.14.4"], contents }] }),
  );
  expect(imagesIn(stepsOf(plan, "prune"))).toEqual(harborImages("v2.14.4"));
  expect(stepsOf(plan, "leave")).toEqual([]);
});

test("a release's tag in the repository of an image that the release does not have is left alone", () => {
  const contents = { "redis-photon:v2.15.2": "x", "valkey-photon:v2.14.4": "y", "harbor-core:v2.14.4": "z" };
  const plan = makePlan(
    snapshotOf({ wanted: ["v2.15.2"], destinations: [{ keep: 1, holds: ["v2.15.1"], contents }] }),
  );
  expect(imagesIn(stepsOf(plan, "prune"))).toContain("harbor-core:v2.14.4");
  expect(imagesIn(stepsOf(plan, "prune"))).not.toContain("redis-photon:v2.15.2");
  expect(imagesIn(stepsOf(plan, "prune"))).not.toContain("valkey-photon:v2.14.4");
});

test("the tags of Harbor v1.10.1 that begin with an upstream version belong to it and go with it", () => {
  const plan = makePlan(snapshotOf({ wanted: ["v2.15.2"], destinations: [{ keep: 1, holds: ["v1.10.1"] }] }));
  expect(imagesIn(stepsOf(plan, "prune"))).toEqual(harborImages("v1.10.1"));
  expect(imagesIn(stepsOf(plan, "prune"))).toContain("registry-photon:v2.7.1-patch-2819-2553-v1.10.1");
});

test("a wanted version that would not be kept, and is there already, goes", () => {
  const held = ["v2.15.2", "v2.15.1", "v2.15.0"];
  const plan = makePlan(
    snapshotOf({
      wanted: ["v1.10.19"],
      destinations: [{ holds: [...held, "v1.10.19"], deletion: "shared-digest-unsafe" }],
    }),
  );
  expect(versionsIn(stepsOf(plan, "keep"))).toEqual(held);
  expect(imagesIn(stepsOf(plan, "skip"))).toEqual(harborImages("v1.10.19"));
  expect(imagesIn(stepsOf(plan, "prune"))).toEqual(harborImages("v1.10.19"));
});

describe("a digest that several tags hold", () => {
  const planWith = (
    deletion: DestinationSnapshot["deletion"],
    contents: Readonly<Record<string, string>>,
    more: Partial<GivenSnapshot> = {},
  ) =>
    makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        destinations: [{ deletion, holds: ["v2.15.1", "v2.15.0"], contents }],
        ...more,
      }),
    );

  const withKept = { "harbor-log:v2.15.0": "same", "harbor-log:v2.14.4": "same", "harbor-db:v2.14.4": "own" };

  test("a kept tag among them: left where deletion may take that along", () => {
    const plan = planWith("shared-digest-unsafe", withKept);
    expect(imagesIn(stepsOf(plan, "prune"))).toEqual(["harbor-db:v2.14.4"]);
    expect(stepsOf(plan, "leave")).toMatchObject([
      { image: "harbor-log", tag: "v2.14.4", reason: expect.stringContaining("harbor-log:v2.15.0") },
    ]);
  });

  test("a kept tag among them: pruned where tags are deleted one by one", () => {
    const plan = planWith("by-tag", withKept);
    expect([...imagesIn(stepsOf(plan, "prune"))].sort()).toEqual(["harbor-db:v2.14.4", "harbor-log:v2.14.4"]);
  });

  test.each(["dev", "v2.14.4-rc1", "nobody-knows"])("%s, which nobody prunes, protects it too", (tag) => {
    const plan = planWith("shared-digest-unsafe", { "prepare:v2.14.4": "same", [`prepare:${tag}`]: "same" });
    expect(stepsOf(plan, "prune")).toEqual([]);
    expect(stepsOf(plan, "leave")[0]?.reason).toContain(`prepare:${tag}`);
  });

  test("of several that stay the same one is told, in whatever order the registry answered", () => {
    const keys = ["prepare:v2.14.4", "prepare:dev", "prepare:v2.15.0", "prepare:latest"];
    for (const order of [keys, keys.toReversed()]) {
      const plan = planWith("shared-digest-unsafe", Object.fromEntries(order.map((key) => [key, "same"])));
      expect(stepsOf(plan, "leave")).toMatchObject([{ reason: expect.stringContaining("prepare:dev") }]);
    }
  });

  test("only tags that go: pruned, with the digest that deletion needs", () => {
    const plan = planWith("shared-digest-unsafe", { "prepare:v2.14.4": "same", "prepare:v2.14.3": "same" });
    const digest = stepsOf(plan, "prune")[0]?.digest;
    expect(digest).toBeDefined();
    expect(stepsOf(plan, "prune")).toMatchObject([
      { tag: "v2.14.3", digest },
      { tag: "v2.14.4", digest },
    ]);
  });

  test("the same digest in another repository is another manifest", () => {
    const plan = planWith("shared-digest-unsafe", {
      "prepare:v2.14.4": "same",
      "harbor-log:v2.15.0": "same",
    });
    expect(imagesIn(stepsOf(plan, "prune"))).toEqual(["prepare:v2.14.4"]);
  });

  test("a tag that this run is about to set: left", () => {
    const plan = planWith(
      "shared-digest-unsafe",
      { "prepare:v2.14.4": "same" },
      { sourceContents: { "prepare:v2.15.2": "same" } },
    );
    expect(stepsOf(plan, "prune")).toEqual([]);
    expect(stepsOf(plan, "leave")[0]?.reason).toContain("prepare:v2.15.2");
  });

  test("a wanted tag that this run does not set, since it would not be kept: pruned", () => {
    const plan = planWith(
      "shared-digest-unsafe",
      { "prepare:v1.10.18": "same" },
      {
        wanted: ["v2.15.2", "v1.10.19"],
        sourceContents: { "prepare:v1.10.19": "same" },
      },
    );
    expect(imagesIn(stepsOf(plan, "prune"))).toEqual(["prepare:v1.10.18"]);
  });

  test("not known: left", () => {
    const snapshot = snapshotOf({
      wanted: ["v2.15.2"],
      destinations: [{ keep: 1, deletion: "shared-digest-unsafe", contents: { "prepare:v2.14.4": "x" } }],
    });
    const unasked = snapshot.destinations.map((one) => ({ ...one, heldDigests: new Map() }));
    const plan = makePlan({ ...snapshot, destinations: unasked });
    expect(stepsOf(plan, "prune")).toEqual([]);
    expect(stepsOf(plan, "leave")).toMatchObject([{ reason: expect.stringMatching(/not known/) }]);
  });
});

test("where these credentials cannot delete, old versions are left, and the reason says why", () => {
  const plan = makePlan(
    snapshotOf({
      wanted: ["v2.15.2"],
      destinations: [
        {
          holds: ["v2.15.1", "v2.15.0", "v2.14.4"],
          deletion: "unavailable",
          deletionUnavailable: "tcr-username has no API key",
        },
      ],
    }),
  );
  expect(stepsOf(plan, "prune")).toEqual([]);
  expect(imagesIn(stepsOf(plan, "leave"))).toEqual(harborImages("v2.14.4"));
  expect(stepsOf(plan, "leave")[0]?.reason).toContain("tcr-username has no API key");
  expect(stepsOf(plan, "copy")).toHaveLength(12);
});

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
    overwrite: fc.boolean(),
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
    const wanted = snapshot.wanted.map(({ version }) => version);
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
