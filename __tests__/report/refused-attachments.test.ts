import { describe, expect, test } from "vitest";
import type { FailedOperation } from "../../src/errors.ts";
import { plainPaint } from "../../src/log/paint.ts";
import { annotationsOf } from "../../src/report/annotations.ts";
import { closingParagraph } from "../../src/report/closing.ts";
import { reportOf } from "../../src/report/json-report.ts";
import { summaryOf } from "../../src/report/summary.ts";
import { imagesInPlace, mirroredVersions, succeeded, tallyOf } from "../../src/report/tally.ts";
import { copyStep, dockerHub, harborImages, run, tcr } from "./result-builder.ts";

/** The signature of an image that the registry refuses. */
function refusedFor(image: string, status = 403): FailedOperation {
  return {
    kind: "operation",
    side: "destination",
    host: "goharbor.tencentcloudcr.com",
    repository: `goharbor/${image}`,
    operation: "writing the referrer",
    subject: `sha256:${image}`,
    status,
    code: "DENIED",
    problem: "unknown manifest class",
    advice: "With `referrers: false` images go without them.",
  };
}

const mirrored = () =>
  harborImages.reduce(
    (builder, image) => builder.unsigned(copyStep({ image }), [refusedFor(image)], { uploaded: 10 }),
    run().copied(copyStep({ destination: dockerHub })),
  );

describe("images that are there without signatures, which a registry refuses", () => {
  test("are mirrored: nothing failed", () => {
    const result = mirrored().build();
    expect(succeeded(result)).toBe(true);
    expect(tallyOf(result)).toEqual({ copied: 13, skipped: 0, pruned: 0, failed: 0 });
    expect(mirroredVersions(result)).toEqual(["v2.15.2"]);
    expect(imagesInPlace(result)).toHaveLength(13);
  });

  test("are one warning, with the registry, the cause and what to do", () => {
    const { warnings, errors } = annotationsOf(mirrored().build());
    expect(errors).toEqual([]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      new RegExp(
        `^12 images \\(prepare:v2.15.2, .*\\) at ${tcr}: .*refuses: destination goharbor.tencentcloudcr.com: writing the referrer failed with status 403 DENIED: unknown manifest class. With .referrers: false. images go without them.$`,
      ),
    );
  });

  test("are a warning for each cause, and an image is named once in each", () => {
    const failures = [refusedFor("prepare"), refusedFor("prepare"), refusedFor("prepare", 412)];
    const { warnings } = annotationsOf(
      run()
        .unsigned(copyStep({ image: "prepare" }), failures)
        .build(),
    );
    expect(warnings.map((warning) => warning.slice(0, 16))).toEqual(["prepare:v2.15.2 ", "prepare:v2.15.2 "]);
  });

  test("stand in the summary, in the last paragraph and in the JSON report", () => {
    const result = mirrored().build();
    expect(summaryOf(result)).toContain("> **Images that are there without signatures or the like");
    expect(closingParagraph(result, plainPaint)).toContain(
      `Without signatures or the like, which ${tcr} refuses: 12 images.`,
    );
    expect(reportOf(result).steps[1]).toMatchObject({
      outcome: "copied",
      refused: [{ failure: "operation", status: 403, operation: "writing the referrer" }],
    });
    expect(reportOf(result).steps[0]).not.toHaveProperty("refused", expect.anything());
  });
});

describe("images that were in place, and whose signatures a registry refuses again", () => {
  const again = () =>
    run()
      .unsigned({ ...copyStep(), attachmentsOnly: true }, [refusedFor("harbor-core")], { present: 10 })
      .build();

  test("are not called copied, and are in place", () => {
    expect(tallyOf(again())).toEqual({ copied: 0, skipped: 1, pruned: 0, failed: 0 });
    expect(imagesInPlace(again())).toHaveLength(1);
    expect(mirroredVersions(again())).toEqual(["v2.15.2"]);
    expect(summaryOf(again())).toContain("1 in place");
  });

  test("are told of again", () => {
    expect(annotationsOf(again()).warnings).toHaveLength(1);
  });

  test("are called copied where something came to them", () => {
    const result = run()
      .unsigned({ ...copyStep(), attachmentsOnly: true }, [refusedFor("harbor-core")], { uploaded: 10 })
      .build();
    expect(tallyOf(result).copied).toBe(1);
  });
});
