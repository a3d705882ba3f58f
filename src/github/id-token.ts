import * as v from "valibot";
import type { Clock } from "../clock.ts";
import { InputError, messageOf, OperationError } from "../errors.ts";
import { discard, type HttpResponse, readJson, type Transport } from "../http/http.ts";
import { isBrokenConnection } from "../http/retry.ts";
import { type Log, printable } from "../log/log.ts";

/** How the job asks for its id tokens; the runner gives it to a job with `permissions: id-token: write`. */
export interface IdTokenRequest {
  readonly url: URL;
  /** Bearer token for this URL alone. */
  readonly token: string;
}

/**
 * Gives an id token of this job: a JWT, signed by GitHub, that says to a third party which workflow of which repository
 * is running. It lives for minutes, so it is asked for right before each exchange and never kept.
 * @param audience whom the token is for, as the third party demands it.
 * @throws InputError when the job may not have one; OperationError when GitHub gives none; the signal's reason when it
 * aborted.
 */
export type IdTokens = (audience: string, signal?: AbortSignal) => Promise<string>;

export interface IdTokenOptions {
  /** What the runner gives a job that may have id tokens; undefined where the job lacks the permission. */
  readonly request: IdTokenRequest | undefined;
  /** Repeats broken connections and temporary statuses by itself. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** Time for a token to come, in milliseconds, further tries included: a service next to the runner answers within a second, unless it is in trouble. */
const timeLimit = 60_000;

/** Largest answer, in bytes: a token of GitHub has about two kilobytes, more with custom claims. */
const answerLimit = 64 * 1024;

const answerSchema = v.object({ value: v.string() });

/** Header, claims and signature, each in base64url (RFC 7519, section 3): nothing that could end a header line or a form field. */
const jsonWebToken = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * What to change in a workflow whose job gets no id tokens.
 * https://github.blog/changelog/2023-06-15-github-actions-securing-openid-connect-oidc-token-permissions-in-reusable-workflows/
 */
export const idTokenAdvice =
  "Give the job `permissions: id-token: write`, and the calling job as well if this is a reusable workflow; " +
  "a pull request from a fork never gets an id token.";

/**
 * The id tokens of this job, from the service of the runner.
 * https://github.com/actions/toolkit/blob/main/packages/core/src/oidc-utils.ts
 */
export function createIdTokens(options: IdTokenOptions): IdTokens {
  const { request, transport, clock, log } = options;
  return async (audience, signal) => {
    if (request === undefined) throw new InputError(`This job has no id token of GitHub. ${idTokenAdvice}`);
    log.mask(request.token);
    const url = new URL(request.url);
    url.searchParams.set("audience", audience);
    const limit = clock.timeout(timeLimit);
    const until = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    const headers = { authorization: `Bearer ${request.token}`, accept: "application/json" };
    try {
      const response = await transport.send({ method: "GET", url, headers, signal: until });
      const token = await readToken(response, url);
      log.mask(token);
      return token;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof OperationError) throw error;
      const problem = limit.aborted
        ? `no answer came within ${timeLimit / 1000} seconds`
        : printable(messageOf(error));
      throw idTokenFailure(url, { problem, temporary: limit.aborted || isBrokenConnection(error) }, error);
    }
  };
}

async function readToken(response: HttpResponse, url: URL): Promise<string> {
  const { status } = response;
  if (status !== 200) {
    await discard(response);
    const refused = status === 401 || status === 403;
    const problem = refused ? "GitHub refuses the id token" : "GitHub gave no id token";
    throw idTokenFailure(url, {
      status,
      problem,
      advice: refused ? idTokenAdvice : "See githubstatus.com; run again later.",
      temporary: !refused,
    });
  }
  const { value } = await readJson(response, answerSchema, answerLimit);
  if (jsonWebToken.test(value)) return value;
  throw idTokenFailure(url, { status, problem: "the answer holds no usable id token" });
}

function idTokenFailure(
  url: URL,
  details: { status?: number; problem: string; advice?: string; temporary?: boolean },
  cause?: unknown,
): OperationError {
  return new OperationError(
    { side: "GitHub", host: url.host, operation: "asking for an id token", ...details },
    cause === undefined ? undefined : { cause },
  );
}
