import type { Clock } from "../clock.ts";
import { messageOf, OperationError, type Side } from "../errors.ts";
import { connectionAdvice } from "../http/connection-advice.ts";
import { discard, type HttpRequest, type HttpResponse, hasBodyToRepeat } from "../http/http.ts";
import { type PullBudget, pullBudgetIn } from "../http/pull-limit.ts";
import { isBrokenConnection } from "../http/retry.ts";
import { Slots } from "../http/slots.ts";
import { printable } from "../log/log.ts";
import type { Vendor } from "../vendors/vendor.ts";
import { mannersOf, vendorOf } from "../vendors/vendors.ts";
import { Authenticator, type AuthenticatorOptions } from "./auth.ts";
import { addChallenged } from "./challenge.ts";
import type { Credentials, Login } from "./credentials.ts";
import { grantedActions } from "./granted-actions.ts";
import { registryOrigin } from "./reference.ts";
import { ReferrerKinds } from "./referrer-kinds.ts";
import { problemLimit, refusal } from "./registry-error.ts";
import type { Scope } from "./scope.ts";
import { harborService } from "./untaken-login.ts";

/** A registry needs what its logins need. */
export interface RegistryOptions extends Omit<AuthenticatorOptions, "vendor"> {
  /** Default: told from the registry's name. */
  readonly vendor?: Vendor | undefined;
  /**
   * The login of a repository, where it has another than `credentials`. Two accounts of one registry share no token. Undefined: it
   * has no other.
   */
  readonly loginOf?: ((repository: string) => Login | undefined) | undefined;
}

export interface RegistryRequest {
  readonly method: HttpRequest["method"];
  /** Path below the registry's origin, or a URL that the registry gave for an upload. */
  readonly target: string | URL;
  /** The repository that the request is about, and then others that it reads from, for a mount. */
  readonly scopes: readonly [Scope, ...Scope[]];
  /** What is being done, as a gerund, for messages. */
  readonly operation: string;
  /** What exactly the operation concerns: see `FailureDetails`. */
  readonly subject?: string;
  /** What the user can do where the registry refuses what is sent for what it is. */
  readonly advice?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpRequest["body"];
  readonly connection?: HttpRequest["connection"];
  readonly once?: HttpRequest["once"];
  readonly answer?: HttpRequest["answer"];
  /** Whether the request carries a blob: it has slots of its own, and takes none of the few for small requests. */
  readonly transfer?: boolean;
  /** Of the small requests that wait for a slot, the one with the highest priority goes first. Default: 0. */
  readonly priority?: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a failure says about a request. */
export type NamedRequest = Pick<RegistryRequest, "scopes" | "operation" | "subject" | "advice">;

/**
 * Most bytes that count as a small request. They fit the first windows of a connection, so round trips take their time, not
 * bytes, and they must not wait behind layers that take a minute.
 */
export const smallTransfer = 256 * 1024;

/** What a registry turned out not to do. It is asked once, not again for every image. */
export interface Unsupported {
  /** Lists of tags with a page size that we choose. */
  pageSize: boolean;
  /** Mounting a blob from another repository. */
  mounts: boolean;
  /** HEAD of a manifest. */
  manifestHead: boolean;
  /** HEAD of a blob. */
  blobHead: boolean;
}

/** A client of one registry, on one side of the copy. It sends requests with authorization, and failures name the registry. */
export class Registry {
  readonly registry: string;
  readonly side: Side;
  readonly origin: URL;
  readonly vendor: Vendor;
  readonly unsupported: Unsupported = {
    pageSize: false,
    mounts: false,
    manifestHead: false,
    blobHead: false,
  };
  /** The signatures and the like that it refuses. */
  readonly referrerKinds = new ReferrerKinds();
  /** Mounts that were refused, without an upload in their place; -Infinity once one has come about. */
  refusedMounts = 0;
  /** Whether a HEAD has shown a manifest here: one that finds none can then be believed. */
  headShows = false;
  readonly #options: RegistryOptions;
  readonly #authenticator: Authenticator;
  /** Of the repositories with another login. */
  readonly #others = new Map<Login, Authenticator>();
  readonly #slots: Slots;
  #pullBudget: PullBudget | undefined;

