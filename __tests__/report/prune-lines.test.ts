import { expect, test } from "vitest";
import type { PruneOutcome } from "../../src/copy/outcome.ts";
import type { Failure } from "../../src/errors.ts";
import { plainPaint } from "../../src/log/paint.ts";
import { pruneLines } from "../../src/report/prune-lines.ts";
import { obstacle } from "../support/failures.ts";
import { digest, pruneStep, tcr, untaggedStep } from "./result-builder.ts";

function outcome(
  image: string,
  version: string,
  status: PruneOutcome["status"],
  failure?: Failure,
): PruneOutcome {
  return { step: pruneStep({ image, version }), status, failure };
}

test("one line for each version and what became of it", () => {
  const lines = pruneLines(
    [
      outcome("harbor-core", "v2.12.0", "pruned"),
      outcome("harbor-core", "v2.11.0", "failed", obstacle("denied\n::error::x")),
      outcome("harbor-db", "v2.12.0", "pruned"),
      outcome("harbor-db", "v2.11.0", "not-tried", obstacle("1 image failed")),
    ],
    plainPaint,
  );
  expect(lines).toEqual([
    `✓ v2.12.0 at ${tcr}: 2 tags deleted`,
    `✗ v2.11.0 at ${tcr}: 1 tag not deleted: denied : :error: :x`,
    `– v2.11.0 at ${tcr}: 1 tag not deleted: 1 image failed`,
  ]);
});

test("what overwritten tags held stands apart", () => {
  const step = untaggedStep(digest("old"));
  const lines = pruneLines([{ step, status: "pruned", failure: undefined }], plainPaint);
  expect(lines).toEqual([`✓ v2.15.2 at ${tcr}: 1 overwritten image deleted`]);
});
