import * as v from "valibot";
import type { Clock } from "../clock.ts";
import { messageOf, OperationError, type Side } from "../errors.ts";
import { connectionAdvice } from "../http/connection-advice.ts";
import { discard, type HttpRequest, type HttpResponse, readJson, type Transport } from "../http/http.ts";
import { type Lease, type Leased, leased } from "../http/lease.ts";
import { isBrokenConnection } from "../http/retry.ts";
import { type Log, printable } from "../log/log.ts";
import type { Vendor } from "../vendors/vendor.ts";
import { mannersOf } from "../vendors/vendors.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { basicHeader, type Credential, type Credentials } from "./credentials.ts";
import { registryOrigin } from "./reference.ts";
import { loginAdvice, refusedLogin } from "./refused-login.ts";
import { problemLimit } from "./registry-error.ts";
import { printScope, type Scope } from "./scope.ts";
import { type SharedTokens, sharedTokens } from "./shared-tokens.ts";
import { openRealm, trustedRealm } from "./token-server.ts";
import { isUntaken } from "./untaken-login.ts";

/** What a search for a login found. */
export interface SoughtLogin {
  readonly found: Credential | undefined;
}

/** How to log in to a registry, as its challenge on `/v2/` says. */
type Scheme = { readonly kind: "none" } | { readonly kind: "basic" } | BearerScheme;

interface BearerScheme {
  readonly kind: "bearer";
  readonly realm: URL;
  readonly service: string | undefined;
  /** Why its token server gets no login; undefined: it may have one. */
  readonly distrust: OperationError | undefined;
}

/** Life of a token without `expires_in`, in seconds, and the least that is believed. https://distribution.github.io/distribution/spec/auth/token/ */
const shortestTokenLife = 60;
/** The longest life that is believed, in seconds; a day outlasts every job. */
const longestTokenLife = 24 * 3600;
/** A token is renewed this long before its end, in seconds, so that a request that starts with it also arrives with it. */
const renewalMargin = 30;

/** Largest answer of a token server, in bytes; tokens with many scopes reach some kilobytes. */
const tokenLimit = 128 * 1024;

const tokenSchema = v.object({
  token: v.nullish(v.string()),
  access_token: v.nullish(v.string()),
  expires_in: v.nullish(v.number()),
});

