import { type Dispatcher, fetch, type Response } from "undici";
import { isTemporaryStatus, type RetryContext, sendAgain } from "../http/retry.ts";
import { printable } from "../log/log.ts";
import type { Fetch } from "./client.ts";

/** Most redirects in a row. GitHub needs one, from the old name of a repository to its number. */
const redirectLimit = 5;

/** Methods that do the same when they are sent twice: RFC 9110, section 9.2.2, and a PATCH that gives fields their values. */
const repeatableMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "PATCH"]);

/**
 * A decorator for a `fetch` that resolves with whole answers. It asks again for what failed for the moment, a break in the
 * middle of an answer included, and for what a rate limit refused. Bodies are texts, as Octokit gives them. A POST that
 * failed may have been carried out, so it is sent again only after a rate limit, which refuses before anything is done.
 */
export function retryingFetch(context: RetryContext): (fetch: Fetch) => Fetch {
  return (fetch) => async (input, init) => {
    const isRepeatable = repeatableMethods.has(init?.method ?? "GET");
    return sendAgain<Response>(
      {
        name: "GitHub",
        signal: init?.signal ?? undefined,
        send: () => fetch(input, init),
        status: ({ status }) => status,
        once: !isRepeatable,
        isTemporary: (response) =>
          isRateLimited(response) || (isRepeatable && isTemporaryStatus(response.status)),
        retryAfter: (response) => pauseAskedBy(response, context.clock.now()),
        discard: async ({ body }) => body?.cancel(),
      },
      context,
    );
  };
}

/**
 * Whether an answer is a refusal by a rate limit, the primary or the secondary one.
 * https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
 */
function isRateLimited({ status, headers }: Response): boolean {
  if (status === 429) return true;
  return status === 403 && (headers.has("retry-after") || headers.get("x-ratelimit-remaining") === "0");
}

/**
 * The pause that GitHub asks for, in the form of `Retry-After`: that header, else the time until a used up limit starts anew.
 */
function pauseAskedBy({ headers }: Response, now: number): string | undefined {
  const asked = headers.get("retry-after");
  if (asked !== null) return asked;
  const reset = headers.get("x-ratelimit-reset");
  if (headers.get("x-ratelimit-remaining") !== "0" || reset === null || !/^[0-9]+$/.test(reset))
    return undefined;
  return `${Math.max(0, Number(reset) - Math.floor(now / 1000))}`;
}

/**
 * A `fetch` for Octokit over the run's dispatcher, so that proxies and time limits are the same for all requests. It logs
 * each request with the id that GitHub gave it.
 */
export function followingFetch(dispatcher: Dispatcher, { clock, log }: Omit<RetryContext, "policy">): Fetch {
  const send: Fetch = async (input, init) => {
    const started = clock.now();
    const tell = (end: string): void => {
      const { origin, pathname } = new URL(String(input));
      log.debug(
        printable(`${init?.method ?? "GET"} ${origin}${pathname} ${end} in ${clock.now() - started} ms`),
      );
    };
    try {
      const response = await fetch(input, { ...init, dispatcher });
      tell(`${response.status} with id ${response.headers.get("x-github-request-id")}`);
      return response;
    } catch (error) {
      tell("failed");
      throw error;
    }
  };
  return (input, init) => fetchFollowing(send, input, init);
}

/**
 * Follows redirects on one origin only: undici's own following goes to any host, and from https to http.
 * https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
 */
async function fetchFollowing(
  send: Fetch,
  input: Parameters<Fetch>[0],
  init: Parameters<Fetch>[1],
): ReturnType<Fetch> {
  let target = input;
  for (let hops = 0; ; hops += 1) {
    const response = await send(target, { ...init, redirect: "manual" });
    const location = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    await response.body?.cancel();
    if (hops >= redirectLimit) throw new Error(`more than ${redirectLimit} redirects`);
    const next = URL.canParse(location, response.url) ? new URL(location, response.url) : undefined;
    if (next === undefined || next.origin !== new URL(response.url).origin)
      throw new Error(`a redirect to another host, ${next?.host ?? "without a usable address"}`);
    target = next;
  }
}
