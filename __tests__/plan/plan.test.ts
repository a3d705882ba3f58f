import { describe, expect, test } from "vitest";
import { applyRules, type ImageRule } from "../../src/plan/component.ts";
import { makePlan } from "../../src/plan/plan.ts";
import type { Version } from "../../src/plan/version.ts";
import {
  contentDigest,
  harborImages,
  harborUniverseWith,
  imagesIn,
  snapshotOf,
  stepsOf,
  versionsIn,
} from "./snapshot-builder.ts";

const hub = "docker.io/goharbor";
const tcr = "goharbor.tencentcloudcr.com/goharbor";

describe("a new release", () => {
  const snapshot = snapshotOf({
    wanted: ["v2.15.2"],
    destinations: [
      { name: hub, keep: "all" },
      { name: tcr, holds: ["v2.15.1", "v2.15.0", "v2.14.4"] },
    ],
  });
  const plan = makePlan(snapshot);

  test("is copied whole to both destinations, from where the snapshot found it", () => {
    expect(imagesIn(stepsOf(plan, "copy", hub))).toEqual(harborImages("v2.15.2"));
    expect(imagesIn(stepsOf(plan, "copy", tcr))).toEqual(harborImages("v2.15.2"));
    for (const step of stepsOf(plan, "copy")) {
      expect(step.source.digest).toBe(contentDigest(`${step.image}:${step.tag}`));
      expect(step.replaces).toBeUndefined();
      expect(step.reason).toMatch(/not there yet/);
    }
  });

  test("makes the destination that keeps three give up the fourth, and tells which three stay", () => {
    expect(versionsIn(stepsOf(plan, "keep", tcr))).toEqual(["v2.15.2", "v2.15.1", "v2.15.0"]);
    expect(imagesIn(stepsOf(plan, "prune", tcr))).toEqual(harborImages("v2.14.4"));
    expect(stepsOf(plan, "prune", tcr)[0]?.reason).toContain("v2.15.2, v2.15.1, v2.15.0");
  });

  test("takes nothing from the destination that keeps all", () => {
    expect(plan.steps.filter(({ destination }) => destination === hub).map(({ kind }) => kind)).toEqual(
      Array(12).fill("copy"),
    );
  });

  test("the plan names repository and versions", () => {
    expect(plan).toMatchObject({ repository: "goharbor/harbor", versions: ["v2.15.2"] });
  });
});

test("run again: everything is in place and nothing is done", () => {
  const held = ["v2.15.2", "v2.15.1", "v2.15.0"];
  const plan = makePlan(
    snapshotOf({
      wanted: ["v2.15.2"],
      destinations: [{ name: hub, keep: "all", holds: held }, { holds: held }],
    }),
  );
  expect(stepsOf(plan, "skip")).toHaveLength(24);
  for (const step of stepsOf(plan, "skip"))
    expect(step.digest).toBe(contentDigest(`${step.image}:${step.tag}`));
  expect(new Set(plan.steps.map(({ kind }) => kind))).toEqual(new Set(["skip", "keep"]));
});

test("after a crash half-way only the rest is copied", () => {
  const lacks = ["harbor-core:v2.15.2", "valkey-photon:v2.15.2"];
  const plan = makePlan(
    snapshotOf({
      wanted: ["v2.15.2"],
      destinations: [{ name: hub, keep: "all", holds: ["v2.15.2"], lacks }],
    }),
  );
  expect(imagesIn(stepsOf(plan, "copy"))).toEqual(lacks);
  expect(stepsOf(plan, "skip")).toHaveLength(10);
});

describe("an image that is at no source", () => {
  const plan = makePlan(
    snapshotOf({
      wanted: ["v2.15.2", "v2.14.4"],
      missing: {
        "valkey-photon:v2.15.2": "valkey-photon:v2.15.2 is at no source (ghcr.io/goharbor: not found)",
      },
      destinations: [{ holds: ["v2.15.1", "v2.13.5", "v2.13.4"], contents: { "prepare:v2.15.2": "half" } }],
    }),
  );

  test("fails its whole version, each image with the reason", () => {
    const failed = stepsOf(plan, "fail");
    expect(imagesIn(failed)).toEqual(harborImages("v2.15.2"));
    const reasons = new Map(failed.map(({ image, reason }) => [image, reason]));
    expect(reasons.get("valkey-photon")).toContain("ghcr.io/goharbor: not found");
    expect(reasons.get("harbor-core")).toContain("valkey-photon:v2.15.2");
  });

  test("does not keep the other version from being copied", () => {
    expect(imagesIn(stepsOf(plan, "copy"))).toEqual(harborImages("v2.14.4"));
  });

  test("leaves everything undeleted there, as the run would (P5, P9)", () => {
    expect(stepsOf(plan, "prune")).toEqual([]);
    expect(versionsIn(stepsOf(plan, "leave"))).toEqual(expect.arrayContaining(["v2.13.4", "v2.15.2"]));
    for (const step of stepsOf(plan, "leave")) expect(step.reason).toMatch(/cannot be copied/);
  });
});

