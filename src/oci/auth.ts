import * as v from "valibot";
import type { Clock } from "../clock.ts";
import { messageOf, OperationError, type Side } from "../errors.ts";
import { type Log, printable } from "../log.ts";
import { parseChallenges } from "./challenge.ts";
import type { Credential, Credentials } from "./credentials.ts";
import { discard, type HttpResponse, readJson, type Transport } from "./http.ts";
import { registryOrigin } from "./reference.ts";

/** What a request needs to be allowed: actions on a repository. */
export interface Scope {
  readonly repository: string;
  readonly actions: readonly ("pull" | "push" | "delete")[];
}

/** How a registry wants to be asked, as its challenge on `/v2/` says. */
type Scheme =
  | { readonly kind: "none" }
  | { readonly kind: "basic" }
  | { readonly kind: "bearer"; readonly realm: URL; readonly service: string | undefined };

interface Token {
  readonly value: string;
  /** Milliseconds since the epoch, by our own clock from the moment the token arrived. */
  readonly renewAt: number;
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
  token: v.optional(v.string()),
  access_token: v.optional(v.string()),
  expires_in: v.optional(v.nullable(v.number())),
});

export interface AuthenticatorOptions {
  readonly registry: string;
  readonly side: Side;
  readonly credentials: Credentials;
  /** Retries what fails for the moment. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The logins to one registry: asks `/v2/` once how it wants to be asked, and keeps a token for each set of scopes until
 * shortly before its end. https://distribution.github.io/distribution/spec/auth/token/
 */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #tokens = new Map<string, Promise<Token>>();
  #scheme: Promise<Scheme> | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /**
   * The `authorization` header for these scopes; undefined where the registry wants none.
   * @throws OperationError when the login is refused.
   */
  async header(scopes: readonly Scope[], signal: AbortSignal | undefined): Promise<string | undefined> {
    const scheme = await this.#schemeOnce(signal);
    if (scheme.kind === "none") return undefined;
    if (scheme.kind === "basic") return this.#basic(signal);
    const key = scopes.map(printScope).sort().join(" ");
    for (let pending = this.#tokens.get(key); pending !== undefined; pending = this.#tokens.get(key)) {
      const token = await pending;
      if (token.renewAt > this.#options.clock.now()) return `Bearer ${token.value}`;
      // Of all that found it too old, the first takes it away; the others then wait for the new one.
      if (this.#tokens.get(key) === pending) this.#tokens.delete(key);
    }
    const fetching = this.#fetchToken(scheme, scopes, signal);
    this.#tokens.set(key, fetching);
    // A refusal must not be remembered: the next request may ask again.
    fetching.catch(() => this.#tokens.delete(key));
    return `Bearer ${(await fetching).value}`;
  }

  /**
   * Forgets what a 401 has proved wrong, so that `header` asks anew. The challenge of the refused request wins over the
   * one of `/v2/`, which some registries answer without any.
   */
  forget(scopes: readonly Scope[], refusal: HttpResponse): void {
    this.#tokens.delete(scopes.map(printScope).sort().join(" "));
    if (refusal.headers("www-authenticate").length > 0) {
      this.#scheme = Promise.resolve(this.#schemeOf(refusal));
      this.#scheme.catch(() => {
        this.#scheme = undefined;
      });
    }
  }

  #schemeOnce(signal: AbortSignal | undefined): Promise<Scheme> {
    if (this.#scheme === undefined) {
      const asking = this.#askScheme(signal);
      this.#scheme = asking;
      asking.catch(() => {
        this.#scheme = undefined;
      });
    }
    return this.#scheme;
  }

