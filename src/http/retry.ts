import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { discard, type HttpResponse, hasBodyToRepeat, readAlready, type Transport } from "./http.ts";
import { type JudgedResponse, judgePullLimit } from "./pull-limit.ts";

/** When and how often something is tried again. Times in milliseconds. */
export interface RetryPolicy {
  /** Tries in all. */
  readonly attempts: number;
  /** Tries in all where no connection comes up: the host is down or its name is wrong, and everything else waits for it. */
  readonly connectAttempts: number;
  /** Delay before the second try; it doubles from try to try. */
  readonly firstDelay: number;
  readonly longestDelay: number;
  /** Where a server asks for a longer pause than this, nothing is tried again: the job would only stand still. */
  readonly longestRetryAfter: number;
}

/**
 * Six tries within about half a minute bridge the restart of a registry behind a load balancer. A pause that the server
 * names is kept up to five minutes; Docker Hub's pull limit asks for hours, which no job should wait.
 */
export const defaultRetryPolicy: RetryPolicy = {
  attempts: 6,
  connectAttempts: 4,
  firstDelay: 500,
  longestDelay: 15_000,
  longestRetryAfter: 5 * 60_000,
};

/** Statuses after which the same request may succeed: time-outs, "too early", "too many requests", server trouble. */
export function isTemporaryStatus(status: number): boolean {
  return (
    status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505)
  );
}

/** Codes of Node and undici for a connection that broke or never came up; all may be gone a moment later. */
const brokenConnectionCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
  "ENOTFOUND",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "SLOW_BODY",
]);

/** Codes of a connection that never came up. */
const noConnectionCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Whether an error says that no connection came up, at any depth of its causes. */
function isNoConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as NodeJS.ErrnoException).code;
  return (code !== undefined && noConnectionCodes.has(code)) || isNoConnection(error.cause);
}

/** Whether an error is a broken connection, at any depth of its causes. */
export function isBrokenConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  // `HPE_`: bytes that are no HTTP answer, such as a body after a HEAD. They spoil this connection, not the next one.
  if (typeof code === "string" && (brokenConnectionCodes.has(code) || code.startsWith("HPE_"))) return true;
  if (error instanceof AggregateError && error.errors.some(isBrokenConnection)) return true;
  return error.message === "aborted" || error.message === "terminated" || isBrokenConnection(error.cause);
}

/**
 * The pause that a `Retry-After` header asks for, in milliseconds: seconds or an HTTP date (RFC 9110, section 10.2.3).
 * Undefined when absent or neither; a date in the past is 0.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^[0-9]+$/.test(text)) return Number(text) * 1000;
  // A date has letters; `Date.parse` would otherwise take a bare number such as "-5" for a year.
  const date = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/**
 * How long to wait after try number `attempt` (from 1), in milliseconds: what the server asked for, else a doubling pause
 * with jitter, so that requests that failed together do not come back together. A server that asks for no pause, or for a
 * moment that has passed by our clock, gets the doubling pause as well: otherwise all tries would be used up at once.
 */
export function delayBefore(
  attempt: number,
  policy: RetryPolicy,
  retryAfter: number | undefined,
  random: () => number = Math.random,
): number {
  if (retryAfter !== undefined && retryAfter > 0) return retryAfter;
  const doubled = Math.min(policy.firstDelay * 2 ** (attempt - 1), policy.longestDelay);
  return doubled * (0.75 + random() / 2);
}

export interface RetryContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly policy?: RetryPolicy;
}

/** A request that may be sent several times, whatever sends it. */
export interface Repeatable<Response> {
  /** What is asked for, for the log. */
  readonly name: string;
  readonly signal: AbortSignal | undefined;
  readonly send: () => Promise<Response>;
  readonly status: (response: Response) => number;
  /** Whether a later answer may differ. Default: told by the status. */
  readonly isTemporary?: (response: Response) => boolean;
  /** A broken connection ends it: the request may have been carried out. Default: no. */
  readonly once?: boolean;
  /** Whether an answer stays the same for longer than anybody waits, whatever its status. Default: no. */
  readonly isLasting?: (response: Response) => boolean;
  /** The `Retry-After` header. */
  readonly retryAfter: (response: Response) => string | undefined;
  /** Frees the connection of an answer that is of no interest. */
  readonly discard: (response: Response) => Promise<void>;
}

