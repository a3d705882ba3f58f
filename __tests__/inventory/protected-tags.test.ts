import { describe, expect, test } from "vitest";
import type { DestinationToRead } from "../../src/inventory/destinations.ts";
import { withHeldDigests } from "../../src/inventory/going-tags.ts";
import { silentLog } from "../../src/log/log.ts";
import { makePlan, type Plan } from "../../src/plan/plan.ts";
import { harborImages, imagesIn, snapshotOf, stepsOf, versionsIn } from "../plan/snapshot-builder.ts";
import { never } from "./harness.ts";

const rule = "a rule protects tags of it";

interface Look {
  readonly plan: Plan;
  /** What the rules were asked of. */
  readonly asked: readonly string[];
}

/** A destination that keeps the wanted version alone and holds these, with tags that rules protect. */
async function look(
  holds: readonly string[],
  isProtected: (key: string) => boolean,
  pruneLimit: number | "all" = "all",
): Promise<Look> {
  const snapshot = snapshotOf({
    wanted: ["v2.15.2"],
    pruneLimit,
    destinations: [{ keep: 1, holds, deletion: "last-tag-takes-manifest" }],
  });
  const [held] = snapshot.destinations;
  if (held === undefined) throw new Error("no destination");
  const asked: string[] = [];
  const destination: DestinationToRead = {
    ...held,
    attestations: true,
    deleteUntagged: () => Promise.resolve([]),
    client: { foresee: () => undefined },
    repository: () => ({
      tags: () => Promise.resolve([]),
      resolve: () => Promise.resolve(undefined),
      manifest: () => Promise.reject(new Error("nothing is read")),
      hasBlob: () => Promise.resolve(true),
      referrers: () => Promise.resolve(undefined),
    }),
    whyProtected: async (_signal, repository, tag) => {
      const key = `${repository.replace("goharbor/", "")}:${tag}`;
      asked.push(key);
      return isProtected(key) ? rule : undefined;
    },
  };
  const looked = await withHeldDigests(snapshot, held, destination, silentLog, never);
  return { plan: makePlan({ ...snapshot, destinations: [looked] }), asked };
}

describe("tags that rules of the registry protect", () => {
  test("are asked for, each that would go, and their version is left", async () => {
    const { plan, asked } = await look(["v2.14.4"], (key) => key === "harbor-db:v2.14.4");
    expect(asked.toSorted()).toEqual([...harborImages("v2.14.4")].toSorted());
    expect(imagesIn(stepsOf(plan, "leave"))).toEqual(harborImages("v2.14.4"));
    expect(stepsOf(plan, "leave")[0]?.reason).toContain(rule);
    expect(stepsOf(plan, "prune")).toEqual([]);
  });

  test("are one question a version where a rule protects all", async () => {
    const { plan, asked } = await look(["v2.14.4", "v2.14.3"], () => true);
    expect(asked).toHaveLength(2);
    expect(versionsIn(stepsOf(plan, "leave"))).toEqual(["v2.14.3", "v2.14.4"]);
  });

  test("count for no prune-limit: that is not why they stay", async () => {
    const { plan } = await look(["v2.14.4", "v2.14.3"], (key) => key.endsWith("v2.14.3"), 1);
    expect(versionsIn(stepsOf(plan, "prune"))).toEqual(["v2.14.4"]);
    expect(stepsOf(plan, "leave")[0]?.reason).toContain(rule);
  });

  test("are asked for no more where the limit keeps all the same", async () => {
    const { plan, asked } = await look(["v2.14.4", "v2.14.3"], () => false, 1);
    expect(asked).toHaveLength(2);
    expect(stepsOf(plan, "prune")).toEqual([]);
    expect(stepsOf(plan, "leave")[0]?.reason).toContain("prune-limit");
  });

  test("are not asked for where nothing would go", async () => {
    expect((await look([], () => true)).asked).toEqual([]);
  });
});
