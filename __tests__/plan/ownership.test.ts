import { describe, expect, test } from "vitest";
import { applyRules, type Component } from "../../src/plan/component.ts";
import { isHeld, presentImages } from "../../src/plan/holding.ts";
import { ownershipOf } from "../../src/plan/ownership.ts";
import type { Version } from "../../src/plan/version.ts";
import { harborUniverse } from "./snapshot-builder.ts";
import { version } from "./versions.ts";

const versions = ["v2.15.2", "v2.15.1", "v2.14.4", "v2.14.10"].map((tag) => version(tag));
const [newest, former, old, oldNewest] = versions as [Version, Version, Version, Version];
const rule = (to: string, toTag: string) => ({ from: "app", fromTag: "{{tag}}", to, toTag });
const rules = [rule("app", "{{tag}}"), rule("app", "{{major}}.{{minor}}"), rule("extra", "{{major}}")];

function components(of: readonly Version[]): ReadonlyMap<string, readonly Component[]> {
  return new Map(of.map((one) => [one.tag, applyRules(rules, one)]));
}

function ownedTags(ownership: ReturnType<typeof ownershipOf>, of: Version): readonly string[] {
  return ownership.owned(of).map(({ to, toTag }) => `${to}:${toTag}`);
}

describe("ownership", () => {
  const ownership = ownershipOf(versions, components(versions));

  test("a tag that several versions make belongs to the newest of them, by number", () => {
    expect(ownedTags(ownership, newest)).toEqual(["app:v2.15.2", "app:2.15", "extra:2"]);
    expect(ownedTags(ownership, former)).toEqual(["app:v2.15.1"]);
    expect(ownedTags(ownership, oldNewest)).toEqual(["app:v2.14.10", "app:2.14"]);
    expect(ownedTags(ownership, old)).toEqual(["app:v2.14.4"]);
    expect(ownership.ownerOf("app", "2.14")).toBe("v2.14.10");
  });

  test("does not hang on the order of versions or components", () => {
    const turned = [...versions].reverse();
    const other = ownershipOf(turned, components(turned));
    for (const one of versions) expect(ownedTags(other, one)).toEqual(ownedTags(ownership, one));
  });

  test.each([
    ["app", "dev"],
    ["app", "v2.15.2-rc1"],
    ["app", "2"],
    ["extra", "2.15"],
    ["other", "v2.15.2"],
  ])("%s:%s is of no version", (image, tag) => {
    expect(ownership.ownerOf(image, tag)).toBeUndefined();
  });

  test("a version whose components nobody knows owns nothing", () => {
    const some = ownershipOf(versions, components([former]));
    expect(ownedTags(some, newest)).toEqual([]);
    expect(ownedTags(some, former)).toEqual(["app:v2.15.1", "app:2.15", "extra:2"]);
  });

  test("no tag of Harbor's own images is made by two versions", () => {
    const harborComponents = new Map(
      harborUniverse.map((one) => [one.tag, applyRules([rule("harbor-core", "{{tag}}")], one)]),
    );
    const ofHarbor = ownershipOf(harborUniverse, harborComponents);
    for (const one of harborUniverse) expect(ownedTags(ofHarbor, one)).toEqual([`harbor-core:${one.tag}`]);
  });
});

describe("holding", () => {
  const ownership = ownershipOf(versions, components(versions));
  const holding = (tags: Readonly<Record<string, readonly string[]>>) => ({
    tags: new Map(Object.entries(tags)),
  });

  test("a version is held when all the tags that belong to it are there", () => {
    expect(isHeld(holding({ app: ["v2.15.1"] }), ownership, former)).toBe(true);
    expect(isHeld(holding({ app: ["v2.15.2", "2.15"], extra: ["2"] }), ownership, newest)).toBe(true);
    expect(isHeld(holding({ app: ["v2.15.2", "2.15"] }), ownership, newest)).toBe(false);
    expect(isHeld(holding({ app: ["v2.15.2-rc1"] }), ownership, newest)).toBe(false);
  });

  test("a version without tags of its own is never held", () => {
    const some = ownershipOf(versions, components([former]));
    expect(isHeld(holding({ app: ["v2.15.2"] }), some, newest)).toBe(false);
  });

  test("only images whose tags belong to the version are among its present ones", () => {
    const present = presentImages(holding({ app: ["v2.15.1", "2.15"], extra: ["2"] }), ownership, former);
    expect(present).toMatchObject([{ to: "app", toTag: "v2.15.1" }]);
  });
});
