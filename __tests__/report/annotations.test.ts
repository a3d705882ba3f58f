import { describe, expect, test } from "vitest";
import { annotationsOf } from "../../src/report/annotations.ts";
import {
  copyStep,
  digest,
  dockerHub,
  failStep,
  harborImages,
  keepStep,
  leaveStep,
  pruneStep,
  run,
  skipStep,
  tcr,
} from "./result-builder.ts";

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
      .copyFailed(copyStep({ image: "harbor-db" }), "held back: harbor-core is not complete")
      .copyFailed(copyStep({ image: "harbor-log" }), "held back: harbor-core is not complete")
      .copyFailed(copyStep({ image: "harbor-core" }), "refused")
      .plan(failStep({ destination: dockerHub, reason: "dead" }))
      .plan(failStep({ destination: dockerHub, reason: "dead", version: "v2.15.1" }))
      .pruneFailed(pruneStep(), "dead")
      .build();
    expect(annotationsOf(result).errors).toEqual([
      `harbor-core:v2.15.2 at ${tcr} failed: refused`,
      `2 images (harbor-core:v2.15.2, harbor-core:v2.15.1) at ${dockerHub} failed: dead`,
      `Pruning of harbor-core:v2.12.0 at ${tcr} failed: dead`,
      `2 images (harbor-db:v2.15.2, harbor-log:v2.15.2) at ${tcr} failed: held back: harbor-core is not complete`,
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
