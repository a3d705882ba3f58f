import { describe, expect, test } from "vitest";
import { type Log, silentLog } from "../../src/log/log.ts";
import type { RunResult } from "../../src/report/result.ts";
import { imagesOutputLimit, type ReportSink, writeReport } from "../../src/report/write.ts";
import { copyStep, digest, leaveStep, pruneStep, run, skipStep, tcr } from "./result-builder.ts";

const reportPath = "/tmp/report.json";
const checksumsPath = (file: number) => `${reportPath}.checksums-${file}.txt`;

interface Written {
  readonly outputs: ReadonlyMap<string, string | number>;
  readonly files: ReadonlyMap<string, string>;
  readonly summaries: readonly string[];
  /** Lines of the log, each after its level. */
  readonly lines: readonly string[];
}

/** What a run writes, to a sink of which some functions may be broken. */
async function written(result: RunResult, broken: Partial<ReportSink> = {}): Promise<Written> {
  const outputs = new Map<string, string | number>();
  const files = new Map<string, string>();
  const summaries: string[] = [];
  const lines: string[] = [];
  const log: Log = {
    ...silentLog,
    info: (message) => lines.push(`info ${message}`),
    warning: (message) => lines.push(`warning ${message}`),
    error: (message) => lines.push(`error ${message}`),
  };
  await writeReport(result, {
    setOutput: (name, value) => outputs.set(name, value),
    appendSummary: async (markdown) => {
      summaries.push(markdown);
    },
    writeFile: async (path, text) => {
      files.set(path, text);
    },
    log,
    reportPath,
    ...broken,
  });
  return { outputs, files, summaries, lines };
}

describe("a run", () => {
  const result = run()
    .copied(copyStep(), { uploaded: 1000 })
    .plan(skipStep({ image: "harbor-db" }), leaveStep())
    .copyFailed(copyStep({ version: "v2.15.1" }), "refused")
    .pruneNotTried(pruneStep(), "an image failed")
    .build();

  test("sets every output", async () => {
    const { outputs } = await written(result);
    expect(Object.fromEntries(outputs)).toEqual({
      versions: '["v2.15.2"]',
      copied: 1,
      skipped: 1,
      pruned: 0,
      failed: 1,
      images: expect.stringContaining(`"reference":"${tcr}/harbor-db:v2.15.2"`),
      report: reportPath,
      checksums: checksumsPath(1),
    });
    expect(JSON.parse(String(outputs.get("images")))).toHaveLength(2);
  });

  test("writes the JSON report and one summary", async () => {
    const { files, summaries } = await written(result);
    expect(JSON.parse(files.get(reportPath) ?? "")).toMatchObject({ schemaVersion: 1, succeeded: false });
    expect(summaries).toEqual([expect.stringContaining("## ⚓ goharbor/harbor v2.15.2, v2.15.1")]);
  });

  test("logs warnings, errors and how it ended", async () => {
    const { lines } = await written(result);
    expect(lines).toEqual([
      expect.stringMatching(/^warning Not pruned/),
      expect.stringMatching(/^warning 1 tag of v2\.12\.0 left/),
      expect.stringMatching(/^error harbor-core:v2\.15\.1 .*refused$/),
      "info goharbor/harbor v2.15.2, v2.15.1: 1 image copied, 1 skipped, 0 pruned, 1 failed, pruning of 1 given up; 41.2 MB read, 1.0 kB uploaded, in 3 min 12 s. " +
        `At ${tcr}, v2.15.2 is complete; v2.15.1 is not complete. Not pruned at ${tcr}: v2.12.0. ` +
        `The next run copies what is missing, and only that. Failed at ${tcr}: 1 image; the cause: refused.`,
    ]);
  });

  test("goes on with a warning when the summary cannot be written", async () => {
    const appendSummary = () => Promise.reject(new Error("no room"));
    const { outputs, files, lines } = await written(result, { appendSummary });
    expect(lines).toContain("warning The job summary could not be written: no room");
    expect(outputs.size).toBe(8);
    expect(files.size).toBe(2);
  });

  test("goes on with a warning, and without the path, when the JSON report cannot be written", async () => {
    const writeFile = () => Promise.reject(new Error("no room"));
    const { outputs, summaries, lines } = await written(result, { writeFile });
    expect(lines).toContain(`warning The report could not be written to ${reportPath}: no room`);
    expect(lines).toContain(
      `warning The list of checksums could not be written to ${checksumsPath(1)}: no room`,
    );
    expect(outputs.get("report")).toBe("");
    expect(outputs.get("checksums")).toBe("");
    expect(outputs.get("failed")).toBe(1);
    expect(summaries).toHaveLength(1);
  });

  test("does not end well when an output cannot be set", async () => {
    const setOutput = () => {
      throw new Error("no room");
    };
    await expect(written(result, { setOutput })).rejects.toThrow("no room");
  });
});

test("more checksums than one attestation takes are in several files, each at most 1,024", async () => {
  const builder = run();
  for (let index = 0; index < 2049; index += 1) builder.plan(skipStep({ image: `image-${index}` }));
  const { outputs, files } = await written(builder.build());
  const paths = [1, 2, 3].map(checksumsPath);
  expect(outputs.get("checksums")).toBe(paths.join("\n"));
  const lines = paths.map((path) => files.get(path)?.split("\n").slice(0, -1) ?? []);
  expect(lines.map(({ length }) => length)).toEqual([1024, 1024, 1]);
  expect(lines.flat()[2048]).toBe(
    `${digest("image-2048:v2.15.2").slice("sha256:".length)}  ${tcr}/image-2048`,
  );
});

test("an images output that GitHub would refuse is empty, with a warning; the report has the images", async () => {
  const builder = run();
  for (let index = 0; index < 2000; index += 1) builder.plan(skipStep({ image: `image-${index}` }));
  const { outputs, files, lines } = await written(builder.build());
  expect(outputs.get("images")).toBe("[]");
  expect(outputs.get("skipped")).toBe(2000);
  expect(lines).toContainEqual(expect.stringMatching(/^warning The output images is empty: its 2000 images/));
  expect(files.get(reportPath)).toContain('"image-1999"');
});

test("20 versions of 12 images at 3 destinations fit into the images output", async () => {
  const builder = run();
  for (let index = 0; index < 20 * 12 * 3; index += 1)
    builder.plan(skipStep({ image: `trivy-adapter-photon-${index}` }));
  const images = String((await written(builder.build())).outputs.get("images"));
  expect(JSON.parse(images)).toHaveLength(720);
  expect(images.length).toBeLessThanOrEqual(imagesOutputLimit);
});
