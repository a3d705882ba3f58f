import { request as httpRequest } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import {
  buildImage,
  buildIndex,
  buildSchema1,
  digestOf,
  mediaTypes,
  pushTo,
  randomBytes,
} from "../../sandbox/images.ts";
import {
  fullAccess,
  type RegistryOptions,
  type RegistryServer,
  startRegistry,
} from "../../sandbox/registry.ts";

const open: RegistryServer[] = [];

async function start(options?: RegistryOptions): Promise<RegistryServer> {
  const registry = await startRegistry(options);
  open.push(registry);
  return registry;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((registry) => registry.close()));
});

const octets = { "content-type": "application/octet-stream" };
const repository = "goharbor/harbor-core";

async function codeOf(response: Response): Promise<string> {
  const body = (await response.json()) as { errors: { code: string }[] };
  return `${response.status} ${body.errors[0]?.code}`;
}

async function beginUpload(registry: RegistryServer, name = repository): Promise<URL> {
  const response = await fetch(`${registry.origin}/v2/${name}/blobs/uploads/`, { method: "POST" });
  expect(response.status).toBe(202);
  return new URL(response.headers.get("location") ?? "", registry.origin);
}

function withDigest(location: URL, digest: string): string {
  return `${location.href}&digest=${digest}`;
}

function put(
  registry: RegistryServer,
  reference: string,
  bytes: Uint8Array,
  type: string,
): Promise<Response> {
  const url = `${registry.origin}/v2/${repository}/manifests/${reference}`;
  return fetch(url, { method: "PUT", body: Buffer.from(bytes), headers: { "content-type": type } });
}

describe("blob uploads", () => {
  it("stores a blob under its digest, and nothing under a wrong one", async () => {
    const registry = await start();
    const bytes = randomBytes("blob", 1000);
    const digest = digestOf(bytes);
    const wrong = digestOf("other");
    const refused = await fetch(withDigest(await beginUpload(registry), wrong), {
      method: "PUT",
      body: bytes,
      headers: octets,
    });
    expect(await codeOf(refused)).toBe("400 DIGEST_INVALID");
    expect(registry.hasBlob(repository, wrong) || registry.hasBlob(repository, digest)).toBe(false);
    const stored = await fetch(withDigest(await beginUpload(registry), digest), {
      method: "PUT",
      body: bytes,
      headers: octets,
    });
    expect(stored.status).toBe(201);
    expect(registry.blob(repository, digest)).toEqual(bytes);
    expect(registry.uploadsOpen()).toBe(0);
    expect(registry.events.map(({ kind }) => kind)).toEqual(["blob"]);
  });

  it("takes sha512, a single POST, and refuses what is no digest", async () => {
    const registry = await start();
    const bytes = Buffer.from("x");
    const url = `${registry.origin}/v2/${repository}/blobs/uploads/`;
    const single = await fetch(`${url}?digest=${digestOf(bytes)}`, {
      method: "POST",
      body: bytes,
      headers: octets,
    });
    expect(single.status).toBe(201);
    for (const digest of [
      "sha256:abc",
      "md5:d41d8cd98f00b204e9800998ecf8427e",
      "SHA256:".concat("a".repeat(64)),
    ]) {
      const response = await fetch(withDigest(await beginUpload(registry), digest), {
        method: "PUT",
        body: bytes,
        headers: octets,
      });
      expect(await codeOf(response)).toBe("400 DIGEST_INVALID");
    }
  });

  it("takes chunks in order only, at the newest Location only, and tells how far it came", async () => {
    const registry = await start({ location: "absolute" });
    const bytes = randomBytes("chunks", 300);
    const first = await beginUpload(registry);
    const patch = (location: URL, start: number, end: number) =>
      fetch(location, {
        method: "PATCH",
        body: bytes.subarray(start, end),
        headers: { ...octets, "content-range": `${start}-${end - 1}` },
      });
    expect((await patch(first, 100, 200)).status).toBe(416);
    const begun = await patch(first, 0, 100);
    expect(begun.status).toBe(202);
    expect(begun.headers.get("range")).toBe("0-99");
    const second = new URL(begun.headers.get("location") ?? "");
    expect((await patch(first, 100, 200)).status).toBe(416);
    const changed = new URL(second.href.replace("%3D", "%3d"));
    expect(await codeOf(await patch(changed, 100, 200))).toBe("400 BLOB_UPLOAD_INVALID");
    const gap = await patch(second, 200, 300);
    expect([gap.status, gap.headers.get("range")]).toEqual([416, "0-99"]);
    const status = await fetch(first);
    expect([status.status, status.headers.get("range")]).toEqual([204, "0-99"]);
    const third = new URL(status.headers.get("location") ?? "");
    const streamed = await fetch(third, { method: "PATCH", body: bytes.subarray(100), headers: octets });
    const last = new URL(streamed.headers.get("location") ?? "");
    const done = await fetch(withDigest(last, digestOf(bytes)), { method: "PUT" });
    expect(done.status).toBe(201);
    expect(registry.blob(repository, digestOf(bytes))).toEqual(bytes);
  });

  it("keeps what arrived before a connection broke, and the upload goes on from there", async () => {
    const registry = await start();
    const bytes = randomBytes("broken", 200_000);
    const location = await beginUpload(registry);
    registry.fault({ when: { method: "PATCH" }, effect: { resetRequestAfter: 70_000 } });
    await expect(fetch(location, { method: "PATCH", body: bytes, headers: octets })).rejects.toThrow();
    const status = await fetch(location);
    expect(status.headers.get("range")).toBe("0-69999");
    const next = new URL(status.headers.get("location") ?? "", registry.origin);
    const rest = { method: "PUT", body: bytes.subarray(70_000), headers: octets };
    expect((await fetch(withDigest(next, digestOf(bytes)), rest)).status).toBe(201);
    expect(registry.blob(repository, digestOf(bytes))).toEqual(bytes);
  });

  it.each([
    {
      name: "another Content-Type",
      headers: { "content-type": "text/plain" },
      status: "400 BLOB_UPLOAD_INVALID",
    },
    {
      name: "a Content-Range with a unit",
      headers: { ...octets, "content-range": "bytes 0-2" },
      status: "400 BLOB_UPLOAD_INVALID",
    },
    {
      name: "a Content-Range of another length",
      headers: { ...octets, "content-range": "0-9" },
      status: "400 SIZE_INVALID",
    },
  ])("refuses $name in a PATCH", async ({ headers, status }) => {
    const registry = await start();
    const location = await beginUpload(registry);
    expect(await codeOf(await fetch(location, { method: "PATCH", body: Buffer.from("abc"), headers }))).toBe(
      status,
    );
  });

  it("forgets a cancelled upload", async () => {
    const registry = await start();
    const location = await beginUpload(registry);
    expect((await fetch(location, { method: "DELETE" })).status).toBe(204);
    expect(registry.uploadsOpen()).toBe(0);
    expect(await codeOf(await fetch(location))).toBe("404 BLOB_UPLOAD_UNKNOWN");
  });
});

