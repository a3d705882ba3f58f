import * as v from "valibot";
import type { Clock } from "../clock.ts";
import { OperationError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Credential } from "../oci/credentials.ts";
import { discard, type HttpRequest, type HttpResponse, type Transport } from "../oci/http.ts";
import { leased } from "../oci/lease.ts";
import { parseRetryAfter } from "../oci/retry.ts";
import {
  apiUrl,
  checkAnswer,
  readAnswer,
  sendToVendor,
  type VendorOperation,
  vendorFailure,
} from "./vendor-api.ts";

/** What the Action needs of the Docker Hub API: the registry API of Docker Hub refuses to delete a tag (405). */
export interface HubApi {
  /**
   * Deletes one tag; one that does not exist is gone already.
   * @throws OperationError when it is still there.
   */
  deleteTag(repository: HubRepository, tag: string, signal: AbortSignal): Promise<void>;
}

/** Docker Hub knows no deeper paths. */
export interface HubRepository {
  readonly namespace: string;
  readonly name: string;
}

export interface HubApiOptions {
  /** Repeats what failed in HTTP (broken connections, 5xx) by itself. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  readonly url: URL;
  /** User and access token or password; organisation and organisation access token. */
  readonly credential: Credential;
}

/** When a bearer token is replaced, in milliseconds. It lasts 10 minutes; Harbor's Docker Hub adapter renews at 9 as well. */
const tokenLife = 9 * 60_000;

/** Longest wait for the rate limit, in milliseconds. A job costs money while it waits; the next run prunes as well. */
const longestWait = 5 * 60_000;

/** Shortest wait, in milliseconds: the time to wait for is in whole seconds, of another clock. */
const shortestWait = 1000;

/** How often one request is sent while Docker Hub answers 429. */
const rateLimitAttempts = 3;

const tokenSchema = v.object({ access_token: v.pipe(v.string(), v.minLength(1)) });

/** A client for the Docker Hub API: https://docs.docker.com/reference/api/hub/latest/ */
export function createHubApi(options: HubApiOptions): HubApi {
  const { transport, clock, log, url, credential } = options;
  let refused: OperationError | undefined;

  const token = leased(clock, async (signal) => {
    // Docker Hub locks out who keeps trying: wrong credentials are not sent twice.
    if (refused !== undefined) throw refused;
    try {
      const value = await logIn(options, signal);
      log.mask(value);
      return { value, until: clock.now() + tokenLife };
    } catch (error) {
      if (error instanceof OperationError && (error.status === 401 || error.status === 403)) refused = error;
      throw error;
    }
  });

  async function send(path: string, operation: VendorOperation, signal: AbortSignal): Promise<number> {
    const attempt = async (bearer: string): Promise<HttpResponse> => {
      const headers = { authorization: `Bearer ${bearer}` };
      const request = { method: "DELETE", url: apiUrl(url, path), headers, signal } as const;
      return sendPatiently(transport, clock, request, operation);
    };
    const bearer = await token.get(signal);
    const response = await attempt(bearer);
    await discard(response);
    if (response.status !== 401) return response.status;
    token.drop(bearer);
    const again = await attempt(await token.get(signal));
    await discard(again);
    return again.status;
  }

  return {
    async deleteTag(repository, tag, signal) {
      const routes = deletionRoutes(repository, tag, credential);
      const path = `${repository.namespace}/${repository.name}`;
      const operation = { host: url.host, repository: path, operation: `deleting the tag ${tag}` };
      const status = await firstServed(routes, (route) => send(route, operation, signal));
      if (isSuccess(status) || status === 404) return;
      throw deletionFailure(operation, status);
    },
  };
}

/**
 * The ways to delete a tag, best first. The first is the one that access tokens of organisations are documented to work
 * on (https://docs.docker.com/reference/api/hub/latest/, "Access tokens"); the second is older, for people only, and
 * needs its last slash.
 */
