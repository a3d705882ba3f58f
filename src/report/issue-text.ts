import { failureTextLimit, printable } from "../log/log.ts";
import { listOf } from "../wording.ts";
import { failureGroups, imagesOf } from "./failures.ts";
import type { CauseGroup } from "./grouping.ts";
import { code } from "./markdown.ts";
import { type Reported, reportedSteps } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import { statusOf } from "./status.ts";
import { succeeded } from "./tally.ts";

/**
 * What an issue tells of a run, as finished Markdown. Foreign text is in code type. Outside of it GitHub makes mentions and
 * references, even from character references (https://github.com/gjtorikian/html-pipeline, its filter of mentions), so
 * escaping alone would notify people.
 */
export type News =
  | { readonly kind: "failure"; readonly lines: readonly string[] }
  | { readonly kind: "success"; readonly sentence: string };

/** The run that the news are of. */
export interface NewsSource {
  /** Foreign text. */
  readonly workflow: string;
  readonly runUrl: string | undefined;
}

/** Most characters of all lines together. GitHub takes 65,536 of an issue ("body is too long"); the rest is for what is around. */
const linesLimit = 60_000;

/** Most versions that a line names before it counts the rest. */
const namedLimit = 12;

/** The longest that GitHub takes are 256 characters. */
const titleLimit = 200;

/** The news of a run that came to its end. */
export function newsOfRun(result: RunResult): News {
  if (!succeeded(result)) return { kind: "failure", lines: failureGroups(reportedSteps(result)).map(lineOf) };
  const versions = listOf(result.plan.versions.map(shown), namedLimit);
  const subject = versions === "" ? "" : `${versions}: `;
  // The sentence holds numbers and our own words only, so it is not escaped.
  return { kind: "success", sentence: `${subject}${statusOf(result).sentence}` };
}

/** The news of a run that stopped. @param message why, in lines. */
export function newsOfStop(message: string): News {
  const lines = message.split("\n").filter((line) => line.trim() !== "");
  return { kind: "failure", lines: lines.map((line) => shown(line.replace(/^\s*- /, ""))) };
}

/** Foreign text in code type and without secrets: an issue is read by more people than a log, and no runner masks it. */
function shown(text: string): string {
  return code(printable(text, failureTextLimit));
}

function lineOf({ first, all, reason }: CauseGroup<Reported>): string {
  const what = first.step.kind === "prune" ? "pruning of " : "";
  return `${shown(first.step.destination)}, ${what}${imagesOf(all, shown)}: ${shown(reason)}`;
}

const markerStart = "<!-- harbor-release-mirror: ";

/** Whether a text is that of the issue with this key. */
export function hasKey(body: string, key: string): boolean {
  return body.startsWith(`${markerStart}${key} `);
}

/**
 * The number of failed runs in a row, this one included, by the issue's text so far. A run that reported there before counts
 * once.
 */
export function failuresAfter(body: string, { runUrl }: NewsSource): number {
  const before = Number(/^<!-- [^>]* failures=([0-9]{1,6}) -->/.exec(body)?.[1] ?? 0);
  return runUrl !== undefined && body.includes(`](${runUrl})`) ? before : before + 1;
}

/** The title of an issue: plain text, as GitHub shows it. */
export function issueTitle({ workflow }: NewsSource): string {
  return `Mirroring fails${workflow === "" ? "" : ` in the workflow ${workflow}`}`.slice(0, titleLimit);
}

/**
 * The text of an issue, which a hidden marker begins.
 * @param failures runs in a row that failed, this one included.
 */
export function issueBody(
  { lines }: Extract<News, { kind: "failure" }>,
  key: string,
  failures: number,
  source: NewsSource,
): string {
  const runs = failures > 1 ? ` Runs in a row that failed: ${failures}.` : "";
  return [
    `${markerStart}${key} failures=${failures} -->`,
    `${runOf(source)} could not mirror everything.${runs}`,
    "",
    ...shortened(lines.map((line) => `- ${line}`)),
    "",
    "The next run copies what is missing. This issue is brought up to date by each run that fails, and closed by the next one that succeeds.",
  ].join("\n");
}

/** What is said when an issue is closed. */
export function closingComment({ sentence }: Extract<News, { kind: "success" }>, source: NewsSource): string {
  return `${runOf(source)} has done everything. ${sentence}`;
}

function runOf({ workflow, runUrl }: NewsSource): string {
  const name = workflow === "" ? "of the mirror" : `of the workflow ${shown(workflow)}`;
  return runUrl === undefined ? `A run ${name}` : `[A run](${runUrl}) ${name}`;
}

/** As many lines as fit, and how many do not. */
function shortened(lines: readonly string[]): readonly string[] {
  let length = 0;
  const fitting = lines.findIndex((line) => {
    length += line.length + 1;
    return length > linesLimit;
  });
  if (fitting < 0) return lines;
  return [...lines.slice(0, fitting), `- … and ${lines.length - fitting} more, in the summary of the run`];
}
