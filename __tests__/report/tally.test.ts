import { expect, test } from "vitest";
import { reportedSteps } from "../../src/report/reported-step.ts";
import { statusOf } from "../../src/report/status.ts";
import { imagesInPlace, mirroredVersions, movedBytes, succeeded, tallyOf } from "../../src/report/tally.ts";
import { obstacle } from "../support/failures.ts";
import {
  copyStep,
  digest,
  dockerHub,
  failStep,
  keepStep,
  leaveStep,
  leftStep,
  pruneStep,
  run,
  skipStep,
  tcr,
} from "./result-builder.ts";

const images = ["harbor-core", "harbor-db"] as const;
const [core, db] = images.map((image) => ({ image }));

test("each destination counts, and every kind of failure", () => {
  const result = run()
    .copied(copyStep({ ...core, destination: tcr }))
    .copied(copyStep({ ...core, destination: dockerHub }))
    .copyFailed(copyStep(db), "refused")
    .plan(skipStep({ destination: dockerHub }), skipStep({ inPlace: false, version: "v1.10.20" }))
    .plan(failStep(), keepStep(), leaveStep())
    .pruned(pruneStep())
    .pruneFailed(pruneStep(db), "denied")
    .build();
  expect(tallyOf(result)).toEqual({ copied: 2, skipped: 2, pruned: 1, failed: 3 });
  expect(succeeded(result)).toBe(false);
});

test("a prune that was given up because of a failed copy is no further failure", () => {
  const given = run().copyFailed(copyStep(), "refused").pruneNotTried(pruneStep(), "an image failed").build();
  expect(tallyOf(given)).toEqual({ copied: 0, skipped: 0, pruned: 0, failed: 1 });
});

test.each([
  ["copies, skips and prunes", run().copied(copyStep()).plan(skipStep(db)).pruned(pruneStep()), true],
  ["nothing at all", run(), true],
  ["a failed plan step", run().plan(failStep()), false],
  ["a failed copy", run().copyFailed(copyStep(), "refused"), false],
  ["a failed prune", run().pruneFailed(pruneStep(), "refused"), false],
  ["a copy of which nothing is known", run().plan(copyStep()), false],
  ["a prune of which nothing is known", run().plan(pruneStep()), false],
])("success with %s: %#", (_case, builder, expected) => {
  expect(succeeded(builder.build())).toBe(expected);
});

test("in place are copied images and those that were there, and nothing else", () => {
  const result = run()
    .copied(copyStep({ image: "team/core", tag: "2.15.2", destination: dockerHub }))
    .copyFailed(copyStep({ image: "broken" }), "refused")
    .plan(skipStep(db), skipStep({ image: "unwanted", inPlace: false }), failStep({ image: "missing" }))
    .pruned(pruneStep())
    .build();
  expect(imagesInPlace(result)).toEqual([
    {
      image: "team/core",
      tag: "2.15.2",
      digest: digest("team/core:2.15.2"),
      destination: dockerHub,
      reference: "docker.io/goharbor/team/core:2.15.2",
    },
    {
      image: "harbor-db",
      tag: "v2.15.2",
      digest: digest("harbor-db:v2.15.2"),
      destination: tcr,
      reference: "goharbor.tencentcloudcr.com/goharbor/harbor-db:v2.15.2",
    },
  ]);
});

test("what a later look has not found there is not in place: it was brought or was there, and another took it away", () => {
  const kept = keepStep();
  const built = run()
    .copied(copyStep({ ...core, destination: tcr }))
    .copied(copyStep({ ...core, destination: dockerHub }))
    .plan(skipStep({ ...db, destination: tcr }), kept)
    .build();
  const missing = images.map((image) => ({ image, tag: "v2.15.2" }));
  const keeps = [{ step: kept, missing, failure: obstacle("they are gone") }];
  const result = { ...built, keeps };
  expect(imagesInPlace(result).map(({ reference }) => reference)).toEqual([
    "docker.io/goharbor/harbor-core:v2.15.2",
  ]);
  expect(mirroredVersions(result)).toEqual([]);
  expect(tallyOf(result)).toEqual({ copied: 1, skipped: 0, pruned: 0, failed: 3 });
});

test("a dry run copies and prunes nothing; what was in place is in place, what cannot be mirrored has failed", () => {
  const result = run()
    .plan(copyStep(core), skipStep(db), pruneStep(), failStep({ version: "v2.16.0" }))
    .build({ dryRun: true });
  expect(tallyOf(result)).toEqual({ copied: 0, skipped: 1, pruned: 0, failed: 1 });
  expect(imagesInPlace(result).map(({ image }) => image)).toEqual(["harbor-db"]);
  expect(mirroredVersions(result)).toEqual([]);
});

test("a version is mirrored when it is complete wherever it was to go", () => {
  const result = run()
    .copied(copyStep({ version: "v2.15.2" }))
    .plan(skipStep({ version: "v2.15.2", destination: dockerHub }))
    .copied(copyStep({ version: "v2.15.1" }))
    .copyFailed(copyStep({ version: "v2.15.1", destination: dockerHub }), "refused")
    .plan(skipStep({ version: "v2.15.0" }))
    // Not kept at one destination, complete at the other.
    .plan(
      skipStep({ version: "v2.14.4", inPlace: false }),
      skipStep({ version: "v2.14.4", destination: dockerHub }),
    )
    .plan(skipStep({ version: "v1.10.20", inPlace: false }))
    .build();
  expect(mirroredVersions(result)).toEqual(["v2.15.2", "v2.15.0", "v2.14.4"]);
});

test("an image that is left alone is skipped and not in place, and its version is not mirrored", () => {
  const result = run()
    .plan(skipStep(db), leftStep({ image: "harbor-core" }, "the tag holds another digest"), leaveStep())
    .build();
  expect(tallyOf(result)).toEqual({ copied: 0, skipped: 2, pruned: 0, failed: 0 });
  expect(succeeded(result)).toBe(true);
  expect(imagesInPlace(result).map(({ image }) => image)).toEqual(["harbor-db"]);
  expect(mirroredVersions(result)).toEqual([]);
  expect(statusOf(result).sentence).toContain("2 images skipped (1 left alone)");
});

test("moved bytes are summed over copies, those that failed later included", () => {
  const result = run()
    .copied(copyStep(core), { uploaded: 100, mounted: 20 })
    .copied(copyStep(db), { uploaded: 1, present: 3 })
    .plan(skipStep({ image: "harbor-log" }))
    .build();
  expect(movedBytes(reportedSteps(result))).toEqual({ uploaded: 101, mounted: 20, present: 3 });
});
