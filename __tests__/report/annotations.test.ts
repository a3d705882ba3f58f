import { describe, expect, test } from "vitest";
import { type FailedOperation, type FailureDetails, sentenceOf } from "../../src/errors.ts";
import type { SkipStep } from "../../src/plan/plan.ts";
import { annotationsOf } from "../../src/report/annotations.ts";
import { statusOf } from "../../src/report/status.ts";
import { heldBack, obstacle } from "../support/failures.ts";
import {
  copyStep,
  digest,
  dockerHub,
  failStep,
  harborImages,
  keepStep,
  leaveStep,
  leftStep,
  pruneStep,
  run,
  skipStep,
  tcr,
} from "./result-builder.ts";

const tcrHost = "goharbor.tencentcloudcr.com";

/** A push of an image that the registry refuses. */
function refusedFor(image: string): FailedOperation {
  return {
    kind: "operation",
    side: "destination",
    host: tcrHost,
    repository: `goharbor/${image}`,
    operation: "uploading the blob",
    subject: digest(image),
    status: 403,
    code: "DENIED",
    problem: `no right for goharbor/${image}`,
    advice: "Let the login push.",
  };
}

test("a run in which all went as wished has none", () => {
  const result = run().copied(copyStep()).plan(skipStep(), keepStep()).pruned(pruneStep()).build();
  expect(annotationsOf(result)).toEqual({ warnings: [], errors: [] });
});

describe("warnings", () => {
  test("a replaced digest, an old and a new one", () => {
    const result = run()
      .copied(copyStep({ replaces: digest("old") }))
      .build();
    const [before, after] = [digest("old"), digest("harbor-core:v2.15.2")].map((full) => full.slice(0, 19));
    expect(annotationsOf(result).warnings).toEqual([
      `${tcr}/harbor-core:v2.15.2 was replaced: ${before} by ${after}`,
    ]);
  });

  test("a dry run replaces nothing yet", () => {
    const result = run()
      .plan(copyStep({ replaces: digest("old") }))
      .build({ dryRun: true });
    expect(annotationsOf(result).warnings).toEqual([expect.stringContaining("would be replaced")]);
  });

  test("a copy that failed has replaced nothing", () => {
    const result = run()
      .copyFailed(copyStep({ replaces: digest("old") }), "refused")
      .build();
    expect(annotationsOf(result).warnings).toEqual([]);
  });

  test("images that are left alone, one for each destination and cause, with their names", () => {
    const foreign = (image: string) =>
      leftStep(
        { image },
        { kind: "obstacle", problem: "the tag holds another digest", subject: digest(image) },
      );
    const held = leftStep({ image: "harbor-log" }, { kind: "held-back", problem: "held back: harbor-core" });
    const result = run().plan(foreign("harbor-core"), foreign("harbor-db"), held).build();
    expect(annotationsOf(result)).toEqual({
      warnings: [
        `2 images (harbor-core:v2.15.2, harbor-db:v2.15.2) left alone at ${tcr}: the tag holds another digest`,
        `harbor-log:v2.15.2 left alone at ${tcr}: held back: harbor-core`,
      ],
      errors: [],
    });
  });

  test("images that are in place and could not be compared, one for each destination and cause", () => {
    const refused = (image: string): SkipStep => {
      const warning = { ...refusedFor(image), consequence: "in place and not compared" };
      return { ...skipStep({ image }), reason: sentenceOf(warning), warning };
    };
    const result = run().plan(refused("harbor-core"), refused("harbor-db"), skipStep()).build();
    const { warnings, errors } = annotationsOf(result);
    expect([warnings.length, errors]).toEqual([1, []]);
    expect(warnings[0]).toMatch(
      /^2 images \(harbor-core:v2\.15\.2, harbor-db:v2\.15\.2\) at [^ ]+: in place and not compared: /,
    );
    expect(statusOf(result).sentence).toContain("3 images skipped (2 not compared)");
  });

  test("tags that are left, one for each destination and reason", () => {
    const versions = ["v2.12.0", "v2.11.0"];
    const left = versions.flatMap((version) => harborImages.map((image) => leaveStep({ version, image })));
    const shared = leaveStep({ reason: "its digest is shared" });
    expect(
      annotationsOf(
        run()
          .plan(...left, shared)
          .build(),
      ).warnings,
    ).toEqual([
      `24 tags of v2.12.0, v2.11.0 left at ${tcr}: this login cannot delete tags`,
      `1 tag of v2.12.0 left at ${tcr}: its digest is shared`,
    ]);
  });

  test("pruning that was given up", () => {
    const result = run()
      .pruneNotTried(pruneStep({ destination: dockerHub }), "an image failed")
      .build();
    expect(annotationsOf(result)).toEqual({
      warnings: [`Not pruned at ${dockerHub}, 1 tag of v2.12.0: an image failed`],
      errors: [],
    });
  });
});

