import * as v from "valibot";
import { type FailureDetails, messageOf, OperationError } from "../errors.ts";
import { BodyError } from "../http/http.ts";
import { printable } from "../log/log.ts";
import type { GitHubClient } from "./client.ts";
import type { RepositoryId } from "./repository-id.ts";

/** What Octokit throws: an answer of 400 or more, or, without `response`, a request that got none. */
const requestErrorSchema = v.object({
  name: v.literal("HttpError"),
  status: v.number(),
  message: v.string(),
  cause: v.optional(v.unknown()),
  response: v.optional(
    v.object({ headers: v.record(v.string(), v.optional(v.union([v.string(), v.number()]))) }),
  ),
});
type RequestError = v.InferOutput<typeof requestErrorSchema>;

/** The part of a failure that depends on the answer. */
type Diagnosis = Pick<FailureDetails, "status" | "problem" | "advice" | "temporary" | "retryAfterMs">;

/**
 * What a failed request to GitHub means and what the user can do, as an OperationError to throw. An abort stays what it is.
 * @param operation what was tried, as a gerund.
 * @param advise what the user can do about a status. Default: what helps where contents are read.
 */
export function githubFailure(
  client: GitHubClient,
  repository: RepositoryId,
  operation: string,
  thrown: unknown,
  advise: (status: number, client: GitHubClient) => string | undefined = adviceFor,
): Error {
  if (thrown instanceof OperationError) return thrown;
  if (thrown instanceof Error && thrown.name === "AbortError") return thrown;
  const parsed = v.safeParse(requestErrorSchema, thrown);
  const diagnosis: Diagnosis = parsed.success
    ? diagnose(parsed.output, client, advise)
    : { problem: printable(messageOf(thrown)) };
  const { host } = client;
  const name = printable(`${repository.owner}/${repository.name}`);
  const details: FailureDetails = { side: "GitHub", host, repository: name, operation, ...diagnosis };
  return new OperationError(details, { cause: thrown });
}

function diagnose(error: RequestError, client: GitHubClient, advise: typeof adviceFor): Diagnosis {
  const { status, response } = error;
  if (response === undefined) return noAnswer(error);
  const header = (name: string): string | undefined => response.headers[name]?.toString();
  const problem = problemOf(error.message, header("content-type"));
  if (isRateLimit(error, header)) return { status, ...rateLimit(client, header) };
  if (status >= 500) {
    return {
      status,
      problem,
      temporary: true,
      advice: "GitHub has trouble, see githubstatus.com; run again later.",
    };
  }
  return { status, problem, advice: advise(status, client) };
}

/** No answer, or one that broke off. The reason is one or two causes down, where fetch and Octokit leave it. */
function noAnswer(error: RequestError): Diagnosis {
  if (error.cause instanceof BodyError) return { problem: error.cause.message };
  const reason = error.cause === undefined ? error.message : messageOf(error.cause);
  return {
    problem: printable(reason),
    advice: 'Check "github-api-url", the network and the proxy of the runner.',
    temporary: true,
  };
}

/** A proxy in between answers with a web page, which is of no use in a log. */
function problemOf(message: string, contentType: string | undefined): string {
  if (contentType?.startsWith("text/html")) return "the answer is a web page instead of JSON";
  return printable(message);
}

type Header = (name: string) => string | undefined;

/** https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit */
function isRateLimit(error: RequestError, header: Header): boolean {
  if (error.status === 429) return true;
  const limited = header("x-ratelimit-remaining") === "0" || header("retry-after") !== undefined;
  return error.status === 403 && (limited || /rate limit/i.test(error.message));
}

function rateLimit(client: GitHubClient, header: Header): Diagnosis {
  const resetAt = Number(header("x-ratelimit-reset") ?? Number.NaN) * 1000;
  const retryAfterMs = Number(header("retry-after") ?? Number.NaN) * 1000;
  // A moment beyond what a Date holds would throw in toISOString; the header is foreign text.
  const reset = new Date(resetAt);
  const until = Number.isNaN(reset.getTime()) ? "" : ` until ${reset.toISOString()}`;
  return {
    problem: `the rate limit of GitHub is used up${until}`,
    advice: client.authenticated
      ? "Run again after that, or give a github-token of its own to this step."
      : "Set github-token: it raises the limit from 60 to at least 1000 requests an hour.",
    temporary: true,
    retryAfterMs: Number.isFinite(retryAfterMs) && retryAfterMs >= 0 ? retryAfterMs : undefined,
  };
}

function adviceFor(status: number, client: GitHubClient): string | undefined {
  if (status === 401) return "The github-token is not valid here or has run out; renew it, or leave it out.";
  if (status === 403) return 'The github-token needs the permission "contents: read" on this repository.';
  if (status !== 404) return undefined;
  const access = client.authenticated
    ? "that the github-token may read it"
    : "set github-token if it is private";
  return `Check that the name in "repository" is right, and ${access}.`;
}