describe("mounts", () => {
  const cases = [
    { mount: "always", from: "goharbor/base", status: 201, held: true },
    { mount: "always", from: "goharbor/unknown", status: 202, held: false },
    { mount: "never", from: "goharbor/base", status: 202, held: false },
    { mount: "refuse", from: "goharbor/base", status: 401, held: false },
  ] as const;
  it.each(cases)("$mount, from $from: $status", async ({ mount, from, status, held }) => {
    const registry = await start({ mount });
    const digest = registry.putBlob("goharbor/base", randomBytes("base", 100));
    const url = `${registry.origin}/v2/${repository}/blobs/uploads/?mount=${digest}&from=${from}`;
    expect((await fetch(url, { method: "POST" })).status).toBe(status);
    expect(registry.hasBlob(repository, digest)).toBe(held);
    expect(registry.uploadsOpen()).toBe(status === 202 ? 1 : 0);
  });
});

describe("blob downloads", () => {
  it("answers ranges, and 416 beyond the end", async () => {
    const registry = await start();
    const bytes = randomBytes("ranges", 100);
    const url = `${registry.origin}/v2/${repository}/blobs/${registry.putBlob(repository, bytes)}`;
    const part = await fetch(url, { headers: { range: "bytes=40-" } });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 40-99/100"]);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(40));
    const beyond = await fetch(url, { headers: { range: "bytes=100-" } });
    expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, "bytes */100"]);
    const head = await fetch(url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "100"]);
  });

  it("redirects to another origin, which refuses a login", async () => {
    const registry = await start({ blobRedirect: true });
    const bytes = randomBytes("redirect", 100);
    const url = `${registry.origin}/v2/${repository}/blobs/${registry.putBlob(repository, bytes)}`;
    const redirect = await fetch(url, { redirect: "manual" });
    expect(redirect.status).toBe(307);
    const location = redirect.headers.get("location") ?? "";
    expect(new URL(location).origin).toBe(registry.contentServer?.origin);
    expect((await fetch(location, { headers: { authorization: "Bearer x" } })).status).toBe(400);
    expect((await fetch(location.replace(/Signature=.*/, "Signature=forged"))).status).toBe(403);
    expect(Buffer.from(await (await fetch(location)).arrayBuffer())).toEqual(bytes);
  });

  it("carries 100 MB", async () => {
    const registry = await start();
    const bytes = randomBytes("large", 100_000_000);
    const digest = digestOf(bytes);
    const location = await beginUpload(registry);
    expect(
      (await fetch(withDigest(location, digest), { method: "PUT", body: bytes, headers: octets })).status,
    ).toBe(201);
    const response = await fetch(`${registry.origin}/v2/${repository}/blobs/${digest}`);
    expect(digestOf(Buffer.from(await response.arrayBuffer()))).toBe(digest);
    expect(registry.requests.at(-1)?.bytesOut).toBe(100_000_000);
  });
});