export interface AuthenticatorOptions {
  /** Canonical host, with the port if there is one. */
  readonly registry: string;
  /** What is known of the registry. */
  readonly vendor: Vendor;
  /** Origin of the token server on another host that the user trusts with the login. */
  readonly tokenServer?: URL | undefined;
  readonly side: Side;
  /** Nothing is written there, although it is a destination: a login that may only pull serves. */
  readonly readOnly?: true | undefined;
  readonly credentials: Credentials;
  /** Sends again what fails for the moment, where the body allows it. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The logins to one registry. It asks `/v2/` once how to log in, and keeps a login for each set of scopes until it is refused
 * or, a token, until shortly before its end. https://distribution.github.io/distribution/spec/auth/token/
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #scheme: Leased<Scheme>;
  /** The login by Basic, the same for all scopes. */
  readonly #basic: Leased<string | undefined>;
  readonly #headers = new Map<string, Leased<string | undefined>>();
  readonly #shared: SharedTokens;
  #sought: SoughtLogin | undefined;
  /** What the challenge of a refused request said. */
  #challenged: Scheme | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#shared = sharedTokens({
      logIn: (scopes, signal) => this.#logIn(scopes, signal, unlessRefused),
      believesUnreadable: mannersOf(options.vendor).grantsUnreadably === true,
      clock: options.clock,
    });
    this.#scheme = leased(options.clock, async (signal) => forGood(await this.#askScheme(signal)));
    this.#basic = leased(options.clock, async (signal) => {
      const credential = await this.credential(signal);
      return forGood(credential === undefined ? undefined : basicHeader(credential));
    });
  }

  /** What the last search for a login found; undefined: none was asked for. */
  get sought(): SoughtLogin | undefined {
    return this.#sought;
  }

  /**
   * Asks the registry how to log in, so that the first request does not wait for it. A failure is not told here: the first
   * request meets it again.
   */
  async greet(signal: AbortSignal): Promise<void> {
    await this.#scheme.get(signal).catch(() => undefined);
  }

  /** Foresees requests with these scopes, so that one token is asked for many of them. Sends nothing. */
  foresee(scopes: readonly Scope[]): void {
    this.#shared.foresee(scopes);
  }

  /**
   * What the registry calls itself in its challenge; undefined where it asks for no token.
   * @throws OperationError when it does not answer as a registry does.
   */
  async service(signal: AbortSignal): Promise<string | undefined> {
    const scheme = await this.#scheme.get(signal);
    return scheme.kind === "bearer" ? scheme.service : undefined;
  }

  /**
   * The `authorization` header for these scopes; undefined where the registry wants none. Callers that ask for the same
   * scopes at the same time share the answer.
   * @throws OperationError when the login is refused.
   */
  async header(scopes: readonly Scope[], signal: AbortSignal | undefined): Promise<string | undefined> {
    const shared = await this.#shared.header(scopes, signal);
    if (shared !== undefined) return shared;
    const key = keyOf(scopes);
    const known = this.#headers.get(key);
    const header = known ?? leased(this.#options.clock, (asker) => this.#logIn(scopes, asker));
    if (known === undefined) this.#headers.set(key, header);
    return header.get(signal);
  }

  /** Whether a refused header may be good for other repositories only. */
  isDoubtful(authorization: string | undefined): boolean {
    return this.#shared.isDoubtful(authorization);
  }

  /**
   * Forgets what a refusal has proved wrong, so that `header` asks anew. The challenge of the refused request wins over the
   * one of `/v2/`, which some registries answer without any.
   * @param authorization the header that was refused: of several requests that were refused with it, only the first
   * takes it away.
   * @throws OperationError when the challenge cannot be met.
   */
  forget(scopes: readonly Scope[], refusal: HttpResponse, authorization: string | undefined): void {
    this.#shared.forget(authorization);
    this.#headers.get(keyOf(scopes))?.drop(authorization);
    this.#basic.drop(authorization);
    // An empty header asks for nothing. Harbor sends one for a project that is not there.
    if (challengesIn(refusal).length === 0) return;
    const scheme = this.#schemeOf(refusal);
    if (scheme.kind === "bearer" && scheme.distrust !== undefined) throw scheme.distrust;
    this.#challenged = scheme;
  }

  /** @param judge takes what came of asking the token server, and of nothing else. */
  async #logIn(
    scopes: readonly Scope[],
    signal: AbortSignal | undefined,
    judge: (asking: Promise<Lease<string>>) => Promise<Lease<string | undefined>> = (asking) => asking,
  ): Promise<Lease<string | undefined>> {
    const scheme = this.#challenged ?? (await this.#scheme.get(signal));
    if (scheme.kind === "none") return forGood(undefined);
    if (scheme.kind === "basic") return forGood(await this.#basic.get(signal));
    const credential = await this.credential(signal);
    return judge(this.#fetchToken(scheme, scopes, credential, signal));
  }

  async #askScheme(signal: AbortSignal | undefined): Promise<Scheme> {
    const url = new URL("/v2/", registryOrigin(this.#options.registry));
    const response = await this.#send({ method: "GET", url, signal }, "reaching the registry");
    await discard(response);
    // A server that a redirect led to must not decide how to log in here (P7).
    if (response.status === 401 && response.url.origin !== url.origin) return { kind: "none" };
    if (response.status === 401) return this.#schemeOf(response);
    if (response.status < 300) return { kind: "none" };
    throw this.#failure("reaching the registry", url, {
      status: response.status,
      problem: "its /v2/ does not answer as a registry does",
      advice:
        response.status === 403
          ? (this.#options.vendor.rights?.shutOut ??
            "An allowlist of the registry may keep this runner's address out.")
          : "Check the host name in the destination or source.",
    });
  }

  #schemeOf(response: HttpResponse): Scheme {
    const challenges = challengesIn(response);
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    if (bearer !== undefined) {
      return {
        kind: "bearer",
        ...this.#realmOf(bearer.parameters.get("realm") ?? "", response.url),
        service: bearer.parameters.get("service"),
      };
    }
    if (challenges.some((challenge) => challenge.scheme === "basic")) return { kind: "basic" };
    throw this.#failure("logging in", response.url, {
      status: response.status,
      problem: "it asks for a login in no known way",
    });
  }

  #realmOf(realm: string, base: URL): Pick<BearerScheme, "realm" | "distrust"> {
    const { registry, vendor, side, tokenServer } = this.#options;
    const trusted = trustedRealm(realm, base, vendor, tokenServer);
    if (typeof trusted !== "string") return { realm: trusted, distrust: undefined };
    const open = openRealm(realm, base);
    const distrust = this.#failure("logging in", base, {
      problem: trusted,
      advice: open === undefined ? noLoginSent : tokenServerAdvice(registry, side, open.host),
    });
    if (open === undefined) throw distrust;
    return { realm: open, distrust };
  }

  async #fetchToken(
    scheme: BearerScheme,
    scopes: readonly Scope[],
    credential: Credential | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Lease<string>> {
    if (scheme.distrust !== undefined && credential !== undefined) throw scheme.distrust;
    const { clock, log, side, registry, tokenServer } = this.#options;
    const request = tokenRequest(scheme, scopes, credential);
    // What the user names may be anywhere, as a registry may.
    const namedBy = request.url.origin === tokenServer?.origin ? undefined : registryOrigin(registry);
    const response = await this.#send({ ...request, namedBy, signal }, "asking its token server");
    // The server that a redirect leads to gets no login, so its token would be the one that everybody gets.
    if (credential !== undefined && response.url.origin !== request.url.origin) {
      await discard(response);
      throw this.#failure("asking its token server", request.url, {
        problem: `it redirected to another host, ${response.url.host}`,
        advice: noLoginSent,
      });
    }
    if (response.status !== 200) {
      const { lacksScopes, ...refused } = await refusedLogin(response, credential, this.#options);
      // The login is good, but for other repositories: an organisation's token does not read what is public elsewhere unless
      // it has a resource for that (`public`, docs.docker.com, schema orgAccessTokenResource). Without a login it can be
      // read.
      if (lacksScopes && side === "source" && credential !== undefined) {
        log.debug(`${registry}: the login does not reach this repository; reading without it`);
        return this.#fetchToken(scheme, scopes, undefined, signal);
      }
      throw this.#failure("asking its token server", request.url, refused);
    }
    const answer = await readJson(response, tokenSchema, tokenLimit).catch((error: unknown) => {
      throw this.#failure("asking its token server", request.url, { problem: messageOf(error) });
    });
    const value = answer.token || answer.access_token;
    if (value === undefined || value === null || value === "" || /[^\x21-\x7e]/.test(value)) {
      throw this.#failure("asking its token server", request.url, {
        problem: "the answer holds no usable token",
      });
    }
    log.mask(value);
    if (credential !== undefined && isUntaken(value, scopes, scheme.service)) {
      throw this.#failure("asking its token server", request.url, {
        problem:
          "the login was not taken: the token that came is the one for everybody, which is good for no push",
        advice: loginAdvice(registry, credential),
      });
    }
    const life = Math.min(
      Math.max(answer.expires_in ?? shortestTokenLife, shortestTokenLife),
      longestTokenLife,
    );
    return { value: `Bearer ${value}`, until: clock.now() + (life - renewalMargin) * 1000 };
  }

  async #send(request: HttpRequest, operation: string): Promise<HttpResponse> {
    try {
      return await this.#options.transport.send(request);
    } catch (error) {
      if (request.signal?.aborted === true) throw error;
      throw this.#failure(operation, request.url, {
        problem: messageOf(error),
        advice:
          (isBrokenConnection(error) ? this.#options.vendor.rights?.shutOut : undefined) ??
          connectionAdvice(error),
        temporary: isBrokenConnection(error),
        cause: error,
      });
    }
  }

  /** The login, with every form of it masked before its first use. */
  async credential(signal: AbortSignal | undefined): Promise<Credential | undefined> {
    const credential = await this.#options.credentials(signal);
    this.#sought = { found: credential };
    if (credential !== undefined) {
      const { password, identityToken } = credential;
      for (const secret of [password, identityToken, basicHeader(credential).slice("Basic ".length)]) {
        if (secret !== undefined && secret !== "") this.#options.log.mask(secret);
      }
    }
    return credential;
  }

  #failure(
    operation: string,
    url: URL,
    details: {
      status?: number;
      problem: string;
      advice?: string | undefined;
      temporary?: boolean;
      cause?: unknown;
    },
  ): OperationError {
    const { cause, problem, ...rest } = details;
    return new OperationError(
      {
        side: this.#options.side,
        host: this.#options.registry,
        operation: `${operation} (${url.host})`,
        problem: printable(problem, problemLimit),
        ...rest,
      },
      { cause },
    );
  }
}

