import {
  type AnyAccount,
  apiToken,
  type HubAccount,
  mayDeleteTags,
  registryUser,
  seesPrivate,
  sessionMs,
} from "./docker-hub-accounts.ts";
import { type OidcConnection, startDockerIdentity } from "./docker-identity.ts";
import type { GitHubOidc } from "./github-oidc.ts";
import { fullAccess, type RegistryOptions, type RegistryServer, startRegistry } from "./registry.ts";
import {
  type Answer,
  bearerToken,
  json,
  readBody,
  type SandboxRequest,
  type SandboxServer,
  startServer,
} from "./server.ts";

export type { HubAccount } from "./docker-hub-accounts.ts";

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
  /** `namespace/name` of the repositories that the Hub API shows to some logins only. Default: none. */
  readonly privateRepositories?: Pick<ReadonlySet<string>, "has">;
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
      readable: true,
    },
    anonymousPull: true,
    deletion: "docker-hub",
    location: "absolute",
    blobRedirect: true,
    rateLimitHeaders: { limit: 200, remaining: 200 },
    pageSize: 100,
    catalog: false,
    immutableTags,
    now,
    ...options.registry,
  });
  const hub: Hub = {
    registry,
    accounts,
    immutableTags,
    privateRepositories: options.privateRepositories ?? new Set<string>(),
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

interface Hub {
  readonly registry: RegistryServer;
  /** Looked up on every login: keyless ones come and go. */
  readonly accounts: readonly AnyAccount[];
  readonly immutableTags: Pick<ReadonlySet<string>, "has">;
  readonly privateRepositories: Pick<ReadonlySet<string>, "has">;
  readonly keylessDeletion: boolean;
  readonly sessions: Map<string, { readonly account: AnyAccount; readonly expiresAt: number }>;
  readonly now: () => number;
  /** Calls a minute. */
  readonly limit: number;
  readonly window: { endsAt: number; calls: number };
}

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

const listRoute = /^\/v2\/namespaces\/([^/]+)\/repositories$/;
const namespaceRoute = /^\/v2\/namespaces\/([^/]+)\/repositories\/([^/]+)\/tags(?:\/([^/]+))?$/;
const legacyRoute = /^\/v2\/repositories\/([^/]+)\/([^/]+)\/tags\/(?:([^/]+)\/)?$/;

async function route(hub: Hub, request: SandboxRequest): Promise<Answer> {
  const path = request.url.pathname;
  if (path === "/v2/auth/token") return request.method === "POST" ? login(hub, request) : notAllowed();
  const [, listed] = listRoute.exec(path) ?? [];
  if (listed !== undefined) return listRepositories(hub, request, decodeURIComponent(listed));
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
  const token = apiToken(account, hub.now());
  hub.sessions.set(token, { account, expiresAt: hub.now() + sessionMs });
  return json(200, { access_token: token });
}

function deleteTag(hub: Hub, account: AnyAccount, repository: string, tag: string): Answer {
  if (!mayDeleteTags(account, hub.keylessDeletion))
    return json(403, { message: "access denied: insufficient scope", errinfo: {} });
  if (hub.immutableTags.has(`${repository}:${tag}`) && hub.registry.tags(repository).has(tag))
    return json(403, { message: "tag is immutable and cannot be deleted", errinfo: {} });
  return hub.registry.untag(repository, tag)
    ? { status: 204 }
    : json(404, { message: "tag not found", errinfo: {} });
}

/**
 * Private repositories are left out without a word, unless the token may see them; an organisation's needs a scope of its own
 * (https://docs.docker.com/reference/api/hub/latest/operations/listNamespaceRepositories/).
 */
function listRepositories(hub: Hub, request: SandboxRequest, namespace: string): Answer {
  if (request.method !== "GET") return notAllowed();
  const bearer = bearerToken(request.headers);
  const session = hub.sessions.get(bearer ?? "");
  if (bearer !== undefined && (session === undefined || session.expiresAt <= hub.now()))
    return json(401, { detail: "Unauthorized", message: "unauthorized" });
  const seesAll = session !== undefined && seesPrivate(session.account);
  const names = hub.registry
    .repositories()
    .filter((name) => name.startsWith(`${namespace}/`) && (seesAll || !hub.privateRepositories.has(name)));
  return pageOf(request, names, (path) => {
    const [, name] = path.split("/");
    return {
      name,
      namespace,
      repository_type: "image",
      status: 1,
      is_private: hub.privateRepositories.has(path),
    };
  });
}

function listTags(hub: Hub, request: SandboxRequest, repository: string): Answer {
  if (!hub.registry.repositories().includes(repository))
    return json(404, { message: "object not found", errinfo: {} });
  const all = [...hub.registry.tags(repository)].sort(([one], [other]) => (one < other ? -1 : 1));
  return pageOf(request, all, ([name, digest]) => ({ name, digest, tag_status: "active" }));
}

function pageOf<T>(request: SandboxRequest, all: readonly T[], shown: (entry: T) => unknown): Answer {
  const query = request.url.searchParams;
  const page = Number(query.get("page") ?? 1);
  const size = Math.min(100, Number(query.get("page_size") ?? 10));
  const start = (page - 1) * size;
  if (page > 1 && start >= all.length) return json(404, { message: "object not found", errinfo: {} });
  const link = (number: number) =>
    `${request.url.origin}${request.url.pathname}?page=${number}&page_size=${size}`;
  return json(200, {
    count: all.length,
    next: start + size < all.length ? link(page + 1) : null,
    previous: page > 1 ? link(page - 1) : null,
    results: all.slice(start, start + size).map(shown),
  });
}

function notAllowed(): Answer {
  return json(405, { detail: "Method not allowed" });
}
