/**
 * A token server of the Docker registry token protocol. Kept:
 * - `GET ?service=&scope=`, several `scope` parameters or several scopes in one; `POST` with `grant_type=password` or
 *   `refresh_token` (https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/);
 * - the login is optional where anonymous users may pull; a wrong one is 401, never a token for the public;
 * - an action that is not granted is silently left out of the token: "a token with fewer rights" is no error;
 * - `expires_in` and `issued_at`; tokens are opaque, bound to their scopes, and run out.
 */
import { randomUUID } from "node:crypto";
import {
  type Answer,
  basicLogin,
  json,
  readBody,
  type SandboxRequest,
  type SandboxServer,
  startServer,
} from "./server.ts";

export type Action = "pull" | "push" | "delete";

export interface User {
  readonly username: string;
  readonly password: string;
  /** Taken as OAuth2 refresh token, in place of name and password. */
  readonly identityToken?: string;
  /** When the login runs out, in milliseconds since the epoch. */
  readonly expiresAt?: number;
  readonly access: (repository: string, action: Action) => boolean;
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
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface TokenServer extends SandboxServer {
  readonly realm: string;
  readonly service: string;
  /** Every login that was sent here, right or wrong, in order. */
  readonly credentialsSeen: readonly { readonly username: string; readonly password: string }[];
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

/** Starts a token server at its own origin. */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { users, anonymousPull = false, tokenSeconds = 300, service = "sandbox", now = Date.now } = options;
  const grants = new Map<string, Grant>();
  const credentialsSeen: { username: string; password: string }[] = [];
  const issue = (access: User["access"], wanted: readonly string[]): Answer => {
    const token = `sandbox-token-${randomUUID()}`;
    const issuedAt = now();
    grants.set(token, { scopes: granted(wanted, access), expiresAt: issuedAt + tokenSeconds * 1000 });
    return json(200, {
      token,
      access_token: token,
      expires_in: tokenSeconds,
      issued_at: new Date(issuedAt).toISOString(),
    });
  };
  const serve = async (request: SandboxRequest): Promise<Answer> => {
    if (request.url.pathname !== "/token") return json(404, { details: "not found" });
    const form =
      request.method === "POST" ? new URLSearchParams(String(await readBody(request, 64 * 1024))) : undefined;
    const parameters = form ?? request.url.searchParams;
    if (parameters.get("service") !== service) return json(400, { details: "unknown service" });
    const scopes = parameters.getAll("scope").flatMap((scope) => scope.split(" "));
    const login = form === undefined ? basicLogin(request.headers) : formLogin(form);
    if (form?.get("grant_type") === "refresh_token") {
      const user = users.find(
        ({ identityToken }) => identityToken !== undefined && identityToken === form.get("refresh_token"),
      );
      return user === undefined
        ? json(401, { details: "invalid refresh token" })
        : issue(user.access, scopes);
    }
    if (login === undefined) {
      return issue((_repository, action) => anonymousPull && action === "pull", scopes);
    }
    credentialsSeen.push(login);
    const user = findUser(users, login, now());
    return user === undefined
      ? json(401, { details: "incorrect username or password" })
      : issue((repository, action) => user.access(repository, action), scopes);
  };
  const live = (token: string) => {
    const grant = grants.get(token);
    return grant !== undefined && grant.expiresAt > now() ? grant : undefined;
  };
  const server = await startServer(serve);
  return Object.assign(server, {
    realm: `${server.origin}/token`,
    service,
    credentialsSeen,
    isLive: (token: string) => live(token) !== undefined,
    check: (token: string, repository: string, action: Action) => {
      const grant = live(token);
      if (grant === undefined) return "unknown";
      return grant.scopes.get(repository)?.has(action) ? "allowed" : "denied";
    },
  });
}

function formLogin(form: URLSearchParams): { username: string; password: string } | undefined {
  const username = form.get("username");
  const password = form.get("password");
  return username === null || password === null ? undefined : { username, password };
}

/** The actions of `repository:<name>:<actions>` scopes that a user has; everything else is left out without a word. */
function granted(scopes: readonly string[], access: User["access"]): Map<string, Set<string>> {
  const result = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const match = /^repository:(.+):([a-z,*]+)$/.exec(scope);
    if (match === null) continue;
    const [, repository = "", actions = ""] = match;
    const kept = actions.split(",").filter((action) => access(repository, action as Action));
    result.set(repository, new Set([...(result.get(repository) ?? []), ...kept]));
  }
  return result;
}
