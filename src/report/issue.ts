import type { Clock } from "../clock.ts";
import { messageOf, OperationError } from "../errors.ts";
import type { GitHubClient } from "../github/client.ts";
import { closeIssue, type Issue, openIssue, openIssuesWith, rewriteIssue } from "../github/issues.ts";
import type { RepositoryId } from "../github/repository-id.ts";
import type { Log } from "../log/log.ts";
import { closingComment, failuresAfter, hasKey, issueBody, issueTitle, type News } from "./issue-text.ts";

/** Where and about what an issue tells of a failure. */
export interface IssueReporting {
  /** The repository that the workflow runs in. */
  readonly repository: RepositoryId;
  /** Name of the workflow, for people. */
  readonly workflow: string;
  /** The same in every run of this workflow to these destinations, and in no other. */
  readonly key: string;
  /** The page of this run; undefined where the runner does not tell it. */
  readonly runUrl: string | undefined;
  readonly githubApiUrl: URL;
  readonly githubToken: string;
}

/** The label by which the issue is found. */
const label = "harbor-release-mirror";

/**
 * Tries in all, and the pause before another one in milliseconds: what a busy GitHub refuses, it mostly takes seconds later.
 */
const tries = 3;
const pause = 5_000;

export interface IssueContext {
  readonly github: GitHubClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Keeps one issue about a workflow: opened by the first run that fails, brought up to date by the next ones, closed by the
 * first that succeeds. A failure here is a warning only: the images are mirrored with or without an issue.
 */
export async function keepIssue(news: News, reporting: IssueReporting, context: IssueContext): Promise<void> {
  const { clock, log, signal } = context;
  for (let attempt = 1; ; attempt += 1) {
    try {
      // Each try looks first: the issue may be there although the answer to its creation was lost.
      await bringUpToDate(news, reporting, context);
      return;
    } catch (error) {
      const isTemporary = error instanceof OperationError && error.temporary;
      if (!isTemporary || attempt >= tries || signal.aborted) {
        log.warning(`No issue could tell how this run ended: ${messageOf(error)}`);
        return;
      }
      log.debug(`${messageOf(error)} Trying again.`);
      await clock.sleep(pause);
    }
  }
}

async function bringUpToDate(
  news: News,
  reporting: IssueReporting,
  { github, log }: IssueContext,
): Promise<void> {
  const { repository, key } = reporting;
  const labelled = await openIssuesWith(github, repository, label);
  const ours = labelled.filter(({ body }) => hasKey(body, key));
  if (news.kind === "failure") {
    await tellFailure(news, ours[0], reporting, github, log);
    return;
  }
  // Two runs that failed at the same time may have opened one each.
  for (const { number } of ours) {
    await closeIssue(github, repository, number, closingComment(news, reporting));
    log.info(`Closed issue ${number}: this run succeeded`);
  }
}

async function tellFailure(
  news: Extract<News, { kind: "failure" }>,
  known: Issue | undefined,
  reporting: IssueReporting,
  github: GitHubClient,
  log: Log,
): Promise<void> {
  const { repository, key } = reporting;
  const failures = failuresAfter(known?.body ?? "", reporting);
  const body = issueBody(news, key, failures, reporting);
  if (known !== undefined) {
    await rewriteIssue(github, repository, { number: known.number, body });
    log.info(`Brought issue ${known.number} up to date`);
    return;
  }
  const { number, isLabelled } = await openIssue(github, repository, {
    title: issueTitle(reporting),
    body,
    label,
  });
  log.info(`Opened issue ${number}`);
  if (isLabelled) return;
  log.warning(
    `Issue ${number} could not be given the label ${label}, by which later runs find it: the github-token may open issues and not label them. Give it that right, or leave report-issue to the token of the job.`,
  );
}
