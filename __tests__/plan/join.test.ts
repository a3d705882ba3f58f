import { describe, expect, test } from "vitest";
import { joinPlans, type RoutePlan, reachOf } from "../../src/plan/join.ts";
import { makePlan, type Plan } from "../../src/plan/plan.ts";
import { contentDigest, type GivenSnapshot, imagesIn, snapshotOf, stepsOf } from "./snapshot-builder.ts";

/** What routes of one run mean for each other. */

const nowhere = { repositories: new Set<string>(), places: [] };

/** A route that keeps one version, and lets two go. */
function routeOf(route: string, given: Partial<GivenSnapshot> = {}): RoutePlan {
  const snapshot = snapshotOf({
    wanted: ["v2.15.2"],
    destinations: [{ keep: 1, holds: ["v2.15.1", "v2.15.0"] }],
    ...given,
  });
  return { route, plan: makePlan({ ...snapshot, route }), reach: reachOf(snapshot) };
}

/** As `routeOf`, but what its images hold is of another digest. */
function movedOf(route: string, given: Partial<GivenSnapshot> = {}): RoutePlan {
  const other = routeOf(route, given);
  const steps = other.plan.steps.map((step) =>
    step.kind === "copy" ? { ...step, source: { ...step.source, digest: contentDigest("another") } } : step,
  );
  return { ...other, plan: { ...other.plan, steps } };
}

const images = [...new Set(stepsOf(routeOf("all").plan, "copy").map(({ image }) => image))];
const destination = (plan: RoutePlan): string => plan.plan.steps[0]?.destination ?? "";
const pruned = (plan: Plan): number => stepsOf(plan, "prune").length;
const join = (plans: readonly RoutePlan[], others: Parameters<typeof joinPlans>[2] = []): Plan =>
  joinPlans("routes", plans, others, "all");

describe("a repository that two routes reach", () => {
  const one = routeOf("one");

  test("is pruned by the only route that reaches it", () => {
    expect(pruned(join([one]))).toBe(2 * images.length);
    expect(pruned(join([one, { route: "two", plan: { ...one.plan, steps: [] }, reach: nowhere }]))).toBe(
      2 * images.length,
    );
  });

  test("keeps all of each version of which it has an image", () => {
    const [image = ""] = images;
    const reach = { repositories: new Set([`${destination(one)}/${image}`]), places: [] };
    const plan = join([one, { route: "two", plan: { ...one.plan, steps: [] }, reach }]);
    expect(pruned(plan)).toBe(0);
    expect(stepsOf(plan, "leave")[0]?.reason).toBe(
      `not kept, but two may bring images to ${image} as well, so nothing is deleted there`,
    );
  });

  test.each([
    ["its destination", (name: string) => name, 0],
    ["what its destination is in", (name: string) => name.replace(/\/[^/]*$/, ""), 0],
    ["a namesake beside it", (name: string) => `${name}-2`, 2 * images.length],
  ])("may be in %s, of a route that says nothing of its images in this run", (_where, placeOf, left) => {
    const places = [placeOf(destination(one))];
    expect(pruned(join([one], [{ route: "idle", reach: { repositories: new Set(), places } }]))).toBe(left);
  });
});

describe("a tag that two routes set", () => {
  test("to one digest is set by both", () => {
    const plan = join([routeOf("one"), routeOf("two")]);
    expect(stepsOf(plan, "copy")).toHaveLength(2 * images.length);
  });

  test("to two digests is set by neither, and the rest of the version is held back with it", () => {
    const [image = ""] = images;
    const two = movedOf("two");
    const only = {
      ...two,
      plan: {
        ...two.plan,
        steps: two.plan.steps.filter((step) => step.kind === "copy" && step.image === image),
      },
    };
    const three = routeOf("three", { destinations: [{ name: "other.example.com/mirror", keep: "all" }] });
    const plan = join([routeOf("one"), only, three]);
    const failed = stepsOf(plan, "fail");
    expect(failed).toHaveLength(images.length + 1);
    expect(failed.filter(({ route }) => route === "two").map(({ reason }) => reason)).toEqual([
      `one, two would each set ${destination(only)}/${image}:v2.15.2 to another digest, so none of them does`,
    ]);
    expect(new Set(stepsOf(plan, "copy").map(({ route }) => route))).toEqual(new Set(["three"]));
    expect(pruned(plan)).toBe(0);
  });

  test("to another digest than another has found in place is set by neither", () => {
    const held = routeOf("one", { destinations: [{ keep: "all", holds: ["v2.15.2"] }] });
    expect(stepsOf(held.plan, "skip")).toHaveLength(images.length);
    const plan = join([held, movedOf("two", { destinations: [{ keep: "all" }] })]);
    expect(imagesIn(stepsOf(plan, "copy"))).toEqual([]);
    expect(stepsOf(plan, "fail")).toHaveLength(2 * images.length);
  });
});
