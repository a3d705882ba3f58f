import { describe, expect, test } from "vitest";
import { bindPlan, bindShare } from "../../src/fan-out/bind.ts";
import type { PlanDocument } from "../../src/fan-out/document.ts";
import { handOut } from "../../src/fan-out/hand-out.ts";
import { overtakenVersions } from "../../src/fan-out/same-inputs.ts";
import type { Plan, Step } from "../../src/plan/plan.ts";
import {
  copyStep,
  digest,
  dockerHub,
  failStep,
  keepStep,
  pruneStep,
  skipStep,
  untaggedStep,
} from "../report/result-builder.ts";

function planOf(...steps: readonly Step[]): Plan {
  return { repository: "goharbor/harbor", versions: ["v2.15.2"], steps };
}

function documentOf(...steps: readonly Step[]): PlanDocument {
  return { schemaVersion: 2, ...handOut(planOf(...steps), digest("inputs"), 1, () => []) };
}

/** What becomes of each step of the plan that the inputs give now: `copy tcr core`. */
function bound(document: PlanDocument, now: Plan): readonly string[] {
  return bindPlan(document, now, []).steps.map((step) =>
    step.kind === "keep" ? `keep ${step.version}` : `${step.kind} ${step.image}:${step.tag}`,
  );
}

function reasons(document: PlanDocument, now: Plan): readonly string[] {
  return bindPlan(document, now, []).steps.map(({ reason }) => reason);
}

const core = copyStep();
const portal = copyStep({ image: "portal" });
const old = pruneStep();

describe("the last job carries out", () => {
  test.each<[what: string, document: PlanDocument, now: Plan, steps: readonly string[]]>([
    [
      "what both plans have",
      documentOf(core, portal, old),
      planOf(core, portal, keepStep(), old),
      ["copy harbor-core:v2.15.2", "copy portal:v2.15.2", "keep v2.15.2", "prune harbor-core:v2.12.0"],
    ],
    [
      "nothing again that an attempt before has done",
      documentOf(core, portal, old),
      planOf(skipStep(), skipStep({ image: "portal" }), keepStep()),
      ["skip harbor-core:v2.15.2", "skip portal:v2.15.2", "keep v2.15.2"],
    ],
    [
      "no tag of a version of which the plan lacks an image (P3)",
      documentOf(core),
      planOf(core, portal, skipStep({ image: "in-place" })),
      ["fail harbor-core:v2.15.2", "fail portal:v2.15.2", "skip in-place:v2.15.2"],
    ],
    [
      "what is whole at one destination, though not at another (P4)",
      documentOf(core, { ...core, destination: dockerHub }, { ...portal, destination: dockerHub }),
      planOf(core, portal, { ...core, destination: dockerHub }, { ...portal, destination: dockerHub }),
      ["fail harbor-core:v2.15.2", "fail portal:v2.15.2", "copy harbor-core:v2.15.2", "copy portal:v2.15.2"],
    ],
    [
      "no pruning that came up after the plan",
      documentOf(core),
      planOf(core, keepStep(), old),
      ["copy harbor-core:v2.15.2", "keep v2.15.2", "leave harbor-core:v2.12.0"],
    ],
    [
      "no pruning that only the plan asks for",
      documentOf(
        core,
        old,
        pruneStep({ version: "v2.15.1", image: "harbor-core" }),
        pruneStep({ version: "dev" }),
      ),
      planOf(core, keepStep("v2.15.1"), old),
      ["copy harbor-core:v2.15.2", "keep v2.15.1", "prune harbor-core:v2.12.0"],
    ],
    [
      "no pruning at another place than the plan's",
      documentOf(core, { ...old, destination: dockerHub }),
      planOf(core, old),
      ["copy harbor-core:v2.15.2", "leave harbor-core:v2.12.0"],
    ],
    [
      "failures as they are now",
      documentOf(core, portal),
      planOf(failStep(), failStep({ image: "portal" })),
      ["fail harbor-core:v2.15.2", "fail portal:v2.15.2"],
    ],
  ])("%s", (_what, document, now, steps) => {
    expect(bound(document, now)).toEqual(steps);
  });

  test("no image that is another one now, whichever of the two plans was changed", () => {
    const moved = { ...core, source: { ...core.source, digest: digest("moved") } };
    const [first = "", second = ""] = reasons(documentOf(core, portal), planOf(moved, portal));
    expect(first).toContain(
      `ghcr.io/goharbor/harbor-core:v2.15.2 now is ${moved.source.digest}, the plan has ${core.source.digest}. Run all jobs again`,
    );
    expect(second).toBe("held back: harbor-core:v2.15.2 of this version cannot be copied here");
  });

  test("what the inputs give now, down to attachments and digests to prune: the document has no say in them", () => {
    const signed = {
      ...core,
      source: { ...core.source, attachments: [{ digest: digest("sig"), tag: "a.sig" }] },
    };
    const held = { ...old, digest: digest("held") };
    expect(bindPlan(documentOf(core, old), planOf(signed, held), []).steps).toEqual([signed, held]);
  });
});

