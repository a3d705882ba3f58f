import { describe, expect, test } from "vitest";
import { audited } from "../../src/plan/audit.ts";
import { makePlan } from "../../src/plan/plan.ts";
import {
  contentDigest,
  type GivenDestination,
  type GivenSnapshot,
  harborImages,
  imagesIn,
  snapshotOf,
  stepsOf,
  versionsIn,
} from "./snapshot-builder.ts";

const hub = "docker.io/goharbor";
const tcr = "goharbor.tencentcloudcr.com/goharbor";
const all = harborImages("v2.15.2");

/** No source has these images, as none answers. */
function unreachable(images: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(images.map((key) => [key, "the image is at no source"]));
}

/** The plan for v2.15.2 at a destination, without these images at any source. */
function planned(
  images: readonly string[],
  destination: GivenDestination,
  more: Partial<GivenSnapshot> = {},
) {
  const wanted = ["v2.15.2"];
  const destinations = [{ keep: "all" as const, ...destination }];
  return makePlan(snapshotOf({ wanted, missing: unreachable(images), destinations, ...more }));
}

describe("a version that no source has, and that is in place", () => {
  test("stays, with its digests and a warning that they were not compared, and nothing fails", () => {
    const plan = planned(all, { holds: ["v2.15.2"] });
    expect(plan.steps.map(({ kind }) => kind)).toEqual(Array(12).fill("skip"));
    for (const step of stepsOf(plan, "skip"))
      expect(step).toMatchObject({
        digest: contentDigest(`${step.image}:${step.tag}`),
        reason: "in place and not compared, as the image is at no source",
        warning: { kind: "obstacle" },
      });
  });

  test("fails at another destination, where a tag of it is not there, and only there", () => {
    const destinations: readonly GivenDestination[] = [
      { name: hub, keep: "all", holds: ["v2.15.2"] },
      { name: tcr, keep: "all", holds: ["v2.15.2"], lacks: ["harbor-log:v2.15.2"] },
    ];
    const plan = makePlan(snapshotOf({ wanted: ["v2.15.2"], missing: unreachable(all), destinations }));
    expect(stepsOf(plan, "skip", hub)).toHaveLength(12);
    expect(imagesIn(stepsOf(plan, "fail", tcr))).toEqual(all);
  });

  test.each<[string, Partial<GivenSnapshot>, GivenDestination]>([
    ["a digest that nobody may read", {}, { withheld: ["harbor-core:v2.15.2"], contents: {} }],
    ["another overwrite", { overwrite: false }, { lacks: ["harbor-core:v2.15.2"] }],
  ])("fails with %s", (_what, more, destination) => {
    const given = snapshotOf({
      wanted: ["v2.15.2"],
      missing: unreachable(all),
      destinations: [{ keep: "all", holds: ["v2.15.2"], ...destination }],
      ...more,
    });
    // The digest of what nobody may pull is not known.
    const destinations = given.destinations.map((each) => ({
      ...each,
      digests: new Map([...each.digests].filter(([key]) => !each.withheld.has(key))),
    }));
    expect(stepsOf(makePlan({ ...given, destinations }), "fail")).toHaveLength(12);
  });

  test("deletes nothing beside it, whether it would be kept or not, and keeps what it kept", () => {
    const holds = ["v2.15.2", "v2.15.1", "v2.15.0", "v2.14.4"];
    const plan = planned(all, { keep: 3, holds });
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v2.15.2", "v2.15.1", "v2.15.0"]);
    expect(stepsOf(plan, "prune")).toEqual([]);
    expect(new Set(stepsOf(plan, "leave").map(({ version, reason }) => `${version} ${reason}`))).toEqual(
      new Set([
        "v2.14.4 not kept, but a wanted image could not be compared with any source, so nothing is deleted",
      ]),
    );
    const old = planned(harborImages("v2.14.4"), { keep: 3, holds }, { wanted: ["v2.14.4"] });
    expect(stepsOf(old, "skip").every(({ digest }) => digest !== undefined)).toBe(true);
    expect(stepsOf(old, "prune")).toEqual([]);
  });

  test("is told as such by an audit; lost content fails, as no source brings it back", () => {
    const destination = { holds: ["v2.15.2"], broken: { "harbor-core:v2.15.2": ["sha256:aa"] } };
    const given = snapshotOf({
      wanted: ["v2.15.2"],
      missing: unreachable(all),
      destinations: [{ keep: "all", ...destination }],
    });
    const plan = audited(makePlan(given), given);
    expect(stepsOf(plan, "fail").map(({ image, reason }) => `${image} ${reason}`)).toEqual([
      "harbor-core its tag is there, but it lacks sha256:aa, and no source has it",
    ]);
    expect(stepsOf(plan, "skip").every(({ reason }) => reason.startsWith("in place and not compared"))).toBe(
      true,
    );
  });
});

describe("a version of which some images are gone from the sources", () => {
  const gone = ["harbor-core:v2.15.2"];

  test("stays where it is in place; the other images are compared", () => {
    const plan = planned(gone, { holds: ["v2.15.2"] });
    const skips = stepsOf(plan, "skip");
    expect(skips).toHaveLength(12);
    expect(imagesIn(skips.filter(({ warning }) => warning !== undefined))).toEqual(gone);
  });

  test("gets the signatures that are late for the others: no tag of it moves by that", () => {
    const plan = planned(gone, { holds: ["v2.15.2"], unsigned: ["harbor-db:v2.15.2"] });
    expect(imagesIn(stepsOf(plan, "copy"))).toEqual(["harbor-db:v2.15.2"]);
    expect(stepsOf(plan, "copy")[0]?.replaces).toBeUndefined();
    expect(stepsOf(plan, "fail")).toEqual([]);
  });

  test.each([true, false, "skip"] as const)(
    "fails where another image holds another digest than the source: no half of it moves (overwrite %j)",
    (overwrite) => {
      const contents = { "harbor-db:v2.15.2": "another" };
      const plan = planned(gone, { holds: ["v2.15.2"], contents }, { overwrite });
      expect(imagesIn(stepsOf(plan, "fail"))).toEqual(all);
    },
  );

  test("fails where the inputs leave nothing of the image: a source has it", () => {
    const given = snapshotOf({
      wanted: ["v2.15.2"],
      missing: unreachable(gone),
      destinations: [{ keep: "all", holds: ["v2.15.2"] }],
    });
    const wanted = given.wanted.map((each) => ({
      ...each,
      missing: each.missing.map((image) => ({ ...image, isMistake: true })),
    }));
    expect(stepsOf(makePlan({ ...given, wanted }), "fail")).toHaveLength(12);
  });
});

test("what only the destination itself has fails, where it lacks content", () => {
  const destination = { holds: ["v2.15.2"], onlyHere: all, broken: { "harbor-core:v2.15.2": ["sha256:aa"] } };
  const plan = planned([], destination);
  expect(imagesIn(stepsOf(plan, "fail"))).toEqual(["harbor-core:v2.15.2"]);
});
