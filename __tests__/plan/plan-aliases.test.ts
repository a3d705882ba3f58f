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

describe("a tag of the source that is the same for every version", () => {
  const rule = (from: string, fromTag: string, to = from, toTag = fromTag): ImageRule => ({
    from,
    fromTag,
    to,
    toTag,
  });
  const server = rule("server", "{{tag}}");
  const ofRules =
    (...rules: readonly ImageRule[]) =>
    (of: Version) =>
      applyRules(rules, of);
  const withTool = ofRules(server, rule("tool", "7.1"));

  test.each([
    ["under its name", rule("tool", "7.1"), "tool:7.1"],
    ["under another name", rule("tool", "7.1", "tools/cli", "stable"), "tools/cli:stable"],
    ["under a tag that versions share", rule("tool", "7.1", "tool", "{{major}}"), "tool:2"],
  ])("comes with the version that is asked for, %s", (_what, tool, image) => {
    const plan = makePlan(
      snapshotOf({ componentsOf: ofRules(server, tool), wanted: ["v2.14.4"], destinations: [{}] }),
    );
    expect(imagesIn(stepsOf(plan, "copy"))).toEqual(["server:v2.14.4", image]);
    expect(stepsOf(plan, "skip")).toEqual([]);
  });

  test.each([
    ["an alias of the source's own", rule("app", "{{major}}"), "app:2"],
    ["a fixed tag that is set from each version", rule("app", "{{tag}}", "app", "stable"), "app:stable"],
    ["a rename by which tags of versions meet", rule("app", "{{tag}}", "app", "{{major}}.x"), "app:2.x"],
  ])("is not %s: only the newest version sets that", (_what, alias, image) => {
    const componentsOf = ofRules(server, alias);
    const old = makePlan(snapshotOf({ componentsOf, wanted: ["v2.14.4"], destinations: [{}] }));
    expect(imagesIn(stepsOf(old, "copy"))).toEqual(["server:v2.14.4"]);
    expect(stepsOf(old, "skip")).toMatchObject([{ reason: "the tag belongs to v2.15.2" }]);
    const newest = makePlan(snapshotOf({ componentsOf, wanted: ["v2.15.2"], destinations: [{}] }));
    expect(imagesIn(stepsOf(newest, "copy"))).toEqual(["server:v2.15.2", image]);
  });

  test("comes with each version of a backfill, so that one that fails takes it from no other", () => {
    const snapshot = { componentsOf: withTool, wanted: ["v2.15.1", "v2.14.4"], destinations: [{}] };
    const plan = makePlan(snapshotOf({ ...snapshot, missing: { "server:v2.15.1": "no source has it" } }));
    expect(versionsIn(stepsOf(plan, "fail"))).toEqual(["v2.15.1"]);
    expect(imagesIn(stepsOf(plan, "copy"))).toEqual(["server:v2.14.4", "tool:7.1"]);
  });

  test("belongs to what makes a version whole", () => {
    const plan = makePlan(
      snapshotOf({
        componentsOf: withTool,
        wanted: ["v2.15.2"],
        destinations: [{ keep: 3, holds: ["v2.14.4", "v2.14.3"], lacks: ["tool:7.1"] }],
      }),
    );
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(["v2.15.2"]);
    expect(stepsOf(plan, "prune")).toEqual([]);
    expect(stepsOf(plan, "keep")).toMatchObject([
      {
        images: [
          { image: "server", tag: "v2.15.2" },
          { image: "tool", tag: "7.1" },
        ],
      },
    ]);
  });

  /** The tool moved to 8.0 with v2.15.1. */
  const moved = (of: Version) =>
    applyRules([server, rule("tool", of.major === 2 && of.minor === 15 && of.patch > 0 ? "8.0" : "7.1")], of);

  test.each([
    ["semver", ["v2.15.2", "v2.15.1"], ["server:v2.14.4", "tool:7.1"]],
    ["minor", ["v2.15.2", "v2.14.4"], ["server:v2.15.1"]],
    ["published", ["v2.15.2", "v2.14.4"], ["server:v2.15.1"]],
  ] as const)("goes with the last kept version that has it, by %s", (keepBy, kept, pruned) => {
    const plan = makePlan(
      snapshotOf({
        componentsOf: moved,
        wanted: ["v2.15.2"],
        destinations: [{ keep: 2, keepBy, holds: ["v2.15.1", "v2.14.4"] }],
      }),
    );
    expect(versionsIn(stepsOf(plan, "keep"))).toEqual(kept);
    expect([...imagesIn(stepsOf(plan, "prune"))].sort()).toEqual(pruned);
  });
});
