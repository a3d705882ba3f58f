import * as v from "valibot";
import { readClaims } from "../http/json-web-token.ts";
import { grantedActions } from "./granted-actions.ts";
import type { Scope } from "./scope.ts";

/** What the challenge of a Harbor calls its registry (https://github.com/goharbor/harbor, src/core/service/token/creator.go). */
export const harborService = "harbor-registry";

/** https://distribution.github.io/distribution/spec/auth/jwt/ ("Claim Set") */
const claimsSchema = v.object({ sub: v.nullish(v.string()) });

/**
 * Whether a token server has passed over the login that it was sent. Harbor takes a wrong one for none, and gives what everybody
 * gets: a token that names nobody, and that is good for no push. Of others, whose tokens may name nobody, nothing is said.
 * @param service as the challenge of the registry has it.
 */
export function isUntaken(token: string, scopes: readonly Scope[], service: string | undefined): boolean {
  if (service !== harborService) return false;
  const claims = readClaims(token, claimsSchema);
  if (claims === undefined || (claims.sub ?? "") !== "") return false;
  return scopes.some(
    (scope) =>
      scope.actions.includes("push") && grantedActions(`Bearer ${token}`, scope)?.includes("push") === false,
  );
}
