import * as v from "valibot";
import { OperationError } from "../errors.ts";
import { printable } from "../log/log.ts";
import { withoutSecrets } from "../log/secrets.ts";
import type { GitHubClient } from "./client.ts";
import { githubFailure } from "./failure.ts";
import type { RepositoryId } from "./repository-id.ts";

/** An open issue, as far as it matters here. */
export interface Issue {
  readonly number: number;
  readonly body: string;
}

/** Most issues on a page: https://docs.github.com/en/rest/issues/issues#list-repository-issues */
const issuesPerPage = 100;

/** Most pages that are read. Open issues with our label are a handful; a list of a thousand does not end. */
const mostPages = 10;

/** The parts in use of https://docs.github.com/en/rest/issues/issues#list-repository-issues; pull requests are in that list too. */
const issueSchema = v.object({
  number: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  body: v.nullish(v.string()),
  labels: v.array(v.union([v.string(), v.object({ name: v.nullish(v.string()) })])),
  pull_request: v.optional(v.unknown()),
});
const pageSchema = v.array(issueSchema);

/**
 * The open issues with a label, the oldest first. Only people who may triage a repository give labels there, so none of these
 * issues is a stranger's without their consent: https://docs.github.com/en/rest/issues/issues#create-an-issue
 * @throws OperationError
 */
export async function openIssuesWith(
  client: GitHubClient,
  repository: RepositoryId,
  label: string,
): Promise<readonly Issue[]> {
  const operation = `listing the issues with the label ${label}`;
  const issues: Issue[] = [];
  for (let page = 1; page <= mostPages; page += 1) {
    const { data, headers } = await attempt(client, repository, operation, () =>
      client.octokit.rest.issues.listForRepo({
        ...target(repository),
        labels: label,
        state: "open",
        sort: "created",
        direction: "asc",
        per_page: issuesPerPage,
        page,
      }),
    );
    const found = checked(client, repository, operation, pageSchema, data);
    issues.push(...found.filter((issue) => issue.pull_request === undefined).map(issueOf));
    if (!/;\s*rel="?next"?/.test(headers.link ?? "")) return issues;
  }
  throw failure(client, repository, operation, `there are more than ${mostPages} pages`);
}

/**
 * Opens an issue with a label, which GitHub makes if it is not there.
 * @returns whether the issue has the label: it is dropped without a word where the token may not give any.
 * @throws OperationError
 */
export async function openIssue(
  client: GitHubClient,
  repository: RepositoryId,
  { title, body, label }: { readonly title: string; readonly body: string; readonly label: string },
): Promise<{ readonly number: number; readonly isLabelled: boolean }> {
  const operation = "opening an issue";
  const { data } = await attempt(client, repository, operation, () =>
    client.octokit.rest.issues.create({
      ...target(repository),
      title: withoutSecrets(title),
      body: withoutSecrets(body),
      labels: [label],
    }),
  );
  const { number, labels } = checked(client, repository, operation, issueSchema, data);
  const names = labels.map((each) => (typeof each === "string" ? each : each.name));
  return { number, isLabelled: names.includes(label) };
}

/**
 * Replaces the text of an issue.
 * @throws OperationError
 */
export async function rewriteIssue(
  client: GitHubClient,
  repository: RepositoryId,
  { number, body }: Issue,
): Promise<void> {
  await attempt(client, repository, `updating issue ${number}`, () =>
    client.octokit.rest.issues.update({
      ...target(repository),
      issue_number: number,
      body: withoutSecrets(body),
    }),
  );
}

/**
 * Closes an issue as completed, after a comment that says why.
 * @throws OperationError
 */
export async function closeIssue(
  client: GitHubClient,
  repository: RepositoryId,
  number: number,
  comment: string,
): Promise<void> {
  const issue = { ...target(repository), issue_number: number };
  await attempt(client, repository, `adding a comment to issue ${number}`, () =>
    client.octokit.rest.issues.createComment({ ...issue, body: withoutSecrets(comment) }),
  );
  await attempt(client, repository, `closing issue ${number}`, () =>
    client.octokit.rest.issues.update({ ...issue, state: "closed", state_reason: "completed" }),
  );
}

function target({ owner, name }: RepositoryId): { owner: string; repo: string } {
  return { owner, repo: name };
}

function issueOf({ number, body }: v.InferOutput<typeof issueSchema>): Issue {
  return { number, body: body ?? "" };
}

async function attempt<T>(
  client: GitHubClient,
  repository: RepositoryId,
  operation: string,
  send: () => Promise<T>,
): Promise<T> {
  try {
    return await send();
  } catch (error) {
    throw githubFailure(client, repository, operation, error, adviceAboutIssues);
  }
}

/** https://docs.github.com/en/rest/issues/issues#create-an-issue: 403 without the right, 410 where issues are turned off. */
function adviceAboutIssues(status: number): string | undefined {
  if (status === 401) return "The github-token is not valid here or has run out; renew it, or leave it out.";
  if (status === 403 || status === 404)
    return 'Give the job "permissions: issues: write", beside "contents: read"; a github-token of your own needs that right on this repository.';
  if (status === 410) return "Turn on issues in the settings of this repository, or leave out report-issue.";
  return undefined;
}

function checked<T>(
  client: GitHubClient,
  repository: RepositoryId,
  operation: string,
  schema: v.GenericSchema<unknown, T>,
  data: unknown,
): T {
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const problem = `the answer is not of the expected form (${v.getDotPath(issue) ?? "top level"}: ${issue.message})`;
  throw failure(client, repository, operation, printable(problem));
}

function failure(
  { host }: GitHubClient,
  { owner, name }: RepositoryId,
  operation: string,
  problem: string,
): OperationError {
  return new OperationError({ side: "GitHub", host, repository: `${owner}/${name}`, operation, problem });
}
