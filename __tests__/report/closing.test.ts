import { expect, test } from "vitest";
import { colourPaint, plainPaint } from "../../src/log/paint.ts";
import { closingParagraph } from "../../src/report/closing.ts";
import { heldBack } from "../support/failures.ts";
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
  expect(paragraph).toContain(`Complete at ${dockerHub}: v2.15.2.`);
  expect(paragraph).toContain(`Failed at ${tcr}: 2 images; the cause: denied : :error: :x.`);
  expect(paragraph).not.toContain(`Complete at ${tcr}`);
  expect(paragraph).not.toContain("\n");
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
