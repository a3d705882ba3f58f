import { afterEach, describe, expect, it } from "vitest";
import {
  type DockerHub,
  type DockerHubOptions,
  hubAccount,
  startDockerHub,
} from "../../sandbox/docker-hub.ts";
import { startGitHubOidc } from "../../sandbox/github-oidc.ts";
import { buildImage, pushTo } from "../../sandbox/images.ts";

const open: DockerHub[] = [];
const image = buildImage({ seed: "hub" });
const repository = "goharbor/harbor-core";

async function start(options?: DockerHubOptions): Promise<DockerHub> {
  const hub = await startDockerHub(options);
  open.push(hub);
  for (const tag of ["v1", "v2"]) pushTo(hub.registry, repository, image, tag);
  return hub;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((hub) => hub.close()));
});

async function login(
  { api }: DockerHub,
  { identifier, secret } = hubAccount,
): Promise<Record<string, string>> {
  const response = await fetch(`${api.origin}/v2/auth/token`, {
    method: "POST",
    body: JSON.stringify({ identifier, secret }),
  });
  const { access_token } = (await response.json()) as { access_token?: string };
  return { authorization: `Bearer ${access_token}` };
}

const routes = {
  namespace: (tag: string) => `/v2/namespaces/goharbor/repositories/harbor-core/tags/${tag}`,
  legacy: (tag: string) => `/v2/repositories/goharbor/harbor-core/tags/${tag}/`,
  legacyWithoutSlash: (tag: string) => `/v2/repositories/goharbor/harbor-core/tags/${tag}`,
};

async function remove(hub: DockerHub, path: string, headers: Record<string, string>): Promise<number> {
  return (await fetch(`${hub.api.origin}${path}`, { method: "DELETE", headers })).status;
}

it("deletes one tag and leaves the other on the same digest", async () => {
  const hub = await start();
  const headers = await login(hub);
  expect(await remove(hub, routes.namespace("v1"), headers)).toBe(204);
  expect([...hub.registry.tags(repository)]).toEqual([["v2", image.digest]]);
  expect(hub.registry.completeness(repository, "v2")).toEqual([]);
  expect(await remove(hub, routes.namespace("v1"), headers)).toBe(404);
  expect(await remove(hub, routes.legacyWithoutSlash("v2"), headers)).toBe(404);
  expect(await remove(hub, routes.legacy("v2"), headers)).toBe(204);
  expect(hub.registry.tags(repository).size).toBe(0);
});

it("refuses who is not logged in, whose login ran out, or who may not delete", async () => {
  let now = 1_000_000;
  const reader = { identifier: "reader", secret: "dckr_pat_reader", permission: "write" as const };
  const hub = await start({ accounts: [hubAccount, reader], now: () => now });
  expect(
    await remove(hub, routes.namespace("v1"), await login(hub, { identifier: "harborbot", secret: "no" })),
  ).toBe(401);
  expect(await remove(hub, routes.namespace("v1"), await login(hub, reader))).toBe(403);
  const headers = await login(hub);
  now += 600_000;
  expect(await remove(hub, routes.namespace("v1"), headers)).toBe(401);
  expect(hub.registry.tags(repository).size).toBe(2);
});

it("keeps organisation tokens off the legacy route", async () => {
  const organisation = { identifier: "goharbor", secret: "dckr_oat_x", kind: "organisation" as const };
  const hub = await start({ accounts: [organisation] });
  const headers = await login(hub, organisation);
  expect(await remove(hub, routes.legacy("v1"), headers)).toBe(403);
  expect(await remove(hub, routes.namespace("v1"), headers)).toBe(204);
});

it("refuses to delete a tag through the registry, and pushes with absolute Locations", async () => {
  const hub = await start();
  const { realm, service } = hub.registry.tokenServer ?? { realm: "", service: "" };
  const scope = `repository:${repository}:pull,push,delete`;
  const basic = Buffer.from(`${hubAccount.identifier}:${hubAccount.secret}`).toString("base64");
  const response = await fetch(`${realm}?${new URLSearchParams({ service, scope })}`, {
    headers: { authorization: `Basic ${basic}` },
  });
  const { token } = (await response.json()) as { token: string };
  const headers = { authorization: `Bearer ${token}` };
  const url = `${hub.registry.origin}/v2/${repository}`;
  expect((await fetch(`${url}/manifests/v1`, { method: "DELETE", headers })).status).toBe(405);
  const upload = await fetch(`${url}/blobs/uploads/`, { method: "POST", headers });
  expect(upload.headers.get("location")).toMatch(`${url}/blobs/uploads/`);
});

it("lists tags in pages and limits calls by a moment, not by seconds", async () => {
  const hub = await start({ apiCalls: 4, now: () => 5_000 });
  const headers = await login(hub);
  const list = (page: number) =>
    fetch(`${hub.api.origin}/v2/namespaces/goharbor/repositories/harbor-core/tags?page=${page}&page_size=1`, {
      headers,
    });
  const first = (await (await list(1)).json()) as { count: number; next: string | null };
  expect([first.count, first.next]).toEqual([2, expect.stringContaining("page=2")]);
  expect(await (await list(2)).json()).toMatchObject({
    next: null,
    results: [{ name: "v2", digest: image.digest }],
  });
  expect((await list(3)).status).toBe(404);
  const limited = await list(1);
  expect([limited.status, limited.headers.get("x-retry-after")]).toEqual([429, "65"]);
});