const noLoginSent = "No login was sent. If the registry is what you think it is, tell its operator.";

/** What to write where a token server on another host is the registry's own. */
function tokenServerAdvice(registry: string, side: Side, host: string): string {
  const input = side === "source" ? "source" : "destinations";
  return (
    `No login was sent. If ${host} is the token server of ${registry}, say so on its line of \`${input}\`: ` +
    `\`${registry}/…,token-server=${host}\`. If not, tell the operator of the registry.`
  );
}

function challengesIn(response: HttpResponse): readonly Challenge[] {
  return response.headers("www-authenticate").flatMap(parseChallenges);
}

/** A token server may refuse several scopes and give a token for each alone; what it refuses then is told of that one. */
function unlessRefused(asking: Promise<Lease<string>>): Promise<Lease<string | undefined>> {
  return asking.catch((error: unknown) => {
    const status = error instanceof OperationError ? error.status : undefined;
    // A server that has too much to do is not asked more.
    if (status === undefined || status === 429 || status === 503) throw error;
    return forGood(undefined);
  });
}

/** A value that stays until it is refused. */
function forGood<T>(value: T): Lease<T> {
  return { value, until: Number.POSITIVE_INFINITY };
}

function keyOf(scopes: readonly Scope[]): string {
  return scopes.map(printScope).sort().join(" ");
}

/** A GET with Basic, or, for an identity token, the OAuth2 form. https://distribution.github.io/distribution/spec/auth/oauth/ */
function tokenRequest(
  scheme: BearerScheme,
  scopes: readonly Scope[],
  credential: Credential | undefined,
): { method: "GET" | "POST"; url: URL; headers?: Record<string, string>; body?: string } {
  const parameters: [string, string][] = scheme.service === undefined ? [] : [["service", scheme.service]];
  const printed = scopes.map(printScope);
  if (credential?.identityToken !== undefined) {
    const form = new URLSearchParams([
      ...parameters,
      ["grant_type", "refresh_token"],
      ["refresh_token", credential.identityToken],
      ["client_id", "harbor-release-mirror"],
      ["scope", printed.join(" ")],
    ]);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { method: "POST", url: scheme.realm, headers, body: form.toString() };
  }
  const url = new URL(scheme.realm);
  for (const [name, value] of parameters) url.searchParams.set(name, value);
  for (const scope of printed) url.searchParams.append("scope", scope);
  return credential === undefined
    ? { method: "GET", url }
    : { method: "GET", url, headers: { authorization: basicHeader(credential) } };
}
