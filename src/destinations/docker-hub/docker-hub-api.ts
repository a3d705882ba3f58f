import * as v from "valibot";
import type { Clock } from "../../clock.ts";
import { InputError, OperationError } from "../../errors.ts";
import { discard, type HttpRequest, type HttpResponse, readJson, type Transport } from "../../http/http.ts";
import { leased } from "../../http/lease.ts";
import { type Log, printable } from "../../log/log.ts";
import type { Credentials } from "../../oci/credentials.ts";
import type { Finding } from "../destination.ts";
import {
  apiUrl,
  checkAnswer,
  readAnswer,
  readRepositories,
  type VendorOperation,
  vendorFailure,
} from "../vendor-api.ts";
import {
  deletionAdvice,
  type HubLoginKind,
  mayDelete,
  needsNamespaceRoutes,
  whyNoDeletion,
} from "./docker-hub-login.ts";
import { RateLimit, sendPatiently } from "./docker-hub-rate-limit.ts";

/** What the Action needs of the Docker Hub API. Tags are deleted by it, because Docker Hub's registry API refuses to (405). */
export interface HubApi {
  /**
   * Deletes one tag. A tag that does not exist counts as deleted.
   * @throws OperationError when it is still there.
   */
  deleteTag(repository: HubRepository, tag: string, signal: AbortSignal): Promise<void>;
  /**
   * Logs in, and finds out from that alone why this login cannot delete tags. Undefined: it can, or Docker Hub does not say so
   * before a deletion is tried.
   * @throws OperationError when the login is refused, or Docker Hub does not answer.
   */
  whyNoDeletion(signal: AbortSignal): Promise<string | undefined>;
  /**
   * Logs in, and finds out from that alone whether this login may delete tags.
   * @throws OperationError when the login is refused, or Docker Hub does not answer.
   */
  tryDeletion(signal: AbortSignal): Promise<Finding>;
  /**
   * The repositories of a namespace, by their paths on the registry, page by page: those that the login may see, else the public
   * ones. Docker Hub does not say what it leaves out.
   * @throws OperationError (from the iteration) when the login is refused, or Docker Hub does not answer.
   */
  repositories(namespace: string, signal: AbortSignal): AsyncGenerator<readonly string[], void, undefined>;
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
  readonly kind: HubLoginKind;
  /**
   * User and access token or password; or organisation and organisation access token. Asked for at each login. Undefined: nobody
   * logs in, and only what is public is shown.
   */
  readonly credentials: Credentials | undefined;
}

/** When a bearer token is replaced, in milliseconds. It lasts 10 minutes; Harbor's Docker Hub adapter renews at 9 as well. */
const tokenLife = 9 * 60_000;

/** The most that the API gives on a page. */
const pageSize = 100;

const repositoriesSchema = v.object({
  next: v.nullish(v.string()),
  results: v.array(v.object({ name: v.string() })),
});

/** Largest answer to a refused request that is read, in bytes: a reason is one line. */
const errorLimit = 64 * 1024;

const tokenSchema = v.object({ access_token: v.pipe(v.string(), v.minLength(1)) });

/** A client for the Docker Hub API: https://docs.docker.com/reference/api/hub/latest/ */
export function createHubApi(options: HubApiOptions): HubApi {
  const { clock, log, url, kind, credentials } = options;
  const rate = new RateLimit(clock);
  let refused: OperationError | undefined;

  const token = leased(clock, async (signal) => {
    // Docker Hub locks out users who keep trying, so wrong credentials are not sent twice.
    if (refused !== undefined) throw refused;
    try {
      const value = await logIn(options, rate, signal);
      log.mask(value);
      return { value, until: clock.now() + tokenLife };
    } catch (error) {
      if (error instanceof OperationError && (error.status === 401 || error.status === 403)) refused = error;
      throw error;
    }
  });

  async function send(
    method: HttpRequest["method"],
    path: string,
    operation: VendorOperation,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const attempt = (headers: Readonly<Record<string, string>>): Promise<HttpResponse> =>
      sendPatiently(options.transport, rate, { method, url: apiUrl(url, path), headers, signal }, operation);
    if (credentials === undefined) return attempt({});
    const bearer = await token.get(signal);
    const response = await attempt({ authorization: `Bearer ${bearer}` });
    if (response.status !== 401) return response;
    await discard(response);
    token.drop(bearer);
    return attempt({ authorization: `Bearer ${await token.get(signal)}` });
  }

  async function remove(path: string, operation: VendorOperation, signal: AbortSignal): Promise<HubAnswer> {
    const response = await send("DELETE", path, operation, signal);
    return { status: response.status, words: await wordsOf(response) };
  }

  return {
    async deleteTag(repository, tag, signal) {
      const routes = deletionRoutes(repository, tag, kind);
      const path = `${repository.namespace}/${repository.name}`;
      const operation = { host: url.host, repository: path, operation: "deleting the tag", subject: tag };
      const answer = await firstServed(routes, (route) => remove(route, operation, signal));
      if (isSuccess(answer.status) || answer.status === 404) return;
      throw deletionFailure(operation, answer, kind);
    },
    whyNoDeletion: async (signal) => whyNoDeletion(kind, await token.get(signal)),
    tryDeletion: async (signal) => deletionFinding(kind, mayDelete(kind, await token.get(signal))),
    async *repositories(namespace, signal) {
      const operation = { host: url.host, operation: "listing the repositories" };
      const path = `/v2/namespaces/${namespace}/repositories`;
      for (let page = 1; ; page += 1) {
        const target = `${path}?page=${page}&page_size=${pageSize}`;
        const response = await send("GET", target, operation, signal);
        const { results, next } = await readRepositories(response, repositoriesSchema, operation, signal);
        yield results.map(({ name }) => `${namespace}/${name}`);
        if (next == null || next === "") return;
      }
    },
  };
}

