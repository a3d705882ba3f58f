import { describe, expect, test } from "vitest";
import { isUntagged, makePlan, subjectOf } from "../../src/plan/plan.ts";
import { type DestinationSnapshot, imageKey } from "../../src/plan/snapshot.ts";
import { joined } from "./joined.ts";
import {
  contentDigest,
  type GivenSnapshot,
  harborImages,
  harborUniverse,
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

describe("what a tag held that is overwritten", () => {
  const core = "harbor-core:v2.15.2";
  const old = contentDigest("old");
  const signature = `${old.replace(":", "-")}.sig`;
  const planned = (
    destination: GivenSnapshot["destinations"][number] = {},
    given: Partial<GivenSnapshot> = {},
  ) => {
    const { contents, ...rest } = destination;
    return makePlan(
      snapshotOf({
        wanted: ["v2.15.2"],
        destinations: [
          { ownLine: true, holds: ["v2.15.2"], contents: { [core]: "old", ...contents }, ...rest },
        ],
        ...given,
      }),
    );
  };
  /** What becomes of it: `prune harbor-core@sha256:…: reason`. */
  const fateOf = (plan: ReturnType<typeof planned>): readonly string[] =>
    plan.steps.flatMap((step) =>
      isUntagged(step) ? [`${step.kind} ${subjectOf(step)}: ${step.reason}`] : [],
    );
  const subject = `harbor-core@${old}`;

  test("goes, as a step of its own beside the copy, where the destination's own line says keep=N", () => {
    const plan = planned();
    expect(imagesIn(stepsOf(plan, "copy"))).toEqual([core]);
    expect(stepsOf(plan, "prune")).toMatchObject([
      { image: "harbor-core", tag: "v2.15.2", version: "v2.15.2", digest: old, untagged: old },
    ]);
    expect(fateOf(plan)).toEqual([`prune ${subject}: its tag is overwritten, and it has no other`]);
  });

  test.each([
    ["keep comes from the input of that name", { ownLine: false }],
    ["the line says keep=all", { keep: "all" }],
  ] as const)("is only told where %s", (_why, destination) => {
    const plan = planned(destination);
    expect(stepsOf(plan, "copy")[0]?.replaces).toBe(old);
    expect(fateOf(plan)).toEqual([]);
  });

  test.each<[why: string, destination: GivenSnapshot["destinations"][number], reason: string]>([
    [
      "another tag has it",
      { contents: { "harbor-core:lts": "old" } },
      "harbor-core:lts, which stays, has it too",
    ],
    ["the registry has no way", { untaggedStays: "the API deletes tags only" }, "the API deletes tags only"],
    [
      "the login cannot delete",
      { deletion: "unavailable", deletionUnavailable: "no key" },
      "this login cannot delete tags: no key",
    ],
    [
      "a rule protects its tag",
      { protectedTags: { [core]: "a rule protects tags of it" } },
      "a rule protects tags of it",
    ],
    [
      "a policy withholds a wanted image",
      { withheld: ["harbor-db:v2.15.2"] },
      "a policy of the registry lets nobody pull harbor-db:v2.15.2 now, so nothing is deleted",
    ],
  ])("is left where %s, with the reason", (_why, destination, reason) => {
    expect(fateOf(planned(destination))).toEqual([`leave ${subject}: its tag is overwritten, but ${reason}`]);
  });

  test("is left where a wanted image cannot be copied there (P5)", () => {
    const plan = planned({ lacks: ["harbor-db:v2.15.2"], onlyHere: ["harbor-db:v2.15.2"] });
    expect(stepsOf(plan, "prune")).toEqual([]);
  });

  test("is left where a wanted image could not be compared with a source", () => {
    const plan = planned(
      { holds: ["v2.15.2", "v2.15.1"] },
      { wanted: ["v2.15.2", "v2.15.1"], missing: { "harbor-db:v2.15.1": "no answer" } },
    );
    expect(fateOf(plan)).toEqual([
      `leave ${subject}: its tag is overwritten, but a wanted image could not be compared with any source, so nothing is deleted`,
    ]);
  });

  test("counts over all routes, and stays with its digest where these are more than prune-limit", () => {
    const routes = ["one", "two"].map((route) => {
      const plan = planned();
      return { ...plan, steps: plan.steps.map((step) => ({ ...step, route })) };
    });
    expect(fateOf(joined(routes, 2))).toHaveLength(2);
    expect(stepsOf(joined(routes, 2), "prune")).toHaveLength(2);
    const both = joined(routes, 1);
    expect(stepsOf(both, "leave")).toMatchObject([
      { route: "one", untagged: old },
      { route: "two", untagged: old },
    ]);
  });

  test("is left beside a failure of another route, as what was overwritten", () => {
    const [route, other] = ["one", "two"];
    const failed = planned({ failure: "no answer" });
    const plans = [planned(), failed].map((plan, index) => ({
      ...plan,
      steps: plan.steps.map((step) => ({ ...step, route: [route, other][index] ?? "" })),
    }));
    expect(fateOf(joined(plans, "all"))).toEqual([
      `leave ${subject}: its tag is overwritten, but a wanted image cannot be copied here, so nothing is deleted`,
    ]);
  });

  test("goes once where two tags held it, and in each repository by itself", () => {
    const componentsOf = () =>
      ["one", "two"].flatMap((to) =>
        ["v2.15.2", "2.15"].map((toTag) => ({ from: to, fromTag: toTag, to, toTag })),
      );
    const keys = ["one:v2.15.2", "one:2.15", "two:v2.15.2", "two:2.15"];
    const contents = Object.fromEntries(keys.map((key) => [key, "old"]));
    const universe = harborUniverse.filter(({ tag }) => tag === "v2.15.2");
    const plan = planned(
      { holds: [], contents: { ...contents, [core]: "other" } },
      { componentsOf, universe },
    );
    expect(stepsOf(plan, "copy")).toHaveLength(4);
    expect(stepsOf(plan, "prune").map(subjectOf)).toEqual([`one@${old}`, `two@${old}`]);
  });

  test("stays where this run sets another tag to it", () => {
    const db = "harbor-core:v2.15.1";
    const plan = planned(
      { contents: { [db]: "older" }, holds: ["v2.15.2", "v2.15.1"] },
      { wanted: ["v2.15.2", "v2.15.1"], sourceContents: { [db]: "old" } },
    );
    expect(fateOf(plan)).toEqual([
      `leave ${subject}: its tag is overwritten, but ${db}, which stays, has it too`,
      `prune harbor-core@${contentDigest("older")}: its tag is overwritten, and it has no other`,
    ]);
  });

  test("takes its signature along, which comes after it", () => {
    const plan = planned({ contents: { [`harbor-core:${signature}`]: "signature" } });
    expect(stepsOf(plan, "prune").map(subjectOf)).toEqual([subject, `harbor-core:${signature}`]);
  });

  test("leaves its signature where it stays itself", () => {
    const contents = { [`harbor-core:${signature}`]: "signature", "harbor-core:lts": "old" };
    expect(stepsOf(planned({ contents }), "prune")).toEqual([]);
  });

  test("counts with prune-limit", () => {
    const holds = ["v2.15.2", "v2.15.1", "v2.15.0", "v2.14.4"];
    expect(stepsOf(planned({ holds, keep: 3 }, { pruneLimit: 2 }), "leave")).toEqual([]);
    const plan = planned({ holds, keep: 3 }, { pruneLimit: 1 });
    expect(stepsOf(plan, "prune")).toEqual([]);
    expect(fateOf(plan)).toEqual([
      `leave ${subject}: 2 versions would be deleted or overwritten here in one run, and prune-limit is 1, so nothing is deleted: if all of them are to go, set prune-limit to 2 for one run; if not, raise keep`,
    ]);
  });
});
