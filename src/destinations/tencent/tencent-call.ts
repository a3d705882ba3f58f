import * as v from "valibot";
import type { Clock } from "../../clock.ts";
import { discard, type HttpResponse, type Transport } from "../../http/http.ts";
import { printable } from "../../log/log.ts";
import { checkAnswer, readAnswer, sendToVendor, type VendorOperation, vendorFailure } from "../vendor-api.ts";

/** One action of the Tencent Cloud API. */
export interface TencentCall {
  /** Name of the action in the API: `DescribeInstances`. */
  readonly action: string;
  /** The action in words, as a gerund: "looking for the instance goharbor". */
  readonly operation: string;
  /** What exactly the action concerns: see `FailureDetails`. */
  readonly subject?: string | undefined;
  /** Repository that the call concerns, if it is one. */
  readonly repository?: string | undefined;
  readonly region: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal | undefined;
}

/** A product of Tencent Cloud, and how to call it. */
export interface TencentProduct {
  /** Repeats what failed in HTTP (broken connections, 5xx) by itself. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly url: URL;
  /** Version of the product's API, a date. */
  readonly version: string;
  /** The headers that prove who calls. */
  readonly authorize: (request: UnsignedRequest) => Readonly<Record<string, string>>;
  /**
   * What a user can do about an error code.
   * @param skew how far our clock is ahead of the server's, in milliseconds.
   */
  readonly advise: (code: string, action: string, skew: number) => string | undefined;
}

/** What a signature covers, as it is going to be sent. */
export interface UnsignedRequest {
  /** `content-type`, `host` and `x-tc-action`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Seconds since the epoch. */
  readonly timestamp: number;
}

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

/**
 * Calls an action once and checks the content of `Response`.
 * https://www.tencentcloud.com/document/product/1051/41100
 * @throws OperationError with the service's code and RequestId; the signal's reason when it aborted.
 */
export async function sendTencentCall<T>(
  product: TencentProduct,
  call: TencentCall,
  schema: v.GenericSchema<unknown, T>,
): Promise<T> {
  const { transport, clock, url } = product;
  const operation: VendorOperation = {
    host: url.host,
    repository: call.repository,
    operation: call.operation,
    subject: call.subject,
  };
  const body = JSON.stringify(call.parameters);
  const headers = headersOf(product, call, body);
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
  return resultOf(text, schema, operation, (code) => product.advise(code, call.action, skew));
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
  const subject = operation.subject === undefined ? requestId : `${operation.subject} ${requestId}`;
  const named = { ...operation, subject };
  return checkAnswer(text, v.object({ Response: schema }), named, 200).Response;
}

function headersOf(product: TencentProduct, call: TencentCall, body: string): Record<string, string> {
  const timestamp = Math.floor(product.clock.now() / 1000);
  const headers = { "content-type": contentType, host: product.url.host, "x-tc-action": call.action };
  return {
    "content-type": contentType,
    "x-tc-action": call.action,
    "x-tc-version": product.version,
    "x-tc-region": call.region,
    "x-tc-timestamp": String(timestamp),
    ...product.authorize({ headers, body, timestamp }),
  };
}

/** Time of the server by its `Date` header, in milliseconds since the epoch; our own time if it sent none. */
function serverTime(response: HttpResponse, clock: Clock): number {
  const time = Date.parse(response.header("date") ?? "");
  return Number.isNaN(time) ? clock.now() : time;
}
