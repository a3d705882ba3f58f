import * as v from "valibot";
import { readClaims } from "../../http/json-web-token.ts";

/**
 * The kinds of secret that Docker Hub takes as a password, told apart by their form. `keyless`: a token of an OIDC connection.
 * https://docs.docker.com/security/access-tokens/reference/
 */
export type HubLoginKind = "personal token" | "organisation token" | "password" | "keyless";

/** The kind of a secret that a user gave. */
export function hubLoginKind(secret: string): HubLoginKind {
  if (secret.startsWith("dckr_pat_")) return "personal token";
  return secret.startsWith("dckr_oat_") ? "organisation token" : "password";
}

/** Whether a login works on the routes below `/v2/namespaces` only. The older routes refuse it with 403. */
export function needsNamespaceRoutes(kind: HubLoginKind): boolean {
  return kind === "organisation token" || kind === "keyless";
}

/** What a user can do about a login that may not delete tags. */
export function deletionAdvice(kind: HubLoginKind): string {
  switch (kind) {
    case "personal token":
      return 'Use a personal access token with the permission "Read, Write, Delete".';
    case "organisation token":
      return "Give the organisation access token the scope `scope-tag-admin` on this repository.";
    case "password":
      return 'The user needs the right to delete here; a personal access token needs "Read, Write, Delete".';
    case "keyless":
      return (
        "Docker does not say whether a token of an OIDC connection may delete tags: give `dockerhub-token`, an organisation " +
        "access token with `scope-tag-admin`, or set `keep=all` for this destination."
      );
  }
}

const hubClaims = v.object({ scope: v.string() });

/** The scope that the API's own token has for a personal access token with "Read, Write, Delete". */
const deletionScope = "repo:admin";

/**
 * Why a login cannot delete tags, as far as the Hub API's own token for it says so. For a personal access token, it lists the
 * permission in the claim `scope` (https://github.com/mongodb/kingfisher/issues/202). Undefined: it can, or nothing is said.
 * The names are those of https://docs.docker.com/reference/api/hub/latest/ ("Create personal access token").
 */
export function whyNoDeletion(kind: HubLoginKind, apiToken: string): string | undefined {
  if (mayDelete(kind, apiToken) !== false) return undefined;
  return `The personal access token has no permission to delete. ${deletionAdvice(kind)}`;
}

/** Whether a login may delete tags, as far as the Hub API's own token for it says so; undefined: nothing is said. */
export function mayDelete(kind: HubLoginKind, apiToken: string): boolean | undefined {
  if (kind !== "personal token") return undefined;
  const scopes = readClaims(apiToken, hubClaims)?.scope.split(" ") ?? [];
  const own = scopes.filter((scope) => scope.startsWith("repo:"));
  return own.length === 0 ? undefined : own.includes(deletionScope);
}
