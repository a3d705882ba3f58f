import { type CheckResult, isReady } from "../check/check.ts";
import { formatDuration } from "../wording.ts";
import { alert, code, escapeMarkdown, table, withCode } from "./markdown.ts";
import { type ReportSink, writeDocument, writeSummary } from "./write.ts";

/** Everything that a check of the configuration has shown. */
export interface CheckReport {
  /** In the order of the report. */
  readonly results: readonly CheckResult[];
  /** When it began, in milliseconds since the epoch. */
  readonly startedAt: number;
  readonly milliseconds: number;
}

/** The outcomes in words. What is missing in one place, but not needed as another place has it, has words of its own. */
const outcomes: Readonly<Record<CheckResult["outcome"], { readonly icon: string; readonly word: string }>> = {
  ok: { icon: "✅", word: "ok" },
  missing: { icon: "❌", word: "missing" },
  unknown: { icon: "❔", word: "cannot be told" },
};
const notNeeded = { icon: "⚠️", word: "missing, but not needed" } as const;

/**
 * Writes every form of report of a check: log, annotations, JSON file, outputs, summary, closing line. A file or summary that
 * cannot be written is a warning.
 * @throws what `setOutput` throws.
 */
export async function writeCheckReport(report: CheckReport, sink: ReportSink): Promise<void> {
  for (const result of report.results) tell(result, sink);
  const path = await writeDocument(checkDocument(report), sink);
  sink.setOutput("versions", "[]");
  for (const name of ["copied", "skipped", "pruned"]) sink.setOutput(name, 0);
  sink.setOutput("failed", missing(report).length);
  sink.setOutput("images", "[]");
  sink.setOutput("report", path);
  await writeSummary(checkSummary(report), sink);
  sink.log.info(closing(report));
}

function tell(result: CheckResult, { log }: ReportSink): void {
  const { place, subject, outcome, finding, needed } = result;
  const line = `${place}, ${subject}: ${looks(result).word}. ${finding}${remedyOf(result)}`;
  if (outcome !== "missing") log.info(line);
  else if (needed) log.error(line);
  else log.warning(line);
}

function remedyOf({ outcome, remedy }: CheckResult): string {
  return remedy === undefined || outcome === "ok" ? "" : ` ${remedy}`;
}

function looks({ outcome, needed }: CheckResult): { readonly icon: string; readonly word: string } {
  return outcome === "missing" && !needed ? notNeeded : outcomes[outcome];
}

function missing({ results }: CheckReport): readonly CheckResult[] {
  return results.filter(({ outcome, needed }) => outcome === "missing" && needed);
}

/** The machine-readable report of a check: told from that of a run by `check`. */
export interface CheckDocument {
  readonly schemaVersion: 1;
  readonly check: true;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly seconds: number;
  /** Whether a run has all that it needs, as far as that can be told. */
  readonly succeeded: boolean;
  readonly checks: readonly CheckResult[];
}

/** The report of a check, as data: `JSON.stringify` gives the document. */
export function checkDocument({ results, startedAt, milliseconds }: CheckReport): CheckDocument {
  return {
    schemaVersion: 1,
    check: true,
    startedAt: new Date(startedAt).toISOString(),
    seconds: milliseconds / 1000,
    succeeded: isReady(results),
    checks: results,
  };
}

/** The job summary of a check, as GitHub Markdown: what a run would fail for stands first, with what to do. */
export function checkSummary(report: CheckReport): string {
  const rows = report.results.map((result) => {
    const { icon, word } = looks(result);
    const { place, subject, finding } = result;
    return [
      code(place),
      escapeMarkdown(subject),
      `${icon}&nbsp;${word}`,
      withCode(finding),
      withCode(remedyOf(result)),
    ];
  });
  const head = ["Where", "What", "Result", "What was seen", "What to do"].map((title) => ({ title }));
  const lines = missing(report).map((result) => {
    const { place, subject, finding, remedy } = result;
    const todo = remedy === undefined ? "" : `<br>**What to do:** ${withCode(remedy)}`;
    return `- ${code(place)}, ${escapeMarkdown(subject)}: ${withCode(finding)}${todo}`;
  });
  const box = lines.length === 0 ? [] : [alert("CAUTION", ["**A run would fail**", "", ...lines])];
  const icon = lines.length === 0 ? "✅" : "❌";
  return [
    `## ⚓ Check of the configuration`,
    `${icon} ${closing(report)}`,
    ...box,
    table(head, rows),
    "",
  ].join("\n\n");
}

function closing(report: CheckReport): string {
  const count = (outcome: CheckResult["outcome"]) =>
    report.results.filter((result) => result.outcome === outcome).length;
  const verdict = isReady(report.results)
    ? "Nothing that is needed is missing"
    : "Something that is needed is missing";
  return (
    `${verdict}: ${count("ok")} checks ok, ${count("missing")} missing, ${count("unknown")} that cannot be told, ` +
    `in ${formatDuration(report.milliseconds)}. No image, tag or repository was touched.`
  );
}