it("refuses a token to an access token that asks for more than it may, and gives it to one that does not", async () => {
  const reader = { identifier: "reader", secret: "dckr_pat_reader", permission: "read" as const };
  const hub = await start({ accounts: [reader] });
  const { realm, service } = hub.registry.tokenServer ?? { realm: "", service: "" };
  const authorization = `Basic ${Buffer.from(`${reader.identifier}:${reader.secret}`).toString("base64")}`;
  const ask = (actions: string) =>
    fetch(`${realm}?${new URLSearchParams({ service, scope: `repository:${repository}:${actions}` })}`, {
      headers: { authorization },
    });
  const refused = await ask("pull,push");
  expect([refused.status, await refused.json()]).toEqual([
    401,
    { details: "access token has insufficient scopes" },
  ]);
  expect((await ask("pull")).status).toBe(200);
});

it("counts calls of the API anew each minute", async () => {
  let now = 60_000;
  const hub = await start({ apiCalls: 1, now: () => now });
  expect((await login(hub)).authorization).not.toContain("undefined");
  expect((await login(hub)).authorization).toContain("undefined");
  now += 60_000;
  expect((await login(hub)).authorization).not.toContain("undefined");
});

it("keeps immutable tags", async () => {
  const hub = await start({
    immutableTags: new Set([`${repository}:v1`]),
    registry: { authentication: { kind: "none" } },
  });
  const other = buildImage({ seed: "other" });
  pushTo(hub.registry, repository, other, "v3");
  const put = (tag: string, { bytes, mediaType }: { bytes: Uint8Array; mediaType: string }) =>
    fetch(`${hub.registry.origin}/v2/${repository}/manifests/${tag}`, {
      method: "PUT",
      headers: { "content-type": mediaType },
      body: new Uint8Array(bytes),
    });
  const stored = (tag: string) => {
    const found = hub.registry.manifest(repository, tag);
    if (found === undefined) throw new Error(`no ${tag}`);
    return found;
  };
  expect((await put("v1", stored("v3"))).status).toBe(403);
  expect((await put("v1", stored("v1"))).status).toBe(201);
  expect((await put("v2", stored("v3"))).status).toBe(201);
  const refused = await fetch(`${hub.api.origin}${routes.namespace("v1")}`, {
    method: "DELETE",
    headers: await login(hub),
  });
  expect([refused.status, hub.registry.tags(repository).get("v1")]).toEqual([403, image.digest]);
});

describe("the identity service", () => {
  const connection = {
    id: "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    organisation: "goharbor",
    subjects: ["repo:goharbor/harbor:*"],
  };
  type Change = {
    readonly form?: Record<string, string>;
    readonly audience?: string;
    readonly laterMs?: number;
  };

  async function exchange(change: Change, more: Partial<typeof connection & { isActive: boolean }> = {}) {
    let now = Date.now();
    const issuer = await startGitHubOidc({ now: () => now });
    const hub = await start({ oidc: { issuer, connections: [{ ...connection, ...more }] }, now: () => now });
    const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token } = issuer.variables;
    const audience = change.audience ?? hub.identity.origin;
    const answer = await fetch(`${url}&audience=${encodeURIComponent(audience)}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { value } = (await answer.json()) as { value: string };
    await issuer.close();
    now += change.laterMs ?? 0;
    const response = await fetch(`${hub.identity.origin}/oauth/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
        subject_token: value,
        connection_id: connection.id,
        ...change.form,
      }).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    return { hub, status: response.status, body: (await response.json()) as { access_token?: string } };
  }

  it("gives a password of the organisation, which the Hub API does not take", async () => {
    const { hub, status, body } = await exchange({});
    expect([status, body.access_token]).toEqual([200, hub.keylessTokens[0]]);
    const secret = body.access_token ?? "";
    expect((await login(hub, { identifier: "goharbor", secret })).authorization).toContain("undefined");
  });

  it.each<[string, Change, Parameters<typeof exchange>[1], number]>([
    ["another audience", { audience: "https://identity.docker.com" }, {}, 400],
    ["an id token that ran out", { laterMs: 300_000 }, {}, 400],
    ["a forged id token", { form: { subject_token: "a.b.c" } }, {}, 400],
    ["another grant", { form: { grant_type: "password" } }, {}, 400],
    ["a life of a day", { form: { expires_in: "86400" } }, {}, 400],
    ["an unknown connection", { form: { connection_id: "none" } }, {}, 401],
    ["a connection that is off", {}, { isActive: false }, 401],
    ["a workflow that no ruleset names", {}, { subjects: ["repo:goharbor/website:*"] }, 403],
  ])("refuses %s", async (_name, change, more, status) => {
    const result = await exchange(change, more);
    expect([result.status, result.hub.keylessTokens]).toEqual([status, []]);
  });
});