describe("a document is refused as a whole", () => {
  test.each<[what: string, changed: Partial<PlanDocument["copies"][number]>]>([
    ["another destination", { destination: "docker.io/attacker" }],
    ["another tag", { tag: "latest" }],
    ["another image", { image: "other" }],
    ["another version", { version: "v2.15.1" }],
  ])("with %s", (_what, changed) => {
    const document = documentOf(core);
    const copies = document.copies.map((copy) => ({ ...copy, ...changed }));
    expect(() => bindPlan({ ...document, copies }, planOf(core), [])).toThrow(
      /plan: it has images that the inputs do not ask for: .*Re-run all jobs/,
    );
  });

  test("with many images, of which five are named", () => {
    const document = documentOf(...["a", "b", "c", "d", "e", "f", "g"].map((image) => copyStep({ image })));
    expect(() => bindPlan(document, planOf(core), [])).toThrow(/\/e:v2\.15\.2 and 2 more\./);
  });

  test("about another repository", () => {
    expect(() => bindPlan({ ...documentOf(core), repository: "example/shop" }, planOf(core), [])).toThrow(
      "plan: it is about example/shop, but the inputs are about goharbor/harbor.",
    );
  });
});

describe("a release between plan and publish means less", () => {
  const next = { version: "v2.15.3", tag: "v2.15.3" };
  const withNext = (...steps: readonly Step[]): Plan => ({
    ...planOf(...steps),
    versions: ["v2.15.3", "v2.15.2"],
  });

  test("it is left to the next run, with all pruning, and the others are published", () => {
    const now = withNext(copyStep(next), core, portal, keepStep("v2.15.3"), keepStep(), old);
    const plan = bindPlan(documentOf(core, portal, old), now, []);
    expect(plan.versions).toEqual(["v2.15.2"]);
    expect(bound(documentOf(core, portal, old), now)).toEqual([
      "skip harbor-core:v2.15.3",
      "copy harbor-core:v2.15.2",
      "copy portal:v2.15.2",
      "keep v2.15.2",
      "leave harbor-core:v2.12.0",
    ]);
  });

  test("that its images are not there yet fails nothing", () => {
    expect(bound(documentOf(core), withNext(failStep(next), core))).toEqual([
      "skip harbor-core:v2.15.3",
      "copy harbor-core:v2.15.2",
    ]);
  });

  test("what the inputs do not ask for any more is left out, and fails where it was withdrawn", () => {
    const document = {
      ...documentOf(core, copyStep({ version: "v2.14.4" })),
      versions: ["v2.15.2", "v2.14.4"],
    };
    expect(bound(document, planOf(core))).toEqual(["copy harbor-core:v2.15.2"]);
    expect(bindPlan(document, planOf(core), ["v2.14.4"]).steps).toMatchObject([
      core,
      { kind: "fail", version: "v2.14.4", reason: expect.stringContaining("no published release any more") },
    ]);
  });

  test.each([
    ["newest", { kind: "newest", count: 2 }],
    ["range", { kind: "range", range: ">=2" }],
  ] as const)("versions are overtaken by it where the inputs ask for a %s", (_what, selection) => {
    const document = { ...documentOf(core), versions: ["v2.15.2", "v2.14.4"] };
    expect(overtakenVersions(document, [selection], ["v2.15.3", "v2.15.2"])).toEqual(["v2.14.4"]);
  });

  test("tags stay what they are: another is refused", () => {
    const document = { ...documentOf(core), versions: ["v2.15.2", "v2.14.4"] };
    const selection = { kind: "tags", tags: ["v2.15.2"] } as const;
    expect(() => overtakenVersions(document, [selection], ["v2.15.2"])).toThrow(
      /plan: it is about v2\.14\.4, which the inputs do not/,
    );
  });

  test("GitHub is not asked about any number of versions that a changed plan names", () => {
    const versions = Array.from({ length: 10_000 }, (_, index) => `v9.${index}.0`);
    expect(() =>
      overtakenVersions({ ...documentOf(core), versions }, [{ kind: "newest", count: 1 }], ["v2.15.2"]),
    ).toThrow(/plan: it is about v9\.0\.0, .* and 9995 more, which the inputs do not/);
  });
});

