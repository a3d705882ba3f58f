/**
 * A token server of the Docker registry token protocol. Kept:
 * - `GET ?service=&scope=`, several `scope` parameters or several scopes in one; `POST` with `grant_type=password` or
 *   `refresh_token` (https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/);
 * - the login is optional where anonymous users may pull; a wrong one is 401, never a token for the public, but at Harbor
 *   (https://github.com/goharbor/harbor, src/core/service/token), whose token then has no `sub`;
 * - an action that is not granted is silently left out of the token: "a token with fewer rights" is no error; but access
 *   tokens of Docker Hub are refused when they ask for too much (https://github.com/docker/cli/pull/4511);
 * - `expires_in` and `issued_at`; tokens are opaque unless a test wants them readable, bound to their scopes, and run out.
 */
import { randomUUID } from "node:crypto";
import {
  type Answer,
  basicLogin,
  extend,
  json,
  readBody,
  type SandboxRequest,
  type SandboxServer,
  startServer,
} from "./server.ts";

/** `metadata_read` is Azure's; `*` is for the list of all repositories. */
export type Action = "pull" | "push" | "delete" | "metadata_read" | "*";

/** The list of all repositories, as scopes name it: https://distribution.github.io/distribution/spec/auth/scope/ */
export const catalogResource = "registry:catalog";

export interface User {
  readonly username: string;
  readonly password: string;
  /** Taken as OAuth2 refresh token, in place of name and password. */
  readonly identityToken?: string;
  /** When the login runs out, in milliseconds since the epoch. */
  readonly expiresAt?: number;
  readonly access: (repository: string, action: Action) => boolean;
  /** Asking for more than `access` is refused with 401, as Docker Hub does to access tokens. Default: it is left out. */
  readonly refusesExcess?: boolean;
}

/** A user who may do everything. */
export function fullAccess(username: string, password: string): User {
  return { username, password, access: () => true };
}

export interface TokenServerOptions {
  /** Looked up on every request, so users may come later. */
  readonly users: readonly User[];
  readonly anonymousPull?: boolean;
  /** Life of a token. Default: 300, as Docker Hub. */
  readonly tokenSeconds?: number;
  /** The only `service` that is served. Default: `sandbox`. */
  readonly service?: string;
  /** Actions that may be asked for at all; a scope with another is 400, as at Quay. Default: any. */
  readonly vocabulary?: readonly string[];
  /**
   * Whether tokens say what they are good for, as those of Docker Hub and Harbor do
   * (https://distribution.github.io/distribution/spec/auth/jwt/). Default: they are opaque.
   */
  readonly readable?: boolean;
  /** Whether a wrong login gets what everybody gets, as at Harbor. Default: it is 401. */
  readonly takesAnyLogin?: boolean;
  /** Told of every scope for which a right login gets a token. */
  readonly onScope?: (repository: string, actions: readonly string[]) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface TokenServer extends SandboxServer {
  readonly realm: string;
  readonly service: string;
  /** Every login that was sent here, right or wrong, in order. */
  readonly credentialsSeen: readonly { readonly username: string; readonly password: string }[];
  /** Every token that was given out here, in order. */
  readonly issued: readonly string[];
  /** Whether a token allows an action; `unknown` when it was never issued or has run out. */
  check(token: string, repository: string, action: Action): "allowed" | "denied" | "unknown";
  /** Whether a token was issued here and still lives. */
  isLive(token: string): boolean;
}

interface Grant {
  readonly scopes: ReadonlyMap<string, ReadonlySet<string>>;
  readonly expiresAt: number;
}

/** The user of a login, if name and password are right and have not run out. */
export function findUser(
  users: readonly User[],
  login: { username: string; password: string },
  now: number,
): User | undefined {
  return users.find(
    (user) =>
      user.username === login.username &&
      user.password === login.password &&
      (user.expiresAt === undefined || user.expiresAt > now),
  );
}

/** What the handler of requests works with. */
interface Issuer {
  readonly users: readonly User[];
  readonly publicAccess: User["access"];
  readonly credentialsSeen: { readonly username: string; readonly password: string }[];
  readonly service: string;
  readonly vocabulary: readonly string[] | undefined;
  readonly onScope: TokenServerOptions["onScope"];
  readonly now: () => number;
  readonly takesAnyLogin: boolean;
  /** @param username whose token it is; undefined: nobody's. */
  issue(scopes: readonly string[], access: User["access"], username?: string): Answer;
}

/** Starts a token server at its own origin. */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { users, anonymousPull = false, tokenSeconds = 300, service = "sandbox", now = Date.now } = options;
  const grants = new Map<string, Grant>();
  const issued: string[] = [];
  const issuer: Issuer = {
    users,
    publicAccess: (_repository, action) => anonymousPull && action === "pull",
    credentialsSeen: [],
    service,
    vocabulary: options.vocabulary,
    onScope: options.onScope,
    takesAnyLogin: options.takesAnyLogin ?? false,
    now,
    issue: (scopes, access, username) => {
      const scopesGranted = granted(scopes, access);
      const token = `${options.readable === true ? claimsOf(scopesGranted, username) : ""}sandbox-token-${randomUUID()}`;
      const issuedAt = now();
      issued.push(token);
      grants.set(token, { scopes: scopesGranted, expiresAt: issuedAt + tokenSeconds * 1000 });
      const issued_at = new Date(issuedAt).toISOString();
      return json(200, { token, access_token: token, expires_in: tokenSeconds, issued_at });
    },
  };
  const live = (token: string) => {
    const grant = grants.get(token);
    return grant !== undefined && grant.expiresAt > now() ? grant : undefined;
  };
  const server = await startServer((request) => answerTo(issuer, request));
  return extend(server, {
    realm: `${server.origin}/token`,
    service,
    credentialsSeen: issuer.credentialsSeen,
    issued,
    isLive: (token: string) => live(token) !== undefined,
    check: (token: string, repository: string, action: Action) => {
      const grant = live(token);
      if (grant === undefined) return "unknown";
      return grant.scopes.get(repository)?.has(action) ? "allowed" : "denied";
    },
  });
}

