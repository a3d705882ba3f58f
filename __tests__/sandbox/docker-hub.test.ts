import { afterEach, expect, it } from "vitest";
import {
  type DockerHub,
  type DockerHubOptions,
  hubAccount,
  startDockerHub,
} from "../../sandbox/docker-hub.ts";
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
  const reader = { identifier: "reader", secret: "dckr_pat_reader", mayDelete: false };
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
