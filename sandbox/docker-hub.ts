/**
 * Docker Hub: a registry, its token server and the Hub API. Kept:
 * - registry: Bearer tokens of 300 s from another origin, anonymous pull, absolute upload Locations, blob downloads by
 *   redirect, `ratelimit-*` headers on manifests, 405 for deleting a tag
 *   (https://docs.docker.com/reference/api/registry/latest/, https://docs.docker.com/docker-hub/usage/);
 * - Hub API (https://docs.docker.com/reference/api/hub/latest/): login by `POST /v2/auth/token`, a token lives for
 *   10 minutes; tag deletion by the namespace route, and by the legacy route, which needs its trailing slash; a tag
 *   goes alone, its digest and other tags stay; `X-RateLimit-*`, and `X-Retry-After` as a unix time;
 * - access tokens (https://docs.docker.com/security/access-tokens/reference/): a personal one has a permission, which the
 *   API's token for it tells in the claim `scope` (https://github.com/mongodb/kingfisher/issues/202); an organisation's has
 *   scopes, which nothing tells, and is refused with 403 on the legacy routes; either is refused by the token server when
 *   it asks for more than it may (https://github.com/docker/cli/pull/4511);
 * - keyless logins by way of the identity service;
 * - immutable tags (https://docs.docker.com/docker-hub/repos/manage/hub-images/immutable-tags/): neither overwritten, 403
 *   (https://github.com/docker/hub-feedback/issues/2466), nor deleted.
 * Not documented, and taken the inconvenient way here: the Hub API does not take keyless logins, unless told to; the words
 * and the status for an immutable tag that is to be deleted.
 */
import { randomUUID } from "node:crypto";
import { type OidcConnection, startDockerIdentity } from "./docker-identity.ts";
import type { GitHubOidc } from "./github-oidc.ts";
import {
  type Action,
  fullAccess,
  type RegistryOptions,
  type RegistryServer,
  startRegistry,
} from "./registry.ts";
import {
  type Answer,
  bearerToken,
  json,
  readBody,
  type SandboxRequest,
  type SandboxServer,
  startServer,
} from "./server.ts";
import type { User } from "./token-server.ts";

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
interface KeylessAccount {
  readonly identifier: string;
  readonly secret: string;
  readonly kind: "keyless";
  readonly expiresAt: number;
}

type AnyAccount = HubAccount | KeylessAccount;

export interface DockerHubOptions {
  /** Default: one personal access token with all rights, `hubAccount`. */
  readonly accounts?: readonly HubAccount[];
  /** Connections for keyless logins, and who signs the id tokens. Default: none. */
  readonly oidc?: {
    readonly issuer: Pick<GitHubOidc, "check">;
    readonly connections: readonly OidcConnection[];
  };
  /** Whether the Hub API takes keyless logins, and lets them delete tags. Default: false. */
  readonly keylessDeletion?: boolean;
  /** `namespace/name:tag` of the tags that are immutable. */
  readonly immutableTags?: Pick<ReadonlySet<string>, "has">;
  /** Whatever is to differ from Docker Hub's own ways. */
  readonly registry?: RegistryOptions;
  /** Hub API calls that are allowed before 429. */
  readonly apiCalls?: number;
  readonly now?: () => number;
}

export interface DockerHub extends AsyncDisposable {
  readonly registry: RegistryServer;
  readonly api: SandboxServer;
  readonly identity: SandboxServer;
  /** Every password that the identity service gave out, in order. */
  readonly keylessTokens: readonly string[];
  /** Every token of the Hub API that was given out, in order. */
  readonly apiTokens: readonly string[];
  close(): Promise<void>;
}

export const hubAccount: HubAccount = { identifier: "harborbot", secret: "dckr_pat_sandbox-hub-secret" };

