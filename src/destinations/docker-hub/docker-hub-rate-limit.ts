import type { Clock } from "../../clock.ts";
import type { OperationError } from "../../errors.ts";
import { discard, type HttpRequest, type HttpResponse, type Transport } from "../../http/http.ts";
import { parseRetryAfter } from "../../http/retry.ts";
import { sendToVendor, type VendorOperation, vendorFailure } from "../vendor-api.ts";

/** Longest wait for the rate limit, in milliseconds. A waiting job costs money, and the next run prunes as well. */
const longestWait = 5 * 60_000;

/** Shortest wait, in milliseconds. The time to wait for is in whole seconds of another clock. */
const shortestWait = 1000;

/** How often one request is sent while Docker Hub answers 429. */
const rateLimitAttempts = 3;

/** Sends a request, and waits as Docker Hub asks, before it and after a 429. */
export async function sendPatiently(
  transport: Transport,
  rate: RateLimit,
  request: HttpRequest,
  operation: VendorOperation,
): Promise<HttpResponse> {
  for (let attempt = 1; ; attempt++) {
    await rate.pace(request.signal);
    const response = await sendToVendor(transport, request, operation);
    rate.note(response);
    if (response.status !== 429) return response;
    await discard(response);
    const wait = rate.waitAfter(response);
    if (wait === undefined || wait > longestWait || attempt === rateLimitAttempts) {
      throw rateLimitFailure(operation, wait);
    }
    await rate.sleep(wait, request.signal);
  }
}

/**
 * The Hub API's limit on requests a minute, which each of its answers states. It has nothing to do with the limit on pulls.
 * https://docs.docker.com/reference/api/hub/latest/ ("Rate Limiting")
 */
export class RateLimit {
  readonly #clock: Clock;
  /** When Docker Hub starts a new count of requests, in milliseconds since the epoch; 0 while some are left. */
  #usedUpUntil = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Remembers whether this was the last request for now. */
  note(response: HttpResponse): void {
    const reset = unixTime(response.header("x-ratelimit-reset"));
    const isLast = response.header("x-ratelimit-remaining") === "0" && reset !== undefined;
    this.#usedUpUntil = isLast ? reset : 0;
  }

  /** Waits while no request is left, instead of provoking a 429. Does not wait too long: then the 429 ends it. */
  async pace(signal: AbortSignal | undefined): Promise<void> {
    const wait = this.#usedUpUntil - this.#clock.now();
    if (wait > 0 && wait <= longestWait) await this.sleep(Math.max(wait, shortestWait), signal);
    this.#usedUpUntil = 0;
  }

  /**
   * Milliseconds that an answer of 429 asks to wait: until the time in `X-Retry-After`, which is a Unix timestamp, or the
   * usual `Retry-After`, which Docker has proposed in its place (https://github.com/docker/docs/pull/22916).
   */
  waitAfter(response: HttpResponse): number | undefined {
    const now = this.#clock.now();
    const time = unixTime(response.header("x-retry-after"));
    const wait = time === undefined ? parseRetryAfter(response.header("retry-after"), now) : time - now;
    return wait === undefined ? undefined : Math.max(wait, shortestWait);
  }

  sleep(wait: number, signal: AbortSignal | undefined): Promise<void> {
    this.#usedUpUntil = 0;
    return this.#clock.sleep(wait, signal);
  }
}

/** A Unix timestamp in a header, as milliseconds since the epoch. */
function unixTime(header: string | undefined): number | undefined {
  return header !== undefined && /^[0-9]{1,12}$/.test(header) ? Number(header) * 1000 : undefined;
}

function rateLimitFailure(operation: VendorOperation, wait: number | undefined): OperationError {
  const minutes = wait === undefined ? "" : `, and asks to wait ${Math.ceil(wait / 60_000)} minutes`;
  return vendorFailure(operation, {
    status: 429,
    problem: `the Docker Hub API's rate limit is used up${minutes}`,
    advice: "The next run deletes what is left.",
    temporary: true,
    retryAfterMs: wait,
  });
}