test("a destination that could not be asked fails every image with that reason, and only there", () => {
  const failure = "destination docker.io: listing the tags failed with status 500";
  const plan = makePlan(
    snapshotOf({
      wanted: ["v2.15.2"],
      destinations: [
        { name: hub, failure, holds: ["v2.15.1", "v2.15.0", "v2.14.4", "v2.14.3"] },
        { name: tcr, holds: ["v2.15.1", "v2.15.0", "v2.14.4"] },
      ],
    }),
  );
  const atHub = plan.steps.filter(({ destination }) => destination === hub);
  expect(atHub.map(({ kind, reason }) => ({ kind, reason }))).toEqual(
    Array(12).fill({ kind: "fail", reason: failure }),
  );
  expect(stepsOf(plan, "copy", tcr)).toHaveLength(12);
  expect(versionsIn(stepsOf(plan, "prune", tcr))).toEqual(["v2.14.4"]);
});

describe("a tag that holds another digest at one destination", () => {
  const situation = (overwrite: boolean) =>
    makePlan(
      snapshotOf({
        wanted: ["v2.15.2", "v2.15.1"],
        overwrite,
        destinations: [
          {
            name: hub,
            keep: "all",
            holds: ["v2.15.2"],
            lacks: ["harbor-db:v2.15.2"],
            contents: { "harbor-core:v2.15.2": "another build" },
          },
          { name: tcr, holds: ["v2.15.0", "v2.14.4"] },
        ],
      }),
    );

  test("overwrite: true replaces it, and the step names the digest that goes", () => {
    const plan = situation(true);
    const replacing = stepsOf(plan, "copy").filter(({ replaces }) => replaces !== undefined);
    expect(replacing).toMatchObject([
      { destination: hub, image: "harbor-core", replaces: contentDigest("another build") },
    ]);
    expect(replacing[0]?.reason).toContain(contentDigest("another build"));
    expect(stepsOf(plan, "fail")).toEqual([]);
  });

  test("overwrite: false holds the whole version back there (P3); what is in place stays", () => {
    const plan = situation(false);
    const failed = stepsOf(plan, "fail");
    expect(imagesIn(failed)).toEqual(["harbor-core:v2.15.2", "harbor-db:v2.15.2"]);
    expect(failed.every(({ destination }) => destination === hub)).toBe(true);
    expect(failed[0]?.reason).toMatch(/another digest.*overwrite is false/);
    expect(failed[1]?.reason).toMatch(/held back.*harbor-core:v2\.15\.2/);
    expect(stepsOf(plan, "skip", hub)).toHaveLength(10);
  });

  test("overwrite: false holds back neither another version nor another destination", () => {
    const plan = situation(false);
    expect(versionsIn(stepsOf(plan, "copy", hub))).toEqual(["v2.15.1"]);
    expect(versionsIn(stepsOf(plan, "copy", tcr))).toEqual(["v2.15.2", "v2.15.1"]);
    expect(versionsIn(stepsOf(plan, "prune", tcr))).toEqual(["v2.14.4"]);
  });

  test("overwrite: false and a failure: nothing is deleted at that destination", () => {
    const plan = makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        overwrite: false,
        destinations: [
          { holds: ["v2.15.2", "v2.15.1", "v2.15.0", "v2.14.4"], contents: { "prepare:v2.15.2": "another" } },
        ],
      }),
    );
    expect(stepsOf(plan, "prune")).toEqual([]);
    expect(versionsIn(stepsOf(plan, "leave"))).toEqual(["v2.14.4"]);
  });
});

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

