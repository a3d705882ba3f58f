import { describe, expect, test } from "vitest";
import type { FailedOperation } from "../../src/errors.ts";
import { checkDocument } from "../../src/report/check-report.ts";
import { reportOf } from "../../src/report/json-report.ts";
import { heldBack } from "../support/failures.ts";
import { reportSchema, schemaProblems } from "../support/json-schema.ts";
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

const refused: FailedOperation = {
  kind: "operation",
  side: "destination",
  host: "goharbor.tencentcloudcr.com",
  repository: "goharbor/harbor-core",
  operation: "uploading the blob",
  subject: digest("layer"),
  status: 403,
  code: "DENIED",
  problem: "no right",
  advice: "Let the login push.",
  temporary: false,
};

test("a step that failed has the failure as data, and no words have to be parsed", () => {
  const result = run()
    .copyFailed(copyStep(), refused)
    .copyFailed(copyStep({ image: "harbor-db" }), heldBack("held back"))
    .plan(failStep({ failure: { ...refused, side: "source", host: "ghcr.io" } }))
    .plan(failStep({ failure: { kind: "obstacle", problem: "no source has it", subject: "core:v1" } }))
    .pruneFailed(pruneStep(), { ...refused, operation: "deleting the tag" })
    .build();
  const steps = JSON.parse(JSON.stringify(reportOf(result).steps));
  const { kind, temporary: _, ...fields } = refused;
  expect(steps).toMatchObject([
    { failure: kind, ...fields },
    { failure: "held-back", problem: "held back" },
    { failure: kind, ...fields, side: "source", host: "ghcr.io" },
    { failure: "obstacle", problem: "no source has it", subject: "core:v1" },
    { failure: kind, ...fields, operation: "deleting the tag" },
  ]);
  for (const field of ["side", "host", "repository", "operation", "status", "code"])
    expect(steps[1]).not.toHaveProperty(field);
});

describe("docs/report.schema.json", () => {
  const problemsOf = (report: object) => schemaProblems(JSON.parse(JSON.stringify(report)), reportSchema);

  const everything = run()
    .copied(copyStep({ replaces: digest("old") }), { uploaded: 1 })
    .unsigned(copyStep({ image: "harbor-core" }), [refused, refused])
    .copyFailed(copyStep({ image: "harbor-db" }), refused)
    .copyFailed(copyStep({ image: "harbor-log" }), heldBack("held back"))
    .plan(skipStep(), failStep(), keepStep(), leaveStep())
    .pruned(pruneStep())
    .pruneFailed(pruneStep(), refused)
    .pruneNotTried(pruneStep(), heldBack("1 image failed"));
  const need = {
    images: 1,
    unsizedImages: 0,
    mostBytes: 5,
    pulls: [{ registry: "docker.io", images: 1, pulls: 2, atLeast: true }],
  };

  test.each<[what: string, report: object]>([
    ["a run with every outcome", reportOf(everything.build())],
    ["a run with nothing to do", reportOf(run().build())],
    [
      "a dry run with its estimate",
      reportOf(
        everything.build({
          dryRun: true,
          estimate: { destinations: [{ destination: tcr, ...need }], sources: need },
        }),
      ),
    ],
    ["a job that plans", reportOf(everything.build({ dryRun: true, job: "plan" }))],
    ["a job that copies", reportOf(everything.build({ job: "copy" }))],
    ["a job that publishes", reportOf(everything.build({ job: "publish" }))],
    [
      "a check of the configuration",
      checkDocument({
        results: [
          {
            place: tcr,
            subject: "login",
            needed: true,
            outcome: "missing",
            finding: "None.",
            remedy: "Log in.",
          },
          { place: tcr, subject: "push", needed: false, outcome: "ok", finding: "It may push." },
        ],
        startedAt: 0,
        milliseconds: 1500,
      }),
    ],
  ])("describes %s, every property", (_what, report) => {
    expect(problemsOf(report)).toEqual([]);
  });

  test.each<[problem: string, changes: object]>([
    ["$.schemaVersion is not 1", { schemaVersion: 2 }],
    ["$.job is all, which is not listed", { job: "all" }],
    ["$.seconds is no number", { seconds: "3" }],
    ["$.bytesRead is below 0", { bytesRead: -1 }],
    ["$.counts lacks failed", { counts: { copied: 1, skipped: 0, pruned: 0 } }],
    ["$.startedAt does not match", { startedAt: "yesterday" }],
    ["$.more is not described", { more: 1 }],
    ["$.steps[0] lacks outcome", { steps: [{ action: "copy", destination: "", version: "", reason: "" }] }],
    ["$.steps is no array", { steps: {} }],
    ["$.requests.ghcr.io is no integer", { requests: { "ghcr.io": 0.5 } }],
  ])("refuses a report in which %s", (problem, changes) => {
    expect(problemsOf({ ...reportOf(run().build()), ...changes })).toEqual([
      expect.stringContaining(problem),
    ]);
  });
});
