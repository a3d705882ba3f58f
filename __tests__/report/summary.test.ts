import { describe, expect, test } from "vitest";
import type { RunResult } from "../../src/report/result.ts";
import { summaryOf } from "../../src/report/summary.ts";
import {
  copyStep,
  digest,
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

const githubLimit = 1024 * 1024;

/** The lines of the table below a heading. */
function tableBelow(summary: string, heading: string): readonly string[] {
  const after = summary
    .slice(summary.indexOf(`### ${heading}\n`))
    .split("\n")
    .slice(1);
  const end = after.findIndex((line) => /^(### |<details>)/.test(line));
  return after.slice(0, end < 0 ? undefined : end).filter((line) => line.startsWith("| "));
}

describe("the table of a version", () => {
  test("has a row for each image and a column for each destination: size, digest, what moved", () => {
    const summary = summaryOf(
      run()
        .copied(copyStep({ image: "harbor-core" }), { uploaded: 41_200_000, mounted: 2_000_000 })
        .copied(copyStep({ image: "harbor-db" }), { present: 5_000 })
        .copied(copyStep({ image: "harbor-log" }))
        .plan(
          skipStep({ image: "harbor-portal" }),
          skipStep({ image: "prepare", inPlace: false, reason: "of v2" }),
        )
        .copied(copyStep({ image: "harbor-core", destination: dockerHub }), { uploaded: 43_200_000 })
        .plan(skipStep({ image: "harbor-db", destination: dockerHub }))
        .copyFailed(copyStep({ image: "harbor-log", destination: dockerHub }), "refused")
        .build(),
    );
    const short = (image: string): string => `\`${digest(`${image}:v2.15.2`).slice(0, 19)}\``;
    expect(tableBelow(summary, "❌ v2.15.2")).toEqual([
      `| Image | Size | Digest | \`${tcr}\` | \`${dockerHub}\` |`,
      "| --- | ---: | --- | --- | --- |",
      `| \`harbor-core:v2.15.2\` | 43.2&nbsp;MB | ${short("harbor-core")} | ✅ 41.2 MB uploaded, 2.0 MB mounted | ✅ 43.2 MB uploaded |`,
      `| \`harbor-db:v2.15.2\` | 5.0&nbsp;kB | ${short("harbor-db")} | ✅ 5.0 kB already there | ✅ in place |`,
      `| \`harbor-log:v2.15.2\` |  | ${short("harbor-log")} | ✅ tag set | ❌ failed |`,
      `| \`harbor-portal:v2.15.2\` |  | ${short("harbor-portal")} | ✅ in place |  |`,
      "| `prepare:v2.15.2` |  |  | ⏭️ not wanted |  |",
      "| **In all** | 43.2&nbsp;MB |  | ✅ 4 in place after 1.5 s | ❌ 1 of 3 failed |",
    ]);
    expect(summary).toContain(
      "5 images of 43.2 MB at 2 destinations: 4 copied, 2 in place, 1 not wanted, 1 failed",
    );
    expect(summary).toContain(`- ⏭️ \`${tcr}\`, \`prepare:v2.15.2\`: of v2\n`);
    expect(summary).toContain(`- ❌ \`${dockerHub}\`, \`harbor-log:v2.15.2\`: refused\n`);
  });

  test("gives each digest in full once, to copy", () => {
    const summary = summaryOf(
      run()
        .copied(copyStep({ destination: tcr }))
        .copied(copyStep({ destination: dockerHub }))
        .build(),
    );
    const line = `harbor-core:v2.15.2@${digest("harbor-core:v2.15.2")}\n`;
    expect(summary.split(line)).toHaveLength(2);
  });

  test("tells where a destination holds another digest than the first", () => {
    const other = { ...skipStep({ destination: dockerHub }), digest: digest("another") };
    const summary = summaryOf(run().copied(copyStep()).plan(other).build());
    expect(summary).toContain(`✅ in place; holds \`${digest("another").slice(0, 19)}\``);
  });

  test("is folded away where nothing happened, and only there", () => {
    const quiet = summaryOf(run("owner/name").plan(skipStep()).build());
    expect(quiet).toContain(
      "<details><summary><strong>✅ v2.15.2</strong> · 1 image at 1 destination: 1 in place</summary>\n\n| Image |",
    );
    expect(summaryOf(run("owner/name").copied(copyStep()).build())).not.toContain(
      "<details><summary>1 image",
    );
  });

  test("of more than three versions is folded away too, but for those in which something failed", () => {
    const builder = run();
    for (const version of ["v4.0.0", "v3.0.0", "v2.0.0"]) builder.copied(copyStep({ version }));
    const three = summaryOf(builder.build());
    const four = summaryOf(builder.copyFailed(copyStep({ version: "v1.0.0" }), "refused").build());
    expect(three).not.toContain("<details><summary><strong>");
    expect(four.match(/<details><summary><strong>✅ v.\.0\.0<\/strong> · 1 image .*1 copied/g)).toHaveLength(
      3,
    );
    expect(four).toContain("### ❌ v1.0.0\n\n1 image at 1 destination: 1 failed\n\n| Image |");
  });

  test("says when a platform subset made a new index", () => {
    const step = copyStep();
    const bytes = new Uint8Array();
    const rewritten = {
      bytes,
      mediaType: "application/vnd.oci.image.index.v1+json",
      digest: digest("subset"),
    };
    const manifest = { ...rewritten, kind: "index", blobs: [], children: [], foreignLayers: [] } as const;
    const nothing = { subject: undefined, artifactType: undefined, annotations: undefined };
    const subset = { ...step, source: { ...step.source, rewritten: { ...manifest, ...nothing } } };
    expect(summaryOf(run().copied(subset).build())).toContain(
      "tag set; new index, with the unwanted left out",
    );
    expect(summaryOf(run().copied(step).build())).not.toContain("new index");
  });
});

test("several versions stand in one table, every version and destination", () => {
  const builder = run()
    .copied(copyStep({ version: "v2.0.0" }))
    .plan(
      skipStep({ version: "v1.0.0" }),
      skipStep({ version: "v2.0.0", destination: dockerHub, inPlace: false }),
    )
    .copyFailed(copyStep({ version: "v1.0.0", destination: dockerHub }), "refused");
  expect(tableBelow(summaryOf(builder.build()), "Versions")).toEqual([
    `| Version | \`${tcr}\` | \`${dockerHub}\` |`,
    "| --- | --- | --- |",
    "| v2.0.0 | ✅ 1 in place after 1.5 s | ⏭️ not wanted |",
    "| v1.0.0 | ✅ 1 in place | ❌ 1 of 1 failed |",
  ]);
  expect(summaryOf(run().copied(copyStep()).build())).not.toContain("### Versions");
});

test("numbers of each destination", () => {
  const summary = summaryOf(
    run()
      .copied(copyStep({ destination: tcr }), { uploaded: 3_000, mounted: 2_000, present: 1_000 })
      .plan(skipStep({ destination: dockerHub }))
      .copyFailed(copyStep({ destination: dockerHub, image: "harbor-db" }), "refused")
      .pruned(pruneStep({ destination: tcr }))
      .build(),
  );
  const head = summary.slice(0, summary.indexOf("###"));
  expect(head).toContain(`| \`${tcr}\` | 1 | 0 | 1 | 0 | 3.0 kB | 2.0 kB | 1.0 kB |`);
  expect(head).toContain(`| \`${dockerHub}\` | 0 | 1 | 0 | 1 | 0 B | 0 B | 0 B |`);
});

test("what a failed image moved is not given as its size", () => {
  const result = run().copyFailed(copyStep(), "refused").build();
  const copies = result.copies.map((copy) => ({
    ...copy,
    bytes: { uploaded: 7_000, mounted: 0, present: 0 },
  }));
  const rows = tableBelow(summaryOf({ ...result, copies }), "❌ v2.15.2");
  expect(rows.map((row) => row.split(" | ")[1])).toEqual(["Size", "---:", "", ""]);
});

test("failures stand at the top, those of one reason together", () => {
  const builder = run();
  for (const image of harborImages)
    builder.copyFailed(copyStep({ image, destination: dockerHub }), "refused");
  const summary = summaryOf(builder.copied(copyStep({ destination: tcr })).build());
  const box = summary.slice(summary.indexOf("[!CAUTION]"), summary.indexOf("###"));
  expect(box.match(/refused/g)).toHaveLength(1);
  for (const image of harborImages) expect(box).toContain(`\`${image}:v2.15.2\``);
  expect(summary).toMatch(/^❌ 1 image copied, 0 skipped, 0 pruned, 12 failed;/m);
});

test("a tag that held another digest is a warning with both digests; one that failed is not", () => {
  const result = run()
    .copied(copyStep({ image: "moved", replaces: digest("old") }))
    .copyFailed(copyStep({ image: "stuck", replaces: digest("older") }), "refused")
    .build();
  const summary = summaryOf(result);
  const box = summary.slice(summary.indexOf("[!WARNING]"), summary.indexOf("###"));
  const [before, after] = [digest("old"), digest("moved:v2.15.2")].map((full) => `\`${full.slice(0, 19)}\``);
  expect(box).toContain(`- \`${tcr}/moved:v2.15.2\`: \`${digest("old")}\` → ${after}`);
  expect(box).toContain("What they held has no tag now, unless another tag has it");
  expect(box).not.toContain("stuck");
  expect(summary).toContain(`replaced ${before}`);
});

test("what was kept, pruned, left and given up, and why", () => {
  const summary = summaryOf(
    run()
      .copied(copyStep())
      .plan(keepStep(), leaveStep({ version: "v2.11.0" }))
      .pruned(pruneStep({ image: "harbor-core" }))
      .pruned(pruneStep({ image: "harbor-db" }))
      .pruneFailed(pruneStep({ version: "v2.10.0" }), "denied")
      .pruneNotTried(pruneStep({ destination: dockerHub }), "an image failed")
      .build(),
  );
  expect(tableBelow(summary, "Kept and pruned").slice(2)).toEqual([
    `| ✅&nbsp;kept | \`${tcr}\` | v2.15.2 | all | among the newest 3 by semver |`,
    `| ⚠️&nbsp;left | \`${tcr}\` | v2.11.0 | \`harbor-core:v2.11.0\` | this login cannot delete tags |`,
    `| 🧹&nbsp;pruned | \`${tcr}\` | v2.12.0 | 2 images (\`harbor-core:v2.12.0\`, \`harbor-db:v2.12.0\`) | not among the newest 3&#58; v2.15.2 |`,
    `| ❌&nbsp;failed | \`${tcr}\` | v2.10.0 | \`harbor-core:v2.10.0\` | denied |`,
    `| ⏸️&nbsp;not&nbsp;pruned | \`${dockerHub}\` | v2.12.0 | \`harbor-core:v2.12.0\` | an image failed |`,
  ]);
});

test("a dry run says that nothing was written, and what would be", () => {
  const steps = [copyStep({ replaces: digest("old") }), pruneStep()];
  const summary = summaryOf(
    run()
      .plan(...steps)
      .build({ dryRun: true }),
  );
  expect(summary).toContain("🔎 Dry run, nothing was written: 1 image to copy, 0 to skip, 1 to prune");
  expect(summary).toContain("| Destination | To copy | To skip | To prune | Cannot be mirrored |");
  expect(summary).toContain(`| \`${tcr}\` | 1 | 0 | 1 | 0 |`);
  expect(summary).toContain("🔎&nbsp;to&nbsp;prune");
  expect(summary).toContain(`- 🔎 \`${tcr}\`: it is not there yet`);
  expect(summary).toContain("would be replaced");
  expect(summary).toContain("What they hold would have no tag then");
  expect(summary).not.toMatch(/copied,|were replaced|docker pull/);
});

test("a run with nothing to do says so", () => {
  expect(summaryOf(run().plan(skipStep(), keepStep()).build())).toContain(
    "✅ Nothing had to be done: 1 image",
  );
});

test("requests by host and bytes read stand at the end, once", () => {
  const requests = new Map([
    ["ghcr.io", 42],
    ["registry-1.docker.io", 7],
  ]);
  const summary = summaryOf(run().copied(copyStep()).build({ requests }));
  expect(tableBelow(summary, "Traffic").slice(2)).toEqual([
    "| `ghcr.io` | 42 |",
    "| `registry-1.docker.io` | 7 |",
  ]);
  expect(summary.indexOf("### Traffic")).toBeGreaterThan(summary.indexOf("### Use "));
  expect(summary).toContain("41.2 MB were read");
});

test.each<[what: string, changes: Partial<RunResult>, sentence: string]>([
  ["a whole run", {}, "41.2 MB were read from the sources, each blob once for all destinations."],
  ["a job that copies", { job: "copy" }, "each blob once for all images of this job's share."],
  [
    "the job that plans",
    { job: "plan", dryRun: true },
    "No blob was read by this job: those that copy read them.",
  ],
  [
    "the job that publishes",
    { job: "publish" },
    "No blob was read by this job: those before it have copied them.",
  ],
  ["a dry run", { dryRun: true }, "No blob was read: this was a dry run."],
  ["a dry run of a job that copies", { job: "copy", dryRun: true }, "No blob was read: this was a dry run."],
])("what was read by %s", (_what, changes, sentence) => {
  expect(summaryOf(run().copied(copyStep()).build(changes))).toContain(sentence);
});

test("foreign text from a registry is shown, not obeyed", () => {
  const evil = "<script>alert(1)</script> | [x](javascript:1)\n\n# `title`\n::set-output name=a::b";
  const summary = summaryOf(
    run()
      .copyFailed(copyStep(), evil)
      .plan(failStep({ failure: evil }), leaveStep({ reason: evil }), skipStep({ reason: evil }))
      .pruneFailed(pruneStep(), evil)
      .build({ requests: new Map([["<img src=x>", 1]]) }),
  );
  expect(summary).not.toMatch(/<script|<img|\]\(|^# |::set-output|javascript:/m);
  const tableRows = summary.split("\n").filter((line) => line.startsWith("| "));
  expect(new Set(tableRows.map((line) => line.split(" | ").length))).toEqual(new Set([8, 4, 5, 2]));
});

describe("GitHub's limit of 1 MiB", () => {
  function large(versions: number, images: number, reason: string): RunResult {
    const builder = run();
    for (const destination of [tcr, dockerHub, "ghcr.io/mirror"])
      for (let minor = versions; minor > 0; minor -= 1)
        for (let image = 0; image < images; image += 1) {
          const step = copyStep({ destination, version: `v2.${minor}.0`, image: `image-${image}` });
          if (reason === "") builder.copied(step, { uploaded: 1000 });
          else builder.copyFailed(step, `${image}: ${reason}`);
        }
    return builder.build();
  }

  test("20 versions of 12 images at 3 destinations fit whole", () => {
    const summary = summaryOf(large(20, 12, ""));
    expect(Buffer.byteLength(summary)).toBeLessThan(githubLimit);
    expect(summary.match(/<strong>✅ v2\./g)).toHaveLength(20);
    expect(tableBelow(summary, "Versions")).toHaveLength(22);
    expect(summary).not.toContain("left out");
  });

  test.each([
    ["many failures", 60, 40, "the registry said <no> ".repeat(20)],
    ["texts of wide characters", 30, 40, "拒绝访问".repeat(100)],
    ["versions of very many images", 20, 300, "*".repeat(900)],
  ])("of %s the least important is left out, and named", (_what, versions, images, reason) => {
    const summary = summaryOf(large(versions, images, reason));
    expect(Buffer.byteLength(summary)).toBeLessThan(githubLimit);
    // What stays: how it ended, what failed, and the newest version.
    expect(summary).toMatch(
      new RegExp(`^❌ 0 images copied, 0 skipped, 0 pruned, ${versions * images * 3} failed`, "m"),
    );
    expect(summary).toContain("[!CAUTION]");
    expect(summary).toContain(`### ❌ v2.${versions}.0`);
    expect(tableBelow(summary, "Versions")).toHaveLength(versions + 2);
    expect(summary).toMatch(/left out here: (.*, )?v2\.[0-9]+\.0.*JSON report/);
    expect(summary).not.toContain("### Traffic");
    expect(summary.split("```").length % 2).toBe(1);
  });
});

test("of many routes, those that had work have a row and a section each, and the rest a sentence", () => {
  const ofRoute = (route: string) => ({ ...skipStep({ image: route }), route });
  const result = run()
    .copied({ ...copyStep({ image: "team/web" }), route: "team/web" }, { uploaded: 1_000 })
    .plan(ofRoute("team/api"), ofRoute("team/cli"))
    .build();
  const summary = summaryOf(result);
  expect(summary).toContain("Nothing had to be done for 2 repositories.");
  expect(tableBelow(summary, "Repositories").some((line) => line.includes("team/web"))).toBe(true);
  expect(tableBelow(summary, "Repositories").some((line) => line.includes("team/api"))).toBe(false);
  expect(summary).toContain("### ✅ team/web");
});
