import { expect, test } from "vitest";
import { applyRules, type ImageRule } from "../../src/plan/component.ts";
import { makePlan, type Plan } from "../../src/plan/plan.ts";
import type { Version } from "../../src/plan/version.ts";
import { joined } from "./joined.ts";
import { type GivenSnapshot, imagesIn, snapshotOf, stepsOf } from "./snapshot-builder.ts";
import { version } from "./versions.ts";

/** What routes of one run, and versions that a route leaves out, change in a plan. */

const shared: readonly ImageRule[] = ["{{tag}}", "{{major}}"].map((toTag) => ({
  from: "app",
  fromTag: "{{tag}}",
  to: "app",
  toTag,
}));

const rule = (image: string): ImageRule => ({ from: image, fromTag: "{{tag}}", to: image, toTag: "{{tag}}" });

function routePlan(image: string, given: Partial<GivenSnapshot>): Plan {
  const universe = ["v1.0.0", "v1.1.0", "v1.2.0"].map((tag) => version(tag));
  const snapshot = snapshotOf({
    universe,
    componentsOf: (of) => applyRules([rule(image)], of),
    wanted: ["v1.2.0"],
    destinations: [{ keep: 1, holds: ["v1.0.0", "v1.1.0"] }],
    ...given,
  });
  return makePlan({ ...snapshot, route: image });
}

test("what one repository cannot bring keeps everything of all others at that destination, in the plan already", () => {
  const names = ["one.example.com/mirror", "two.example.com/mirror"];
  const destinations = names.map((name) => ({ name, keep: 1, holds: ["v1.0.0", "v1.1.0"] }));
  const ok = routePlan("ok", { destinations });
  const failing = routePlan("failing", {
    destinations: destinations.map((one, index) => (index === 0 ? { ...one, failure: "it is down" } : one)),
  });
  const both = joined([ok, failing], "all");
  expect(stepsOf(ok, "prune", names[0])).toHaveLength(2);
  expect(stepsOf(both, "prune", names[0])).toEqual([]);
  const left = stepsOf(both, "leave", names[0]);
  expect(left.map(({ reason }) => reason)).toEqual(
    Array(2).fill("not kept, but a wanted image cannot be copied here, so nothing is deleted"),
  );
  expect(stepsOf(both, "prune", names[1])).toHaveLength(4);
});

test("the versions of all repositories are told newest first, those without an order last", () => {
  const tags = ["v0.9.0", "latest", "v10.0.0", "v2.0.0"];
  const plans = tags.map((tag, at) => ({ repository: `r${at}`, versions: [tag, "v2.0.0"], steps: [] }));
  expect(joined(plans, "all").versions).toEqual(["v10.0.0", "v2.0.0", "v0.9.0", "latest"]);
});

test("prune-limit counts versions of all repositories, before tags are left for a shared digest", () => {
  const plans = ["a", "b"].map((image) =>
    routePlan(image, {
      destinations: [
        {
          keep: 1,
          deletion: "shared-digest-unsafe",
          holds: ["v1.0.0", "v1.1.0"],
          contents: { [`${image}:v1.0.0`]: "same", [`${image}:dev`]: "same" },
        },
      ],
    }),
  );
  expect(plans.flatMap((plan) => imagesIn(stepsOf(plan, "prune")))).toEqual(["a:v1.1.0", "b:v1.1.0"]);
  expect(stepsOf(joined(plans, 4), "prune")).toHaveLength(2);
  expect(stepsOf(joined(plans, 3), "prune")).toEqual([]);
});

/** A destination of `v1.*` alone, with `keep=1`, beside newer and older versions that others brought there. */
const filtered = (
  given: Pick<GivenSnapshot, "wanted" | "destinations" | "sourceContents">,
  counted: readonly string[],
) => {
  const all = ["v2.0.0", "v1.2.0", "v1.1.0", "v1.0.0"].map((tag) => version(tag));
  const snapshot = snapshotOf({
    ...given,
    universe: all,
    componentsOf: (of: Version) => applyRules(shared, of),
  });
  const isCounted = ({ tag }: Version) => counted.includes(tag);
  return makePlan({
    ...snapshot,
    universe: all.filter(isCounted),
    outside: all.filter((one) => !isCounted(one)),
  });
};

test("a shared tag belongs to the newest version at the sources, also where the filter leaves that out", () => {
  const given = {
    wanted: ["v1.1.0"],
    destinations: [{ keep: "all", holds: ["v1.2.0"] }],
    sourceContents: { "app:1": "app:v1.1.0" },
  } as const;
  const plan = filtered(given, ["v1.1.0", "v1.0.0"]);
  expect(imagesIn(stepsOf(plan, "copy"))).toEqual(["app:v1.1.0"]);
});

test("a tag that a version outside the filter has too is not deleted while that is there", () => {
  const given = { wanted: ["v2.0.0"], destinations: [{ keep: 1, holds: ["v1.2.0", "v1.1.0"] }] };
  expect(imagesIn(stepsOf(filtered(given, ["v2.0.0", "v1.1.0"]), "prune"))).toEqual(["app:v1.1.0"]);
  expect(imagesIn(stepsOf(filtered(given, ["v2.0.0", "v1.2.0"]), "prune"))).toEqual(["app:v1.2.0"]);
  const alone = { wanted: ["v2.0.0"], destinations: [{ keep: 1, holds: ["v1.2.0"] }] };
  expect(imagesIn(stepsOf(filtered(alone, ["v2.0.0", "v1.2.0"]), "prune"))).toEqual(["app:v1.2.0", "app:1"]);
});

test("a tag that a wanted version without a place in the order has too is not deleted", () => {
  const all = ["v2.0.0", "v1.1.0", "v1.2.0-rc1"].map((tag) => version(tag));
  const snapshot = snapshotOf({
    universe: all,
    componentsOf: (of) => applyRules(shared, of),
    wanted: ["v2.0.0", "v1.2.0-rc1"],
    destinations: [{ keep: 1, holds: ["v1.1.0"] }],
  });
  const plan = makePlan({ ...snapshot, universe: all.slice(0, 2) });
  expect(imagesIn(stepsOf(plan, "prune"))).toEqual(["app:v1.1.0"]);
});