  constructor(options: RegistryOptions) {
    this.registry = options.registry;
    this.side = options.side;
    this.origin = registryOrigin(options.registry);
    this.vendor = options.vendor ?? vendorOf(options.registry);
    this.#options = options;
    this.#authenticator = new Authenticator({ ...options, vendor: this.vendor });
    this.#slots = new Slots(this.vendor.limits.requests, options.clock);
  }

  /** Opens a connection and asks for the registry's authentication challenge, while the caller has other things to do. */
  greet(signal: AbortSignal): Promise<void> {
    return this.#authenticator.greet(signal);
  }

  /** What a request that only asks needs of a repository. At a destination, one token mostly serves for asking and writing. */
  readingScope(repository: string): Scope {
    const { readOnly, side } = this.#options;
    const onlyPulls = side === "source" || readOnly === true;
    return { repository, actions: onlyPulls ? ["pull"] : mannersOf(this.vendor).reading };
  }

  /** Foresees questions about repositories, so that one token is asked for many of them. Sends nothing. */
  foresee(repositories: readonly string[]): void {
    const names = [...new Set(repositories)];
    for (const [authenticator, own] of Map.groupBy(names, (name) => this.#authenticatorOf(name)))
      authenticator.foresee(own.map((name) => this.readingScope(name)));
  }

  /**
   * Whether its challenge is Harbor's, under whatever name it runs.
   * @throws OperationError when it does not answer as a registry does.
   */
  async isHarbor(signal: AbortSignal): Promise<boolean> {
    return (await this.#authenticator.service(signal)) === harborService;
  }

  /**
   * The actions that the login may do on a repository, as far as its token says so. Asks for a token and nothing else.
   * Undefined where the token does not say.
   * @throws OperationError when the login is refused.
   */
  async granted(scope: Scope, signal: AbortSignal): Promise<readonly string[] | undefined> {
    return grantedActions(await this.#authenticatorOf(scope.repository).header([scope], signal), scope);
  }

  /** Whether both repositories have one login, so that a blob of one can be mounted in the other. */
  sharesLogin(repository: string, other: string): boolean {
    return this.#authenticatorOf(repository) === this.#authenticatorOf(other);
  }

  /** @param repository undefined: the registry as a whole. */
  #authenticatorOf(repository: string | undefined): Authenticator {
    const login = repository === undefined ? undefined : this.#options.loginOf?.(repository);
    if (login === undefined) return this.#authenticator;
    const credentials: Credentials = () => Promise.resolve(login);
    const known =
      this.#others.get(login) ?? new Authenticator({ ...this.#options, vendor: this.vendor, credentials });
    this.#others.set(login, known);
    return known;
  }

  /** Its own login, for the vendor's API; every form of it is masked before anyone gets it. */
  readonly credentials: Credentials = (signal) => this.#authenticator.credential(signal);

  /** The pulls that are left, as the registry last said; undefined while it has said nothing, as one without a limit does. */
  get pullBudget(): PullBudget | undefined {
    return this.#pullBudget;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /**
   * Sends a request. Any status but a refused login is an answer for the caller. After a 401, or a 403 to a token of which it is
   * not known what it is good for, the request is sent once more with a new login, unless its body was a stream, which is gone by then.
   * @throws OperationError when the connection broke.
   */
  send(request: RegistryRequest): Promise<HttpResponse> {
    if (request.transfer === true) return this.#authorized(request);
    return this.#slots.run(request.priority ?? 0, request.signal, async () => {
      const response = await this.#authorized(request);
      if (response.status === 429 || response.status === 503) this.#slots.throttled();
      return response;
    });
  }

  async #authorized(request: RegistryRequest): Promise<HttpResponse> {
    const authenticator = this.#authenticatorOf(request.scopes[0].repository);
    const authorization = await authenticator.header(request.scopes, request.signal);
    const response = await this.#attempt(request, authorization);
    // Blob storage that a redirect led to must not decide how to log in to this registry (P7).
    const isRefused =
      response.status === 401 || (response.status === 403 && authenticator.isDoubtful(authorization));
    if (!isRefused || response.url.origin !== this.origin.origin) return response;
    // A stream is gone once sent. Its maker has to make it again, and the next try asks for a new login.
    const again = hasBodyToRepeat(request);
    if (again) await discard(response);
    authenticator.forget(request.scopes, response, authorization);
    if (!again) return response;
    const scopes = addChallenged(request.scopes, response.headers("www-authenticate"));
    return this.#attempt(request, await authenticator.header(scopes, request.signal));
  }

  /**
   * Sends a request whose answer must be one of `statuses`.
   * @throws OperationError for any other.
   */
  async expect(request: RegistryRequest, ...statuses: readonly number[]): Promise<HttpResponse> {
    const response = await this.send(request);
    if (statuses.includes(response.status)) return response;
    throw await this.refused(response, request);
  }

  /**
   * Sends a request and reads the body of its answer.
   * @param statuses those that `read` takes; any, if none is given.
   * @throws OperationError for any other status, for a body that breaks, and for what `read` throws.
   */
  async read<T>(
    request: RegistryRequest,
    read: (response: HttpResponse) => Promise<T>,
    ...statuses: readonly number[]
  ): Promise<T> {
    const response = await (statuses.length === 0 ? this.send(request) : this.expect(request, ...statuses));
    try {
      return await read(response);
    } catch (error) {
      if (error instanceof OperationError || request.signal?.aborted === true) throw error;
      const temporary = isBrokenConnection(error);
      throw this.failure(request, { problem: messageOf(error), temporary, cause: error });
    }
  }

  /** The failure that an answer means; reads the answer. */
  refused(response: HttpResponse, request: NamedRequest): Promise<OperationError> {
    const { side, registry, vendor } = this;
    const { readOnly } = this.#options;
    const [{ repository }] = request.scopes;
    const { operation, subject, advice } = request;
    // Blob storage that a redirect led to is not asked with the login.
    const isHere = response.url.origin === this.origin.origin;
    const sought = isHere ? this.#authenticatorOf(repository).sought : undefined;
    const elsewhere = isHere ? undefined : response.url.host;
    const of = {
      side,
      readOnly,
      registry,
      vendor,
      repository,
      operation,
      subject,
      advice,
      sought,
      elsewhere,
    };
    return refusal(response, of, this.#options.clock);
  }

  /** A failure of ours to make use of an answer, told like a refusal. */
  failure(
    request: NamedRequest,
    details: { problem: string; advice?: string; temporary?: boolean; cause?: unknown },
  ): OperationError {
    const { cause, ...rest } = details;
    const { side, registry: host } = this;
    const [{ repository }] = request.scopes;
    const problem = printable(details.problem, problemLimit);
    const { operation, subject } = request;
    return new OperationError({ side, host, repository, operation, subject, ...rest, problem }, { cause });
  }

  async #attempt(request: RegistryRequest, authorization: string | undefined): Promise<HttpResponse> {
    const { method, target, body, connection, once, answer, signal, headers } = request;
    const url = new URL(target, this.origin);
    try {
      const response = await this.#options.transport.send({
        method,
        url,
        headers: authorization === undefined ? { ...headers } : { ...headers, authorization },
        ...(body === undefined ? {} : { body }),
        ...(connection === undefined ? {} : { connection }),
        ...(once === undefined ? {} : { once }),
        ...(answer === undefined ? {} : { answer }),
        signal,
      });
      this.#pullBudget = pullBudgetIn(response) ?? this.#pullBudget;
      return response;
    } catch (error) {
      if (error instanceof OperationError || signal?.aborted === true) throw error;
      throw this.failure(request, {
        problem: messageOf(error),
        temporary: isBrokenConnection(error),
        cause: error,
        advice: connectionAdvice(error) ?? "Check that the host is right and reachable from the runner.",
      });
    }
  }
}
