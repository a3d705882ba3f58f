import * as v from "valibot";
import type { Clock } from "../clock.ts";
import { OperationError, type Side } from "../errors.ts";
import { type HttpResponse, parseJson, readBytes } from "../http/http.ts";
import { isPullLimit } from "../http/pull-limit.ts";
import { defaultRetryPolicy, isTemporaryStatus, parseRetryAfter } from "../http/retry.ts";
import { printable } from "../log/log.ts";
import { createAdvice, pullAdvice, pushAdvice } from "../vendors/permission-advice.ts";

/**
 * Longest problem that a failure tells, in characters: some name a dozen digests. What a broken connection says may quote
 * the server: names in its certificate, the address of a redirect.
 */
export const problemLimit = 1000;

/** Largest error body that is read, in bytes; what is useful in one fits a line. */
const errorBodyLimit = 64 * 1024;

const errorSchema = v.object({
  errors: v.array(
    v.object({ code: v.optional(v.string(), ""), message: v.optional(v.nullable(v.string()), "") }),
  ),
});

export interface RefusedOperation {
  readonly side: Side;
  readonly registry: string;
  readonly repository: string;
  readonly operation: string;
  readonly subject?: string | undefined;
}

/** The failure that a registry's answer means. Reads, and so frees, the response. */
export async function refusal(
  response: HttpResponse,
  of: RefusedOperation,
  clock: Clock,
): Promise<OperationError> {
  const { code, text } = await errorIn(response);
  const pause = parseRetryAfter(response.header("retry-after"), clock.now());
  const worthWaiting = (pause ?? 0) <= defaultRetryPolicy.longestRetryAfter;
  return new OperationError({
    side: of.side,
    host: of.registry,
    repository: of.repository,
    operation: of.operation,
    subject: of.subject,
    status: response.status,
    code,
    problem: text,
    advice: adviceFor(response.status, text, of),
    temporary: isTemporaryStatus(response.status) && !isPullLimit(text) && worthWaiting,
    // A pause that nobody should keep is not handed on: whoever sleeps for it would sleep for hours.
    retryAfterMs: worthWaiting ? pause : undefined,
  });
}

/** The code and the words of an error body: JSON of the specification, or whatever it is. A HEAD has none. */
async function errorIn(response: HttpResponse): Promise<{ code: string | undefined; text: string }> {
  const nothing = { code: undefined, text: "the registry gave no reason" };
  const body = await readBytes(response, errorBodyLimit).then(
    (bytes) => bytes.toString("utf8"),
    () => "",
  );
  if (body.trim() === "") return nothing;
  try {
    const [first] = parseJson(body, errorSchema).errors;
    if (first === undefined) return nothing;
    const code = /^[A-Z][A-Z0-9_]{0,63}$/.test(first.code) ? first.code : undefined;
    return { code, text: printable(first.message ?? "") || nothing.text };
  } catch {
    // Plain text and HTML are common from proxies in front of a registry. Each tag is looked for up to the next one
    // only: a body of nothing but `<` must not take seconds.
    return {
      code: undefined,
      text: printable(body.replace(/<[^<>]*>/g, " ").replace(/\s+/g, " ")) || nothing.text,
    };
  }
}

function adviceFor(
  status: number,
  text: string,
  { side, registry }: Pick<RefusedOperation, "side" | "registry">,
): string | undefined {
  if (isPullLimit(text)) {
    return "Docker Hub's pull limit passes within six hours; log in, or put another source first.";
  }
  if (side === "destination" && /immutable/i.test(text)) {
    return "The tag is immutable at this registry and keeps what it holds: change that rule there, or set `overwrite: false`.";
  }
  // Harbor's words, which TCR is built on: a 403 like one for a login without rights.
  if (side === "destination" && /\bquota\b|exceed the configured upper limit/i.test(text)) {
    return "The storage quota of this namespace or instance is used up: free some of it, or have it raised.";
  }
  if (status === 401 || status === 403) {
    return side === "source" ? pullAdvice(registry) : pushAdvice(registry);
  }
  if (status === 404 && side === "destination") return createAdvice(registry);
  if (status === 413) return "The registry takes no manifest or layer of this size.";
  if (status === 429) return "The registry limits requests; run again later.";
  if (status >= 500)
    return "The registry has trouble of its own; run again later: what is there already is not sent again.";
  return undefined;
}