  async #askScheme(signal: AbortSignal | undefined): Promise<Scheme> {
    const url = new URL("/v2/", registryOrigin(this.#options.registry));
    let response: HttpResponse;
    try {
      response = await this.#options.transport.send({ method: "GET", url, signal });
    } catch (error) {
      throw this.#failure("reaching the registry", url, {
        problem: messageOf(error),
        temporary: true,
        cause: error,
      });
    }
    await discard(response);
    if (response.status === 401) return this.#schemeOf(response);
    if (response.status < 300) return { kind: "none" };
    throw this.#failure("reaching the registry", url, {
      status: response.status,
      problem: "its /v2/ does not answer as a registry does",
      advice:
        response.status === 403
          ? "An allowlist of the registry may keep this runner's address out."
          : "Check the host name in the destination or source.",
    });
  }

  #schemeOf(response: HttpResponse): Scheme {
    const challenges = response.headers("www-authenticate").flatMap(parseChallenges);
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    if (bearer !== undefined) {
      return {
        kind: "bearer",
        realm: this.#trustedRealm(bearer.parameters.get("realm") ?? "", response.url),
        service: bearer.parameters.get("service"),
      };
    }
    if (challenges.some((challenge) => challenge.scheme === "basic")) return { kind: "basic" };
    throw this.#failure("logging in", response.url, {
      status: response.status,
      problem: "it asks for a login in no known way",
    });
  }

  /** The token server that a challenge names, if it may be trusted with a login: never in the clear, never on a foreign host. */
  #trustedRealm(realm: string, base: URL): URL {
    const url = URL.canParse(realm, base.href) ? new URL(realm, base) : undefined;
    const refuse = (problem: string): OperationError =>
      this.#failure("logging in", base, {
        problem,
        advice: "No login was sent. If the registry is what you think it is, tell its operator.",
      });
    if (url === undefined) throw refuse("its token server has no usable address");
    if (url.username !== "" || url.password !== "")
      throw refuse("its token server's address has a login in it");
    if (url.protocol !== base.protocol && url.protocol !== "https:")
      throw refuse("its token server is not on https");
    if (!isRelatedHost(base.hostname, url.hostname)) {
      throw refuse(`it names a token server on another host, ${printable(url.hostname)}`);
    }
    return url;
  }

  async #fetchToken(
    scheme: Scheme & { kind: "bearer" },
    scopes: readonly Scope[],
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const { transport, clock, log } = this.#options;
    const credential = await this.#credential(signal);
    const request = tokenRequest(scheme, scopes, credential);
    let response: HttpResponse;
    try {
      response = await transport.send({ ...request, signal });
    } catch (error) {
      throw this.#failure("asking its token server", request.url, {
        problem: messageOf(error),
        temporary: true,
        cause: error,
      });
    }
    if (response.status !== 200) {
      await discard(response);
      throw this.#failure("asking its token server", request.url, refusedLogin(response.status, credential));
    }
    const answer = await readJson(response, tokenSchema, tokenLimit).catch((error: unknown) => {
      throw this.#failure("asking its token server", request.url, { problem: messageOf(error) });
    });
    const value = answer.token || answer.access_token;
    if (value === undefined || value === "" || /[^\x21-\x7e]/.test(value)) {
      throw this.#failure("asking its token server", request.url, {
        problem: "the answer holds no usable token",
      });
    }
    log.mask(value);
    const life = Math.min(
      Math.max(answer.expires_in ?? shortestTokenLife, shortestTokenLife),
      longestTokenLife,
    );
    return { value, renewAt: clock.now() + (life - renewalMargin) * 1000 };
  }

  async #basic(signal: AbortSignal | undefined): Promise<string | undefined> {
    const credential = await this.#credential(signal);
    return credential === undefined ? undefined : basicHeader(credential);
  }

  /** The login, with every form of it masked before its first use. */
  async #credential(signal: AbortSignal | undefined): Promise<Credential | undefined> {
    const credential = await this.#options.credentials(signal);
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
    details: { status?: number; problem: string; advice?: string; temporary?: boolean; cause?: unknown },
  ): OperationError {
    const { cause, ...rest } = details;
    return new OperationError(
      {
        side: this.#options.side,
        host: this.#options.registry,
        operation: `${operation} (${url.host})`,
        ...rest,
      },
      { cause },
    );
  }
}

function printScope(scope: Scope): string {
  return `repository:${scope.repository}:${scope.actions.join(",")}`;
}

function basicHeader(credential: Credential): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString("base64")}`;
}

/** A GET with Basic, or, for an identity token, the OAuth2 form. https://distribution.github.io/distribution/spec/auth/oauth/ */
function tokenRequest(
  scheme: Scheme & { kind: "bearer" },
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

function refusedLogin(
  status: number,
  credential: Credential | undefined,
): { status: number; problem: string; advice: string; temporary: boolean } {
  const refused = status === 401 || status === 403;
  const problem = refused ? "the login was refused" : "no token was given";
  const advice = !refused
    ? "Try again later."
    : credential === undefined
      ? "No login is known for this registry: set its inputs, or log in with docker/login-action in an earlier step."
      : "Check the user name and the token, that the token is still valid, and that it may reach this repository.";
  return { status, problem, advice, temporary: !refused };
}

/**
 * Token servers that live under another name than their registry: Alibaba's are shared by a region, and its enterprise
 * registries have one more label than their token server.
 */
const knownTokenServers: readonly (readonly [registry: RegExp, tokenServer: RegExp])[] = [
  [/\.aliyuncs\.com$/, /^dockerauth(-vpc|-ee|-ee-vpc)?\.[a-z0-9-]+\.aliyuncs\.com$/],
];

/**
 * Whether a token server belongs to a registry: the same host, one below the other, or both directly below the same
 * name of at least two labels (registry-1.docker.io and auth.docker.io).
 */
function isRelatedHost(registry: string, tokenServer: string): boolean {
  if (registry === tokenServer) return true;
  if (knownTokenServers.some(([ours, theirs]) => ours.test(registry) && theirs.test(tokenServer)))
    return true;
  if (/^[0-9.]+$/.test(registry) || registry.includes(":")) return false;
  if (registry.endsWith(`.${tokenServer}`) && tokenServer.includes(".")) return true;
  if (tokenServer.endsWith(`.${registry}`)) return true;
  const parent = registry.slice(registry.indexOf(".") + 1);
  return parent.includes(".") && tokenServer.endsWith(`.${parent}`);
}