function deletionFinding(kind: HubLoginKind, may: boolean | undefined): Finding {
  const remedy = deletionAdvice(kind);
  if (may === true) return { outcome: "ok", finding: "The Hub API says that this token may delete." };
  if (may === false)
    return { outcome: "missing", finding: "The Hub API says that this token may not delete.", remedy };
  const finding =
    "The Hub API takes the login; whether it may delete tags, it tells only when one is deleted.";
  return { outcome: "unknown", finding, remedy };
}

/**
 * The ways to delete a tag, best first. The first is the one that access tokens of organisations are documented to work
 * on (https://docs.docker.com/reference/api/hub/latest/, "Access tokens"). The second is older, works for users only, and
 * needs its last slash.
 */
function deletionRoutes(repository: HubRepository, tag: string, kind: HubLoginKind): readonly string[] {
  const [namespace, name, last] = [repository.namespace, repository.name, tag].map(encodeURIComponent);
  const current = `/v2/namespaces/${namespace}/repositories/${name}/tags/${last}`;
  const legacy = `/v2/repositories/${namespace}/${name}/tags/${last}/`;
  return needsNamespaceRoutes(kind) ? [current] : [current, legacy];
}

/** Tries routes until one knows the method and the tag. If none does, gives the last answer. */
async function firstServed(
  routes: readonly string[],
  send: (route: string) => Promise<HubAnswer>,
): Promise<HubAnswer> {
  let answer: HubAnswer = { status: 404, words: "" };
  for (const route of routes) {
    answer = await send(route);
    if (answer.status !== 404 && answer.status !== 405) return answer;
  }
  return answer;
}

async function logIn(
  options: HubApiOptions,
  rate: RateLimit,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { transport, url } = options;
  const credential = await options.credentials?.(signal);
  if (credential === undefined) throw new InputError("The login for Docker Hub is not there any more.");
  const operation = { host: url.host, operation: "logging in to the Docker Hub API" };
  const body = JSON.stringify({ identifier: credential.username, secret: credential.password });
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", url: apiUrl(url, "/v2/auth/token"), headers, body, signal } as const;
  const response = await sendPatiently(transport, rate, request, operation);
  const { status } = response;
  if (isSuccess(status)) {
    const text = await readAnswer(response, operation, signal);
    return checkAnswer(text, tokenSchema, operation, status).access_token;
  }
  await discard(response);
  if (status === 401 || status === 403) throw loginRefused(operation, status, options.kind);
  throw vendorFailure(operation, { status, problem: "Docker Hub gave no token" });
}

function loginRefused(operation: VendorOperation, status: number, kind: HubLoginKind): OperationError {
  return vendorFailure(operation, {
    status,
    problem: "Docker Hub does not accept the user name and the token",
    advice: kind === "keyless" ? deletionAdvice(kind) : loginAdvice,
  });
}

const loginAdvice =
  "Check `dockerhub-username` and `dockerhub-token`: use an access token rather than a password; with an " +
  "organisation access token the user name is the organisation.";

/** The answer to a request. */
interface HubAnswer {
  readonly status: number;
  /** Docker Hub's own words, fit for a log; empty for none. */
  readonly words: string;
}

const wordsSchema = v.object({ message: v.optional(v.string()), detail: v.optional(v.string()) });

/** The reason in an answer's body. Reads the response, which frees its connection. */
async function wordsOf(response: HttpResponse): Promise<string> {
  if (isSuccess(response.status)) {
    await discard(response);
    return "";
  }
  const words = await readJson(response, wordsSchema, errorLimit).catch(() => undefined);
  return printable(words?.message ?? words?.detail ?? "");
}

function deletionFailure(
  operation: VendorOperation,
  { status, words }: HubAnswer,
  kind: HubLoginKind,
): OperationError {
  const said = words === "" ? "" : ` (${words})`;
  if (status === 401) {
    return vendorFailure(operation, {
      status,
      problem: `Docker Hub does not accept its own fresh token${said}`,
      advice: "Check that the access token in `dockerhub-token` is still active.",
    });
  }
  if (/immutable/i.test(words)) {
    return vendorFailure(operation, {
      status,
      problem: `the tag is immutable${said}`,
      advice:
        "Immutable tags cannot be deleted: change the tag mutability settings of the repository on Docker Hub, or set " +
        "`keep=all` for this destination.",
    });
  }
  // Docker Hub has also answered 500 where the right was missing: https://github.com/docker/hub-feedback/issues/2398
  if (status === 403 || status === 500) {
    return vendorFailure(operation, {
      status,
      problem: `Docker Hub does not let this token delete the tag${said}`,
      advice: `${deletionAdvice(kind)} Also see that the tag is not immutable by the repository's settings.`,
    });
  }
  return vendorFailure(operation, { status, problem: `Docker Hub did not delete the tag${said}` });
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
