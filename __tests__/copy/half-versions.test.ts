import { describe, expect, it } from "vitest";
import { lookForHalfVersions } from "../../src/copy/half-versions.ts";
import type { PruneOutcome } from "../../src/copy/outcome.ts";
import type { DestinationToPrune } from "../../src/copy/prune.ts";
import type { KeepStep } from "../../src/plan/plan.ts";
import { digest, pruneStep, tcr } from "../report/result-builder.ts";

const signal = new AbortController().signal;
const images = ["core", "db"];

/** A destination with these tags, and what it was asked. */
function destinationWith(tags: readonly string[], deletion: DestinationToPrune["deletion"]) {
  const asked: string[] = [];
  const repository = (name: string) => ({
    resolve: (tag: string) => {
      const key = `${name}:${tag}`;
      asked.push(key);
      if (tags.includes("broken")) return Promise.reject(new Error("no answer"));
      const found = { digest: digest(key), mediaType: "application/vnd.oci.image.manifest.v1+json" };
      return Promise.resolve(tags.includes(key) ? found : undefined);
    },
  });
  const destination = {
    registry: "tcr.example",
    path: "mirror",
    deletion,
    repository,
  } as never as DestinationToPrune;
  return { destination, asked };
}

const kept: KeepStep = {
  kind: "keep",
  destination: tcr,
  version: "v2",
  images: images.map((image) => ({ image, tag: "v2" })),
  reason: "among the newest 1 by semver",
};
const pruned = images.map(
  (image): PruneOutcome => ({
    step: pruneStep({ version: "v1", image }),
    status: "pruned",
    failure: undefined,
  }),
);
const whole = ["mirror/core:v2", "mirror/db:v2"];

describe("after a pruning", () => {
  it("that deleted nothing, nothing is asked", async () => {
    const { destination, asked } = destinationWith([], "by-tag");
    const left = pruned.map((outcome) => ({ ...outcome, status: "left" as const }));
    expect(await lookForHalfVersions(left, [kept], destination, signal)).toEqual({ prunes: left, keeps: [] });
    expect(asked).toEqual([]);
  });

  it("with all in order, each tag is asked for once", async () => {
    const { destination, asked } = destinationWith(whole, "shared-digest-unsafe");
    expect(await lookForHalfVersions(pruned, [kept], destination, signal)).toEqual({
      prunes: pruned,
      keeps: [],
    });
    expect(asked.toSorted()).toEqual([
      "mirror/core:v1",
      ...whole.slice(0, 1),
      "mirror/db:v1",
      ...whole.slice(1),
    ]);
  });

  it.each(["by-tag", "shared-digest-unsafe"] as const)(
    "a kept version that lacks a tag is a failure that names it, where deletion is %s",
    async (deletion) => {
      const { destination } = destinationWith(whole.slice(1), deletion);
      const { prunes, keeps } = await lookForHalfVersions(pruned, [kept], destination, signal);
      expect(prunes).toEqual(pruned);
      expect(keeps).toMatchObject([
        { step: kept, failure: { problem: "after the pruning, v2 is half there: core:v2 is missing" } },
      ]);
    },
  );

  it("a deleted version of which a part is back is a failure, and one that is back whole is none", async () => {
    const half = destinationWith([...whole, "mirror/core:v1"], "shared-digest-unsafe");
    const { prunes } = await lookForHalfVersions(pruned, [kept], half.destination, signal);
    expect(prunes).toMatchObject([
      { status: "failed", failure: { problem: "after the pruning, v1 is half there: db:v1 is missing" } },
      { status: "pruned" },
    ]);
    const back = destinationWith([...whole, "mirror/core:v1", "mirror/db:v1"], "shared-digest-unsafe");
    expect((await lookForHalfVersions(pruned, [kept], back.destination, signal)).prunes).toEqual(pruned);
  });

  it("what cannot be told of a kept version is a failure, too", async () => {
    const { destination } = destinationWith(["broken"], "shared-digest-unsafe");
    const { keeps } = await lookForHalfVersions(pruned, [kept], destination, signal);
    expect(keeps).toMatchObject([{ failure: { kind: "obstacle" } }]);
    expect(JSON.stringify(keeps)).toContain("it is not known whether it is whole after the pruning");
  });
});
