import { describe, expect, test } from "vitest";
import type { Estimate, Need } from "../../src/plan/estimate.ts";
import { estimateLines } from "../../src/report/estimate-table.ts";
import { reportOf } from "../../src/report/json-report.ts";
import { summaryOf } from "../../src/report/summary.ts";
import { copyStep, dockerHub, run, tcr } from "./result-builder.ts";

const nothing = () => undefined;
const sized: Need = { images: 12, unsizedImages: 0, mostBytes: 412_000_000, pulls: [] };
const pulls = [{ registry: "docker.io", images: 2, pulls: 4, atLeast: true }];
const partly: Need = { images: 12, unsizedImages: 2, mostBytes: 300_000_000, pulls };
const estimate: Estimate = {
  destinations: [
    { destination: dockerHub, ...sized },
    { destination: tcr, ...partly },
  ],
  sources: { ...partly, images: 14, mostBytes: 500_000_000 },
};

describe("what a plan needs", () => {
  test("in the log, aligned, with the pulls that are left", () => {
    const budget = { limit: 100, remaining: 76, windowMs: undefined };
    expect(estimateLines(estimate, () => budget)).toEqual([
      "To carry out this plan, a run needs:",
      "  docker.io/goharbor                    12 images, at most 412.0 MB to upload",
      "  goharbor.tencentcloudcr.com/goharbor  12 images, at most 300.0 MB and 2 images of unknown size to upload",
      "  From the sources, each blob once for all destinations: at most 500.0 MB and 2 images of unknown size",
      "  Pulls at docker.io: at least 4, with 76 of 100 left",
    ]);
  });

  test("never a number for what nobody knows", () => {
    const unknown: Need = { images: 2, unsizedImages: 2, mostBytes: 0, pulls };
    const lines = estimateLines(
      { destinations: [{ destination: tcr, ...unknown }], sources: unknown },
      nothing,
    );
    expect(lines.slice(1)).toEqual([
      `  ${tcr}  2 images, an unknown number of bytes to upload`,
      "  From the sources, each blob once for all destinations: an unknown number of bytes",
      "  Pulls at docker.io: at least 4",
    ]);
  });

  test("nothing where nothing is copied", () => {
    const sources: Need = { images: 0, unsizedImages: 0, mostBytes: 0, pulls: [] };
    expect(estimateLines({ destinations: [], sources }, nothing)).toEqual([]);
  });

  test("in the summary and the JSON report of a dry run", () => {
    const result = run().plan(copyStep()).build({ dryRun: true, estimate });
    const summary = summaryOf(result);
    expect(summary).toContain("| Destination | Images | Bytes | Pulls at `docker.io` |");
    expect(summary).toContain(`| \`${dockerHub}\` | 12 | at most 412.0 MB | 0 |`);
    expect(summary).toContain(
      `| \`${tcr}\` | 12 | at most 300.0 MB and 2 images of unknown size | at least 4 |`,
    );
    expect(summary).toContain("would have cost a pull");
    expect(reportOf(result).estimate).toEqual(estimate);
  });

  test("not in the report of a run, which tells what it did", () => {
    const result = run().copied(copyStep()).build();
    expect(summaryOf(result)).not.toContain("What a run needs");
    expect(JSON.parse(JSON.stringify(reportOf(result)))).not.toHaveProperty("estimate");
  });
});