describe("a source that is the destination itself", () => {
  test("what is there is in place", () => {
    const plan = makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        destinations: [{ keep: "all", holds: ["v2.15.2"], onlyHere: harborImages("v2.15.2") }],
      }),
    );
    expect(plan.steps.map(({ kind }) => kind)).toEqual(Array(12).fill("skip"));
    expect(plan.steps[0]).toMatchObject({ digest: contentDigest("prepare:v2.15.2") });
  });

  test("what is neither there nor elsewhere fails, and holds the others back", () => {
    const plan = makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        destinations: [{ keep: "all", onlyHere: ["harbor-log:v2.15.2"] }],
      }),
    );
    expect(plan.steps.map(({ kind }) => kind)).toEqual(Array(12).fill("fail"));
    expect(stepsOf(plan, "fail").find(({ image }) => image === "harbor-log")?.reason).toMatch(
      /no source other/,
    );
  });
});

test("an image whose signatures are not there is copied again, and replaces nothing", () => {
  const unsigned = ["harbor-core:v2.15.2"];
  const plan = makePlan(
    snapshotOf({
      wanted: ["v2.15.2"],
      overwrite: false,
      destinations: [{ keep: "all", holds: ["v2.15.2"], unsigned }],
    }),
  );
  expect(imagesIn(stepsOf(plan, "copy"))).toEqual(unsigned);
  expect(stepsOf(plan, "copy")[0]).toMatchObject({
    replaces: undefined,
    reason: expect.stringMatching(/signatures/),
  });
});

describe("a tag template that several versions fill alike", () => {
  const rules: readonly ImageRule[] = ["{{tag}}", "{{major}}.{{minor}}"].map((toTag) => ({
    from: "app",
    fromTag: "{{tag}}",
    to: "app",
    toTag,
  }));
  const componentsOf = (of: Version) => applyRules(rules, of);

  test("moves with the newest version", () => {
    const plan = makePlan(
      snapshotOf({
        componentsOf,
        wanted: ["v2.15.2"],
        destinations: [{ holds: ["v2.15.1"], contents: { "app:2.15": "app:v2.15.1" } }],
      }),
    );
    expect(stepsOf(plan, "copy")).toMatchObject([
      { tag: "v2.15.2", replaces: undefined },
      { tag: "2.15", replaces: contentDigest("app:v2.15.1") },
    ]);
  });

  test("an old patch never moves it back", () => {
    const plan = makePlan(
      snapshotOf({
        componentsOf,
        wanted: ["v2.15.1"],
        destinations: [{ holds: ["v2.15.2"], contents: { "app:2.15": "app:v2.15.2" } }],
      }),
    );
    expect(imagesIn(stepsOf(plan, "copy"))).toEqual(["app:v2.15.1"]);
    expect(stepsOf(plan, "skip")).toMatchObject([{ tag: "2.15", reason: "the tag belongs to v2.15.2" }]);
  });

  test("of several wanted versions the newest sets it", () => {
    const plan = makePlan(
      snapshotOf({ componentsOf, wanted: ["v2.15.2", "v2.15.1"], destinations: [{ keep: "all" }] }),
    );
    expect(stepsOf(plan, "copy").filter(({ tag }) => tag === "2.15")).toMatchObject([{ version: "v2.15.2" }]);
  });

  test("pruning an old version never takes it away", () => {
    const plan = makePlan(
      snapshotOf({
        componentsOf,
        wanted: ["v2.15.2"],
        destinations: [{ keep: 1, holds: ["v2.15.1", "v2.15.0"], contents: { "app:2.15": "app:v2.15.1" } }],
      }),
    );
    expect([...imagesIn(stepsOf(plan, "prune"))].sort()).toEqual(["app:v2.15.0", "app:v2.15.1"]);
  });

  test("goes with the last version of its line", () => {
    const plan = makePlan(
      snapshotOf({
        componentsOf,
        wanted: ["v2.15.2"],
        destinations: [{ keep: 1, holds: ["v2.14.4"], contents: { "app:2.14": "app:v2.14.4" } }],
      }),
    );
    expect(imagesIn(stepsOf(plan, "prune"))).toEqual(["app:v2.14.4", "app:2.14"]);
  });

  test("a version without any tag of its own takes no other version's place", () => {
    const plan = makePlan(
      snapshotOf({
        componentsOf: (of) => componentsOf(of).slice(1),
        wanted: ["v2.15.1"],
        destinations: [
          {
            keep: 3,
            contents: { "app:2.15": "app:v2.15.2", "app:2.14": "app:v2.14.4", "app:2.13": "app:v2.13.5" },
          },
        ],
      }),
    );
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v2.15.2", "v2.14.4", "v2.13.5"]);
    expect(stepsOf(plan, "skip")).toMatchObject([{ tag: "2.15", reason: "the tag belongs to v2.15.2" }]);
    expect(stepsOf(plan, "prune")).toEqual([]);
  });
});
