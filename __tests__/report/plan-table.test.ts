import { expect, test } from "vitest";
import { colourPaint, plainPaint } from "../../src/log/paint.ts";
import type { CopyStep, Step } from "../../src/plan/plan.ts";
import { planLines } from "../../src/report/plan-table.ts";
import {
  copyStep,
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

function linesOf(...steps: readonly Step[]): readonly string[] {
  return planLines(
    run()
      .plan(...steps)
      .build().plan,
    plainPaint,
  );
}

test("versions with their images, then retention, in aligned columns", () => {
  const lines = linesOf(
    copyStep({ image: "harbor-core", destination: tcr }),
    copyStep({ image: "harbor-db", destination: tcr }),
    skipStep({ image: "harbor-core", destination: dockerHub }),
    skipStep({ image: "harbor-db", destination: dockerHub }),
    failStep({ version: "v2.15.1" }),
    keepStep("v2.15.2"),
    pruneStep({ image: "harbor-core" }),
    pruneStep({ image: "harbor-db" }),
    leaveStep({ version: "v2.11.0" }),
  );
  expect(lines.join("\n")).toMatchInlineSnapshot(`
    "Plan for goharbor/harbor v2.15.2, v2.15.1:
    v2.15.2
      copy   2 images             goharbor.tencentcloudcr.com/goharbor  it is not there yet; from ghcr.io/goharbor
             harbor-core:v2.15.2, harbor-db:v2.15.2
      skip   2 images             docker.io/goharbor                    it is in place
             harbor-core:v2.15.2, harbor-db:v2.15.2
    v2.15.1
      fail   harbor-core:v2.15.1  goharbor.tencentcloudcr.com/goharbor  no source has it
    Retention
      keep   v2.15.2              goharbor.tencentcloudcr.com/goharbor  among the newest 3 by semver
      prune  2 images of v2.12.0  goharbor.tencentcloudcr.com/goharbor  not among the newest 3: v2.15.2
             harbor-core:v2.12.0, harbor-db:v2.12.0
      leave  harbor-core:v2.11.0  goharbor.tencentcloudcr.com/goharbor  this login cannot delete tags
    In all: 2 images to copy, 2 to skip, 2 to prune, 1 that cannot be mirrored"
  `);
});

test("twelve images that are skipped for one reason are one row, with every tag named below it", () => {
  const [, , row = "", names = "", ...others] = linesOf(...harborImages.map((image) => skipStep({ image })));
  expect(row).toMatch(/^ {2}skip {2}12 images {2}goharbor\.tencentcloudcr\.com\/goharbor {2}it is in place$/);
  expect(names.trim().split(", ")).toEqual(harborImages.map((image) => `${image}:v2.15.2`));
  expect(others).toEqual(["In all: 0 images to copy, 12 to skip, 0 to prune"]);
});

/** A copy that is read under another name, or in another place. */
function from(step: CopyStep, repository: string, tag: string): CopyStep {
  return { ...step, source: { ...step.source, repository, tag } };
}

test("of copied images, what the source calls otherwise is named with that", () => {
  const [, , row, names, ...others] = linesOf(
    copyStep({ image: "harbor-core" }),
    from(copyStep({ image: "tools/migrate" }), "goharbor/tools/migrate", "v2.15.2"),
    from(copyStep({ image: "worker" }), "goharbor/shop-worker", "2.15.2"),
  );
  expect([row?.trim().replace(/ {2,}/g, " | "), names?.trim()]).toEqual([
    "copy | 3 images | goharbor.tencentcloudcr.com/goharbor | it is not there yet; from ghcr.io/goharbor",
    "harbor-core:v2.15.2, tools/migrate:v2.15.2, worker:v2.15.2 (there shop-worker:2.15.2)",
  ]);
  expect(others).toEqual(["In all: 3 images to copy, 0 to skip, 0 to prune"]);
  const [, , alone] = linesOf(from(copyStep({ image: "worker" }), "goharbor/shop-worker", "2.15.2"));
  expect(alone).toMatch(/; from ghcr\.io\/goharbor\/shop-worker:2\.15\.2$/);
});

test.each([
  ["reasons", skipStep({ reason: "one" }), skipStep({ reason: "other" })],
  ["destinations", skipStep({ destination: tcr }), skipStep({ destination: dockerHub })],
  ["actions", skipStep({ reason: "same" }), failStep({ failure: "same" })],
  ["pruned versions", pruneStep({ version: "v2.12.0" }), pruneStep({ version: "v2.11.0" })],
  [
    "sources",
    copyStep({ image: "harbor-core" }),
    from(copyStep({ image: "harbor-db" }), "elsewhere/harbor-db", "v2.15.2"),
  ],
])("different %s are different rows", (_what, one, other) => {
  expect(linesOf(one, other).filter((line) => line.startsWith("  "))).toHaveLength(2);
});

test("every tag that a real run writes or deletes is named", () => {
  const steps = harborImages.flatMap((image) => [copyStep({ image }), pruneStep({ image })]);
  const text = linesOf(...steps).join("\n");
  for (const image of harborImages) {
    expect(text).toContain(`${image}:v2.15.2`);
    expect(text).toContain(`${image}:v2.12.0`);
  }
});

test("a foreign reason stays on its line and gives no workflow command", () => {
  const lines = linesOf(failStep({ failure: "refused\n::set-output name=x::y\u001b[31m" }));
  expect(lines.every((line) => !/[\n\u001b]|::/.test(line))).toBe(true);
});

test("a plan without versions says so", () => {
  expect(linesOf()).toEqual([
    "Plan for goharbor/harbor: no version is wanted",
    "In all: 0 images to copy, 0 to skip, 0 to prune",
  ]);
});

test("colours change no word and no column", () => {
  const { plan } = run()
    .plan(
      copyStep({ image: "harbor-core" }),
      skipStep({ image: "harbor-db" }),
      failStep(),
      keepStep(),
      pruneStep(),
    )
    .plan(leaveStep({ version: "v2.11.0" }))
    .build();
  const coloured = planLines(plan, colourPaint);
  expect(coloured.join("\n")).toContain("  \u001b[36mcopy \u001b[39m  harbor-core:v2.15.2");
  expect(coloured.map((line) => line.replaceAll(/\u001b\[\d+m/g, ""))).toEqual(planLines(plan, plainPaint));
});
