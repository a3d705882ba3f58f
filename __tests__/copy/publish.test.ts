import { describe, expect, it } from "vitest";
import { pushTo } from "../../sandbox/images.ts";
import { wordsOf } from "../support/failures.ts";
import { recordingLog } from "../support/recording-log.ts";
import { imageWithBase, requestsTo, startWorld } from "./harness.ts";

const tagPath = /\/manifests\/v1\.0\.0$/;

describe("a tag", () => {
  it("is read back: one that the registry forgets once is set again", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const image = world.place("app", imageWithBase("app"));
    destination?.fault({ when: { method: "PUT", path: tagPath }, effect: { status: 201, body: "" } });
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined]);
    expect(destination?.tags("mirror/app").get("v1.0.0")).toBe(image.digest);
    expect(destination && requestsTo(destination, "PUT", tagPath)).toBe(2);
  });

  it("that the registry promises and never shows is a failure, and the other image's is none", async () => {
    await using world = await startWorld({ destinations: [{}, {}] });
    const [forgetful] = world.destinations;
    const image = world.place("app", imageWithBase("app"));
    forgetful?.fault({
      when: { method: "PUT", path: tagPath },
      times: Number.POSITIVE_INFINITY,
      effect: { status: 201, body: "" },
    });
    const { outcomes } = await world.run(world.stepsFor(image));
    expect(wordsOf(outcomes[0]?.failure)).toContain(
      `${forgetful?.host}/mirror/app: setting the tag v1.0.0 failed: the registry said that it had set the tag, and does not`,
    );
    expect(outcomes[1]?.failure).toBeUndefined();
  });

  it("that another pushes while the run copies stays where overwrite is false, with its whole version", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    if (destination === undefined) throw new Error("no destination");
    const images = ["app", "db"].map((name) => world.place(name, imageWithBase(name)));
    const foreign = imageWithBase("foreign");
    const { outcomes } = await world.run(
      images.flatMap((image) => world.stepsFor(image)),
      {
        overwrite: false,
        prepare: async () => void pushTo(destination, "mirror/app", foreign, "v1.0.0"),
      },
    );
    expect(wordsOf(outcomes[0]?.failure)).toContain(
      `the tag was moved to ${foreign.digest} after the plan was made, and overwrite is false`,
    );
    expect(wordsOf(outcomes[1]?.failure)).toContain("held back");
    expect(destination.tags("mirror/app").get("v1.0.0")).toBe(foreign.digest);
    expect(destination.tags("mirror/db").get("v1.0.0")).toBeUndefined();
  });

  const putOff = [
    ["is put off by the registry", { status: 429, headers: { "retry-after": "60" } }],
    ["is refused for a moment", { status: 503 }],
    ["gets lost", { reset: true }],
    ["is answered, and the answer is lost", { loseAnswer: true }],
  ] as const;
  it.each(putOff)("that another pushes after the first PUT, which %s, stays", async (_how, effect) => {
    for (const overwrite of [false, "skip"] as const) {
      await using world = await startWorld({ destinations: [{}] });
      const [destination] = world.destinations;
      if (destination === undefined) throw new Error("no destination");
      const image = world.place("app", imageWithBase("app"));
      const foreign = imageWithBase("foreign");
      // While the pause lasts, that is before the next request for the tag.
      const push = { run: () => void pushTo(destination, "mirror/app", foreign, "v1.0.0") };
      destination.fault({ when: { method: "PUT", path: tagPath }, effect });
      destination.fault({ when: { path: tagPath }, skip: 2, effect: push });
      const { outcomes } = await world.run(world.stepsFor(image), { overwrite });
      expect(wordsOf(outcomes[0]?.failure)).toContain("moved");
      expect(destination.tags("mirror/app").get("v1.0.0")).toBe(foreign.digest);
      expect(requestsTo(destination, "PUT", tagPath)).toBe(1);
    }
  });

  it.each(putOff)("whose first PUT %s is set all the same", async (_how, effect) => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const image = world.place("app", imageWithBase("app"));
    destination?.fault({ when: { method: "PUT", path: tagPath }, times: 2, effect });
    const { outcomes } = await world.run(world.stepsFor(image), { overwrite: false });
    expect(outcomes.map(({ failure }) => failure)).toEqual([undefined]);
    expect(destination?.tags("mirror/app").get("v1.0.0")).toBe(image.digest);
  });

  it("that another pushes while the run copies is left alone where overwrite is skip, with its whole version", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    if (destination === undefined) throw new Error("no destination");
    const images = ["app", "db", "web"].map((name) => world.place(name, imageWithBase(name)));
    const foreign = imageWithBase("foreign");
    const log = recordingLog();
    const { outcomes } = await world.run(
      images.flatMap((image) => world.stepsFor(image)),
      {
        overwrite: "skip",
        log,
        // Not the first: all tags are looked at before one is set.
        prepare: async () => void pushTo(destination, "mirror/web", foreign, "v1.0.0"),
      },
    );
    expect(outcomes.map(({ failure, withheld }) => [failure, wordsOf(withheld)])).toEqual([
      [undefined, "held back: web:v1.0.0 of this version is left alone"],
      [undefined, "held back: web:v1.0.0 of this version is left alone"],
      [undefined, `the tag was moved after the plan was made, and overwrite is skip: ${foreign.digest}`],
    ]);
    expect(destination.state()).toEqual({
      "mirror/app": {},
      "mirror/db": {},
      "mirror/web": { "v1.0.0": foreign.digest },
    });
    expect(requestsTo(destination, "PUT", tagPath)).toBe(0);
    expect(log.infos.join("\n")).toContain("is not published at");
    expect(log.infos.join("\n")).toContain("and overwrite is skip");
  });

  it("that cannot be looked at fails its version where overwrite is skip, whatever another has pushed", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    if (destination === undefined) throw new Error("no destination");
    const images = ["app", "db"].map((name) => world.place(name, imageWithBase(name)));
    const path = /mirror\/db\/manifests\/v1\.0\.0$/;
    destination.fault({ when: { method: "HEAD", path }, times: Infinity, effect: { status: 403, body: "" } });
    const { outcomes } = await world.run(
      images.flatMap((image) => world.stepsFor(image)),
      {
        overwrite: "skip",
        prepare: async () => void pushTo(destination, "mirror/app", imageWithBase("foreign"), "v1.0.0"),
      },
    );
    expect(outcomes.map(({ failure }) => failure?.kind)).toEqual(["held-back", "operation"]);
    expect(requestsTo(destination, "PUT", tagPath)).toBe(0);
  });

  it("that another pushes while the run copies is replaced where overwrite is true, and told", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    if (destination === undefined) throw new Error("no destination");
    const image = world.place("app", imageWithBase("app"));
    const foreign = imageWithBase("foreign");
    const log = recordingLog();
    const { outcomes } = await world.run(world.stepsFor(image), {
      log,
      prepare: async () => void pushTo(destination, "mirror/app", foreign, "v1.0.0"),
    });
    expect(outcomes[0]?.failure).toBeUndefined();
    expect(log.warnings.join("\n")).toContain(
      `the tag was moved to ${foreign.digest} after the plan was made; it is replaced`,
    );
    expect(destination.tags("mirror/app").get("v1.0.0")).toBe(image.digest);
  });

  it.each([
    [
      "withdrawn",
      () => Promise.resolve({ kind: "withdrawn" as const, reason: "the release v1.0.0 was withdrawn" }),
      "was withdrawn",
    ],
    ["out of reach", () => Promise.reject(new Error("GitHub does not answer")), "GitHub does not answer"],
  ])("is not moved where the release is %s by then", async (_what, whyNotPublish, words) => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const steps = ["app", "db"].flatMap((name) => world.stepsFor(world.place(name, imageWithBase(name))));
    const { outcomes } = await world.run(steps, { whyNotPublish });
    for (const { failure } of outcomes)
      expect(wordsOf(failure)).toMatch(new RegExp(`^no tag of this version is moved: .*${words}`));
    expect(destination?.tagWrites).toEqual([]);
  });

  it("is not moved where the version is not wanted by then, and nothing failed", async () => {
    await using world = await startWorld({ destinations: [{}] });
    const [destination] = world.destinations;
    const steps = ["app", "db"].flatMap((name) => world.stepsFor(world.place(name, imageWithBase(name))));
    const refusal = { kind: "unwanted", reason: "v1.0.0 is a prerelease" } as const;
    const log = recordingLog();
    const { outcomes } = await world.run(steps, { whyNotPublish: () => Promise.resolve(refusal), log });
    const withheld = "no tag of this version is moved: v1.0.0 is a prerelease";
    expect(outcomes.map((outcome) => [outcome.failure, wordsOf(outcome.withheld)])).toEqual([
      [undefined, withheld],
      [undefined, withheld],
    ]);
    expect(destination?.tagWrites).toEqual([]);
    expect(log.infos.join("\n")).toContain(
      `v1.0.0 is not published at ${steps[0]?.destination}: ${withheld}`,
    );
  });
});
