import { describe, expect, test } from "vitest";
import type { PlanDocument, PlannedCopy } from "../../src/fan-out/document.ts";
import { planOfShare } from "../../src/fan-out/share-plan.ts";
import { asked, never, openWorld, place, searching } from "../inventory/harness.ts";
import { digest } from "../report/result-builder.ts";

const destination = "mirror.example/goharbor";

function documentOf(...copies: readonly PlannedCopy[]): PlanDocument {
  const { inputs, repository, versions } = { inputs: digest("x"), repository: "a/b", versions: ["v2", "v1"] };
  return { schemaVersion: 1, inputs, repository, versions, copies: [...copies], prunes: [] };
}

/** The image `core:v1` of a source, as a plan has it. */
function planned(source: string, of: string, changes: Partial<PlannedCopy> = {}): PlannedCopy {
  const names = { version: "v1", image: "core", tag: "v1", from: "core", fromTag: "v1" };
  return { destination, source, ...names, digest: of as PlannedCopy["digest"], share: 1, ...changes };
}

describe("a copy job", () => {
  test("has its own share alone, with what the source says now", async () => {
    await using world = openWorld();
    const server = await world.start();
    const source = world.source(server);
    const core = place(server, "core", "v1");
    place(server, "portal", "v1");
    const name = `${server.host}/goharbor`;
    const document = documentOf(
      planned(name, core, { image: "renamed", tag: "1.0" }),
      planned(name, core, { from: "portal", share: 2 }),
    );
    const plan = await planOfShare(document, 1, {
      ...searching(source),
      destinations: [{ name: destination }],
      signal: never,
    });
    expect(plan).toMatchObject({
      repository: "a/b",
      versions: ["v1"],
      steps: [
        {
          kind: "copy",
          destination,
          version: "v1",
          image: "renamed",
          tag: "1.0",
          source: { digest: core, repository: "goharbor/core", tag: "v1", attachments: [] },
        },
      ],
    });
    expect(asked(server)).toEqual(["HEAD goharbor/core/manifests/v1"]);
  });

  test.each<[what: string, second: "same" | "other" | "none", kind: string]>([
    ["another source that has the very same image serves", "same", "copy"],
    ["another source that has another image does not", "other", "fail"],
    ["without another source, the image fails", "none", "fail"],
  ])("where the planned source is down: %s", async (_what, second, kind) => {
    await using world = openWorld();
    const [down, up] = [await world.start(), await world.start()];
    const core = place(down, "core", "v1", "core");
    if (second !== "none") place(up, "core", "v1", second === "same" ? "core" : "another");
    await down.close();
    const plan = await planOfShare(documentOf(planned(`${down.host}/goharbor`, core)), 1, {
      ...searching(world.source(down), world.source(up)),
      destinations: [{ name: destination }],
      signal: never,
    });
    expect(plan.steps.map((step) => step.kind)).toEqual([kind]);
    if (kind === "fail")
      expect(plan.steps[0]?.reason).toMatch(
        new RegExp(`no source any more .*: source ${down.host}: .* failed`),
      );
  });

  test("does not copy an image to a place from that place itself", async () => {
    await using world = openWorld();
    const [source, mirror] = [await world.start(), await world.start()];
    const core = place(mirror, "core", "v1");
    const copy = planned(`${source.host}/goharbor`, core, { destination: `${mirror.host}/goharbor` });
    const plan = await planOfShare(documentOf(copy), 1, {
      ...searching(world.source(source), world.source(mirror)),
      destinations: [{ name: copy.destination }],
      signal: never,
    });
    expect(plan.steps).toMatchObject([{ kind: "fail" }]);
    expect(asked(mirror)).toEqual([]);
  });

  test("fails an image whose tag has moved, and goes on with the others", async () => {
    await using world = openWorld();
    const server = await world.start();
    const name = `${server.host}/goharbor`;
    const [old, portal] = [digest("old"), place(server, "portal", "v1")];
    const now = place(server, "core", "v1");
    const plan = await planOfShare(
      documentOf(planned(name, old), planned(name, portal, { image: "portal", from: "portal" })),
      1,
      { ...searching(world.source(server)), destinations: [{ name: destination }], signal: never },
    );
    expect(plan.steps.map(({ kind }) => kind)).toEqual(["fail", "copy"]);
    expect(plan.steps[0]?.reason).toContain(`v1 now is ${now}, the plan has ${old}`);
  });

  test.each<[what: string, share: number, changes: Partial<PlannedCopy>, message: string]>([
    ["a share that there is not", 2, {}, "share: the plan has no share 2"],
    ["another destination", 1, { destination: "a.b/c" }, "plan: it copies to a.b/c, which is not among"],
    ["another source", 1, { source: "a.b/c" }, "plan: it reads from a.b/c, which is not among the sources"],
  ])("refuses %s, before anybody is asked", async (_what, share, changes, message) => {
    await using world = openWorld();
    const server = await world.start();
    const name = `${server.host}/goharbor`;
    const document = documentOf(planned(name, digest("a")), planned(name, digest("b"), changes));
    const context = {
      ...searching(world.source(server)),
      destinations: [{ name: destination }],
      signal: never,
    };
    await expect(planOfShare(document, share, context)).rejects.toThrow(message);
    expect(asked(server)).toEqual([]);
  });
});
