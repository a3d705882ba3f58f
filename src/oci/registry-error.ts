import type { Clock } from "../clock.ts";
import { OperationError, type Side } from "../errors.ts";
import type { HttpResponse } from "../http/http.ts";
import { isPullLimit } from "../http/pull-limit.ts";
import { defaultRetryPolicy, isTemporaryStatus, parseRetryAfter } from "../http/retry.ts";
import { createAdvice, pullAdvice, pushAdvice } from "../vendors/permission-advice.ts";
import type { Vendor } from "../vendors/vendor.ts";
import type { Login } from "./credentials.ts";
import { errorIn } from "./error-body.ts";
import { loginAdvice } from "./refused-login.ts";

/**
 * Longest problem that a failure tells, in characters: some name a dozen digests. What a broken connection says may quote
 * the server: names in its certificate, the address of a redirect.
 */
export const problemLimit = 1000;

export interface RefusedOperation {
  readonly side: Side;
  /** Whether nothing is written there, although it is a destination. */
  readonly readOnly?: true | undefined;
  readonly registry: string;
  readonly vendor: Vendor;
  /** The login that it was sent with; undefined: none was asked for. */
  readonly sought?: { readonly found: Login | undefined } | undefined;
  /** Undefined: it was about all of them. */
  readonly repository: string | undefined;
  readonly operation: string;
  readonly subject?: string | undefined;
  /** What the user can do where the registry refuses what is sent for what it is. */
  readonly advice?: string | undefined;
  /** The host that answered, where the registry had redirected there: its storage, mostly. */
  readonly elsewhere?: string | undefined;
}

/** The failure that a registry's answer means. Reads, and so frees, the response. */
export async function refusal(
  response: HttpResponse,
  of: RefusedOperation,
  clock: Clock,
): Promise<OperationError> {
  const { code, text, digests } = await errorIn(response, of.repository ?? "");
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
    digests: digests.length === 0 ? undefined : digests,
    advice: adviceFor(response.status, text, of),
    temporary: isTemporaryStatus(response.status) && !isPullLimit(text) && worthWaiting,
    // A pause that is too long to keep is not handed on: a caller would sleep for hours.
    retryAfterMs: worthWaiting ? pause : undefined,
  });
}

/** Harbor's answer for an image that a policy withholds. */
const withheldAdvice =
  "A policy of its project lets nobody pull this image now: that it must be signed, or must not have vulnerabilities. Sign it, or " +
  "change the policy in the project's configuration.";

/** Statuses by which registries refuse content for what it is; Alibaba answers 403 to manifests that it does not know. */
const contentRefusals: readonly number[] = [400, 403, 405, 406, 415, 422];

function adviceFor(
  status: number,
  text: string,
  { side, readOnly, registry, vendor, sought, elsewhere, operation, advice }: RefusedOperation,
): string | undefined {
  const onlyPulls = side === "source" || readOnly === true;
  if (elsewhere !== undefined && (status === 401 || status === 403)) {
    return (
      `The registry redirected to ${elsewhere}, which refused: the login has nothing to do with it. A proxy or an address list ` +
      "on the way, or the runner's clock, may be why."
    );
  }
  if (isPullLimit(text)) {
    return "Docker Hub's pull limit passes within six hours; log in, or put another source first.";
  }
  if (side === "destination" && /immutable/i.test(text)) {
    const otherwise =
      operation === "deleting"
        ? "`keep=all` for this destination"
        : "`overwrite: false` or `overwrite: skip`";
    return `The tag is immutable at this registry and keeps what it holds: change that rule there, or set ${otherwise}.`;
  }
  // Harbor's words, with 403 or 503. Distribution with `readonly` knows no request that opens an upload: a 405 without a word.
  // https://distribution.github.io/distribution/about/configuration/#readonly
  const opensNone = status === 405 && operation === "starting an upload";
  if (side === "destination" && (opensNone || /\bread[- ]?only mode\b/i.test(text))) {
    return (
      "The registry is in read-only mode, for maintenance mostly: run again when it is over. Its operator ends it (Harbor: " +
      "Configuration, System Settings; distribution: `storage.maintenance.readonly`)."
    );
  }
  // Harbor's words, which TCR is built on, with a 403 or 412 like one for a login without rights; and those of Amazon ECR.
  if (
    side === "destination" &&
    /\bquota\b|exceed the configured upper limit|maximum allowed number of/i.test(text)
  ) {
    return (
      "A quota of this namespace or instance is used up: free some of it, or have it raised. New versions are copied before old " +
      "ones are pruned, so it has to hold one version more than `keep` says."
    );
  }
  // Harbor's words, with status 401: https://github.com/goharbor/harbor, src/server/middleware/artifactinfo
  if (side === "destination" && /\bproject \S+ not found/i.test(text)) {
    return "Make the project there first: Harbor makes repositories on a push, but no projects. Or correct its name in `destinations`.";
  }
  if (advice !== undefined && contentRefusals.includes(status)) return advice;
  if (status === 401 && sought !== undefined) {
    const login = loginAdvice(registry, sought.found);
    if (onlyPulls && sought.found === undefined) return `${login} ${pullAdvice(vendor)}`;
    const right = onlyPulls ? vendor.rights?.pull : vendor.rights?.push;
    return right === undefined ? login : `${login} ${right}`;
  }
  if (status === 401 || status === 403) {
    return onlyPulls ? pullAdvice(vendor) : pushAdvice(vendor);
  }
  if (status === 404 && !onlyPulls) return createAdvice(vendor);
  if (status === 412) return withheldAdvice;
  if (status === 413)
    return "The request is too large for the registry, or for a proxy in front of it: raise its limit for bodies (nginx: `client_max_body_size`).";
  if (status === 429) return "The registry limits requests; run again later.";
  if (status >= 500)
    return "The registry has trouble of its own; run again later: what is there already is not sent again.";
  return undefined;
}
