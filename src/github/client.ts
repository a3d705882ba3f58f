import type { Octokit } from "@octokit/rest";
import { Response, type fetch as undiciFetch } from "undici";
import { BodyError } from "../http/http.ts";
import { type Log, printable } from "../log/log.ts";

/** `fetch` of undici. Its maker sets proxies and time limits. */
export type Fetch = typeof undiciFetch;

export interface GitHubClientOptions {
  readonly fetch: Fetch;
  /** A decorator that sends again what failed for the moment. Default: everything is sent once. */
  readonly repeating?: (fetch: Fetch) => Fetch;
  readonly apiUrl: URL;
  /** Undefined: anonymous, which reads public repositories within a small rate limit. */
  readonly token: string | undefined;
  /** Name and version of the Action. GitHub refuses requests without a user agent. */
  readonly userAgent: string;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/** A client of the GitHub REST API, with what a message about a failure needs. */
export interface GitHubClient {
  readonly octokit: Pick<Octokit, "rest" | "request">;
  /** A fetch that reads each answer as a whole, of at most so many bytes. */
  readonly fetchUpTo: (limit: number) => Fetch;
  /** Host that is spoken to, with the port if there is one. */
  readonly host: string;
  readonly authenticated: boolean;
}

/** Largest answer, in bytes: a page of 100 releases with 300 KB each of notes and lists of assets. */
const answerLimit = 32 * 1024 * 1024;

/** The API version that the schemas here were written for: https://docs.github.com/en/rest/about-the-rest-api/api-versions */
const apiVersion = "2022-11-28";

/** Makes a client. Sends nothing yet. */
export async function createGitHubClient(options: GitHubClientOptions): Promise<GitHubClient> {
  // This module reads the event's file when it is imported, and throws where that is malformed. Our own reading comes first.
  const { GitHub } = await import(/* webpackMode: "eager" */ "@actions/github/lib/utils");
  const { log, signal, repeating = (fetch) => fetch } = options;
  const fetchUpTo = (limit: number): Fetch => repeating(limitedFetch(options.fetch, limit));
  const tell = (line: string): void => log.debug(printable(line));
  const octokit = new GitHub({
    baseUrl: options.apiUrl.href.replace(/\/+$/, ""),
    userAgent: options.userAgent,
    ...(options.token === undefined ? {} : { auth: options.token }),
    request: { fetch: fetchUpTo(answerLimit), ...(signal === undefined ? {} : { signal }) },
    // Octokit prints failures to the console unless told otherwise; here the caller decides what a failure means.
    log: { debug: () => undefined, info: tell, warn: tell, error: tell },
  });
  octokit.hook.before("request", (request) => {
    request.headers["x-github-api-version"] = apiVersion;
  });
  return {
    octokit,
    fetchUpTo,
    host: options.apiUrl.host,
    authenticated: options.token !== undefined,
  };
}

/** Statuses whose answers have no body by definition: https://fetch.spec.whatwg.org/#null-body-status */
const statusesWithoutBody: ReadonlySet<number> = new Set([101, 103, 204, 205, 304]);

/**
 * A fetch that reads each answer at once and limits its size, in bytes after decompression: Octokit itself reads all that
 * comes. It rejects with BodyError when an answer is larger.
 */
function limitedFetch(fetch: Fetch, limit: number): Fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const { status, statusText, headers } = response;
    const body = await readLimited(response, limit);
    return new Response(statusesWithoutBody.has(status) ? null : body, { status, statusText, headers });
  };
}

async function readLimited(response: Response, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // A throw leaves the loop and cancels the stream, and with it the download.
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > limit) throw new BodyError(`the answer is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
