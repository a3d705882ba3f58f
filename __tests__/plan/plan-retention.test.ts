import { describe, expect, test } from "vitest";
import { makePlan } from "../../src/plan/plan.ts";
import {
  harborImages,
  harborUniverseWith,
  imagesIn,
  snapshotOf,
  stepsOf,
  versionsIn,
} from "./snapshot-builder.ts";

const hub = "docker.io/goharbor";
const tcr = "goharbor.tencentcloudcr.com/goharbor";

describe("a late patch of an old line", () => {
  test.each(["v1.10.20", "v2.13.6"])("%s is not copied to be deleted, nor evicts a newer version", (tag) => {
    const plan = makePlan(
      snapshotOf({
        universe: harborUniverseWith(tag),
        wanted: [tag],
        destinations: [
          { name: hub, keep: "all" },
          { name: tcr, holds: ["v2.15.2", "v2.15.1", "v2.15.0"] },
        ],
      }),
    );
    expect(imagesIn(stepsOf(plan, "copy", hub))).toEqual(harborImages(tag));
    expect(imagesIn(stepsOf(plan, "skip", tcr))).toEqual(harborImages(tag));
    for (const step of stepsOf(plan, "skip", tcr)) {
      expect(step.digest).toBeUndefined();
      expect(step.reason).toMatch(/would not be kept.*3 by semver.*v2\.15\.2, v2\.15\.1, v2\.15\.0/);
    }
    expect(versionsIn(stepsOf(plan, "keep", tcr))).toEqual(["v2.15.2", "v2.15.1", "v2.15.0"]);
    expect([...stepsOf(plan, "prune"), ...stepsOf(plan, "leave")]).toEqual([]);
  });

  test("is copied where there is room for it", () => {
    const plan = makePlan(
      snapshotOf({
        universe: harborUniverseWith("v2.13.6"),
        wanted: ["v2.13.6"],
        destinations: [{ holds: ["v2.15.2", "v2.15.1"] }],
      }),
    );
    expect(imagesIn(stepsOf(plan, "copy"))).toEqual(harborImages("v2.13.6"));
    expect(stepsOf(plan, "keep")).toHaveLength(3);
  });

  test("by published it is the newest, and the oldest release goes", () => {
    const plan = makePlan(
      snapshotOf({
        universe: harborUniverseWith("v1.10.20"),
        wanted: ["v1.10.20"],
        destinations: [{ keepBy: "published", holds: ["v2.15.2", "v2.15.1", "v2.14.4"] }],
      }),
    );
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v1.10.20", "v2.15.2", "v2.14.4"]);
    expect(versionsIn(stepsOf(plan, "prune"))).toEqual(["v2.15.1"]);
  });
});

describe("a version that overwrite: false blocks takes no place of keep", () => {
  const planned = (holds: readonly string[], contents: Readonly<Record<string, string>>) =>
    makePlan(
      snapshotOf({
        wanted: ["v2.15.2", "v2.15.1"],
        overwrite: false,
        destinations: [{ keep: 1, holds, contents }],
      }),
    );

  test("that is here in part: it fails, and the next is copied and kept", () => {
    const plan = planned([], { "harbor-core:v2.15.2": "other" });
    expect(versionsIn(stepsOf(plan, "fail"))).toEqual(["v2.15.2"]);
    expect(imagesIn(stepsOf(plan, "copy"))).toEqual(harborImages("v2.15.1"));
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v2.15.1"]);
    expect(stepsOf(plan, "prune")).toEqual([]);
  });

  test("unless all its tags are here: then it is held as it is", () => {
    const plan = planned(["v2.15.2"], { "harbor-core:v2.15.2": "other" });
    expect(imagesIn(stepsOf(plan, "fail"))).toEqual(["harbor-core:v2.15.2"]);
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v2.15.2"]);
  });

  test("that would not be kept anyway is skipped as before", () => {
    const plan = planned([], { "harbor-core:v2.15.1": "other" });
    expect(stepsOf(plan, "fail")).toEqual([]);
    expect(imagesIn(stepsOf(plan, "skip"))).toEqual(harborImages("v2.15.1"));
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v2.15.2"]);
  });
});