/**
 * Sends a request until its answer is not a temporary failure, or the policy allows no more tries.
 * @returns the last answer.
 * @throws what the last try threw; the signal's reason.
 */
export async function sendAgain<Response>(
  request: Repeatable<Response>,
  { clock, log, policy = defaultRetryPolicy }: RetryContext,
): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const result = await settled(request.send());
    const verdict =
      "response" in result
        ? answered(request, result.response, attempt, policy, clock.now())
        : broken(request, result.error, attempt, policy);
    if (verdict === "final") {
      if ("response" in result) return result.response;
      throw result.error;
    }
    if ("response" in result) await request.discard(result.response);
    const ms = delayBefore(attempt, policy, verdict.retryAfter);
    log.debug(
      `${request.name}: ${verdict.why}; trying again in ${Math.round(ms)} ms (${attempt} of ${policy.attempts})`,
    );
    await clock.sleep(ms, request.signal);
  }
}

/** Whether another try is worth it: "final" if not, else why, and the pause that the server asked for. */
type Verdict = "final" | { readonly why: string; readonly retryAfter: number | undefined };

function answered<Response>(
  request: Repeatable<Response>,
  response: Response,
  attempt: number,
  policy: RetryPolicy,
  now: number,
): Verdict {
  const status = request.status(response);
  const retryAfter = parseRetryAfter(request.retryAfter(response), now);
  const isFinal =
    attempt >= policy.attempts ||
    !(request.isTemporary?.(response) ?? isTemporaryStatus(status)) ||
    request.isLasting?.(response) === true ||
    (retryAfter ?? 0) > policy.longestRetryAfter;
  return isFinal ? "final" : { why: `status ${status}`, retryAfter };
}

function broken<Response>(
  request: Repeatable<Response>,
  error: unknown,
  attempt: number,
  policy: RetryPolicy,
): Verdict {
  const attempts = isNoConnection(error) ? policy.connectAttempts : policy.attempts;
  const isFinal =
    attempt >= attempts ||
    request.once === true ||
    request.signal?.aborted === true ||
    !isBrokenConnection(error);
  return isFinal ? "final" : { why: messageOf(error), retryAfter: undefined };
}

function settled<T>(sending: Promise<T>): Promise<{ response: T } | { error: unknown }> {
  return sending.then(
    (response) => ({ response }),
    (error: unknown) => ({ error }),
  );
}

/**
 * A transport that sends again what failed for the moment. An answer that breaks off is a failure too: the caller gets the
 * whole answer. A 429 is sent again unless Docker Hub's pull limit is its reason. A request with a stream as body is sent
 * once: the stream is gone then.
 */
export function retrying(transport: Transport, context: RetryContext): Transport {
  return {
    async send(request) {
      if (request.once === true || !hasBodyToRepeat(request)) return transport.send(request);
      const repeatable: Repeatable<JudgedResponse> = {
        name: `${request.method} ${request.url.host}${request.url.pathname}`,
        signal: request.signal,
        send: async () => judgePullLimit(await readWhole(await transport.send(request))),
        status: ({ response }) => response.status,
        isLasting: ({ isPullLimit }) => isPullLimit,
        retryAfter: ({ response }) => response.header("retry-after"),
        discard: ({ response }) => discard(response),
      };
      return (await sendAgain(repeatable, context)).response;
    },
  };
}

/** Largest answer that is read as a whole, in bytes: as much as anybody reads of a manifest or a page of tags. */
const wholeLimit = 8 * 1024 * 1024;

/** Reads an answer to its end, so that a break shows here. The reader of one above the limit has to see to it. */
async function readWhole(response: HttpResponse): Promise<HttpResponse> {
  const { body } = response;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size <= wholeLimit) continue;
    body.unshift(Buffer.concat(chunks));
    return response;
  }
  return readAlready(response, Buffer.concat(chunks, size));
}
