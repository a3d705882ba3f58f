import * as v from "valibot";
import { type FailureDetails, messageOf, OperationError } from "../errors.ts";
import {
  BodyError,
  type HttpRequest,
  type HttpResponse,
  parseJson,
  readBytes,
  type Transport,
} from "../http/http.ts";
import { isTemporaryStatus } from "../http/retry.ts";
import { printable } from "../log/log.ts";

/** What a failure says about the call that failed. */
export type VendorOperation = Pick<FailureDetails, "host" | "repository" | "operation" | "subject">;

/** Largest answer of a vendor's API that is read, in bytes. A page of a list takes tens of kilobytes. */
const answerLimit = 1024 * 1024;

/**
 * Largest page of a list of repositories that is read, in bytes: a hundred of them, and at Quay all of a namespace, each with a
 * description of its own.
 */
const repositoriesLimit = 8 * 1024 * 1024;

/** A URL below the base URL of an API. If the base URL has a path, it stays in front. */
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
 * @param limit in bytes.
 * @throws OperationError when it is too large or breaks off; the signal's reason when it aborted.
 */
export async function readAnswer(
  response: HttpResponse,
  operation: VendorOperation,
  signal: AbortSignal | undefined,
  limit = answerLimit,
): Promise<string> {
  try {
    return (await readBytes(response, limit)).toString("utf8");
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

/**
 * Reads a page of a list of repositories.
 * @throws OperationError when the answer is a refusal, too large, or not of that form.
 */
export async function readRepositories<T>(
  response: HttpResponse,
  schema: v.GenericSchema<unknown, T>,
  operation: VendorOperation,
  signal: AbortSignal,
): Promise<T> {
  if (response.status !== 200) throw await vendorRefusal(response, operation, signal, undefined);
  const text = await readAnswer(response, operation, signal, repositoriesLimit);
  return checkAnswer(text, schema, operation, response.status);
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

/** Error bodies as GitHub (`message`), Harbor and Artifactory (`errors`) and AWS (`__type`, `message` or `Message`) write them. */
const refusalSchema = v.object({
  message: v.optional(v.string()),
  Message: v.optional(v.string()),
  __type: v.optional(v.string()),
  errors: v.optional(v.array(v.object({ code: v.optional(v.string()), message: v.optional(v.string()) }))),
});

/**
 * The failure that an answer means, in the service's own words. Reads the response, which frees its connection.
 * @param advice what the user can do where the service refused.
 */
export async function vendorRefusal(
  response: HttpResponse,
  operation: VendorOperation,
  signal: AbortSignal | undefined,
  advice: string | undefined,
): Promise<OperationError> {
  const { status } = response;
  const text = await readAnswer(response, operation, signal);
  const { code, problem } = refusalIn(text);
  const temporary = isTemporaryStatus(status);
  return vendorFailure(operation, {
    status,
    code,
    problem: problem === "" ? "the service gave no reason" : problem,
    advice: temporary ? "Run again later." : advice,
    temporary,
  });
}

function refusalIn(text: string): { code: string | undefined; problem: string } {
  try {
    const { message, Message, __type, errors } = parseJson(text, refusalSchema);
    const [first] = errors ?? [];
    const code = first?.code ?? __type?.split("#").at(-1);
    const problem = printable(first?.message ?? message ?? Message ?? "");
    return { code: code !== undefined && /^\w{1,64}$/.test(code) ? code : undefined, problem };
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    // Mostly the page of a proxy, which says no more than its status.
    return { code: undefined, problem: "" };
  }
}