describe("a copy job", () => {
  const document = documentOf(core, portal);

  test("carries out its share alone, with what the inputs give now", () => {
    const one = { ...document, copies: document.copies.map((copy, at) => ({ ...copy, share: at + 1 })) };
    const plan = bindShare(one, 2, planOf(core, portal, keepStep(), old));
    expect(plan).toEqual({ ...planOf(portal) });
  });

  test("copies once what a changed plan names twice, and fails once what was withdrawn", () => {
    const twice = { ...document, copies: [...document.copies, ...document.copies] };
    expect(bindShare(twice, 1, planOf(core, portal)).steps).toEqual([core, portal]);
    const withdrawn = bindPlan(twice, { ...planOf(keepStep("v2.15.3")), versions: [] }, ["v2.15.2"]);
    expect(withdrawn.steps.filter(({ kind }) => kind === "fail")).toHaveLength(2);
  });

  test("leaves what is in place by now, or not asked for any more", () => {
    expect(bindShare(document, 1, planOf(skipStep(), portal)).steps).toEqual([skipStep(), portal]);
    const newer: Plan = { repository: "goharbor/harbor", versions: ["v2.15.3"], steps: [] };
    expect(bindShare(document, 1, newer)).toMatchObject({ versions: [], steps: [] });
  });

  test("fails an image whose tag has moved, and goes on with the others", () => {
    const moved = { ...core, source: { ...core.source, digest: digest("moved") } };
    expect(bindShare(document, 1, planOf(moved, portal)).steps).toMatchObject([
      { kind: "fail", image: "harbor-core", reason: expect.stringContaining("Run all jobs again") },
      { kind: "copy", image: "portal" },
    ]);
  });

  test.each<[what: string, share: number, now: Plan, message: RegExp]>([
    ["without such a share", 2, planOf(core, portal), /^share: the plan has no share 2$/],
    ["with an image that the inputs do not ask for", 1, planOf(core), /^plan: it has images that the inputs/],
  ])("is refused %s", (_what, share, now, message) => {
    expect(() => bindShare(document, share, now)).toThrow(message);
  });
});

describe("what overwritten tags held", () => {
  const held = digest("held");
  const overwritten = copyStep({ replaces: held });
  const untagged = untaggedStep(held);
  const signature = pruneStep({ version: "v2.15.2", tag: `${held.replace(":", "-")}.sig` });
  const now = planOf(overwritten, untagged, signature);
  const kinds = (document: PlanDocument) => bindPlan(document, now, []).steps.map(({ kind }) => kind);

  test("goes where both plans have it", () => {
    expect(kinds(documentOf(overwritten, untagged, signature))).toEqual(["copy", "prune", "prune"]);
  });

  test("stays, with its signature, where the tag held something else when the plan was made", () => {
    const other = untaggedStep(digest("other"));
    const document = documentOf(overwritten, other, signature);
    expect(kinds(document)).toEqual(["copy", "leave", "leave"]);
    expect(reasons(document, now)[1]).toBe(
      "it came up after the plan was made, and no later run knows of it",
    );
  });

  test("stays, with its signature, where it was taken out of the plan or made a tag of it", () => {
    expect(kinds(documentOf(overwritten, signature))).toEqual(["copy", "leave", "leave"]);
    const { untagged: _, ...tag } = untagged;
    expect(kinds(documentOf(overwritten, tag, signature))).toEqual(["copy", "leave", "leave"]);
  });
});
