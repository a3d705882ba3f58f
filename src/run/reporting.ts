import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Inputs } from "../inputs/inputs.ts";
import type { IssueReporting } from "../report/issue.ts";
import { keepIssue } from "../report/issue.ts";
import { type News, newsOfRun } from "../report/issue-text.ts";
import type { RunResult } from "../report/result.ts";
import { succeeded } from "../report/tally.ts";
import { writeReport } from "../report/write.ts";
import type { Places, RunContext, StepContext } from "./context.ts";
import { githubClient } from "./places.ts";

/**
 * Writes every form of report.
 * @returns whether everything that was planned is done.
 */
export async function report(
  done: Omit<RunResult, "destinations" | "requests" | "milliseconds">,
  { destinations }: Places,
  inputs: Inputs,
  { network, clock, log, signal, sink }: RunContext,
): Promise<boolean> {
  const result: RunResult = {
    ...done,
    destinations,
    requests: network.requests,
    milliseconds: clock.now() - done.startedAt,
  };
  const reportPath = join(inputs.runner.temporaryFolder, `harbor-release-mirror-${randomUUID()}.json`);
  await writeReport(result, { ...sink, log, reportPath });
  const { issueReporting } = inputs;
  const news = newsOfRun(result);
  // An open issue may be about a route that had nothing to do: its success has not been seen.
  const isOver = news.kind === "failure" || result.hasIdle !== true;
  // Planned steps have neither failed nor succeeded yet.
  if (issueReporting !== undefined && !result.dryRun && isOver)
    await reportByIssue(news, issueReporting, { network, clock, log, signal });
  return succeeded(result) && !signal.aborted;
}

/** Time for reporting by an issue, in milliseconds: the run is over, and somebody waits for its end. */
const issueTime = 3 * 60_000;

/** Reports by an issue how a run ended, unless it was cancelled: whoever did that knows. Throws nothing. */
export async function reportByIssue(
  news: News,
  reporting: IssueReporting,
  context: StepContext,
): Promise<void> {
  if (context.signal.aborted) return;
  const { clock, log } = context;
  const signal = AbortSignal.any([context.signal, clock.timeout(issueTime)]);
  await keepIssue(news, reporting, {
    github: await githubClient(reporting, { ...context, signal }),
    clock,
    log,
    signal,
  });
}