describe("a version that overwrite: skip leaves alone takes no place of keep", () => {
  const planned = (holds: readonly string[], contents: Readonly<Record<string, string>>) =>
    makePlan(
      snapshotOf({
        wanted: ["v2.15.2", "v2.15.1"],
        overwrite: "skip",
        destinations: [{ keep: 1, holds, contents }],
      }),
    );

  test.each([
    ["in part", ["v2.14.4"]],
    ["with all its tags", ["v2.15.2", "v2.14.4"]],
  ])("that is here %s: the next is copied and kept, an old one goes, and it stays itself", (_how, holds) => {
    const plan = planned(holds, { "harbor-core:v2.15.2": "other" });
    expect(stepsOf(plan, "fail")).toEqual([]);
    expect(imagesIn(stepsOf(plan, "copy"))).toEqual(harborImages("v2.15.1"));
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v2.15.1"]);
    expect(versionsIn(stepsOf(plan, "prune"))).toEqual(["v2.14.4"]);
    expect(versionsIn(stepsOf(plan, "leave"))).toEqual(["v2.15.2"]);
    expect(stepsOf(plan, "leave")[0]?.reason).toContain("overwrite is skip");
  });

  test("that would not be kept anyway is no more compared than with another overwrite", () => {
    const plan = planned(["v2.15.2"], { "harbor-core:v2.15.1": "other" });
    expect(stepsOf(plan, "skip").filter(({ warning }) => warning !== undefined)).toEqual([]);
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v2.15.2"]);
  });
});

describe("which three of Harbor's releases are kept", () => {
  const holds = ["v2.15.1", "v2.15.0", "v2.14.4", "v2.14.3", "v2.13.5"];

  test.each([
    ["semver", ["v2.15.2", "v2.15.1", "v2.15.0"]],
    ["published", ["v2.15.2", "v2.14.4", "v2.15.1"]],
    ["minor", ["v2.15.2", "v2.14.4", "v2.13.5"]],
  ] as const)("by %s: %j", (keepBy, kept) => {
    const plan = makePlan(snapshotOf({ wanted: ["v2.15.2"], destinations: [{ keepBy, holds }] }));
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(kept);
    const gone = holds.filter((tag) => !kept.some((one) => one === tag));
    expect([...versionsIn(stepsOf(plan, "prune"))].sort()).toEqual(gone.sort());
    expect(stepsOf(plan, "keep")[0]?.reason).toBe(`among the newest 3 by ${keepBy}`);
  });

  test("keep: all keeps and deletes nothing, whatever is there", () => {
    const plan = makePlan(snapshotOf({ wanted: ["v2.15.2"], destinations: [{ keep: "all", holds }] }));
    expect(new Set(plan.steps.map(({ kind }) => kind))).toEqual(new Set(["copy"]));
  });

  test("versions count over all repositories: redis-photon ends and valkey-photon begins between two of them", () => {
    const plan = makePlan(
      snapshotOf({ wanted: ["v2.15.2"], destinations: [{ holds: ["v2.15.1", "v2.15.0", "v2.14.4"] }] }),
    );
    const pruned = imagesIn(stepsOf(plan, "prune"));
    expect(pruned.filter((key) => key.startsWith("redis-photon"))).toEqual(["redis-photon:v2.14.4"]);
    expect(pruned.filter((key) => key.startsWith("valkey-photon"))).toEqual([]);
    expect(imagesIn(stepsOf(plan, "copy")).filter((key) => /redis|valkey/.test(key))).toEqual([
      "valkey-photon:v2.15.2",
    ]);
  });
});

test.each(["by-tag", "shared-digest-unsafe"] as const)(
  "nothing is pruned beside an image that nobody may pull (%s)",
  (deletion) => {
    const holds = ["v2.15.2", "v2.15.1"];
    const withheld = ["harbor-core:v2.15.2"];
    const plan = makePlan(
      snapshotOf({ wanted: ["v2.15.2"], destinations: [{ keep: 1, deletion, holds, withheld }] }),
    );
    expect(stepsOf(plan, "prune")).toEqual([]);
    const reasons = new Set(stepsOf(plan, "leave").map(({ reason }) => reason));
    expect([...reasons]).toEqual([
      "not kept, but a policy of the registry lets nobody pull harbor-core:v2.15.2 now, so nothing is deleted",
    ]);
  },
);
