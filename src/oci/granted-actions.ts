import * as v from "valibot";
import { readClaims } from "../http/json-web-token.ts";
import type { Scope } from "./scope.ts";

/** https://distribution.github.io/distribution/spec/auth/jwt/ ("Claim Set") */
const claimsSchema = v.object({
  access: v.array(
    v.object({ type: v.string(), name: v.string(), actions: v.nullish(v.array(v.string()), []) }),
  ),
});

/**
 * The actions on a repository that a token grants: a token server leaves out what the login may not do, without saying so.
 * Undefined where the header holds no token, or one that only its registry can read.
 * @param header as it is sent to the registry.
 */
export function grantedActions(
  header: string | undefined,
  { repository }: Pick<Scope, "repository">,
): readonly string[] | undefined {
  const token = /^Bearer (.+)$/.exec(header ?? "")?.[1];
  if (token === undefined) return undefined;
  const claims = readClaims(token, claimsSchema);
  return claims?.access
    .filter(({ type, name }) => type === "repository" && name === repository)
    .flatMap(({ actions }) => actions);
}
