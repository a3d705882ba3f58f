import { type Dispatcher, fetch } from "undici";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import {
  defaultRetryPolicy,
  delayBefore,
  isBrokenConnection,
  isTemporaryStatus,
  parseRetryAfter,
  type RetryPolicy,
} from "../oci/retry.ts";
import type { Fetch } from "./client.ts";

/** Most redirects in a row. GitHub needs one, from the old name of a repository to its number. */
const redirectLimit = 5;

export interface FetchContext {
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly log: Log;
  readonly policy?: RetryPolicy;
}

/**
 * A `fetch` for Octokit over the run's dispatcher, so that proxies and time-outs are the same for everything, which asks
 * again what failed for the moment. Only for requests without a body: the run reads from GitHub and writes nothing there.
 */
export function retryingFetch({ dispatcher, clock, log, policy = defaultRetryPolicy }: FetchContext): Fetch {
  return async (input, init) => {
    for (let attempt = 1; ; attempt += 1) {
      const last = attempt >= policy.attempts;
      let why: string;
      let retryAfter: number | undefined;
      try {
        const response = await fetchFollowing(input, { ...init, dispatcher });
        retryAfter = parseRetryAfter(response.headers.get("retry-after") ?? undefined, clock.now());
        if (last || !isTemporaryStatus(response.status) || (retryAfter ?? 0) > policy.longestRetryAfter)
          return response;
        why = `status ${response.status}`;
        await response.body?.cancel();
      } catch (error) {
        if (last || init?.signal?.aborted === true || !isBrokenConnection(error)) throw error;
        why = messageOf(error);
      }
      const ms = delayBefore(attempt, policy, retryAfter);
      log.debug(`GitHub: ${why}; trying again in ${Math.round(ms)} ms (${attempt} of ${policy.attempts})`);
      await clock.sleep(ms, init?.signal ?? undefined);
    }
  };
}

/**
 * Follows redirects on one origin only: undici's own following goes to any host, and from https to http.
 * https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
 */
async function fetchFollowing(input: Parameters<Fetch>[0], init: Parameters<Fetch>[1]): ReturnType<Fetch> {
  let target = input;
  for (let hops = 0; ; hops += 1) {
    const response = await fetch(target, { ...init, redirect: "manual" });
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
