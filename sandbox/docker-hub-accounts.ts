/**
 * Who logs in to the stand-in of Docker Hub, with what, and what each may do there; the sources are named in
 * `docker-hub.ts`.
 */
import { randomUUID } from "node:crypto";
import { type Action, fullAccess, type User } from "./token-server.ts";

export interface HubAccount {
  /** User name; for an organisation access token, the organisation's. */
  readonly identifier: string;
  readonly secret: string;
  /** Default: `personal`. */
  readonly kind?: "personal" | "organisation" | "password";
  /** What a personal access token may do, each including the ones before. Default: `delete`. */
  readonly permission?: "read" | "write" | "delete";
  /** What an organisation access token may do. Default: push, and delete by the Hub API. */
  readonly scopes?: readonly string[];
}

/** A token that the identity service gave for a connection. */
export interface KeylessAccount {
  readonly identifier: string;
  readonly secret: string;
  readonly kind: "keyless";
  readonly expiresAt: number;
}

export type AnyAccount = HubAccount | KeylessAccount;

/** What an account may do at the registry. Deletion there needs `scope-image-delete`, by the Hub API `scope-tag-admin`. */
export function registryUser(account: HubAccount): User {
  const { identifier, secret, kind = "personal" } = account;
  const actions = kind === "organisation" ? organisationActions(account) : personalActions(account);
  return {
    ...fullAccess(identifier, secret),
    access: (_repository, action) => actions.includes(action),
    refusesExcess: kind !== "password",
  };
}

function personalActions({ permission = "delete" }: HubAccount): readonly Action[] {
  const all: readonly Action[] = ["pull", "push", "delete"];
  return all.slice(0, ["read", "write", "delete"].indexOf(permission) + 1);
}

const usualScopes = ["scope-image-push", "scope-tag-admin"] as const;

function organisationActions({ scopes = usualScopes }: HubAccount): readonly Action[] {
  if (scopes.includes("scope-image-delete")) return ["pull", "push", "delete"];
  if (scopes.includes("scope-image-push")) return ["pull", "push"];
  return scopes.includes("scope-image-pull") ? ["pull"] : [];
}

/** Whether an account may delete tags by the Hub API. */
export function mayDeleteTags(account: AnyAccount, keylessDeletion: boolean): boolean {
  switch (account.kind ?? "personal") {
    case "keyless":
      return keylessDeletion;
    case "organisation":
      return "scopes" in account && account.scopes !== undefined
        ? account.scopes.includes("scope-tag-admin")
        : true;
    case "personal":
    case "password":
      return !("permission" in account) || (account.permission ?? "delete") === "delete";
  }
}

/** Whether the Hub API lists private repositories to an account. */
export function seesPrivate(account: AnyAccount): boolean {
  if ((account.kind ?? "personal") !== "organisation") return true;
  return "scopes" in account && account.scopes?.includes("scope-repository-list") === true;
}

/** Life of a Hub API token in milliseconds: 10 minutes. */
export const sessionMs = 600_000;

/** The names of the permissions of personal access tokens (https://docs.docker.com/reference/api/hub/latest/). */
const permissionScopes = { read: "repo:read", write: "repo:write", delete: "repo:admin" } as const;

/** A JWT in the form that was seen of Docker Hub's; only personal access tokens say what they may do. */
export function apiToken(account: AnyAccount, now: number): string {
  const id = randomUUID();
  const isPersonal = (account.kind ?? "personal") === "personal" && !("expiresAt" in account);
  const permission = isPersonal && "permission" in account ? account.permission : undefined;
  const issuedAt = Math.floor(now / 1000);
  const claims = {
    aud: "https://hub.docker.com",
    exp: issuedAt + sessionMs / 1000,
    "https://hub.docker.com": { roles: [], session_id: id, username: account.identifier },
    iat: issuedAt,
    iss: "https://api.docker.com/",
    jti: id,
    ...(isPersonal ? { scope: permissionScopes[permission ?? "delete"] } : {}),
  };
  const encoded = [{ alg: "RS256", typ: "JWT" }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  return [...encoded, `sandbox-hub-token-${id}`].join(".");
}
