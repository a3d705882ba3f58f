import { expect, test } from "vitest";
import { reportOf } from "../../src/report/json-report.ts";
import {
  copyStep,
  digest,
  dockerHub,
  failStep,
  keepStep,
  leaveStep,
  pruneStep,
  run,
  skipStep,
  tcr,
} from "./result-builder.ts";

test("the document of a run, whole", () => {
  const result = run()
    .copied(copyStep({ image: "harbor-core", replaces: digest("old") }), {
      uploaded: 10,
      mounted: 5,
      present: 1,
    })
    .plan(keepStep())
    .build();
  expect(JSON.parse(JSON.stringify(reportOf(result)))).toEqual({
    schemaVersion: 1,
    repository: "goharbor/harbor",
    versions: ["v2.15.2"],
    mirroredVersions: ["v2.15.2"],
    startedAt: "2026-07-01T12:00:00.000Z",
    seconds: 192,
    dryRun: false,
    succeeded: true,
    counts: { copied: 1, skipped: 0, pruned: 0, failed: 0 },
    destinations: [{ name: tcr, registry: "goharbor.tencentcloudcr.com", path: "goharbor" }],
    steps: [
      {
        action: "copy",
        outcome: "copied",
        destination: tcr,
        version: "v2.15.2",
        image: "harbor-core",
        tag: "v2.15.2",
        reason: "it is not there yet",
        digest: digest("harbor-core:v2.15.2"),
        replaces: digest("old"),
        source: "ghcr.io/goharbor/harbor-core:v2.15.2",
        rewritten: false,
        bytes: { uploaded: 10, mounted: 5, present: 1 },
        seconds: 1.5,
      },
      {
        action: "keep",
        outcome: "kept",
        destination: tcr,
        version: "v2.15.2",
        reason: "among the newest 3 by semver",
      },
    ],
    requests: { "ghcr.io": 42 },
    bytesRead: 41_200_000,
  });
});

test("every step of the plan is there in its order, with its outcome and the reason that counts", () => {
  const result = run()
    .plan(skipStep(), failStep({ failure: "missing" }), leaveStep({ reason: "shared" }))
    .copyFailed(copyStep({ destination: dockerHub }), "refused")
    .pruned(pruneStep({ reason: "old" }))
    .pruneFailed(pruneStep(), "denied")
    .pruneNotTried(pruneStep(), "an image failed")
    .plan(copyStep())
    .build();
  const report = reportOf(result);
  expect(report.steps.map(({ action, outcome, reason }) => [action, outcome, reason])).toEqual([
    ["skip", "skipped", "it is in place"],
    ["fail", "failed", "missing"],
    ["leave", "left", "shared"],
    ["copy", "failed", "refused"],
    ["prune", "pruned", "old"],
    ["prune", "failed", "denied"],
    ["prune", "not-tried", "an image failed"],
    ["copy", "failed", "the run ended before this step was carried out"],
  ]);
  expect(report.succeeded).toBe(false);
});

test("in a dry run copies and prunes are planned", () => {
  const report = reportOf(run().plan(copyStep(), pruneStep(), keepStep()).build({ dryRun: true }));
  expect(report.steps.map(({ outcome }) => outcome)).toEqual(["planned", "planned", "kept"]);
  expect(report).toMatchObject({ dryRun: true, succeeded: true, mirroredVersions: [] });
});

test("a version that was to be kept is not said to be there where an image of it could not be brought", () => {
  const built = run()
    .copyFailed(copyStep({ image: "harbor-db" }), "refused")
    .copied(copyStep({ destination: dockerHub }))
    .plan(failStep({ version: "v2.15.1" }))
    .plan(keepStep(), keepStep("v2.15.2", dockerHub), keepStep("v2.15.1"), keepStep("v2.15.0"))
    .build();
  const keeps = reportOf(built).steps.filter(({ action }) => action === "keep");
  expect(keeps.map(({ outcome }) => outcome)).toEqual(["missing", "kept", "missing", "kept"]);
});