describe("manifests", () => {
  it("refuses an image while one of its blobs is missing, and takes it once they are there", async () => {
    const registry = await start();
    const image = buildImage({
      seed: "image",
      layers: [{ size: 10 }, { size: 20 }, { size: 30, foreign: true }],
    });
    const blobs = [image.config, ...image.layers].flatMap((blob) =>
      blob?.bytes === undefined ? [] : [blob.bytes],
    );
    for (const bytes of blobs) {
      expect(await codeOf(await put(registry, "v1", image.bytes, image.mediaType))).toBe(
        "400 MANIFEST_BLOB_UNKNOWN",
      );
      registry.putBlob(repository, bytes);
    }
    expect((await put(registry, "v1", image.bytes, image.mediaType)).status).toBe(201);
    expect(registry.manifest(repository, "v1")?.bytes).toEqual(image.bytes);
    expect(registry.completeness(repository, "v1")).toEqual([]);
    expect(registry.tagWrites).toEqual([{ repository, tag: "v1", digest: image.digest, at: 1 }]);
  });

  it("refuses an index while a child is missing, also a child of a child", async () => {
    const registry = await start();
    const image = buildImage({ seed: "child", format: "oci" });
    const inner = buildIndex([image]);
    const outer = buildIndex([inner]);
    expect(await codeOf(await put(registry, "v1", outer.bytes, outer.mediaType))).toBe(
      "400 MANIFEST_BLOB_UNKNOWN",
    );
    pushTo(registry, repository, inner);
    expect((await put(registry, "v1", outer.bytes, outer.mediaType)).status).toBe(201);
    expect(registry.completeness(repository, "v1")).toEqual([]);
  });

  const image = buildImage({ seed: "refused" });
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const parsed = JSON.parse(image.bytes.toString()) as Record<string, unknown>;
  it.each([
    { name: "no JSON", bytes: Buffer.from("{"), status: "400 MANIFEST_INVALID" },
    {
      name: "another mediaType",
      bytes: image.bytes,
      type: mediaTypes.ociManifest,
      status: "400 MANIFEST_INVALID",
    },
    { name: "an unknown type", bytes: image.bytes, type: "application/json", status: "400 MANIFEST_INVALID" },
    {
      name: "an image that is an index as well",
      bytes: json({ ...parsed, manifests: [] }),
      status: "400 MANIFEST_INVALID",
    },
    {
      name: "an invalid digest",
      bytes: json({ ...parsed, layers: [{ mediaType: "a/b", size: 1, digest: "sha256:1" }] }),
      status: "400 MANIFEST_INVALID",
    },
    { name: "more than 4 MiB", bytes: Buffer.alloc(4 * 1024 * 1024 + 1, 32), status: "413 SIZE_INVALID" },
    {
      name: "another digest than asked",
      reference: digestOf("other"),
      bytes: image.bytes,
      status: "400 DIGEST_INVALID",
    },
    { name: "no tag", reference: "-v1", bytes: image.bytes, status: "400 MANIFEST_INVALID" },
  ])("refuses $name", async ({ bytes, type = image.mediaType, reference = "v1", status }) => {
    const registry = await start();
    for (const blob of [image.config, ...image.layers])
      if (blob?.bytes) registry.putBlob(repository, blob.bytes);
    expect(await codeOf(await put(registry, reference, bytes, type))).toBe(status);
    expect(registry.manifest(repository, reference)).toBeUndefined();
    expect(registry.tags(repository).size).toBe(0);
  });

  it("refuses a blob of another size than the manifest says", async () => {
    const registry = await start();
    pushTo(registry, repository, image);
    const layers = image.layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size: size + 1 }));
    expect(await codeOf(await put(registry, "v1", json({ ...parsed, layers }), image.mediaType))).toBe(
      "400 SIZE_INVALID",
    );
  });

  it("gives a manifest only to a client that accepts its type, with digest and length", async () => {
    const registry = await start();
    pushTo(registry, repository, image, "v1");
    const schema1 = buildSchema1({ seed: "old", name: repository, tag: "old" });
    pushTo(registry, repository, schema1, "old");
    const url = `${registry.origin}/v2/${repository}/manifests`;
    expect((await fetch(`${url}/v1`)).status).toBe(404);
    expect((await fetch(`${url}/old`, { headers: { accept: mediaTypes.dockerManifest } })).status).toBe(404);
    for (const reference of ["v1", image.digest]) {
      for (const method of ["GET", "HEAD"]) {
        const accept = `${mediaTypes.ociManifest}, ${mediaTypes.dockerManifest};q=0.5`;
        const response = await fetch(`${url}/${reference}`, { method, headers: { accept } });
        expect(response.status).toBe(200);
        expect(response.headers.get("docker-content-digest")).toBe(image.digest);
        expect(response.headers.get("content-type")).toBe(image.mediaType);
        expect(response.headers.get("content-length")).toBe(String(image.bytes.length));
      }
    }
    expect(await codeOf(await fetch(`${registry.origin}/v2/goharbor/none/manifests/v1`))).toBe(
      "404 NAME_UNKNOWN",
    );
    expect(await codeOf(await fetch(`${registry.origin}/v2/Goharbor/none/manifests/v1`))).toBe(
      "400 NAME_INVALID",
    );
  });

  it("tells what is missing or wrong below a manifest", async () => {
    const registry = await start();
    const whole = buildIndex([buildImage({ seed: "a" }), buildImage({ seed: "b" })], { format: "docker" });
    pushTo(registry, repository, whole, "v1");
    expect(registry.completeness(repository, "v1")).toEqual([]);
    expect(registry.completeness(repository, "v2")).toHaveLength(1);
    const [layer] = whole.children[0]?.layers ?? [];
    registry.blob(repository, layer?.digest ?? "")?.fill(0);
    expect(registry.completeness(repository, "v1")).toEqual([`blob ${layer?.digest} has other bytes`]);
  });
});