describe("errors", () => {
  test("each failure, those of one reason together, what is held back after its cause", () => {
    const result = run()
      .copyFailed(copyStep({ image: "harbor-db" }), heldBack("held back: harbor-core is not complete"))
      .copyFailed(copyStep({ image: "harbor-log" }), heldBack("held back: harbor-core is not complete"))
      .copyFailed(copyStep({ image: "harbor-core" }), "refused")
      .plan(failStep({ destination: dockerHub, failure: "dead" }))
      .plan(failStep({ destination: dockerHub, failure: "dead", version: "v2.15.1" }))
      .pruneFailed(pruneStep(), "dead")
      .build();
    expect(annotationsOf(result).errors).toEqual([
      `harbor-core:v2.15.2 at ${tcr} failed: refused`,
      `2 images (harbor-core:v2.15.2, harbor-core:v2.15.1) at ${dockerHub} failed: dead`,
      `Pruning of harbor-core:v2.12.0 at ${tcr} failed: dead`,
      `2 images (harbor-db:v2.15.2, harbor-log:v2.15.2) at ${tcr} failed: held back: harbor-core is not complete`,
    ]);
  });

  test("twelve images that are refused for one cause, one with all names and the advice", () => {
    const builder = run();
    for (const image of harborImages) builder.copyFailed(copyStep({ image }), refusedFor(image));
    expect(annotationsOf(builder.build()).errors).toEqual([
      `12 images (${harborImages.map((image) => `${image}:v2.15.2`).join(", ")}) at ${tcr} failed: ` +
        `destination ${tcrHost}: uploading the blob failed with status 403 DENIED: no right for goharbor/prepare ` +
        "(and 11 more, in the JSON report). Let the login push.",
    ]);
  });

  test.each<[differs: string, changes: Partial<FailureDetails>]>([
    ["side", { side: "source" }],
    ["host", { host: "ghcr.io" }],
    ["operation", { operation: "mounting the blob" }],
    ["status", { status: 401 }],
    ["code", { code: "UNAUTHORIZED" }],
    ["advice", { advice: "Log in." }],
  ])("two where only the %s is another", (_differs, changes) => {
    const [first, second] = [refusedFor("harbor-core"), refusedFor("harbor-db")];
    const result = run()
      .copyFailed(copyStep({ image: "harbor-core" }), first)
      .copyFailed(copyStep({ image: "harbor-db" }), { ...second, ...changes })
      .build();
    expect(annotationsOf(result).errors).toHaveLength(2);
  });

  test("one for a refusal of which only the tag and the digest differ, and one for pruning", () => {
    const result = run()
      .plan(
        ...harborImages.map((image) =>
          failStep({
            image,
            failure: { ...obstacle("the tag holds another digest"), subject: digest(image) },
          }),
        ),
      )
      .pruneFailed(pruneStep({ image: "harbor-core" }), refusedFor("harbor-core"))
      .pruneFailed(pruneStep({ image: "harbor-db" }), refusedFor("harbor-db"))
      .build();
    expect(annotationsOf(result).errors).toEqual([
      expect.stringMatching(/^12 images .* failed: the tag holds another digest$/),
      expect.stringMatching(/^Pruning of 2 images \(harbor-core:v2\.12\.0, harbor-db:v2\.12\.0\) at /),
    ]);
  });

  test.each([
    [10, 10, /v2\.15\.2 at .* failed: reason 9/],
    [11, 10, /^And 2 more failures:/],
    [300, 10, /^And 291 more failures:/],
  ])("of %d reasons at most ten lines are shown", (failures, lines, last) => {
    const builder = run();
    for (let index = 0; index < failures; index += 1) builder.copyFailed(copyStep(), `reason ${index}`);
    const { errors } = annotationsOf(builder.build());
    expect(errors).toHaveLength(lines);
    expect(errors.at(-1)).toMatch(last);
    expect(errors[8]).toContain("reason 8");
  });

  test("a foreign text stays one line, gives no workflow command and fits in an annotation", () => {
    const evil = `no\n::set-output name=x::y\u001b[31m ${"x".repeat(10_000)}`;
    const [error = ""] = annotationsOf(run().copyFailed(copyStep(), evil).build()).errors;
    expect(error).not.toMatch(/[\n\u001b]|::/);
    expect(error.length).toBeLessThanOrEqual(4096);
  });
});
