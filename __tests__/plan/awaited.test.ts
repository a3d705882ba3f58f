import { describe, expect, test } from "vitest";
import { sentenceOf } from "../../src/errors.ts";
import { audited } from "../../src/plan/audit.ts";
import { makePlan } from "../../src/plan/plan.ts";
import type { Overwrite } from "../../src/plan/snapshot.ts";
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

const abroad = "abroad.tencentcloudcr.com/goharbor";
const mainland = "mainland.tencentcloudcr.com/goharbor";
const filled: GivenDestination = { name: mainland, keep: "all", filledBySync: true };
const core = "harbor-core:v2.15.2";

/** A run that copies to one destination, from which another mechanism fills the other one. */
function planOf(
  own: GivenDestination,
  other: GivenDestination,
  more: Partial<GivenSnapshot> = {},
): ReturnType<typeof makePlan> {
  const destinations = [
    { name: abroad, ...own },
    { ...filled, ...other },
  ];
  return makePlan(snapshotOf({ wanted: ["v2.15.2"], destinations, ...more }));
}

describe("a destination that another mechanism fills", () => {
  test("is never copied to: what it lacks is awaited, with the digest of the source", () => {
    const plan = planOf({}, {});
    expect(imagesIn(stepsOf(plan, "copy", abroad))).toEqual(harborImages("v2.15.2"));
    expect(plan.steps.filter(({ destination }) => destination === mainland).map(({ kind }) => kind)).toEqual(
      Array(12).fill("await"),
    );
    expect(stepsOf(plan, "await").find(({ image }) => image === "harbor-core")).toMatchObject({
      digest: contentDigest(core),
      reason: "it is not there yet; what fills this destination is to bring it",
    });
  });

  test("what has come is in place, whatever signatures it lacks, and nothing is awaited", () => {
    const there = { holds: ["v2.15.2"], unsigned: [core] };
    const plan = planOf({ holds: ["v2.15.2"] }, there);
    expect(stepsOf(plan, "skip", mainland).map(({ reason }) => reason)).toEqual(
      Array(12).fill("it is in place"),
    );
  });

  test("is awaited where the other destination is complete already", () => {
    const plan = planOf({ holds: ["v2.15.2"] }, { holds: ["v2.15.2"], lacks: [core] });
    expect(stepsOf(plan, "copy")).toEqual([]);
    expect(imagesIn(stepsOf(plan, "await"))).toEqual([core]);
  });

  test.each<Overwrite>([true, false, "skip"])(
    "another digest there is awaited, too, with overwrite %s: nobody here writes",
    (overwrite) => {
      const plan = planOf({}, { holds: ["v2.15.2"], contents: { [core]: "another" } }, { overwrite });
      const [step, ...others] = stepsOf(plan, "await");
      expect(others).toEqual([]);
      expect(step?.reason).toContain(`the tag holds another digest, ${contentDigest("another")}`);
    },
  );

  test("what nobody may pull there now is awaited", () => {
    const plan = planOf({}, { holds: ["v2.15.2"], lacks: [core], withheld: [core] });
    expect(stepsOf(plan, "await").map(({ reason }) => reason)).toEqual([
      expect.stringContaining("a policy of the registry lets nobody pull it now"),
    ]);
  });

  test("an image that was proven to lack content fails there: it cannot be brought back from here", () => {
    const plan = planOf({}, { holds: ["v2.15.2"], broken: { [core]: ["sha256:lost"] } });
    expect(stepsOf(plan, "fail").map(({ failure }) => sentenceOf(failure))).toEqual([
      expect.stringMatching(/lacks sha256:lost, and nothing is written here\. Look at the rule/),
    ]);
  });

  test("one image that cannot be brought holds back the others of its version there, too", () => {
    const plan = planOf({}, {}, { missing: { [core]: "no source has it" } });
    expect(stepsOf(plan, "await")).toEqual([]);
    expect(stepsOf(plan, "fail", mainland)).toHaveLength(12);
  });
});

describe("nothing is awaited that cannot come", () => {
  test("a version that no other destination keeps is skipped, and nothing fails", () => {
    const own = { keep: 3, holds: ["v2.15.2", "v2.15.1", "v2.15.0"] };
    const plan = planOf(own, {}, { wanted: ["v2.14.4"] });
    expect(stepsOf(plan, "copy")).toEqual([]);
    expect(stepsOf(plan, "skip", mainland).map(({ digest, reason }) => [digest, reason])).toEqual(
      Array(12).fill([undefined, "no other destination is to have it"]),
    );
    expect(stepsOf(plan, "fail")).toEqual([]);
  });

  test("where the other destination cannot be asked, this one is held back", () => {
    const plan = planOf({ failure: "no route" }, {});
    expect(new Set(stepsOf(plan, "fail", mainland).map(({ failure }) => failure.kind))).toEqual(
      new Set(["held-back"]),
    );
    expect(stepsOf(plan, "await")).toEqual([]);
  });

  test("a third destination that gets it is enough", () => {
    const third = { name: "docker.io/goharbor", keep: "all" } as const;
    const destinations = [{ name: abroad, failure: "no route" }, filled, third];
    const plan = makePlan(snapshotOf({ wanted: ["v2.15.2"], destinations }));
    expect(imagesIn(stepsOf(plan, "await"))).toEqual(harborImages("v2.15.2"));
  });

  test("an image that is to have another digest here than at every other place is a mistake that says so", () => {
    const plan = planOf({ wantedContents: { [core]: "without attestations" } }, {});
    const failures = stepsOf(plan, "fail", mainland).map(({ failure }) => failure);
    expect(failures.filter(({ kind }) => kind === "obstacle").map(sentenceOf)).toEqual([
      expect.stringMatching(
        /with another digest than this one is to have: sha256:\w+\. Give this line the same `attestations=`/,
      ),
    ]);
    expect(failures.filter(({ kind }) => kind === "held-back")).toHaveLength(11);
  });

  test("with such destinations alone, nobody here knows what comes: all is awaited", () => {
    const plan = makePlan(snapshotOf({ wanted: ["v2.15.2"], destinations: [filled] }));
    expect(versionsIn(stepsOf(plan, "await"))).toEqual(["v2.15.2"]);
  });
});

test("an audit fails for what is missing beside other images of the version, and lets a version be awaited", () => {
  const destinations = [
    { name: abroad, holds: ["v2.15.2"] },
    { ...filled, holds: ["v2.15.2"], lacks: [core] },
  ];
  const half = snapshotOf({ wanted: ["v2.15.2"], destinations });
  expect(imagesIn(stepsOf(audited(makePlan(half), half), "fail"))).toEqual([core]);
  const none = snapshotOf({ wanted: ["v2.15.2"], destinations: [{ name: abroad }, filled] });
  expect(stepsOf(audited(makePlan(none), none), "await")).toHaveLength(12);
});
