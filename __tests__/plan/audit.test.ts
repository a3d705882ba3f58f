import { describe, expect, test } from "vitest";
import { audited } from "../../src/plan/audit.ts";
import { applyRules } from "../../src/plan/component.ts";
import { makePlan } from "../../src/plan/plan.ts";
import type { Overwrite } from "../../src/plan/snapshot.ts";
import type { Step } from "../../src/plan/step.ts";
import { type GivenDestination, harborUniverse, snapshotOf } from "./snapshot-builder.ts";

/** What an audit says of each image of v2.15.2 at a destination, by image: the kind of its step, and why. */
function auditOf(destination: GivenDestination, overwrite: Overwrite = true): ReadonlyMap<string, string> {
  const destinations = [{ keep: "all" as const, ...destination }];
  const snapshot = snapshotOf({ wanted: ["v2.15.2"], overwrite, destinations });
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

  test.each([true, false, "skip"] as const)("fails for a moved tag, overwrite %j", (overwrite) => {
    const contents = { "harbor-core:v2.15.2": "another" };
    const found = auditOf({ holds: ["v2.15.2"], contents }, overwrite);
    expect(found.get("harbor-core")).toMatch(/^fail: the tag holds another digest/);
    expect([...found.values()].filter((text) => text.startsWith("fail"))).toHaveLength(1);
  });

  test("fails for what a moved tag holds back where overwrite is skip", () => {
    const contents = { "harbor-core:v2.15.2": "another" };
    const found = auditOf({ holds: ["v2.15.2"], lacks: ["harbor-db:v2.15.2"], contents }, "skip");
    expect(found.get("harbor-db")).toMatch(/^fail: held back: harbor-core:v2\.15\.2/);
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
      /^fail: signatures or other referrers are not there yet\. A run without dry-run, with version: v2\.15\.2, brings them, or says why the registry refuses them/,
    ],
  ])("fails for %s, and for nothing else of the version", (_what, more, expected) => {
    const found = auditOf({ holds: ["v2.15.2"], ...more });
    expect(found.get("harbor-core")).toMatch(expected);
    expect([...found].filter(([, text]) => !text.startsWith("skip")).map(([image]) => image)).toEqual([
      "harbor-core",
    ]);
  });

  const rules = [
    { from: "app", fromTag: "{{tag}}", to: "app", toTag: "{{tag}}" },
    { from: "app", fromTag: "{{tag}}", to: "app", toTag: "{{major}}" },
    { from: "tool", fromTag: "7.1", to: "tool", toTag: "7.1" },
  ];
  test.each<[string, string, GivenDestination, string]>([
    ["a newer one brought", "v2.14.3", { holds: ["v2.14.4"] }, "copy app:v2.14.3"],
    ["an older one left", "v2.14.4", { holds: ["v2.14.3"] }, "copy app:v2.14.4"],
    [
      "an older one set, which a newer one moves",
      "v2.14.4",
      { holds: ["v2.14.3"], contents: { "app:2": "app:v2.14.3" } },
      "copy app:v2.14.4, copy app:2",
    ],
    ["it has beside its own", "v2.14.4", { holds: ["v2.14.4"], lacks: ["tool:7.1"] }, "fail tool:7.1"],
    [
      "it has beside its own, moved",
      "v2.14.4",
      { holds: ["v2.14.4"], contents: { "app:2": "another" } },
      "fail app:2",
    ],
  ])("goes by the tags that no other version has: %s", (_which, wanted, destination, expected) => {
    const snapshot = snapshotOf({
      wanted: [wanted],
      universe: harborUniverse.filter(({ tag }) => ["v2.14.3", "v2.14.4"].includes(tag)),
      componentsOf: (version) => applyRules(rules, version),
      destinations: [{ keep: "all", ...destination }],
    });
    const found = audited(makePlan(snapshot), snapshot).steps.filter(({ kind }) => kind !== "skip");
    const image = (step: Step): string =>
      "image" in step ? `${step.kind} ${step.image}:${step.tag}` : step.kind;
    expect(found.map(image).join(", ")).toBe(expected);
  });

  test("goes by what belongs to a version where all its tags are shared", () => {
    const snapshot = snapshotOf({
      wanted: ["v2.14.4"],
      universe: harborUniverse.filter(({ tag }) => ["v2.14.3", "v2.14.4"].includes(tag)),
      componentsOf: (version) => applyRules(rules.slice(1), version),
      destinations: [{ keep: "all", contents: { "app:2": "another" } }],
    });
    const { steps } = audited(makePlan(snapshot), snapshot);
    expect(steps.map(({ kind }) => kind)).toEqual(["fail", "fail"]);
  });
});
