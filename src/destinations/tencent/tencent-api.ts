import type * as v from "valibot";
import type { Clock } from "../../clock.ts";
import { OperationError } from "../../errors.ts";
import type { Transport } from "../../http/http.ts";
import { isLoopback } from "../../oci/reference.ts";
import { tencentAdvice } from "./tencent-advice.ts";
import { sendTencentCall, type TencentCall, type TencentProduct } from "./tencent-call.ts";
import type { TencentCloudKey, TencentKeys } from "./tencent-keys.ts";
import { authorizationOf } from "./tencent-signature.ts";

export interface TencentApi {
  /** Base URL of the API. */
  readonly url: URL;
  /**
   * Calls an action and checks the content of `Response`.
   * @throws OperationError with the service's code and RequestId; the signal's reason when it aborted.
   */
  call<T>(call: TencentCall, schema: v.GenericSchema<unknown, T>): Promise<T>;
  /**
   * Gets a key, as every call does: with a role, GitHub's id token is exchanged for it.
   * @throws what the exchange throws.
   */
  signIn(signal: AbortSignal): Promise<void>;
}

export interface TencentApiOptions {
  /** Repeats what failed in HTTP (broken connections, 5xx) by itself. Errors inside a 200 are repeated here. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly url: URL;
  readonly keys: TencentKeys;
}

/** Version of the TCR API, and its common parameters: https://www.tencentcloud.com/document/product/1051/41100 */
const apiVersion = "2019-09-24";

/**
 * Least time between two requests, in milliseconds: 9 a second, so that jitter on the way does not make it more than 10. TCR
 * allows 20 a second for most actions and 10 for some (https://www.tencentcloud.com/document/product/1051/41098); Harbor's own
 * TCR adapter sends 10.
 */
const requestInterval = 110;

/** Tries of a call that is over the rate limit. With the pauses below they take 15 seconds, which is many windows of it. */
const limitAttempts = 5;

/** First pause after `RequestLimitExceeded`, in milliseconds: the limit counts per second. Doubled each time. */
const limitPause = 1000;

/** A client for the TCR API (Tencent Cloud API 3.0), signed with an API key. */
export function createTencentApi(options: TencentApiOptions): TencentApi {
  const waitForTurn = turns(options.clock);
  return {
    url: options.url,
    async signIn(signal) {
      await options.keys.get(signal);
    },
    async call(call, schema) {
      let renewed = false;
      for (let attempt = 1; ; attempt++) {
        const key = await options.keys.get(call.signal);
        await waitForTurn(call.signal);
        try {
          return await callOnce(options, key, call, schema);
        } catch (error) {
          if (!renewed && isKeyRefused(error) && options.keys.drop(key)) {
            renewed = true;
            continue;
          }
          if (!isOverLimit(error) || attempt >= limitAttempts) throw error;
          await options.clock.sleep(limitPause * 2 ** (attempt - 1), call.signal);
        }
      }
    },
  };
}

/** Spaces requests by `requestInterval`, in the order in which they ask. */
function turns(clock: Clock): (signal: AbortSignal | undefined) => Promise<void> {
  let next = 0;
  return async (signal) => {
    signal?.throwIfAborted();
    const now = clock.now();
    const start = Math.max(now, next);
    next = start + requestInterval;
    if (start > now) await clock.sleep(start - now, signal);
  };
}

/** Whether a failure carries this error code or one below it: `ResourceNotFound` covers `ResourceNotFound.ErrNoTag`. */
export function hasCode(error: unknown, code: string): error is OperationError {
  if (!(error instanceof OperationError)) return false;
  return error.details.code === code || (error.details.code?.startsWith(`${code}.`) ?? false);
}

function isOverLimit(error: unknown): boolean {
  return hasCode(error, "RequestLimitExceeded");
}

/** Whether a temporary key was refused before its end: its role was changed, or it was revoked. */
function isKeyRefused(error: unknown): boolean {
  return hasCode(error, "AuthFailure.TokenFailure") || hasCode(error, "AuthFailure.SecretIdNotFound");
}

function callOnce<T>(
  { transport, clock, url }: TencentApiOptions,
  key: TencentCloudKey,
  call: TencentCall,
  schema: v.GenericSchema<unknown, T>,
): Promise<T> {
  const product: TencentProduct = {
    transport,
    clock,
    url,
    version: apiVersion,
    authorize: (request) => ({
      authorization: authorizationOf({ ...request, service: serviceOf(url) }, key),
      ...(key.sessionToken === undefined ? {} : { "x-tc-token": key.sessionToken }),
    }),
    advise: tencentAdvice,
  };
  return sendTencentCall(product, call, schema);
}

/** The service is the first label of the host name, except on a local stand-in, whose host name says nothing. */
function serviceOf(url: URL): string {
  return isLoopback(url.host) ? "tcr" : (url.hostname.split(".")[0] ?? "tcr");
}
