/**
 * Docker Hub: a registry, its token server and the Hub API. Kept:
 * - registry: Bearer tokens of 300 s from another origin, anonymous pull, absolute upload Locations, blob downloads by
 *   redirect, `ratelimit-*` headers on manifests, 405 for deleting a tag
 *   (https://docs.docker.com/reference/api/registry/latest/, https://docs.docker.com/docker-hub/usage/);
 * - Hub API (https://docs.docker.com/reference/api/hub/latest/): login by `POST /v2/auth/token`, a token lives for
 *   10 minutes; tag deletion by the namespace route, and by the legacy route, which needs its trailing slash; a tag
 *   goes alone, its digest and other tags stay; `X-RateLimit-*`, and `X-Retry-After` as a unix time;
 * - access tokens (https://docs.docker.com/security/access-tokens/): only one with the delete right may delete;
 *   organisation access tokens are refused with 403 on the legacy routes.
 */
import { randomUUID } from "node:crypto";
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
import type { User } from "./token-server.ts";

export interface HubAccount {
  /** User name; for an organisation access token, the organisation's. */
  readonly identifier: string;
  readonly secret: string;
  /** Default: `personal`. */
  readonly kind?: "personal" | "organisation";
  /** Default: true. */
  readonly mayDelete?: boolean;
}

export interface DockerHubOptions {
  /** Default: one personal access token with all rights, `hubAccount`. */
  readonly accounts?: readonly HubAccount[];
  /** Whatever is to differ from Docker Hub's own ways. */
  readonly registry?: RegistryOptions;
  /** Hub API calls that are allowed before 429. */
  readonly apiCalls?: number;
  readonly now?: () => number;
}

export interface DockerHub extends AsyncDisposable {
  readonly registry: RegistryServer;
  readonly api: SandboxServer;
  /** Every token of the Hub API that was given out, in order. */
  readonly apiTokens: readonly string[];
  close(): Promise<void>;
}

export const hubAccount: HubAccount = { identifier: "harborbot", secret: "dckr_pat_sandbox-hub-secret" };

/** Starts the three servers of Docker Hub. */
export async function startDockerHub(options: DockerHubOptions = {}): Promise<DockerHub> {
  const { accounts = [hubAccount], now = Date.now } = options;
  const registry = await startRegistry({
    authentication: {
      kind: "bearer",
      users: accounts.map(registryUser),
      tokenSeconds: 300,
      service: "registry.docker.io",
    },
    anonymousPull: true,
    deletion: "docker-hub",
    location: "absolute",
    blobRedirect: true,
    rateLimitHeaders: { limit: 200, remaining: 200 },
    pageSize: 100,
    now,
    ...options.registry,
  });
  const hub: Hub = { registry, accounts, sessions: new Map(), now, calls: 0, limit: options.apiCalls ?? 600 };
  const api = await startServer((request) => answerTo(hub, request));
  const close = async () => {
    await Promise.all([registry.close(), api.close()]);
  };
  return {
    registry,
    api,
    get apiTokens() {
      return [...hub.sessions.keys()];
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function registryUser({ identifier, secret, mayDelete = true }: HubAccount): User {
  return {
    ...fullAccess(identifier, secret),
    access: (_repository, action) => action !== "delete" || mayDelete,
  };
}

interface Hub {
  readonly registry: RegistryServer;
  readonly accounts: readonly HubAccount[];
  readonly sessions: Map<string, { readonly account: HubAccount; readonly expiresAt: number }>;
  readonly now: () => number;
  readonly limit: number;
  calls: number;
}

/** Life of a Hub API token in milliseconds: 10 minutes. */
const sessionMs = 600_000;

async function answerTo(hub: Hub, request: SandboxRequest): Promise<Answer> {
  hub.calls += 1;
  const reset = Math.ceil(hub.now() / 1000) + 60;
  const limits = {
    "x-ratelimit-limit": String(hub.limit),
    "x-ratelimit-remaining": String(Math.max(0, hub.limit - hub.calls)),
    "x-ratelimit-reset": String(reset),
  };
  if (hub.calls > hub.limit) {
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
  if (legacy !== null && session.account.kind === "organisation") {
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
  if (account === undefined) return json(401, { detail: "Incorrect authentication credentials" });
  const token = `sandbox-hub-token-${randomUUID()}`;
  hub.sessions.set(token, { account, expiresAt: hub.now() + sessionMs });
  return json(200, { access_token: token });
}

function deleteTag(hub: Hub, account: HubAccount, repository: string, tag: string): Answer {
  if (account.mayDelete === false) {
    return json(403, { message: "access to the resource is forbidden with personal access token" });
  }
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
