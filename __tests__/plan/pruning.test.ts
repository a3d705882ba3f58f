import { describe, expect, test } from "vitest";
import { makePlan } from "../../src/plan/plan.ts";
import { type DestinationSnapshot, imageKey } from "../../src/plan/snapshot.ts";
import {
  contentDigest,
  type GivenSnapshot,
  harborImages,
  imagesIn,
  noReleases,
  snapshotOf,
  stepsOf,
  versionsIn,
} from "./snapshot-builder.ts";

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

describe("a version with a tag that a rule of the registry protects", () => {
  const planned = makePlan(
    snapshotOf({
      wanted: ["v2.15.2"],
      destinations: [
        {
          keep: 1,
          holds: ["v2.15.1", "v2.15.0"],
          protectedTags: { "harbor-db:v2.15.0": "a rule protects tags of it" },
        },
      ],
    }),
  );

  test("is left as a whole, with the rule: half a version is worse than one too many", () => {
    expect(imagesIn(stepsOf(planned, "leave"))).toEqual(harborImages("v2.15.0"));
    for (const { reason } of stepsOf(planned, "leave"))
      expect(reason).toBe("not kept, but a rule protects tags of it, and a version goes whole or not at all");
  });

  test("keeps no other version from going, and nothing fails", () => {
    expect(versionsIn(stepsOf(planned, "prune"))).toEqual(["v2.15.1"]);
    expect(stepsOf(planned, "fail")).toEqual([]);
  });
});

describe("more versions than prune-limit allows", () => {
  const holds = ["v2.15.1", "v2.15.0", "v2.14.4", "v2.14.3"];
  const planned = (pruneLimit: number | "all") =>
    makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        pruneLimit,
        destinations: [
          { name: "slip.example/goharbor", keep: 1, holds },
          { name: "usual.example/goharbor", keep: 4, holds },
        ],
      }),
    );

  test("are all left at that destination, with the number to set, and go at others as usual (P5)", () => {
    const plan = planned(3);
    const [slip, usual] = ["slip.example/goharbor", "usual.example/goharbor"].map((name) =>
      plan.steps.filter(({ destination }) => destination === name),
    );
    expect(slip?.filter(({ kind }) => kind === "prune")).toEqual([]);
    const left = slip?.filter(({ kind }) => kind === "leave") ?? [];
    expect([...versionsIn(left)].sort()).toEqual([...holds].sort());
    for (const { reason } of left)
      expect(reason).toMatch(/^4 versions would be deleted .* prune-limit is 3, .* set prune-limit to 4 /);
    expect(versionsIn(usual?.filter(({ kind }) => kind === "prune") ?? [])).toEqual(["v2.14.3"]);
    // What is copied is copied all the same.
    expect(versionsIn(slip?.filter(({ kind }) => kind === "copy") ?? [])).toEqual(["v2.15.2"]);
  });

  test("the limit is the reason where no digest was looked up for what it keeps from going", () => {
    const plan = makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        pruneLimit: 1,
        destinations: [
          {
            keep: 1,
            deletion: "shared-digest-unsafe",
            holds: ["v2.15.1", "v2.15.0"],
            heldDigests: false,
          },
        ],
      }),
    );
    expect(new Set(stepsOf(plan, "leave").map(({ reason }) => reason)).size).toBe(1);
    expect(stepsOf(plan, "leave")[0]?.reason).toMatch(
      /^2 versions would be deleted .* set prune-limit to 2 /,
    );
  });

  test.each([4, 5, "all"] as const)("as many as it allows go: %s", (pruneLimit) => {
    const pruned = stepsOf(planned(pruneLimit), "prune").filter(({ destination }) =>
      destination.startsWith("slip."),
    );
    expect([...versionsIn(pruned)].sort()).toEqual([...holds].sort());
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

describe("what is attached to a tag that goes", () => {
  const tagOf = (content: string, suffix: string) =>
    `harbor-core:${contentDigest(content).replace(":", "-")}${suffix}`;
  const attached = {
    [tagOf("old", "")]: "index",
    [tagOf("old", ".sig")]: "signature",
    [tagOf("old", ".sbom")]: "sbom",
    [tagOf("sbom", ".sig")]: "signature of the SBOM",
  };
  const others = { [tagOf("old", ".other")]: "x", [tagOf("kept", ".sig")]: "y" };
  const planned = (more: Readonly<Record<string, string>> = {}) =>
    makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        destinations: [
          {
            deletion: "shared-digest-unsafe",
            holds: ["v2.15.1", "v2.15.0"],
            contents: { "harbor-core:v2.9.0": "old", ...attached, ...others, ...more },
          },
        ],
      }),
    );

  test("goes with it, after it, what is attached to that too, and nothing else", () => {
    const steps = stepsOf(planned(), "prune");
    expect(imagesIn(steps)).toEqual(["harbor-core:v2.9.0", ...Object.keys(attached)]);
    expect(steps.slice(1).map(({ version, digest }) => [version, digest])).toEqual(
      Object.values(attached).map((content) => ["v2.9.0", contentDigest(content)]),
    );
    expect(stepsOf(planned(), "leave")).toEqual([]);
  });

  test("stays where the tag stays, because another one has its digest", () => {
    expect(imagesIn(stepsOf(planned({ "harbor-core:stable": "old" }), "prune"))).toEqual([]);
  });
});