describe("tags", () => {
  it("are listed in pages, in order, with a Link to the next", async () => {
    const registry = await start({ pageSize: 2 });
    for (const tag of ["v3", "v1", "v5", "v2", "v4"])
      pushTo(registry, repository, buildImage({ seed: tag }), tag);
    const pages: string[][] = [];
    let path: string | undefined = `/v2/${repository}/tags/list`;
    while (path !== undefined) {
      const response: Response = await fetch(`${registry.origin}${path}`);
      pages.push(((await response.json()) as { tags: string[] }).tags);
      path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
    }
    expect(pages).toEqual([["v1", "v2"], ["v3", "v4"], ["v5"]]);
    const last = await fetch(`${registry.origin}/v2/${repository}/tags/list?n=1&last=v3`);
    expect(await last.json()).toEqual({ name: repository, tags: ["v4"] });
    const none = await fetch(`${registry.origin}/v2/${repository}/tags/list?n=0`);
    expect([await none.json(), none.headers.get("link")]).toEqual([{ name: repository, tags: [] }, null]);
  });
});

describe("referrers", () => {
  it("are found by their subject and type, unless the registry has no such API", async () => {
    const subject = buildImage({ seed: "subject", format: "oci" });
    const artifactType = "application/vnd.example.signature";
    const signature = buildImage({ seed: "signature", format: "oci", subject, artifactType });
    for (const referrers of [true, false]) {
      const registry = await start({ referrers });
      pushTo(registry, repository, subject, "v1");
      pushTo(registry, repository, signature);
      const url = `${registry.origin}/v2/${repository}/referrers/${subject.digest}`;
      const pushed = await put(registry, signature.digest, signature.bytes, signature.mediaType);
      expect(pushed.headers.get("oci-subject")).toBe(referrers ? subject.digest : null);
      const listed = await fetch(`${url}?artifactType=${artifactType}`);
      expect(listed.status).toBe(referrers ? 200 : 404);
      if (!referrers) continue;
      expect(listed.headers.get("oci-filters-applied")).toBe("artifactType");
      expect(await listed.json()).toMatchObject({ manifests: [{ digest: signature.digest, artifactType }] });
      expect(await (await fetch(`${url}?artifactType=other`)).json()).toMatchObject({ manifests: [] });
    }
  });
});

