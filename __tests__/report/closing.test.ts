import { expect, test } from "vitest";
import { colourPaint, plainPaint } from "../../src/log/paint.ts";
import { closingParagraph } from "../../src/report/closing.ts";
import { heldBack, obstacle } from "../support/failures.ts";
import { copyStep, dockerHub, failStep, pruneStep, run, skipStep, tcr } from "./result-builder.ts";

const quay = "quay.io/mirror";

test("a good run: what was done, where which version is complete, what was deleted", () => {
  const result = run()
    .copied(copyStep({ destination: dockerHub }), { uploaded: 1000 })
    .copied(copyStep({ destination: tcr }), { uploaded: 1000 })
    .plan(skipStep({ destination: quay, version: "v2.15.1" }), skipStep({ destination: quay }))
    .pruned(pruneStep({ version: "v2.12.0", image: "harbor-core" }))
    .pruned(pruneStep({ version: "v2.12.0", image: "harbor-db" }))
    .build();
  expect(closingParagraph(result, plainPaint)).toBe(
    "goharbor/harbor v2.15.2, v2.15.1: 2 images copied, 2 skipped, 2 pruned, 0 failed; 41.2 MB read, 2.0 kB uploaded, " +
      `in 3 min 12 s. Complete at ${dockerHub}, ${tcr}: v2.15.2. Complete at ${quay}: v2.15.2, v2.15.1. ` +
      `Deleted at ${tcr}: 2 tags of v2.12.0.`,
  );
});

test("a failed run says where and why, the cause before what it holds back, and what is complete all the same", () => {
  const result = run()
    .copyFailed(copyStep({ image: "harbor-db" }), heldBack("held back, its tag is not moved"))
    .copyFailed(copyStep({ image: "harbor-core" }), "denied\n::error::x")
    .copied(copyStep({ destination: dockerHub }))
    .build();
  const paragraph = closingParagraph(result, plainPaint);
  expect(paragraph).toContain(
    `At ${tcr}, v2.15.2 is not complete. At ${dockerHub}, v2.15.2 is complete. ` +
      "The next run copies what is missing, and only that. " +
      `Failed at ${tcr}: 2 images; the cause: denied : :error: :x.`,
  );
  expect(paragraph).not.toContain("\n");
});

test("a failed run ends with what is true now: what has no tag, what is half there, what was not pruned, what comes next", () => {
  const cancelled = obstacle("the run was cancelled (SIGINT)");
  const old = pruneStep({ version: "v2.12.0", destination: dockerHub });
  const result = run()
    .copied(copyStep({ version: "v2.15.1" }))
    .untouched(copyStep(), cancelled)
    .copied(copyStep({ destination: dockerHub, image: "harbor-core" }))
    .copyFailed(copyStep({ destination: dockerHub, image: "harbor-db" }), "denied")
    .pruneNotTried(old, "an image failed there")
    .build();
  expect(closingParagraph(result, plainPaint).replace(/^.*min 12 s\. /, "")).toBe(
    `At ${tcr}, v2.15.1 is complete; no tag of v2.15.2 has moved. ` +
      `At ${dockerHub}, v2.15.2 is half there, as some tags are set and others are not. ` +
      `Not pruned at ${dockerHub}: v2.12.0. The next run copies what is missing, and only that. ` +
      `Failed at ${tcr}: 1 image; the cause: the run was cancelled (SIGINT). ` +
      `Failed at ${dockerHub}: 1 image; the cause: denied.`,
  );
});

test("a version of which some images are only there without tags, or are not tried, is not complete", () => {
  const delivered = run().copied(copyStep()).build({ job: "copy" });
  expect(closingParagraph(delivered, plainPaint)).toMatch(/No tag has moved yet: the last job publishes\.$/);
  const planned = run().plan(copyStep()).build({ dryRun: true });
  expect(closingParagraph(planned, plainPaint)).not.toContain("Complete");
});

test("of many versions and long failures it stays a paragraph", () => {
  const builder = run();
  for (let minor = 0; minor < 40; minor += 1) {
    builder.copied(copyStep({ version: `v2.${minor}.0` }));
    builder.plan(
      failStep({ version: `v2.${minor}.0`, destination: `${quay}-${minor}`, failure: "x".repeat(900) }),
    );
  }
  expect(closingParagraph(builder.build(), plainPaint).length).toBeLessThan(3_000);
});

test("its colour says how it ended, and changes no word", () => {
  for (const [builder, code] of [
    [run().copied(copyStep()), "\u001b[32m"],
    [run().copyFailed(copyStep(), "refused"), "\u001b[31m"],
  ] as const) {
    const result = builder.build();
    const coloured = closingParagraph(result, colourPaint);
    expect(coloured.startsWith(code)).toBe(true);
    expect(coloured.replaceAll(/\u001b\[\d+m/g, "")).toBe(closingParagraph(result, plainPaint));
  }
});
