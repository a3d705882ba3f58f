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
        const response = await fetch(input, { ...init, dispatcher });
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
