import { describe, expect, it } from "vitest";
import { lookForHalfVersions } from "../../src/copy/half-versions.ts";
import type { PruneOutcome } from "../../src/copy/outcome.ts";
import type { DestinationToPrune } from "../../src/copy/prune.ts";
import type { KeepStep } from "../../src/plan/plan.ts";
import { digest, pruneStep, tcr } from "../report/result-builder.ts";

const signal = new AbortController().signal;
const sleeps: number[] = [];
const clock = { sleep: (milliseconds: number) => Promise.resolve(void sleeps.push(milliseconds)) };
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
const done = { prunes: pruned, keeps: [] };
const whole = ["mirror/core:v2", "mirror/db:v2"];

describe("after a pruning", () => {
  it("that deleted nothing, nothing is asked", async () => {
    const { destination, asked } = destinationWith([], "by-tag");
    const left = pruned.map((outcome) => ({ ...outcome, status: "left" as const }));
    expect(
      await lookForHalfVersions({ prunes: left, keeps: [] }, [kept], destination, clock, signal),
    ).toEqual({
      prunes: left,
      keeps: [],
    });
    expect(asked).toEqual([]);
  });

  it("a run that is cancelled between two looks tells what the last one has shown, and looks no more", async () => {
    const { destination, asked } = destinationWith([...whole, "mirror/db:v1"], "by-tag");
    const cancelled = new AbortController();
    const stopped = {
      sleep: () => {
        cancelled.abort(new Error("cancelled"));
        return Promise.reject(new Error("cancelled"));
      },
    };
    const { prunes } = await lookForHalfVersions(done, [kept], destination, stopped, cancelled.signal);
    expect(prunes.map(({ status }) => status)).toEqual(["pruned", "failed"]);
    expect(asked.filter((name) => name === "mirror/db:v1")).toHaveLength(1);
  });

  it("with all in order, each tag is asked for once", async () => {
    const { destination, asked } = destinationWith(whole, "shared-digest-unsafe");
    expect(await lookForHalfVersions(done, [kept], destination, clock, signal)).toEqual({
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
      const { prunes, keeps } = await lookForHalfVersions(done, [kept], destination, clock, signal);
      expect(prunes).toEqual(pruned);
      expect(keeps).toMatchObject([
        {
          step: kept,
          missing: [{ image: "core", tag: "v2" }],
          failure: { problem: "after the pruning, v2 is half there: core:v2 is missing" },
        },
      ]);
    },
  );

  it("a kept version of which another has replaced an image is a failure that names what is gone", async () => {
    const { destination } = destinationWith(whole, "by-tag");
    const brought = { image: "core", tag: "v2", digest: digest("brought") };
    const replaced = {
      ...kept,
      images: [brought, { image: "db", tag: "v2", digest: digest("mirror/db:v2") }],
    };
    const { keeps } = await lookForHalfVersions(done, [replaced], destination, clock, signal);
    expect(keeps).toMatchObject([{ step: replaced, missing: [brought] }]);
    expect(JSON.stringify(keeps)).toContain(`v2 is half there: ${brought.digest} of core:v2 is missing`);
  });

  it("what a look before the pruning has shown of a version is not asked again", async () => {
    const { destination, asked } = destinationWith(whole, "by-tag");
    const failure = { kind: "obstacle", problem: "core:v2 is gone" } as const;
    const keeps = [{ step: kept, missing: kept.images, failure }];
    expect(await lookForHalfVersions({ ...done, keeps }, [kept], destination, clock, signal)).toEqual({
      ...done,
      keeps,
    });
    expect(asked.filter((key) => key.endsWith(":v2"))).toEqual([]);
  });

  it("a deleted version of which a part is back is a failure, and one that is back whole is none", async () => {
    const half = destinationWith([...whole, "mirror/core:v1"], "shared-digest-unsafe");
    const { prunes } = await lookForHalfVersions(done, [kept], half.destination, clock, signal);
    expect(prunes).toMatchObject([
      { status: "failed", failure: { problem: "after the pruning, v1 is half there: db:v1 is missing" } },
      { status: "pruned" },
    ]);
    const back = destinationWith([...whole, "mirror/core:v1", "mirror/db:v1"], "shared-digest-unsafe");
    expect((await lookForHalfVersions(done, [kept], back.destination, clock, signal)).prunes).toEqual(pruned);
  });

  it("what cannot be told of a kept version is a failure, too", async () => {
    const { destination } = destinationWith(["broken"], "shared-digest-unsafe");
    const { keeps } = await lookForHalfVersions(done, [kept], destination, clock, signal);
    expect(keeps).toMatchObject([{ failure: { kind: "obstacle" } }]);
    expect(JSON.stringify(keeps)).toContain("it is not known whether it is whole after the pruning");
  });

  it("half a deleted version is looked at again where a cache may show it, and then is a failure", async () => {
    sleeps.length = 0;
    const half = destinationWith([...whole, "mirror/core:v1"], "by-tag");
    const { prunes } = await lookForHalfVersions(done, [kept], half.destination, clock, signal);
    expect(prunes).toMatchObject([{ status: "failed" }, { status: "pruned" }]);
    expect(sleeps).toEqual([15_000, 15_000]);
    const cached = [...whole, "mirror/core:v1"];
    const forgetting = destinationWith(cached, "by-tag");
    const forget = { sleep: () => Promise.resolve(void cached.splice(whole.length)) };
    expect((await lookForHalfVersions(done, [kept], forgetting.destination, forget, signal)).prunes).toEqual(
      pruned,
    );
  });
});