async function answerTo(issuer: Issuer, request: SandboxRequest): Promise<Answer> {
  if (request.url.pathname !== "/token") return json(404, { details: "not found" });
  const form =
    request.method === "POST" ? new URLSearchParams(String(await readBody(request, 64 * 1024))) : undefined;
  const parameters = form ?? request.url.searchParams;
  if (parameters.get("service") !== issuer.service) return json(400, { details: "unknown service" });
  const scopes = parameters.getAll("scope").flatMap((scope) => scope.split(" "));
  const { vocabulary } = issuer;
  const isKnown = (action: string): boolean => vocabulary?.includes(action) ?? true;
  if (!scopes.every((scope) => actionsOf(scope).every(isKnown)))
    return json(400, { message: "Unable to decode repository and actions" });
  if (form?.get("grant_type") === "refresh_token") {
    const identityToken = form.get("refresh_token") ?? "";
    const user = issuer.users.find((one) => one.identityToken === identityToken);
    return user === undefined
      ? json(401, { details: "invalid refresh token" })
      : issuer.issue(scopes, user.access, user.username);
  }
  const login = form === undefined ? basicLogin(request.headers) : formLogin(form);
  if (login === undefined) return issuer.issue(scopes, issuer.publicAccess);
  issuer.credentialsSeen.push(login);
  const user = findUser(issuer.users, login, issuer.now());
  if (user === undefined && issuer.takesAnyLogin) return issuer.issue(scopes, issuer.publicAccess);
  if (user === undefined) return json(401, { details: "incorrect username or password" });
  for (const scope of scopes) issuer.onScope?.(repositoryIn(scope), actionsOf(scope));
  return user.refusesExcess === true && exceeds(scopes, user.access)
    ? json(401, { details: "access token has insufficient scopes" })
    : issuer.issue(scopes, user.access, user.username);
}

/** Header and claims of a JSON Web Token; what follows stands for its signature. */
function claimsOf(scopes: Grant["scopes"], sub: string | undefined): string {
  const access = [...scopes].map(([name, actions]) => ({ type: "repository", name, actions: [...actions] }));
  const parts = [
    { alg: "RS256", typ: "JWT" },
    { sub, access },
  ];
  return parts.map((part) => `${Buffer.from(JSON.stringify(part)).toString("base64url")}.`).join("");
}

function formLogin(form: URLSearchParams): { username: string; password: string } | undefined {
  const username = form.get("username");
  const password = form.get("password");
  return username === null || password === null ? undefined : { username, password };
}

function repositoryIn(scope: string): string {
  return scope.slice(scope.indexOf(":") + 1, scope.lastIndexOf(":"));
}

function actionsOf(scope: string): readonly string[] {
  return scope.slice(scope.lastIndexOf(":") + 1).split(",");
}

/** Whether some action is asked for that a user does not have. */
function exceeds(scopes: readonly string[], access: User["access"]): boolean {
  const asked = granted(scopes, () => true);
  const given = granted(scopes, access);
  return [...asked].some(([repository, actions]) => actions.size > (given.get(repository)?.size ?? 0));
}

/**
 * The actions of `repository:<name>:<actions>` and `registry:catalog:*` scopes that a user has; everything else is left out
 * without a word.
 */
function granted(scopes: readonly string[], access: User["access"]): Map<string, Set<string>> {
  const result = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const match = /^(?:repository:(.+)|(registry:catalog)):([a-z_,*]+)$/.exec(scope);
    if (match === null) continue;
    const [, name, catalog, actions = ""] = match;
    const repository = name ?? catalog ?? "";
    const kept = actions.split(",").filter((action) => access(repository, action as Action));
    result.set(repository, new Set([...(result.get(repository) ?? []), ...kept]));
  }
  return result;
}
