/**
 * Who may do what. Basic logins, and Bearer tokens of a token server of its own
 * (https://distribution.github.io/distribution/spec/auth/token/). A request that needs more than its token allows is
 * answered by 401 with the scopes that it needs, `error="insufficient_scope"` included.
 */
import { basicLogin, bearerToken, type SandboxRequest } from "../server.ts";
import { type Action, catalogResource, findUser, type TokenServer, type User } from "../token-server.ts";
import { errorAnswer, Refusal, refusal } from "./errors.ts";

/** A right that a request needs. */
export interface Need {
  readonly repository: string;
  readonly action: Action;
}

export interface AccessControl {
  /** @throws Refusal when the request lacks one of the rights; without needs, when it has no login at all. */
  check(request: SandboxRequest, needs: readonly Need[]): void;
}

export const openAccess: AccessControl = { check: () => undefined };

/** Basic authentication: 401 without a right login, 403 where the user may not go. */
export function basicAccess(
  users: readonly User[],
  anonymousPull: boolean,
  now: () => number,
): AccessControl {
  return {
    check: (request, needs) => {
      const login = basicLogin(request.headers);
      const user = login === undefined ? undefined : findUser(users, login, now());
      const open =
        login === undefined &&
        anonymousPull &&
        needs.length > 0 &&
        needs.every(({ action }) => action === "pull");
      if (open) return;
      if (user === undefined) throw challenge('Basic realm="sandbox"');
      if (!needs.every(({ repository, action }) => user.access(repository, action))) {
        throw refusal(403, "DENIED", "requested access to the resource is denied");
      }
    },
  };
}

/** Bearer tokens. */
export function bearerAccess(tokenServer: TokenServer): AccessControl {
  return {
    check: (request, needs) => {
      const token = bearerToken(request.headers);
      const parameters = [`realm="${tokenServer.realm}"`, `service="${tokenServer.service}"`];
      if (needs.length > 0) parameters.push(`scope="${scopesOf(needs).join(" ")}"`);
      if (token === undefined) throw challenge(`Bearer ${parameters.join(",")}`);
      if (!tokenServer.isLive(token))
        throw challenge(`Bearer ${[...parameters, 'error="invalid_token"'].join(",")}`);
      const allowed = needs.every(
        ({ repository, action }) => tokenServer.check(token, repository, action) === "allowed",
      );
      if (!allowed) throw challenge(`Bearer ${[...parameters, 'error="insufficient_scope"'].join(",")}`);
    },
  };
}

function scopesOf(needs: readonly Need[]): readonly string[] {
  const byRepository = Map.groupBy(needs, ({ repository }) => repository);
  return [...byRepository].map(
    ([name, some]) =>
      `${name === catalogResource ? name : `repository:${name}`}:${some.map(({ action }) => action)}`,
  );
}

function challenge(header: string): Refusal {
  return new Refusal(
    errorAnswer(401, "UNAUTHORIZED", "authentication required", null, { "www-authenticate": header }),
  );
}
