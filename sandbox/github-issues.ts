/**
 * The issues of a public repository in GitHub's REST API (https://docs.github.com/en/rest/issues/issues). Kept:
 * - everyone may read; writing needs a token (401 "Requires authentication") with `issues: write` (403 "Resource not accessible
 *   by integration"), and issues that are not turned off (410);
 * - the list has pull requests in it, 30 entries a page unless asked for up to 100, `Link`, filters `state` and `labels`;
 * - a label is made when an issue is given it, and dropped without a word where the token may give none;
 * - 422 for an empty title, and for a body of more than 65,536 characters.
 */
import { type Answer, json, readBody, type SandboxRequest } from "./server.ts";

/** What tokens may do with issues; `disabled`: nobody, the repository has none. */
export type IssuePermission = "none" | "open" | "write" | "disabled";

export interface SandboxIssue {
  readonly number: number;
  readonly title: string;
  body: string;
  state: "open" | "closed";
  stateReason: string | undefined;
  readonly labels: readonly string[];
  readonly comments: string[];
  readonly isPullRequest: boolean;
}

export interface Issues {
  /** In the order of their numbers. */
  readonly all: readonly SandboxIssue[];
  /** What tokens may do from now on. `open`: open and change issues, but give no labels. At the start: none. */
  permission: IssuePermission;
  /** Somebody opens an issue on the website. */
  add(issue: Partial<Pick<SandboxIssue, "title" | "body" | "labels" | "isPullRequest">>): SandboxIssue;
}

const longestBody = 65_536;
const bodyLimit = 1024 * 1024;

/** Issues without any. */
export function noIssues(): Issues {
  const all: SandboxIssue[] = [];
  return {
    all,
    permission: "none",
    add: ({ title = "", body = "", labels = [], isPullRequest = false }) => {
      const issue: SandboxIssue = {
        number: all.length + 1,
        title,
        body,
        state: "open",
        stateReason: undefined,
        labels,
        comments: [],
        isPullRequest,
      };
      all.push(issue);
      return issue;
    },
  };
}

/**
 * Answers a request below `/repos/{owner}/{repo}/`; undefined: it is not about issues.
 * @param path what follows.
 */
export async function answerAboutIssues(
  issues: Issues,
  request: SandboxRequest,
  path: string,
  signedIn: boolean,
): Promise<Answer | undefined> {
  if (!/^issues(\/|$)/.test(path)) return undefined;
  if (issues.permission === "disabled") return problem(410, "Issues has been disabled in this repository.");
  if (request.method === "GET" && path === "issues") return list(issues, request);
  if (!signedIn) return problem(401, "Requires authentication");
  if (issues.permission === "none") return problem(403, "Resource not accessible by integration");
  const given = JSON.parse((await readBody(request, bodyLimit)).toString("utf8")) as Record<string, unknown>;
  if (request.method === "POST" && path === "issues") return create(issues, request, given);
  const [, number, comments] = /^issues\/([0-9]+)(\/comments)?$/.exec(path) ?? [];
  const issue = issues.all.find((one) => String(one.number) === number);
  if (issue === undefined) return problem(404, "Not Found");
  if (request.method === "POST" && comments !== undefined) return comment(issue, given);
  if (request.method === "PATCH" && comments === undefined) return update(issue, request, given);
  return problem(404, "Not Found");
}

function list({ all }: Issues, { url }: SandboxRequest): Answer {
  const query = url.searchParams;
  const state = query.get("state") ?? "open";
  const labels = query.get("labels")?.split(",") ?? [];
  const found = all.filter(
    (issue) =>
      (state === "all" || issue.state === state) && labels.every((label) => issue.labels.includes(label)),
  );
  const sorted = query.get("direction") === "asc" ? found : found.toReversed();
  const size = Math.min(100, Number(query.get("per_page") ?? 30));
  const page = Number(query.get("page") ?? 1);
  const next = new URL(url);
  next.searchParams.set("page", String(page + 1));
  const link = page * size < sorted.length ? { link: `<${next.href}>; rel="next"` } : {};
  const shown = sorted.slice((page - 1) * size, page * size);
  return json(
    200,
    shown.map((issue) => issueJson(issue, url.origin)),
    link,
  );
}

function create(issues: Issues, { url }: SandboxRequest, given: Record<string, unknown>): Answer {
  const { title, body = "", labels = [] } = given;
  if (typeof title !== "string" || title.trim() === "" || title.length > 256)
    return invalid("title", "missing_field");
  if (typeof body !== "string" || body.length > longestBody) return invalid("body", tooLong);
  const kept = issues.permission === "write" && Array.isArray(labels) ? labels.map(String) : [];
  return json(201, issueJson(issues.add({ title, body, labels: kept }), url.origin));
}

function comment(issue: SandboxIssue, { body }: Record<string, unknown>): Answer {
  if (typeof body !== "string" || body === "" || body.length > longestBody) return invalid("body", tooLong);
  issue.comments.push(body);
  return json(201, { id: issue.comments.length, body });
}

function update(issue: SandboxIssue, { url }: SandboxRequest, given: Record<string, unknown>): Answer {
  const { body, state, state_reason: reason } = given;
  if (body !== undefined) {
    if (typeof body !== "string" || body.length > longestBody) return invalid("body", tooLong);
    issue.body = body;
  }
  if (state !== undefined) {
    if (state !== "open" && state !== "closed") return invalid("state", "invalid");
    issue.state = state;
    issue.stateReason = typeof reason === "string" ? reason : undefined;
  }
  return json(200, issueJson(issue, url.origin));
}

function issueJson(issue: SandboxIssue, origin: string): Record<string, unknown> {
  const { number, title, body, state, stateReason, labels, isPullRequest } = issue;
  return {
    number,
    title,
    // An issue without a text has none.
    body: body === "" ? null : body,
    state,
    state_reason: stateReason ?? null,
    labels: labels.map((name) => ({ name, color: "ededed" })),
    user: { login: "github-actions[bot]", type: "Bot" },
    ...(isPullRequest ? { pull_request: { url: `${origin}/pulls/${number}` } } : {}),
  };
}

const tooLong = `body is too long (maximum is ${longestBody} characters)`;

function invalid(field: string, message: string): Answer {
  return json(422, { message: "Validation Failed", errors: [{ resource: "Issue", field, message }] });
}

function problem(status: number, message: string): Answer {
  return json(status, {
    message,
    documentation_url: "https://docs.github.com/rest/issues",
    status: String(status),
  });
}
