import * as v from "valibot";
import type { Clock } from "../clock.ts";
import { OperationError } from "../errors.ts";
import type { TencentCloudKey } from "../inputs.ts";
import { printable } from "../log.ts";
import { discard, type HttpResponse, type Transport } from "../oci/http.ts";
import { isLoopback } from "../oci/reference.ts";
import { authorizationOf } from "./tencent-signature.ts";
import { checkAnswer, readAnswer, sendToVendor, type VendorOperation, vendorFailure } from "./vendor-api.ts";

/** One action of the Tencent Cloud API for TCR. */
export interface TencentCall {
  /** Name of the action in the API: `DescribeInstances`. */
  readonly action: string;
  /** The same for people, as a gerund: "looking for the instance goharbor". */
  readonly operation: string;
  /** Repository that the call concerns, if it is one. */
  readonly repository?: string | undefined;
  readonly region: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal | undefined;
}

export interface TencentApi {
  /**
   * Calls an action and checks what lies inside `Response`.
   * @throws OperationError with the service's code and RequestId; the signal's reason when it aborted.
   */
  call<T>(call: TencentCall, schema: v.GenericSchema<unknown, T>): Promise<T>;
}

export interface TencentApiOptions {
  /** Repeats what failed in HTTP (broken connections, 5xx) by itself. Errors inside a 200 are repeated here. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly url: URL;
  readonly key: TencentCloudKey;
}

/** Version of the TCR API, and its common parameters: https://www.tencentcloud.com/document/product/1051/41100 */
const apiVersion = "2019-09-24";

/**
 * Least time between two requests, in milliseconds: 10 a second. TCR allows 20 a second for most actions and 10 for some
 * (https://www.tencentcloud.com/document/product/1051/41098); Harbor's own TCR adapter keeps to 10 as well.
 */
const requestInterval = 100;

/** Tries of a call that is over the rate limit. With the pauses below they span 15 seconds, many windows of the limit. */
const limitAttempts = 5;

/** First pause after `RequestLimitExceeded`, in milliseconds: the limit counts per second. Doubled each time. */
const limitPause = 1000;

/** Must be sent as it was signed, byte for byte. */
const contentType = "application/json; charset=utf-8";

/** Longest request id worth printing, in characters: they are UUIDs of 36. */
const requestIdLimit = 64;

const errorSchema = v.object({
  Response: v.object({
    RequestId: v.optional(v.string(), "unknown"),
    Error: v.optional(v.object({ Code: v.string(), Message: v.optional(v.string(), "") })),
  }),
});

/** A client for the Tencent Cloud API 3.0, signed with an API key. */
export function createTencentApi(options: TencentApiOptions): TencentApi {
  const waitForTurn = turns(options.clock);
  return {
    async call(call, schema) {
      for (let attempt = 1; ; attempt++) {
        await waitForTurn(call.signal);
        try {
          return await callOnce(options, call, schema);
        } catch (error) {
          if (!isOverLimit(error) || attempt === limitAttempts) throw error;
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

async function callOnce<T>(
  options: TencentApiOptions,
  call: TencentCall,
  schema: v.GenericSchema<unknown, T>,
): Promise<T> {
  const { transport, clock, url, key } = options;
  const operation: VendorOperation = {
    host: url.host,
    repository: call.repository,
    operation: call.operation,
  };
  const body = JSON.stringify(call.parameters);
  const headers = signedHeaders(url, key, call, body, Math.floor(clock.now() / 1000));
  const request = { method: "POST", url: new URL("/", url), headers, body, signal: call.signal } as const;
  const response = await sendToVendor(transport, request, operation);
  if (response.status !== 200) {
    await discard(response);
    throw vendorFailure(operation, {
      status: response.status,
      problem: "the Tencent Cloud API answers every call with 200, so this came from something else",
      advice: "Check the `api` attribute of the destination, and any proxy on the way.",
    });
  }
  const text = await readAnswer(response, operation, call.signal);
  const skew = clock.now() - serverTime(response, clock);
  return resultOf(text, schema, operation, (code) => adviceFor(code, call.action, skew));
}

/** What an answer holds: a result of this schema, or an error. */
function resultOf<T>(
  text: string,
  schema: v.GenericSchema<unknown, T>,
  operation: VendorOperation,
  advise: (code: string) => string | undefined,
): T {
  const { Error: error, RequestId } = checkAnswer(text, errorSchema, operation, 200).Response;
  const requestId = `(RequestId ${printable(RequestId, requestIdLimit)})`;
  if (error !== undefined) {
    throw vendorFailure(operation, {
      code: printable(error.Code),
      problem: `${printable(error.Message)} ${requestId}`,
      advice: advise(error.Code),
      temporary: error.Code.startsWith("RequestLimitExceeded"),
    });
  }
  const named = { ...operation, operation: `${operation.operation} ${requestId}` };
  return checkAnswer(text, v.object({ Response: schema }), named, 200).Response;
}

/** @param timestamp seconds since the epoch. */
function signedHeaders(
  url: URL,
  key: TencentCloudKey,
  call: TencentCall,
  body: string,
  timestamp: number,
): Record<string, string> {
  const headers = { "content-type": contentType, host: url.host, "x-tc-action": call.action };
  const authorization = authorizationOf({ service: serviceOf(url), headers, body, timestamp }, key);
  return {
    "content-type": contentType,
    "x-tc-action": call.action,
    "x-tc-version": apiVersion,
    "x-tc-region": call.region,
    "x-tc-timestamp": String(timestamp),
    authorization,
    ...(key.sessionToken === undefined ? {} : { "x-tc-token": key.sessionToken }),
  };
}

/** The service is the first label of the host name, except on a local stand-in, whose host name says nothing. */
function serviceOf(url: URL): string {
  return isLoopback(url.host) ? "tcr" : (url.hostname.split(".")[0] ?? "tcr");
}

/** Time of the server in milliseconds since the epoch, by its `Date` header; ours, where it sent none. */
function serverTime(response: HttpResponse, clock: Clock): number {
  const time = Date.parse(response.header("date") ?? "");
  return Number.isNaN(time) ? clock.now() : time;
}

/**
 * What a user can do about an error code. The `AuthFailure` ones are common to all products of Tencent Cloud.
 * @param skew how far our clock is ahead of the server's, in milliseconds.
 */
function adviceFor(code: string, action: string, skew: number): string | undefined {
  switch (code) {
    case "AuthFailure.SignatureExpire":
      return clockAdvice(skew);
    case "AuthFailure.SecretIdNotFound":
    case "AuthFailure.InvalidSecretId":
      return (
        "Tencent Cloud does not know the key: check `tcr-secret-id`, and that the key is enabled. A key of the " +
        "international site needs the attribute `api=https://tcr.intl.tencentcloudapi.com`."
      );
    case "AuthFailure.SignatureFailure":
      return "`tcr-secret-key` does not belong to `tcr-secret-id`: set both from the same key.";
    case "AuthFailure.TokenFailure":
      return "`tcr-session-token` has expired or belongs to another key: get temporary keys anew, or leave it empty for a permanent key.";
    default:
  }
  if (code.startsWith("RequestLimitExceeded")) {
    return "Other programs use up the API's rate limit with this account: run again when there are fewer of them.";
  }
  if (/^(?:AuthFailure|UnauthorizedOperation)|Unauthori[sz]ed/.test(code)) {
    return `The key is not allowed to do this: grant its user or role the CAM action \`tcr:${action}\` on this instance.`;
  }
  return undefined;
}

function clockAdvice(skew: number): string {
  const minutes = Math.round(Math.abs(skew) / 60_000);
  const difference =
    minutes === 0 ? "differs from" : `is ${minutes} minutes ${skew > 0 ? "ahead of" : "behind"}`;
  return `The clock of this machine ${difference} that of Tencent Cloud, which accepts a difference of 5 minutes: set the runner's clock.`;
}
