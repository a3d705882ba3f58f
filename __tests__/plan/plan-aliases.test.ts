import { describe, expect, test } from "vitest";
import { applyRules, type ImageRule } from "../../src/plan/component.ts";
import { makePlan } from "../../src/plan/plan.ts";
import type { Version } from "../../src/plan/version.ts";
import { contentDigest, imagesIn, snapshotOf, stepsOf, versionsIn } from "./snapshot-builder.ts";

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

  test.each(["by-tag", "shared-digest-unsafe"] as const)(
    "stays while a kept version has it, where deletion is %s",
    (deletion) => {
      const floating = rules.map((rule) => ({
        ...rule,
        toTag: rule.toTag.replace(/^\{\{major.*/, "stable"),
      }));
      const plan = makePlan(
        snapshotOf({
          componentsOf: (of) => applyRules(floating, of),
          // It came out after v2.11.1.
          wanted: ["v1.10.19"],
          destinations: [
            {
              keep: 1,
              keepBy: "published",
              deletion,
              holds: ["v2.11.1"],
              contents: { "app:stable": "app:v2.11.1" },
            },
          ],
        }),
      );
      expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v1.10.19"]);
      expect(imagesIn(stepsOf(plan, "prune"))).toEqual(deletion === "by-tag" ? ["app:v2.11.1"] : []);
    },
  );

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
