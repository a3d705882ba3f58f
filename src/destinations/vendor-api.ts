import type * as v from "valibot";
import { type FailureDetails, messageOf, OperationError } from "../errors.ts";
import { printable } from "../log.ts";
import {
  BodyError,
  type HttpRequest,
  type HttpResponse,
  parseJson,
  readBytes,
  type Transport,
} from "../oci/http.ts";

/** What a message about a failed call says of the call. */
export type VendorOperation = Pick<FailureDetails, "host" | "repository" | "operation">;

/** Largest answer that is read of a vendor's API, in bytes: a page of a list takes tens of kilobytes. */
const answerLimit = 1024 * 1024;

/** An URL below the base URL of an API, whose own path, if it has one, stays in front. */
export function apiUrl(base: URL, path: string): URL {
  return new URL(`${base.origin}${base.pathname.replace(/\/+$/, "")}${path}`);
}

/**
 * Sends a request to a vendor's API.
 * @throws OperationError when no answer comes; the signal's reason when it aborted.
 */
export async function sendToVendor(
  transport: Transport,
  request: HttpRequest,
  operation: VendorOperation,
): Promise<HttpResponse> {
  try {
    return await transport.send(request);
  } catch (error) {
    request.signal?.throwIfAborted();
    if (error instanceof OperationError) throw error;
    throw vendorFailure(
      operation,
      {
        problem: printable(messageOf(error)),
        advice: "Check that the runner can reach this host, and the `api` attribute of the destination.",
        temporary: true,
      },
      error,
    );
  }
}

/**
 * Reads an answer as text, within the size limit.
 * @throws OperationError when it is too large or breaks off; the signal's reason when it aborted.
 */
export async function readAnswer(
  response: HttpResponse,
  operation: VendorOperation,
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    return (await readBytes(response, answerLimit)).toString("utf8");
  } catch (error) {
    signal?.throwIfAborted();
    throw vendorFailure(operation, { status: response.status, problem: printable(messageOf(error)) }, error);
  }
}

/**
 * Checks the text of an answer against a schema.
 * @throws OperationError when it is not of that form.
 */
export function checkAnswer<T>(
  text: string,
  schema: v.GenericSchema<unknown, T>,
  operation: VendorOperation,
  status: number,
): T {
  try {
    return parseJson(text, schema);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    throw vendorFailure(operation, { status, problem: printable(error.message) }, error);
  }
}

/** The failure of a call to a vendor's API. */
export function vendorFailure(
  operation: VendorOperation,
  details: Omit<FailureDetails, "side" | keyof VendorOperation>,
  cause?: unknown,
): OperationError {
  const all: FailureDetails = { side: "destination", ...operation, ...details };
  return new OperationError(all, cause === undefined ? undefined : { cause });
}
