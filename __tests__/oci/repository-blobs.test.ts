import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import type { FaultAction } from "../../sandbox/faults.ts";
import { randomBytes } from "../../sandbox/images.ts";
import { fullAccess, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { type SandboxServer, startServer } from "../../sandbox/server.ts";
import { BlobUpload } from "../../src/oci/blob-upload.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { Repository } from "../../src/oci/repository.ts";
import { clientOf, repositoryAt, repositoryName } from "./clients.ts";
import { failureOf } from "./failure-of.ts";

const bytes = randomBytes("blob", 1000);
const blob = { digest: digestOf(bytes), size: bytes.length };
const whole = { from: 0, to: blob.size };
const rest = { from: 400, to: blob.size };
const forEver = Number.POSITIVE_INFINITY;
const users = [fullAccess("bot", "secret")];
const credentials = () => Promise.resolve({ username: "bot", password: "secret" });

async function seeded(options?: Parameters<typeof startRegistry>[0]): Promise<RegistryServer> {
  const server = await startRegistry(options);
  server.putBlob(repositoryName, bytes);
  return server;
}

async function contentOf(body: Readable): Promise<Buffer> {
  return Buffer.concat(await body.toArray());
}

describe("hasBlob", () => {
  test.each([400, 405, 501])("asks by GET where HEAD is answered by %i, and then at once", async (status) => {
    await using server = await seeded();
    server.fault({ when: { method: "HEAD" }, times: forEver, effect: { status } });
    const repository = repositoryAt(server);
    expect(await repository.hasBlob(blob)).toBe(true);
    expect(await repository.hasBlob(blob)).toBe(true);
    expect(await repository.hasBlob({ digest: digestOf("other"), size: 5 })).toBe(false);
    expect(server.requests.filter(({ method }) => method === "HEAD")).toHaveLength(1);
    expect(server.requests.at(-2)?.headers.range).toBe("bytes=0-0");
  });

  /** A registry that redirects to a storage of its own, whatever the method. */
  async function redirecting(storage: SandboxServer): Promise<RegistryServer> {
    const server = await seeded();
    const effect = { status: 307, headers: { location: `${storage.origin}/blob?signed=for-GET` } };
    server.fault({ when: { path: new RegExp(blob.digest) }, times: forEver, effect });
    return server;
  }

  test("asks by GET where the storage that HEAD is redirected to refuses: its URL is signed for GET", async () => {
    await using storage = await startServer(({ method }) => ({
      status: method === "GET" ? 206 : 403,
      body: "x",
    }));
    await using server = await redirecting(storage);
    const repository = repositoryAt(server);
    expect(await repository.hasBlob(blob)).toBe(true);
    expect(await repository.hasBlob({ digest: digestOf("other"), size: 5 })).toBe(false);
    expect(server.requests.filter(({ method }) => method === "HEAD")).toHaveLength(1);
  });

  test("fails in the name of the storage where that refuses GET, too", async () => {
    await using storage = await startServer(() => ({ status: 403 }));
    await using server = await redirecting(storage);
    const { details } = await failureOf(repositoryAt(server).hasBlob(blob));
    expect(details.status).toBe(403);
    expect(details.advice).toContain(`redirected to ${storage.host}, which refused`);
    expect(details.advice).not.toContain("push");
  });

  test("tells by HEAD", async () => {
    await using server = await seeded();
    expect(await repositoryAt(server).hasBlob(blob)).toBe(true);
    expect(await repositoryAt(server).hasBlob({ digest: digestOf("other"), size: 5 })).toBe(false);
    expect(server.requests.filter(({ method }) => method === "GET").map(({ path }) => path)).toEqual([
      "/v2/",
      "/v2/",
    ]);
  });

  test.each<[string, string, { status: number; headers: Record<string, string> }]>([
    ["cut short", "5", { status: 206, headers: { "content-range": "bytes 0-0/5" } }],
    ["empty", "0", { status: 416, headers: { "content-range": "bytes */0" } }],
    ["of another size, whole", "5", { status: 200, headers: { "content-length": "5" } }],
  ])("does not take a blob for there that is %s", async (_what, length, effect) => {
    await using server = await seeded();
    server.fault({
      when: { method: "HEAD", path: /\/blobs\// },
      times: forEver,
      effect: { replaceHeaders: { "content-length": length } },
    });
    const body = "x".repeat(effect.status === 200 ? 5 : 0);
    server.fault({ when: { method: "GET", path: /\/blobs\// }, times: forEver, effect: { ...effect, body } });
    const repository = repositoryAt(server);
    for (const _time of [1, 2]) expect(await repository.hasBlob(blob)).toBe(false);
    expect(server.requests.filter(({ method }) => method === "HEAD")).toHaveLength(2);
  });

  test("goes by GET where HEAD tells a size that GET does not", async () => {
    await using server = await seeded();
    const effect = { replaceHeaders: { "content-length": "0" } };
    server.fault({ when: { method: "HEAD", path: /\/blobs\// }, times: forEver, effect });
    const repository = repositoryAt(server);
    for (const _time of [1, 2]) expect(await repository.hasBlob(blob)).toBe(true);
    expect(server.requests.filter(({ method }) => method === "HEAD")).toHaveLength(1);
  });

  test("does not take trouble for absence", async () => {
    await using server = await seeded();
    server.fault({ when: { method: "HEAD" }, times: forEver, effect: { status: 500 } });
    expect((await failureOf(repositoryAt(server).hasBlob(blob))).temporary).toBe(true);
  });
});

describe("readBlob", () => {
  test("gives the bytes as they are stored", async () => {
    await using server = await seeded();
    const { body, start } = await repositoryAt(server).readBlob(blob, whole);
    expect(start).toBe(0);
    expect(await contentOf(body)).toEqual(bytes);
    expect(server.requests.at(-1)?.headers).toMatchObject({ "accept-encoding": "identity" });
    expect(server.requests.at(-1)?.headers.range).toBeUndefined();
  });

  test("from the storage that the registry redirects to, without the login", async () => {
    await using server = await seeded({ blobRedirect: true, authentication: { kind: "bearer", users } });
    const { body } = await repositoryAt(server, { credentials }).readBlob(blob, rest);
    expect(await contentOf(body)).toEqual(bytes.subarray(400));
    expect(
      server.contentServer?.requests.map(({ status, headers }) => [status, headers.authorization]),
    ).toEqual([[206, undefined]]);
  });

  test("from a byte on", async () => {
    await using server = await seeded();
    const { body, start } = await repositoryAt(server).readBlob(blob, rest);
    expect(start).toBe(400);
    expect(await contentOf(body)).toEqual(bytes.subarray(400));
  });

  test("a part of it, and no more", async () => {
    await using server = await seeded();
    const { body, start, givesRanges } = await repositoryAt(server).readBlob(blob, { from: 400, to: 700 });
    expect([start, givesRanges]).toEqual([400, true]);
    expect(await contentOf(body)).toEqual(bytes.subarray(400, 700));
    expect(server.requests.at(-1)?.headers.range).toBe("bytes=400-699");
  });

  test.each([
    [{ "accept-ranges": "bytes" }, true],
    [{ "accept-ranges": "none" }, false],
    [{}, false],
  ])("tells from the headers %j of a whole blob whether parts can be had: %s", async (headers, parts) => {
    await using server = await seeded();
    server.fault({ when: { path: /blobs/ }, effect: { status: 200, headers, body: bytes } });
    const { body, givesRanges } = await repositoryAt(server).readBlob(blob, whole);
    expect(givesRanges).toBe(parts);
    expect(await contentOf(body)).toEqual(bytes);
  });

  test("from the beginning, where the registry does not know ranges, and says so", async () => {
    await using server = await seeded();
    server.fault({ when: { path: /blobs/ }, effect: { status: 200, body: bytes } });
    const { body, start } = await repositoryAt(server).readBlob(blob, rest);
    expect(start).toBe(0);
    expect(await contentOf(body)).toEqual(bytes);
  });

  test("takes a range of unknown total", async () => {
    await using server = await seeded();
    const headers = { "content-range": "bytes 400-999/*" };
    server.fault({ when: { path: /blobs/ }, effect: { status: 206, headers, body: bytes.subarray(400) } });
    expect((await repositoryAt(server).readBlob(blob, rest)).start).toBe(400);
  });

  test.each([
    undefined,
    "",
    "bytes 0-999/1000",
    "bytes 401-999/1000",
    "bytes 400-998/1000",
    "bytes 400-999/1001",
    "bytes 400-1000/*",
    "bytes */1000",
    "400-999/1000",
    "bytes 400-999/1000, bytes 0-1/1000",
  ])("refuses a part with Content-Range %j", async (range) => {
    await using server = await seeded();
    const headers = range === undefined ? {} : { "content-range": range };
    server.fault({ when: { path: /blobs/ }, effect: { status: 206, headers, body: bytes.subarray(400) } });
    const error = await failureOf(repositoryAt(server).readBlob(blob, rest));
    expect(error.message).toContain("another range of the blob");
  });

  test.each([0, 400])("refuses what was compressed on the way (from byte %i)", async (from) => {
    await using server = await seeded();
    server.fault({
      when: { path: /blobs/ },
      effect: { status: 200, headers: { "content-encoding": "gzip" }, body: bytes },
    });
    expect((await failureOf(repositoryAt(server).readBlob(blob, { from, to: blob.size }))).message).toContain(
      "compressed",
    );
  });

  test.each([
    [404, "BLOB_UNKNOWN"],
    [416, undefined],
  ])("fails with status %i", async (status, code) => {
    await using server = await seeded();
    const wanted = status === 404 ? { ...blob, digest: digestOf("other") } : blob;
    const range = status === 404 ? whole : { from: blob.size, to: blob.size + 1 };
    const error = await failureOf(repositoryAt(server).readBlob(wanted, range));
    expect([error.status, error.details.code]).toEqual([status, code]);
  });
});

describe("uploads", () => {
  test.each(["relative", "absolute"] as const)("to a %s Location, with its own query", async (location) => {
    await using server = await startRegistry({ location });
    const repository = repositoryAt(server);
    const upload = await repository.startUpload();
    await upload.finish(blob, Readable.from([bytes.subarray(0, 300), bytes.subarray(300)]));
    expect(server.blob(repositoryName, blob.digest)).toEqual(bytes);
    const [, start, put] = server.requests;
    expect(start).toMatchObject({ method: "POST", bytesIn: 0 });
    expect(put?.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": "1000",
    });
    // The sandbox's state has escapes that another encoding would change.
    expect(put?.path).toMatch(/\?_state=[0-9a-f-]+%3D%2B%7E&digest=sha256%3A[0-9a-f]{64}$/);
  });

  test("to a Location without a query", async () => {
    await using server = await startRegistry();
    server.fault({ when: { method: "POST" }, effect: { status: 202, headers: { location: "/v2/upload" } } });
    server.fault({ when: { method: "PUT" }, effect: { status: 201 } });
    const upload = await repositoryAt(server).startUpload();
    await upload.finish(blob, Readable.from([bytes]));
    expect(server.requests.at(-1)?.path).toBe(`/v2/upload?digest=${encodeURIComponent(blob.digest)}`);
  });

  test("do not become a blob with other bytes", async () => {
    await using server = await startRegistry();
    const upload = await repositoryAt(server).startUpload();
    const error = await failureOf(upload.finish(blob, Readable.from([randomBytes("other", 1000)])));
    expect(error.details).toMatchObject({ status: 400, code: "DIGEST_INVALID" });
    expect(server.hasBlob(repositoryName, blob.digest)).toBe(false);
  });

  test.each(["startUpload", "mountBlob"] as const)("never go to another host (%s)", async (operation) => {
    await using thief = await startServer(() => ({ status: 201 }));
    await using server = await startRegistry({ authentication: { kind: "bearer", users } });
    const repository = repositoryAt(server, { credentials });
    const location = `${thief.origin}/v2/upload?_state=x`;
    server.fault({ when: { method: "POST" }, effect: { status: 202, headers: { location } } });
    const error = await failureOf(
      operation === "startUpload" ? repository.startUpload() : repository.mountBlob(blob.digest, "a/b"),
    );
    expect(error.message).toContain(`the upload to go to ${thief.origin}, which is not itself`);
    expect(thief.requests).toEqual([]);
  });

  test.each([
    ["no Location", undefined, "no usable address"],
    ["an empty Location", "", "no usable address"],
    ["a Location that is none", "http://:0:0", "no usable address"],
    ["another scheme", "https://HOST/v2/upload", "not itself"],
    ["a login in it", "http://user:word@HOST/v2/upload", "not itself"],
    ["a file", "file:///etc/passwd", "not itself"],
  ])("do not start with %s", async (_name, location, problem) => {
    await using server = await startRegistry();
    const headers = location === undefined ? {} : { location: location.replace("HOST", server.host) };
    server.fault({ when: { method: "POST" }, effect: { status: 202, headers } });
    const error = await failureOf(repositoryAt(server).startUpload());
    expect(error.message).toContain(problem);
    expect(error.message).not.toContain("word");
    expect(server.requests.map(({ method }) => method)).toEqual(["GET", "POST"]);
  });

  test("are given up without a trace, and a registry that cannot is no failure", async () => {
    await using server = await startRegistry();
    const repository = repositoryAt(server);
    await (await repository.startUpload()).cancel();
    expect(server.uploadsOpen()).toBe(0);
    server.fault({ when: { method: "DELETE" }, effect: { status: 405 } });
    server.fault({ when: { method: "DELETE" }, skip: 1, times: forEver, effect: { reset: true } });
    const upload = await repository.startUpload();
    await upload.cancel();
    await upload.cancel();
    expect(server.requests.filter(({ method }) => method === "DELETE").length).toBeGreaterThan(2);
  });
});

describe("mountBlob", () => {
  const from = "goharbor/base";

  async function seededBeside(options?: Parameters<typeof startRegistry>[0]): Promise<RegistryServer> {
    const server = await startRegistry(options);
    server.putBlob(from, bytes);
    return server;
  }

  test("makes another repository's blob one of this", async () => {
    await using server = await seededBeside();
    expect(await repositoryAt(server).mountBlob(blob.digest, from)).toBe("mounted");
    expect(server.hasBlob(repositoryName, blob.digest)).toBe(true);
    const query = new URLSearchParams({ mount: blob.digest, from });
    expect(server.requests.at(-1)?.path).toBe(`/v2/${repositoryName}/blobs/uploads/?${query}`);
  });

  test("gives the upload that was opened instead, and it can be used", async () => {
    await using server = await seededBeside({ mount: "never" });
    const upload = await repositoryAt(server).mountBlob(blob.digest, from);
    if (!(upload instanceof BlobUpload)) throw new Error(`an upload was expected: ${upload}`);
    await upload.finish(blob, Readable.from([bytes]));
    expect(server.blob(repositoryName, blob.digest)).toEqual(bytes);
  });

  test("asks for both repositories in one token", async () => {
    await using server = await seededBeside({ authentication: { kind: "bearer", users } });
    expect(await repositoryAt(server, { credentials }).mountBlob(blob.digest, from)).toBe("mounted");
    const [token] = server.tokenServer?.requests ?? [];
    expect(new URLSearchParams(token?.path.split("?")[1]).getAll("scope")).toEqual([
      `repository:${repositoryName}:pull,push`,
      `repository:${from}:pull`,
    ]);
  });

  test("is no more than refused where the login may not read the other repository", async () => {
    const limited = {
      ...fullAccess("bot", "secret"),
      access: (repository: string) => repository === repositoryName,
    };
    await using server = await seededBeside({ authentication: { kind: "bearer", users: [limited] } });
    expect(await repositoryAt(server, { credentials }).mountBlob(blob.digest, from)).toBeUndefined();
  });

  test("is no more than refused where the token server gives no token for both", async () => {
    await using server = await seededBeside({ authentication: { kind: "bearer", users } });
    server.tokenServer?.fault({ when: {}, effect: { status: 403 } });
    expect(await repositoryAt(server, { credentials }).mountBlob(blob.digest, from)).toBeUndefined();
  });

  test.each([400, 401, 403, 404, 405])("is no more than refused by status %i", async (status) => {
    await using server = await seededBeside();
    server.fault({ when: { method: "POST" }, times: forEver, effect: { status } });
    expect(await repositoryAt(server).mountBlob(blob.digest, from)).toBeUndefined();
  });

  test.each([202, 405, 500])("is not tried again at a registry that answers %i", async (status) => {
    await using server = await seededBeside();
    server.fault({ when: { method: "POST", path: /mount=/ }, times: forEver, effect: { status } });
    const registry = clientOf(server);
    expect(await new Repository(registry, repositoryName).mountBlob(blob.digest, from)).toBeUndefined();
    const tries = server.requests.length;
    expect(await new Repository(registry, "goharbor/other").mountBlob(blob.digest, from)).toBeUndefined();
    expect(server.requests).toHaveLength(tries);
  });

  test.each([400, 401, 403, 404])("is tried three times at a registry that answers %i", async (status) => {
    await using server = await seededBeside();
    server.fault({ when: { method: "POST", path: /mount=/ }, times: forEver, effect: { status } });
    const registry = clientOf(server);
    const mount = (name: string) => new Repository(registry, name).mountBlob(blob.digest, from);
    for (const name of ["a/one", "a/two", "a/three", "a/four", "a/five"])
      expect(await mount(name)).toBeUndefined();
    const tries = server.requests.filter(({ path }) => path.includes("mount="));
    expect(new Set(tries.map(({ path }) => path.split("/")[3]))).toEqual(new Set(["one", "two", "three"]));
  });

  test("is always tried at a registry that has mounted, or opens an upload instead", async () => {
    await using server = await seededBeside();
    const registry = clientOf(server);
    const mount = (name: string) => new Repository(registry, name).mountBlob(blob.digest, from);
    expect(await mount("a/first")).toBe("mounted");
    server.fault({ when: { method: "POST", path: /mount=/ }, times: 5, effect: { status: 404 } });
    for (const name of ["a/one", "a/two", "a/three", "a/four", "a/five"])
      expect(await mount(name)).toBeUndefined();
    expect(await mount("a/last")).toBe("mounted");

    await using careful = await seededBeside({ mount: "never" });
    const other = clientOf(careful);
    for (const name of ["a/one", "a/two", "a/three", "a/four"])
      expect(await new Repository(other, name).mountBlob(blob.digest, from)).toBeInstanceOf(BlobUpload);
  });

  test.each<[string, FaultAction]>([
    ["status 503", { status: 503 }],
    ["status 429", { status: 429 }],
    ["a broken connection", { reset: true }],
  ])("fails by %s: an upload would fare no better", async (_name, effect) => {
    await using server = await seededBeside();
    server.fault({ when: { method: "POST" }, times: forEver, effect });
    expect((await failureOf(repositoryAt(server).mountBlob(blob.digest, from))).temporary).toBe(true);
  });
});
