import { describe, expect, test } from "vitest";
import { audited } from "../../src/plan/audit.ts";
import { makePlan } from "../../src/plan/plan.ts";
import { type GivenDestination, snapshotOf } from "./snapshot-builder.ts";

/** What an audit says of each image of v2.15.2 at a destination, by image: the kind of its step, and why. */
function auditOf(destination: GivenDestination): ReadonlyMap<string, string> {
  const snapshot = snapshotOf({ wanted: ["v2.15.2"], destinations: [{ keep: "all", ...destination }] });
  const { steps } = audited(makePlan(snapshot), snapshot);
  return new Map(
    steps.flatMap((step) => ("image" in step ? [[step.image, `${step.kind}: ${step.reason}`] as const] : [])),
  );
}

describe("an audit", () => {
  test("finds nothing wrong in a version that is in place", () => {
    const found = auditOf({ holds: ["v2.15.2"] });
    expect([...new Set(found.values())]).toEqual(["skip: it is in place"]);
  });

  test("says of a version without any tag there that it would be copied", () => {
    const found = auditOf({});
    expect([...new Set(found.values())]).toEqual(["copy: it is not there yet"]);
  });

  test.each<[string, GivenDestination, RegExp]>([
    [
      "a missing tag",
      { lacks: ["harbor-core:v2.15.2"] },
      /^fail: other images of this version are there, and this one is not\. A run without dry-run, with version: v2\.15\.2/,
    ],
    [
      "a moved tag",
      { contents: { "harbor-core:v2.15.2": "another" } },
      /^fail: the tag holds another digest than the source: sha256:/,
    ],
    [
      "lost content",
      { broken: { "harbor-core:v2.15.2": ["sha256:aa"] } },
      /^fail: its tag is right, but it lacks sha256:aa/,
    ],
    [
      "lost signatures",
      { unsigned: ["harbor-core:v2.15.2"] },
      /^fail: signatures or other referrers are not there/,
    ],
  ])("fails for %s, and for nothing else of the version", (_what, more, expected) => {
    const found = auditOf({ holds: ["v2.15.2"], ...more });
    expect(found.get("harbor-core")).toMatch(expected);
    expect([...found].filter(([, text]) => !text.startsWith("skip")).map(([image]) => image)).toEqual([
      "harbor-core",
    ]);
  });
});
