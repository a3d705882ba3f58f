import { messageOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { annotationsOf } from "./annotations.ts";
import { checksumsOf } from "./checksums.ts";
import { closingParagraph } from "./closing.ts";
import { reportOf } from "./json-report.ts";
import type { RunResult } from "./result.ts";
import { summaryOf } from "./summary.ts";
import { imagesInPlace, mirroredVersions, tallyOf } from "./tally.ts";

/** Where a report goes: what the runner offers, as functions. */
export interface ReportSink {
  setOutput(name: string, value: string | number): void;
  /** Adds Markdown to the job summary. */
  appendSummary(markdown: string): Promise<void>;
  writeFile(path: string, text: string): Promise<void>;
  readonly log: Log;
  /** Where the JSON report is written. */
  readonly reportPath: string;
}

/**
 * Longest value of the output `images`, in UTF-16 code units of two bytes. All outputs of a job may have 1 MB, counted in
 * UTF-16, so this is 0.8 MB; the rest is for the job's other outputs.
 * https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idoutputs
 */
export const imagesOutputLimit = 400_000;

/**
 * Writes every form of report: annotations, JSON file, checksums, outputs, summary, closing paragraph. A file or summary that cannot be
 * written is a warning: the images are where they are, with or without it.
 * @throws what `setOutput` throws, because a job that waits for an output must not go on without it.
 */
export async function writeReport(result: RunResult, sink: ReportSink): Promise<void> {
  const { warnings, errors } = annotationsOf(result);
  for (const warning of warnings) sink.log.warning(warning);
  for (const error of errors) sink.log.error(error);
  const report = await writeDocument(reportOf(result), sink);
  const checksums = await writeChecksums(checksumsOf(result), sink);
  setOutputs(result, { report, checksums: checksums.join("\n") }, sink);
  await writeSummary(summaryOf(result), sink);
  sink.log.info(closingParagraph(result, sink.log.paint));
}

/** Writes the JSON file. @returns its path; empty when it could not be written. */
export async function writeDocument(document: object, sink: ReportSink): Promise<string> {
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  return (await isWritten("The report", sink.reportPath, text, sink)) ? sink.reportPath : "";
}

/** Writes the files with checksums beside the JSON file. @returns the paths of those that were written. */
async function writeChecksums(texts: readonly string[], sink: ReportSink): Promise<readonly string[]> {
  const files = texts.map((text, index) => ({
    path: `${sink.reportPath}.checksums-${index + 1}.txt`,
    text,
  }));
  const written = await Promise.all(
    files.map(({ path, text }) => isWritten("The list of checksums", path, text, sink)),
  );
  return files.flatMap(({ path }, index) => (written[index] === true ? [path] : []));
}

/** Writes a file; a warning where that cannot be done. @param what it is, as the beginning of a sentence. */
async function isWritten(
  what: string,
  path: string,
  text: string,
  { writeFile, log }: ReportSink,
): Promise<boolean> {
  try {
    await writeFile(path, text);
    return true;
  } catch (error) {
    log.warning(`${what} could not be written to ${path}: ${messageOf(error)}`);
    return false;
  }
}

/** Adds to the job summary; a warning where that cannot be done. */
export async function writeSummary(
  markdown: string,
  { appendSummary, log }: Pick<ReportSink, "appendSummary" | "log">,
): Promise<void> {
  try {
    await appendSummary(markdown);
  } catch (error) {
    log.warning(`The job summary could not be written: ${messageOf(error)}`);
  }
}

function setOutputs(
  result: RunResult,
  files: { readonly report: string; readonly checksums: string },
  sink: ReportSink,
): void {
  const { copied, skipped, pruned, failed } = tallyOf(result);
  sink.setOutput("versions", JSON.stringify(mirroredVersions(result)));
  sink.setOutput("copied", copied);
  sink.setOutput("skipped", skipped);
  sink.setOutput("pruned", pruned);
  sink.setOutput("failed", failed);
  sink.setOutput("images", imagesOutput(result, sink.log));
  sink.setOutput("checksums", files.checksums);
  sink.setOutput("report", files.report);
}

function imagesOutput(result: RunResult, log: Log): string {
  const images = imagesInPlace(result);
  const json = JSON.stringify(images);
  if (json.length <= imagesOutputLimit) return json;
  log.warning(
    `The output images is empty: its ${images.length} images are more than GitHub takes (1 MB for all outputs of a job). The file of the output report has them.`,
  );
  return "[]";
}