describe("deletion", () => {
  const cases = [
    { deletion: "by-tag", byTag: 202, byDigest: 202 },
    { deletion: "by-digest", byTag: 405, byDigest: 202 },
    { deletion: "docker-hub", byTag: 405, byDigest: 403 },
    { deletion: "harbor", byTag: 400, byDigest: 202 },
    { deletion: "disabled", byTag: 405, byDigest: 405 },
  ] as const;
  it.each(cases)("$deletion: a tag $byTag, a digest $byDigest", async ({ deletion, byTag, byDigest }) => {
    const registry = await start({ deletion });
    const image = buildImage({ seed: "deleted" });
    for (const tag of ["v1", "v2", "v3"]) pushTo(registry, repository, image, tag);
    const remove = (reference: string) =>
      fetch(`${registry.origin}/v2/${repository}/manifests/${reference}`, { method: "DELETE" });
    expect((await remove("v1")).status).toBe(byTag);
    expect([...registry.tags(repository).keys()]).toEqual(byTag === 202 ? ["v2", "v3"] : ["v1", "v2", "v3"]);
    expect((await remove(image.digest)).status).toBe(byDigest);
    expect(registry.tags(repository).size === 0).toBe(byDigest === 202);
  });
});

describe("access", () => {
  const users = [
    fullAccess("pusher", "right"),
    { ...fullAccess("reader", "right"), access: (_name: string, action: string) => action === "pull" },
  ];
  const basic = (name: string, password: string) =>
    `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;

  async function tokenFor(
    registry: RegistryServer,
    scopes: readonly string[],
    login?: string,
  ): Promise<Response> {
    const { realm = "", service = "" } = registry.tokenServer ?? {};
    const query = new URLSearchParams({ service });
    for (const scope of scopes) query.append("scope", scope);
    return fetch(`${realm}?${query}`, login === undefined ? {} : { headers: { authorization: login } });
  }

  async function bearer(
    registry: RegistryServer,
    scope: string,
    login?: string,
  ): Promise<Record<string, string>> {
    const { token } = (await (await tokenFor(registry, [scope], login)).json()) as { token: string };
    return { authorization: `Bearer ${token}` };
  }

  it("asks for a token with the scope that the request needs", async () => {
    const registry = await start({
      authentication: { kind: "bearer", users, service: "here" },
      anonymousPull: true,
    });
    const challenge = async (path: string, init?: RequestInit) => {
      const response = await fetch(`${registry.origin}${path}`, init);
      return `${response.status} ${response.headers.get("www-authenticate")}`;
    };
    const prefix = `401 Bearer realm="${registry.tokenServer?.origin}/token",service="here"`;
    expect(await challenge("/v2/")).toBe(prefix);
    expect(await challenge(`/v2/${repository}/tags/list`)).toBe(
      `${prefix},scope="repository:${repository}:pull"`,
    );
    const digest = digestOf("x");
    expect(await challenge(`/v2/a/blobs/uploads/?mount=${digest}&from=b`, { method: "POST" })).toBe(
      `${prefix},scope="repository:a:pull,push repository:b:pull"`,
    );
    const headers = await bearer(registry, `repository:${repository}:pull,push`);
    const push = await challenge(`/v2/${repository}/blobs/uploads/`, { method: "POST", headers });
    expect(push).toBe(`${prefix},scope="repository:${repository}:pull,push",error="insufficient_scope"`);
  });

  it("binds a token to its scopes, drops what a user may not, and refuses a wrong password", async () => {
    const registry = await start({ authentication: { kind: "bearer", users }, anonymousPull: true });
    const push = async (login: string, scope: string) =>
      (
        await fetch(`${registry.origin}/v2/${repository}/blobs/uploads/`, {
          method: "POST",
          headers: await bearer(registry, scope, login),
        })
      ).status;
    const scope = `repository:${repository}:pull,push`;
    expect(await push(basic("pusher", "right"), scope)).toBe(202);
    expect(await push(basic("reader", "right"), scope)).toBe(401);
    expect(await push(basic("pusher", "right"), "repository:goharbor/other:pull,push")).toBe(401);
    expect((await tokenFor(registry, [scope], basic("pusher", "wrong"))).status).toBe(401);
    expect(registry.tokenServer?.credentialsSeen.at(-1)).toEqual({ username: "pusher", password: "wrong" });
  });

  it("lets tokens and logins run out", async () => {
    let now = 1_000_000;
    const guest = { ...fullAccess("guest", "right"), expiresAt: now + 100_000 };
    const registry = await start({
      authentication: { kind: "bearer", users: [guest], tokenSeconds: 60 },
      now: () => now,
    });
    const login = basic("guest", "right");
    const headers = await bearer(registry, `repository:${repository}:pull`, login);
    const url = `${registry.origin}/v2/${repository}/tags/list`;
    expect((await fetch(url, { headers })).status).toBe(404);
    now += 60_000;
    const expired = await fetch(url, { headers });
    expect([expired.status, expired.headers.get("www-authenticate")]).toEqual([
      401,
      expect.stringContaining('error="invalid_token"'),
    ]);
    now += 40_000;
    expect((await tokenFor(registry, [], login)).status).toBe(401);
  });

  it("exchanges a refresh token, the identity token of a Docker login, by POST", async () => {
    const user = { ...fullAccess("helper", "right"), identityToken: "refresh" };
    const registry = await start({ authentication: { kind: "bearer", users: [user] } });
    const { realm = "", service = "" } = registry.tokenServer ?? {};
    const exchange = (refresh_token: string) => {
      const scope = `repository:${repository}:push,pull`;
      const form = { grant_type: "refresh_token", refresh_token, service, scope, client_id: "test" };
      return fetch(realm, { method: "POST", body: new URLSearchParams(form) });
    };
    expect((await exchange("other")).status).toBe(401);
    const { access_token } = (await (await exchange("refresh")).json()) as { access_token: string };
    const headers = { authorization: `Bearer ${access_token}` };
    const url = `${registry.origin}/v2/${repository}/blobs/uploads/`;
    expect((await fetch(url, { method: "POST", headers })).status).toBe(202);
  });

  it("takes Basic logins: 401 for a wrong one, 403 for what a user may not", async () => {
    const registry = await start({ authentication: { kind: "basic", users } });
    const post = (login: string) =>
      fetch(`${registry.origin}/v2/${repository}/blobs/uploads/`, {
        method: "POST",
        headers: { authorization: login },
      });
    expect((await post(basic("pusher", "wrong"))).status).toBe(401);
    expect((await post(basic("reader", "right"))).status).toBe(403);
    expect((await post(basic("pusher", "right"))).status).toBe(202);
  });

  it("refuses a push below a namespace that does not exist", async () => {
    const namespaces = new Set<string>();
    const registry = await start({ namespaces });
    const post = () => fetch(`${registry.origin}/v2/${repository}/blobs/uploads/`, { method: "POST" });
    expect(await codeOf(await post())).toBe("404 NAME_UNKNOWN");
    namespaces.add("goharbor");
    expect((await post()).status).toBe(202);
  });

  it("counts pulls by GET, not by HEAD, and answers 429 when none is left", async () => {
    const registry = await start({ rateLimitHeaders: { limit: 100, remaining: 1 } });
    const image = buildImage({ seed: "limited" });
    pushTo(registry, repository, image, "v1");
    const ask = (method: string) =>
      fetch(`${registry.origin}/v2/${repository}/manifests/v1`, {
        method,
        headers: { accept: image.mediaType },
      });
    expect((await ask("HEAD")).headers.get("ratelimit-remaining")).toBe("1;w=21600");
    expect((await ask("GET")).headers.get("ratelimit-remaining")).toBe("0;w=21600");
    expect(await codeOf(await ask("GET"))).toBe("429 TOOMANYREQUESTS");
    expect((await ask("HEAD")).status).toBe(200);
  });

  it("refuses a client without User-Agent", async () => {
    const registry = await start();
    const status = await new Promise((resolve, reject) => {
      httpRequest(`${registry.origin}/v2/`, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).toBe(403);
  });
});
