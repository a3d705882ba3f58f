import { expect, test } from "vitest";
import type { FailedOperation } from "../../src/errors.ts";
import { plainPaint } from "../../src/log/paint.ts";
import { annotationsOf } from "../../src/report/annotations.ts";
import { closingParagraph } from "../../src/report/closing.ts";
import { newsOfRun } from "../../src/report/issue-text.ts";
import { planLines } from "../../src/report/plan-table.ts";
import { pruneLines } from "../../src/report/prune-lines.ts";
import { summaryOf } from "../../src/report/summary.ts";
import { copyStep, digest, failStep, harborImages, pruneStep, run, tcr } from "./result-builder.ts";

/** What a registry says that refuses all images for the same cause, each in its own words. */
function refusalOf(image: string): FailedOperation {
  return {
    kind: "operation",
    side: "destination",
    host: "goharbor.tencentcloudcr.com",
    repository: `goharbor/${image}`,
    operation: "uploading the blob",
    subject: digest(image),
    status: 403,
    code: "DENIED",
    problem: "no right",
    advice: "Let the login push.",
  };
}

const cause =
  "destination goharbor.tencentcloudcr.com: uploading the blob failed with status 403 DENIED: no right. Let the login push.";

/** What a form of report has of the advice: how often it says what is to be done. */
function timesAdvised(text: string): number {
  return text.split("Let the login push").length - 1;
}

const copies = run();
for (const image of harborImages) copies.copyFailed(copyStep({ image }), refusalOf(image));
const failed = copies.build();

test.each<[form: string, text: string, times: number]>([
  ["the annotations", annotationsOf(failed).errors.join("\n"), 1],
  ["an issue", JSON.stringify(newsOfRun(failed)), 1],
  ["the closing paragraph", closingParagraph(failed, plainPaint), 1],
  // In the box at the top, and below the version.
  ["the summary", summaryOf(failed), 2],
])("twelve images that are refused for one cause are one piece of news in %s", (_form, text, times) => {
  expect(timesAdvised(text)).toBe(times);
  expect(text).toContain("12 images");
  expect(text).not.toContain(digest("prepare"));
});

test("the names of all of them are there", () => {
  for (const text of [
    annotationsOf(failed).errors.join(),
    JSON.stringify(newsOfRun(failed)),
    summaryOf(failed),
  ])
    for (const image of harborImages) expect(text).toContain(`${image}:v2.15.2`);
});

test("a plan has one row for what cannot be copied for one cause", () => {
  const steps = harborImages.map((image) => failStep({ image, failure: refusalOf(image) }));
  const { plan } = run()
    .plan(...steps)
    .build();
  const rows = planLines(plan, plainPaint).filter((line) => line.includes(" fail "));
  expect(rows).toEqual([`  fail  12 images  ${tcr}  ${cause}`]);
});

test("the log of pruning has one line for each version and cause", () => {
  const outcomes = harborImages.map((image) => ({
    step: pruneStep({ image }),
    status: "failed" as const,
    failure: refusalOf(image),
  }));
  expect(pruneLines(outcomes, plainPaint)).toEqual([`✗ v2.12.0 at ${tcr}: 12 tags not deleted: ${cause}`]);
});

test("one image keeps its repository and digest", () => {
  const result = run().copyFailed(copyStep(), refusalOf("harbor-core")).build();
  expect(annotationsOf(result).errors).toEqual([
    expect.stringContaining(
      `destination goharbor.tencentcloudcr.com/goharbor/harbor-core: uploading the blob ${digest("harbor-core")} failed`,
    ),
  ]);
});