function deletionRoutes(repository: HubRepository, tag: string, credential: Credential): readonly string[] {
  const [namespace, name, last] = [repository.namespace, repository.name, tag].map(encodeURIComponent);
  const current = `/v2/namespaces/${namespace}/repositories/${name}/tags/${last}`;
  const legacy = `/v2/repositories/${namespace}/${name}/tags/${last}/`;
  return credential.password.startsWith("dckr_oat_") ? [current] : [current, legacy];
}

/** Tries routes until one knows the method and the tag; gives the last status otherwise. */
async function firstServed(
  routes: readonly string[],
  send: (route: string) => Promise<number>,
): Promise<number> {
  let status = 404;
  for (const route of routes) {
    status = await send(route);
    if (status !== 404 && status !== 405) return status;
  }
  return status;
}

async function logIn(options: HubApiOptions, signal: AbortSignal | undefined): Promise<string> {
  const { transport, clock, url, credential } = options;
  const operation = { host: url.host, operation: "logging in to the Docker Hub API" };
  const body = JSON.stringify({ identifier: credential.username, secret: credential.password });
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", url: apiUrl(url, "/v2/auth/token"), headers, body, signal } as const;
  const response = await sendPatiently(transport, clock, request, operation);
  const { status } = response;
  if (isSuccess(status)) {
    const text = await readAnswer(response, operation, signal);
    return checkAnswer(text, tokenSchema, operation, status).access_token;
  }
  await discard(response);
  if (status === 401 || status === 403) throw loginRefused(operation, status);
  throw vendorFailure(operation, { status, problem: "Docker Hub gave no token" });
}

function loginRefused(operation: VendorOperation, status: number): OperationError {
  return vendorFailure(operation, {
    status,
    problem: "Docker Hub does not accept the user name and the token",
    advice:
      "Check `dockerhub-username` and `dockerhub-token`: use an access token rather than a password; with an " +
      "organisation access token the user name is the organisation.",
  });
}

/** Sends a request, and again after the time that Docker Hub names when it answers 429. */
async function sendPatiently(
  transport: Transport,
  clock: Clock,
  request: HttpRequest,
  operation: VendorOperation,
): Promise<HttpResponse> {
  for (let attempt = 1; ; attempt++) {
    const response = await sendToVendor(transport, request, operation);
    if (response.status !== 429) return response;
    await discard(response);
    const wait = rateLimitWait(response, clock.now());
    if (wait === undefined || wait > longestWait || attempt === rateLimitAttempts) {
      throw rateLimitFailure(operation, wait);
    }
    await clock.sleep(wait, request.signal);
  }
}

/**
 * Milliseconds that Docker Hub asks to wait: until the time in `X-Retry-After`, which is a Unix timestamp, or the usual
 * `Retry-After`, which Docker has proposed in its place (https://github.com/docker/docs/pull/22916).
 * https://docs.docker.com/reference/api/hub/latest/ ("Rate Limiting")
 */
function rateLimitWait(response: HttpResponse, now: number): number | undefined {
  const time = response.header("x-retry-after") ?? "";
  const wait = /^[0-9]{1,12}$/.test(time)
    ? Number(time) * 1000 - now
    : parseRetryAfter(response.header("retry-after"), now);
  return wait === undefined ? undefined : Math.max(wait, shortestWait);
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

function deletionFailure(operation: VendorOperation, status: number): OperationError {
  if (status === 401) {
    return vendorFailure(operation, {
      status,
      problem: "Docker Hub does not accept its own fresh token",
      advice: "Check that the access token in `dockerhub-token` is still active.",
    });
  }
  // Docker Hub has also answered 500 where the right was missing: https://github.com/docker/hub-feedback/issues/2398
  if (status === 403 || status === 500) {
    return vendorFailure(operation, {
      status,
      problem: "Docker Hub does not let this token delete the tag",
      advice:
        'Use a personal access token with the permission "Read, Write, Delete" (an organisation access token: ' +
        "`scope-tag-admin`), and see that the tag is not immutable by the repository's settings.",
    });
  }
  return vendorFailure(operation, { status, problem: "Docker Hub did not delete the tag" });
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
