import { describe, expect, test } from "vitest";
import type { CheckResult } from "../../src/check/check.ts";
import { checkDocument, checkSummary, writeCheckReport } from "../../src/report/check-report.ts";
import { recordingLog } from "../support/recording-log.ts";

const base: CheckResult = {
  place: "docker.io/goharbor",
  subject: "push",
  outcome: "ok",
  finding: "An upload was opened.",
  needed: true,
};
const results: readonly CheckResult[] = [
  base,
  { ...base, subject: "delete", outcome: "missing", finding: "No right.", remedy: "Ask <b>for|it</b>." },
  {
    ...base,
    place: "ghcr.io/goharbor",
    subject: "read",
    outcome: "missing",
    finding: "Private.",
    needed: false,
  },
  { ...base, subject: "namespace", outcome: "unknown", finding: "Not there yet.", remedy: "A run makes it." },
];
const report = { results, startedAt: Date.UTC(2026, 5, 9), milliseconds: 1500 };

async function written(failing = false) {
  const errors: string[] = [];
  const log = { ...recordingLog(), error: (message: string) => void errors.push(message) };
  const outputs: Record<string, string | number> = {};
  const files: Record<string, string> = {};
  const summaries: string[] = [];
  await writeCheckReport(report, {
    log,
    reportPath: "/report.json",
    setOutput: (name, value) => {
      outputs[name] = value;
    },
    appendSummary: async (markdown) => {
      if (failing) throw new Error("no summary");
      summaries.push(markdown);
    },
    writeFile: async (path, text) => {
      if (failing) throw new Error("no file");
      files[path] = text;
    },
  });
  return { log, errors, outputs, files, summaries };
}

describe("the report of a check", () => {
  test("has what is missing as an error, what no run needs as a warning, and all else as a line", async () => {
    const { log, errors } = await written();
    expect(errors).toEqual(["docker.io/goharbor, delete: missing. No right. Ask <b>for|it</b>."]);
    expect(log.warnings).toEqual(["ghcr.io/goharbor, read: missing, but not needed. Private."]);
    expect(log.infos).toEqual([
      "docker.io/goharbor, push: ok. An upload was opened.",
      "docker.io/goharbor, namespace: cannot be told. Not there yet. A run makes it.",
      expect.stringMatching(/^Something that is needed is missing: 1 .* ok, 2 missing, 1 .* in 1\.5 s\./),
    ]);
  });

  test("sets every output of a run, and counts what is missing as failed", async () => {
    const { outputs } = await written();
    expect(outputs).toEqual({
      versions: "[]",
      copied: 0,
      skipped: 0,
      pruned: 0,
      failed: 1,
      images: "[]",
      report: "/report.json",
    });
  });

  test("is a document that says what it is", async () => {
    const { files } = await written();
    expect(JSON.parse(files["/report.json"] ?? "")).toEqual(
      JSON.parse(JSON.stringify(checkDocument(report))),
    );
    expect(checkDocument(report)).toMatchObject({
      schemaVersion: 1,
      check: true,
      succeeded: false,
      seconds: 1.5,
    });
    expect(checkDocument({ ...report, results: [base] }).succeeded).toBe(true);
  });

  test("shows a table without foreign markup", () => {
    const summary = checkSummary(report);
    const rows = summary.split("\n").filter((line) => line.startsWith("| `"));
    expect(rows).toHaveLength(4);
    expect(rows.every((line) => line.split("|").length === 7)).toBe(true);
    expect(summary).not.toContain("<b>");
    expect(summary).toContain("A run would fail");
    expect(summary.match(/^> - .*/gm)).toEqual([
      `> - \`${base.place}\`, delete: No right.<br>**What to do:** Ask &#60;b&#62;for&#124;it&#60;/b&#62;.`,
    ]);
    expect(checkSummary({ ...report, results: [base] })).not.toContain("A run would fail");
  });

  test("goes on without file and summary", async () => {
    const { log, outputs } = await written(true);
    expect(outputs.report).toBe("");
    expect(log.warnings.filter((line) => line.includes("could not be written"))).toHaveLength(2);
  });
});
