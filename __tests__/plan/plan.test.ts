import { describe, expect, test } from "vitest";
import { makePlan } from "../../src/plan/plan.ts";
import type { Overwrite } from "../../src/plan/snapshot.ts";
import {
  contentDigest,
  harborImages,
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
  const situation = (overwrite: Overwrite) =>
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

  test("overwrite: skip leaves that version alone there, and nothing fails; what is in place stays", () => {
    const plan = situation("skip");
    expect(stepsOf(plan, "fail")).toEqual([]);
    const left = stepsOf(plan, "skip", hub).filter(({ digest }) => digest === undefined);
    expect(imagesIn(left)).toEqual(["harbor-core:v2.15.2", "harbor-db:v2.15.2"]);
    expect(left[0]?.warning).toEqual({
      kind: "obstacle",
      problem: "the tag holds another digest, and overwrite is skip",
      subject: contentDigest("another build"),
    });
    expect(left[1]).toMatchObject({
      reason: "held back: harbor-core:v2.15.2 of this version is left alone",
      warning: { kind: "held-back" },
    });
    expect(stepsOf(plan, "skip", hub)).toHaveLength(12);
    expect(versionsIn(stepsOf(plan, "copy", hub))).toEqual(["v2.15.1"]);
    expect(versionsIn(stepsOf(plan, "copy", tcr))).toEqual(["v2.15.2", "v2.15.1"]);
    expect(versionsIn(stepsOf(plan, "prune", tcr))).toEqual(["v2.14.4"]);
  });

  test("overwrite: skip and an image that cannot be brought: the version fails, and what is left alone does not", () => {
    const plan = makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        overwrite: "skip",
        destinations: [
          { keep: "all", contents: { "harbor-core:v2.15.2": "another" }, onlyHere: ["harbor-log:v2.15.2"] },
        ],
      }),
    );
    expect(imagesIn(stepsOf(plan, "skip"))).toEqual(["harbor-core:v2.15.2"]);
    expect(stepsOf(plan, "fail")).toHaveLength(11);
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

test.each([
  [true, "copy", "a policy of the registry lets nobody pull it now"],
  [false, "fail", "overwrite is false"],
  ["skip", "skip", "overwrite is skip"],
] as const)(
  "an image that nobody may pull, overwrite %j: %s, as its digest is not known",
  (overwrite, kind, words) => {
    const plan = makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        overwrite,
        destinations: [{ keep: "all", holds: ["v2.15.2"], withheld: ["harbor-core:v2.15.2"] }],
      }),
    );
    const told = stepsOf(plan, kind).filter(({ reason }) => reason !== "it is in place");
    expect(imagesIn(told)).toEqual(["harbor-core:v2.15.2"]);
    expect(JSON.stringify(told[0])).toContain(words);
  },
);

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