/** Starts the servers of Docker Hub. */
export async function startDockerHub(options: DockerHubOptions = {}): Promise<DockerHub> {
  const { accounts: given = [hubAccount], now = Date.now } = options;
  const accounts: AnyAccount[] = [...given];
  const users = given.map(registryUser);
  const immutableTags = options.immutableTags ?? new Set<string>();
  const registry = await startRegistry({
    authentication: {
      kind: "bearer",
      users,
      tokenSeconds: 300,
      service: "registry.docker.io",
    },
    anonymousPull: true,
    deletion: "docker-hub",
    location: "absolute",
    blobRedirect: true,
    rateLimitHeaders: { limit: 200, remaining: 200 },
    pageSize: 100,
    immutableTags,
    now,
    ...options.registry,
  });
  const hub: Hub = {
    registry,
    accounts,
    immutableTags,
    keylessDeletion: options.keylessDeletion ?? false,
    sessions: new Map(),
    now,
    limit: options.apiCalls ?? 600,
    window: { endsAt: 0, calls: 0 },
  };
  const api = await startServer((request) => answerTo(hub, request));
  const keylessTokens: string[] = [];
  const identity = await startDockerIdentity({
    connections: options.oidc?.connections ?? [],
    issuer: options.oidc?.issuer ?? { check: () => undefined },
    onToken: (identifier, secret, expiresAt) => {
      accounts.push({ kind: "keyless", identifier, secret, expiresAt });
      users.push({ ...fullAccess(identifier, secret), expiresAt });
      keylessTokens.push(secret);
    },
    now,
  });
  const close = async () => {
    await Promise.all([registry.close(), api.close(), identity.close()]);
  };
  return {
    registry,
    api,
    identity,
    keylessTokens,
    get apiTokens() {
      return [...hub.sessions.keys()];
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What an account may do at the registry. Deletion there needs `scope-image-delete`, by the Hub API `scope-tag-admin`. */
function registryUser(account: HubAccount): User {
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
function mayDeleteTags(hub: Hub, account: AnyAccount): boolean {
  switch (account.kind ?? "personal") {
    case "keyless":
      return hub.keylessDeletion;
    case "organisation":
      return "scopes" in account && account.scopes !== undefined
        ? account.scopes.includes("scope-tag-admin")
        : true;
    case "personal":
    case "password":
      return !("permission" in account) || (account.permission ?? "delete") === "delete";
  }
}

interface Hub {
  readonly registry: RegistryServer;
  /** Looked up on every login: keyless ones come and go. */
  readonly accounts: readonly AnyAccount[];
  readonly immutableTags: Pick<ReadonlySet<string>, "has">;
  readonly keylessDeletion: boolean;
  readonly sessions: Map<string, { readonly account: AnyAccount; readonly expiresAt: number }>;
  readonly now: () => number;
  /** Calls a minute. */
  readonly limit: number;
  readonly window: { endsAt: number; calls: number };
}

/** Life of a Hub API token in milliseconds: 10 minutes. */
const sessionMs = 600_000;

async function answerTo(hub: Hub, request: SandboxRequest): Promise<Answer> {
  const { window, limit } = hub;
  if (hub.now() >= window.endsAt) Object.assign(window, { endsAt: hub.now() + 60_000, calls: 0 });
  window.calls += 1;
  const reset = Math.ceil(window.endsAt / 1000);
  const limits = {
    "x-ratelimit-limit": String(limit),
    "x-ratelimit-remaining": String(Math.max(0, limit - window.calls)),
    "x-ratelimit-reset": String(reset),
  };
  if (window.calls > limit) {
    return json(
      429,
      { detail: "Rate limit exceeded", error: false },
      { ...limits, "x-retry-after": String(reset) },
    );
  }
  const answer = await route(hub, request);
  return { ...answer, headers: { ...answer.headers, ...limits } };
}

const namespaceRoute = /^\/v2\/namespaces\/([^/]+)\/repositories\/([^/]+)\/tags(?:\/([^/]+))?$/;
const legacyRoute = /^\/v2\/repositories\/([^/]+)\/([^/]+)\/tags\/(?:([^/]+)\/)?$/;

async function route(hub: Hub, request: SandboxRequest): Promise<Answer> {
  const path = request.url.pathname;
  if (path === "/v2/auth/token") return request.method === "POST" ? login(hub, request) : notAllowed();
  const legacy = legacyRoute.exec(path);
  const match = namespaceRoute.exec(path) ?? legacy;
  if (match === null) return json(404, { message: "object not found", errinfo: {} });
  const session = hub.sessions.get(bearerToken(request.headers) ?? "");
  if (session === undefined || session.expiresAt <= hub.now()) {
    return json(401, { detail: "Unauthorized", message: "unauthorized" });
  }
  const [, namespace = "", name = "", tag] = match.map((part) =>
    part === undefined ? part : decodeURIComponent(part),
  );
  if (legacy !== null && (session.account.kind === "organisation" || session.account.kind === "keyless")) {
    return json(403, { message: "token issued from organization access token is not allowed" });
  }
  const repository = `${namespace}/${name}`;
  if (tag === undefined) return request.method === "GET" ? listTags(hub, request, repository) : notAllowed();
  return request.method === "DELETE" ? deleteTag(hub, session.account, repository, tag) : notAllowed();
}

async function login(hub: Hub, request: SandboxRequest): Promise<Answer> {
  const body: unknown = JSON.parse(String(await readBody(request, 64 * 1024)));
  const { identifier, secret } = body as { identifier?: unknown; secret?: unknown };
  const account = hub.accounts.find((one) => one.identifier === identifier && one.secret === secret);
  const isUsable = account?.kind !== "keyless" || (hub.keylessDeletion && account.expiresAt > hub.now());
  if (account === undefined || !isUsable)
    return json(401, { detail: "Incorrect authentication credentials" });
  const token = apiToken(hub, account);
  hub.sessions.set(token, { account, expiresAt: hub.now() + sessionMs });
  return json(200, { access_token: token });
}

/** The names of the permissions of personal access tokens (https://docs.docker.com/reference/api/hub/latest/). */
const permissionScopes = { read: "repo:read", write: "repo:write", delete: "repo:admin" } as const;

/** A JWT in the form that was seen of Docker Hub's; only personal access tokens say what they may do. */
function apiToken(hub: Hub, account: AnyAccount): string {
  const id = randomUUID();
  const isPersonal = (account.kind ?? "personal") === "personal" && !("expiresAt" in account);
  const permission = isPersonal && "permission" in account ? account.permission : undefined;
  const issuedAt = Math.floor(hub.now() / 1000);
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

function deleteTag(hub: Hub, account: AnyAccount, repository: string, tag: string): Answer {
  if (!mayDeleteTags(hub, account))
    return json(403, { message: "access denied: insufficient scope", errinfo: {} });
  if (hub.immutableTags.has(`${repository}:${tag}`) && hub.registry.tags(repository).has(tag))
    return json(403, { message: "tag is immutable and cannot be deleted", errinfo: {} });
  return hub.registry.untag(repository, tag)
    ? { status: 204 }
    : json(404, { message: "tag not found", errinfo: {} });
}

function listTags(hub: Hub, request: SandboxRequest, repository: string): Answer {
  const query = request.url.searchParams;
  const page = Number(query.get("page") ?? 1);
  const size = Math.min(100, Number(query.get("page_size") ?? 10));
  const all = [...hub.registry.tags(repository)].sort(([one], [other]) => (one < other ? -1 : 1));
  const start = (page - 1) * size;
  if (!hub.registry.repositories().includes(repository) || (page > 1 && start >= all.length)) {
    return json(404, { message: "object not found", errinfo: {} });
  }
  const link = (number: number) =>
    `${request.url.origin}${request.url.pathname}?page=${number}&page_size=${size}`;
  return json(200, {
    count: all.length,
    next: start + size < all.length ? link(page + 1) : null,
    previous: page > 1 ? link(page - 1) : null,
    results: all.slice(start, start + size).map(([name, digest]) => ({ name, digest, tag_status: "active" })),
  });
}

function notAllowed(): Answer {
  return json(405, { detail: "Method not allowed" });
}
