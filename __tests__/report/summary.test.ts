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

/** The lines of the first table below a line that begins so, which is a folded section's, or of the table that begins so. */
function tableBelow(summary: string, start: string): readonly string[] {
  const lines = summary.split("\n");
  const fold = `<details><summary><strong>${start}</strong>`;
  const at = lines.findIndex((line) => line.startsWith(fold) || line.startsWith(`| ${start} |`));
  const after = at < 0 ? [] : lines.slice(at);
  const table = after.slice(after.findIndex((line) => line.startsWith("| ")));
  const end = table.findIndex((line) => !line.startsWith("| "));
  return table.slice(0, end < 0 ? undefined : end);
}

/** What is seen before anything is unfolded. */
function unfolded(summary: string): string {
  let depth = 0;
  const parts = summary.split(/(<\/?details>)/).filter((part) => {
    if (part === "<details>") depth += 1;
    if (part === "</details>") depth -= 1;
    return depth === 0;
  });
  return parts.join("");
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

  test.each([
    ["where nothing happened", run().plan(skipStep()), "✅", "1 in place"],
    ["of what was copied", run().copied(copyStep()), "✅", "1 copied"],
    ["of what failed", run().copyFailed(copyStep(), "refused"), "❌", "1 failed"],
  ])("is folded away %s", (_what, builder, icon, words) => {
    expect(summaryOf(builder.build())).toContain(
      `<details><summary><strong>${icon} v2.15.2</strong> · 1 image at 1 destination: ${words}</summary>\n\n| Image |`,
    );
  });

  test("of many versions is folded together with the others, but for those in which something failed", () => {
    const builder = run();
    for (let major = 9; major > 2; major -= 1) builder.copied(copyStep({ version: `v${major}.0.0` }));
    const summary = summaryOf(builder.copyFailed(copyStep({ version: "v1.0.0" }), "refused").build());
    const [before = "", within = ""] = summary.split(
      "<details><summary><strong>Images</strong> · of 7 versions</summary>\n\n",
    );
    expect(before).toContain("<strong>❌ v1.0.0</strong>");
    expect(within).toMatch(/^(<details><summary><strong>✅ v[3-9][\s\S]*?\n<\/details>\n\n){7}<\/details>/);
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
  expect(tableBelow(summaryOf(builder.build()), "Version")).toEqual([
    `| Version | \`${tcr}\` | \`${dockerHub}\` |`,
    "| --- | --- | --- |",
    "| v2.0.0 | ✅ 1 in place after 1.5 s | ⏭️ not wanted |",
    "| v1.0.0 | ✅ 1 in place | ❌ 1 of 1 failed |",
  ]);
  expect(tableBelow(summaryOf(run().copied(copyStep()).build()), "Version")).toEqual([]);
});

test("more destinations than a screen is wide: a row for each place that a version was to go to, and use folded together", () => {
  const builder = run();
  for (const team of ["a", "b", "c", "d", "e"]) {
    const route = `team/${team}`;
    builder.copied({ ...copyStep({ destination: `registry.example/${team}`, image: "web" }), route });
  }
  const summary = summaryOf(builder.build());
  expect(tableBelow(unfolded(summary), "Repository")).toEqual([
    "| Repository | Destination |  |",
    "| --- | --- | --- |",
    ...["a", "b", "c", "d", "e"].map(
      (team) => `| team/${team} | \`registry.example/${team}\` | ✅ 1 in place after 1.5 s |`,
    ),
  ]);
  const [, uses = ""] = summary.split(
    "<details><summary><strong>How to use the mirrors</strong> · 5 destinations</summary>\n\n",
  );
  expect(uses.match(/<strong>How to use <code>/g)).toHaveLength(5);
});

test("of more versions than a screen has room for, those stand open in which something failed", () => {
  const builder = run();
  for (let minor = 20; minor > 0; minor -= 1) {
    const step = copyStep({ version: `v2.${minor}.0` });
    if (minor === 7) builder.copyFailed(step, "refused");
    else builder.copied(step);
  }
  const summary = summaryOf(builder.build());
  expect(tableBelow(unfolded(summary), "Version").slice(2)).toEqual(["| v2.7.0 | ❌ 1 of 1 failed |"]);
  expect(tableBelow(summary, "Versions").slice(2)).toHaveLength(20);
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
  expect(tableBelow(unfolded(summary), "Destination")).toEqual([
    "| Destination | Copied | Skipped | Pruned | Failed | Uploaded | Reused | Time |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    `| \`${tcr}\` | 1 | 0 | 1 | 0 | 3.0 kB | 3.0 kB | 1.5&nbsp;s |`,
    `| \`${dockerHub}\` | 0 | 1 | 0 | 1 | 0 B | 0 B | 0.7&nbsp;s |`,
  ]);
});

test("where nothing moved, there are no columns of bytes and time, and no bars", () => {
  const moved = { begin: 0, end: 700 };
  const failed = run()
    .copyFailed(copyStep({ destination: tcr }), "refused", moved)
    .copyFailed(copyStep({ destination: dockerHub }), "refused", moved);
  for (const result of [run().plan(skipStep()).build(), failed.build()]) {
    const summary = summaryOf(result);
    expect(summary).toContain("| Destination | Copied | Skipped | Pruned | Failed |\n");
    expect(summary).not.toMatch(/\| 0 B|mermaid/);
  }
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

describe("a run that failed says in its first screen", () => {
  /** The box of failures, which stands right below the first sentence. */
  function box(result: RunResult): readonly string[] {
    const [, status = "", text = ""] = summaryOf(result).split("\n\n");
    expect(status).toMatch(/^❌ /);
    expect(text).toMatch(/^> \[!CAUTION\]\n/);
    return text.split("\n").map((line) => line.replace(/^> ?/, ""));
  }

  test("what failed and why, images of one cause together, and what to do", () => {
    const builder = run();
    const refused = {
      kind: "operation",
      side: "destination",
      host: "registry-1.docker.io",
      operation: "starting an upload",
      status: 403,
      problem: "no `push` here",
      advice: "Give `dockerhub-token` the right <to> push.",
    } as const;
    for (const image of harborImages)
      builder.copyFailed(copyStep({ image, destination: dockerHub }), {
        ...refused,
        repository: `goharbor/${image}`,
      });
    const result = builder.copied(copyStep({ destination: tcr })).build();
    const lines = box(result);
    expect(lines.filter((line) => line.includes("upload"))).toEqual([
      `- \`${dockerHub}\`, 12 images of \`v2.15.2\` (${harborImages.join(", ")}): destination registry-1.docker.io&#58; starting an upload failed with status 403&#58; no <code>push</code> here.<br>**What to do:** Give <code>dockerhub-token</code> the right &#60;to&#62; push.`,
    ]);
    expect(summaryOf(result)).toMatch(/^❌ 1 image copied, 0 skipped, 0 pruned, 12 failed;/m);
  });

  test("what another image holds back, without all the names", () => {
    const builder = run().copyFailed(copyStep({ image: "harbor-core" }), "refused");
    const heldBack = { kind: "held-back", problem: "held back: harbor-core is not there" } as const;
    for (const image of ["harbor-db", "prepare"]) builder.copyFailed(copyStep({ image }), heldBack);
    expect(box(builder.build())).toContain(`- \`${tcr}\`, 2 images: held back&#58; harbor-core is not there`);
  });

  test("what is true now: what is complete, that no tag has moved, what was deleted, what the next run does", () => {
    const result = run()
      .copied(copyStep({ destination: dockerHub }))
      .untouched(copyStep({ destination: tcr, image: "harbor-core" }), "refused")
      .plan(skipStep({ destination: tcr, version: "v2.15.1" }), keepStep())
      .pruneNotTried(pruneStep(), "an image failed")
      .build();
    const lines = box(result);
    expect(lines.slice(lines.indexOf("**What is true now**") + 2)).toEqual([
      `- At \`${dockerHub}\`, \`v2.15.2\` is complete.`,
      `- At \`${tcr}\`, no tag of \`v2.15.2\` has moved; \`v2.15.1\` is complete.`,
      "- Nothing was deleted.",
      "- The next run copies what is missing, and only that.",
    ]);
  });

  test("what is true now in few words, where all of several versions is complete", () => {
    const result = run()
      .plan(skipStep({ destination: dockerHub }), skipStep({ destination: dockerHub, version: "v2.15.1" }))
      .copyFailed(copyStep({ destination: tcr, image: "harbor-core" }), "its tag was refused")
      .copied(copyStep({ destination: tcr, image: "harbor-db" }))
      .copyFailed(copyStep({ destination: "ghcr.io/mirror" }), "its tag was refused")
      .pruned(pruneStep({ destination: dockerHub }))
      .build();
    const lines = box(result);
    expect(lines.slice(lines.indexOf("**What is true now**") + 2)).toEqual([
      `- At \`${dockerHub}\`, all that was wanted is complete.`,
      `- At \`${tcr}\`, \`v2.15.2\` is half there, as some tags are set and others are not.`,
      "- At `ghcr.io/mirror`, `v2.15.2` is not complete.",
      "- Deleted: 1 tag of 1 version, as below.",
      "- The next run copies what is missing, and only that.",
    ]);
  });

  test("in a dry run nothing of what is true now: it has written nothing", () => {
    expect(box(run().plan(failStep()).build({ dryRun: true }))).not.toContain("**What is true now**");
  });
});

test("a tag that held another digest is a warning with both digests; one that failed is not", () => {
  const result = run()
    .copied(copyStep({ image: "moved", replaces: digest("old") }))
    .copyFailed(copyStep({ image: "stuck", replaces: digest("older") }), "refused")
    .build();
  const summary = summaryOf(result);
  const box = summary.slice(summary.indexOf("[!WARNING]"), summary.indexOf("<details>"));
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
  expect(unfolded(summary)).toContain(
    [
      "| Destination | 🧹&nbsp;pruned | ❌&nbsp;failed | ⏸️&nbsp;not&nbsp;pruned | ⚠️&nbsp;left | ✅&nbsp;kept |",
      "| --- | --- | --- | --- | --- | --- |",
      `| \`${tcr}\` | v2.12.0 | v2.10.0 |  | v2.11.0 | v2.15.2 |`,
      `| \`${dockerHub}\` |  |  | v2.12.0 |  |  |`,
    ].join("\n"),
  );
  expect(tableBelow(summary, "Kept and pruned").slice(2)).toEqual([
    `| ✅&nbsp;kept | \`${tcr}\` | v2.15.2 | all | among the newest 3 by semver |`,
    `| ⚠️&nbsp;left | \`${tcr}\` | v2.11.0 | \`harbor-core:v2.11.0\` | this login cannot delete tags |`,
    `| 🧹&nbsp;pruned | \`${tcr}\` | v2.12.0 | 2 images (\`harbor-core:v2.12.0\`, \`harbor-db:v2.12.0\`) | not among the newest 3&#58; v2.15.2 |`,
    `| ❌&nbsp;failed | \`${tcr}\` | v2.10.0 | \`harbor-core:v2.10.0\` | denied |`,
    `| ⏸️&nbsp;not&nbsp;pruned | \`${dockerHub}\` | v2.12.0 | \`harbor-core:v2.12.0\` | an image failed |`,
  ]);
});

test("where all is kept, the reasons stand folded and no table of what was pruned", () => {
  const summary = summaryOf(run().copied(copyStep()).plan(keepStep()).build());
  expect(unfolded(summary)).not.toContain("kept");
  expect(tableBelow(summary, "Kept and pruned").slice(2)).toEqual([
    `| ✅&nbsp;kept | \`${tcr}\` | v2.15.2 | all | among the newest 3 by semver |`,
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
  expect(summary).toContain("<strong>Requests</strong> · 49 to 2 hosts</summary>");
  expect(tableBelow(summary, "Requests").slice(2)).toEqual([
    "| `ghcr.io` | 42 |",
    "| `registry-1.docker.io` | 7 |",
  ]);
  expect(summary.indexOf("<strong>Requests</strong>")).toBeGreaterThan(
    summary.indexOf("<strong>How to use "),
  );
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
  expect(new Set(tableRows.map((line) => line.split(" | ").length))).toEqual(new Set([5, 3, 4, 2]));
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
    expect(unfolded(summary).match(/^\| /gm)).toHaveLength(5);
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
    expect(summary).toContain(`<strong>❌ v2.${versions}.0</strong>`);
    expect(tableBelow(summary, "Versions")).toHaveLength(versions + 2);
    expect(summary).toMatch(/left out here: (.*, )?v2\.[0-9]+\.0.*JSON report/);
    expect(summary).not.toContain("<strong>Requests</strong>");
    expect(summary.match(/<details>/g)).toHaveLength(summary.match(/<\/details>/g)?.length ?? 0);
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
  expect(tableBelow(summary, "Repository").some((line) => line.includes("team/web"))).toBe(true);
  expect(tableBelow(summary, "Repository").some((line) => line.includes("team/api"))).toBe(false);
  expect(summary).toContain("<strong>✅ team/web</strong>");
});
