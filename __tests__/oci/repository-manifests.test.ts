import { describe, expect, test } from "vitest";
import { type Artifact, buildImage, mediaTypes, pushTo } from "../../sandbox/images.ts";
import { fullAccess, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { type Manifest, parseManifest } from "../../src/oci/manifest.ts";
import { repositoryAt, repositoryName } from "./clients.ts";
import { failureOf } from "./failure-of.ts";

const image = buildImage({ seed: "core", format: "oci" });
const forEver = Number.POSITIVE_INFINITY;

async function seeded(options?: Parameters<typeof startRegistry>[0]): Promise<RegistryServer> {
  const server = await startRegistry(options);
  pushTo(server, repositoryName, image, "v1");
  return server;
}

function manifestOf(artifact: Artifact): Manifest {
  return parseManifest(artifact.bytes, artifact.mediaType, undefined);
}

function sent(server: RegistryServer): readonly string[] {
  return server.requests
    .map(({ method, path }) => `${method} ${path}`)
    .filter((one) => !one.endsWith(" /v2/"));
}

const manifestPath = (reference: string) => `/v2/${repositoryName}/manifests/${reference}`;

describe("resolve", () => {
  test("tells digest, type and size by HEAD alone: that costs no pull", async () => {
    await using server = await seeded();
    expect(await repositoryAt(server).resolve("v1")).toEqual({
      digest: image.digest,
      mediaType: image.mediaType,
      size: image.bytes.length,
    });
    expect(sent(server)).toEqual([`HEAD ${manifestPath("v1")}`]);
  });

  test("knows what does not exist", async () => {
    await using server = await seeded();
    expect(await repositoryAt(server).resolve("v2")).toBeUndefined();
    expect(sent(server)).toEqual([`HEAD ${manifestPath("v2")}`]);
  });

  test.each([
    ["no digest", {}],
    ["a digest that leads elsewhere", { "docker-content-digest": "sha256:../../x" }],
    ["an unknown algorithm", { "docker-content-digest": `__proto__:${"a".repeat(64)}` }],
  ])("asks for the manifest itself where the answer has %s", async (_name, headers) => {
    await using server = await seeded();
    server.fault({ when: { method: "HEAD" }, effect: { status: 200, headers } });
    expect(await repositoryAt(server).resolve("v1")).toEqual({
      digest: image.digest,
      mediaType: image.mediaType,
      size: image.bytes.length,
    });
    expect(sent(server)).toEqual([`HEAD ${manifestPath("v1")}`, `GET ${manifestPath("v1")}`]);
  });

  test.each([400, 405, 501])("asks by GET where HEAD is answered by %i, and then at once", async (status) => {
    await using server = await seeded();
    server.fault({ when: { method: "HEAD" }, times: forEver, effect: { status } });
    const repository = repositoryAt(server);
    for (const _ of [1, 2]) expect((await repository.resolve("v1"))?.digest).toBe(image.digest);
    expect(await repository.resolve("v2")).toBeUndefined();
    expect(sent(server)).toEqual([
      `HEAD ${manifestPath("v1")}`,
      ...["v1", "v1", "v2"].map((tag) => `GET ${manifestPath(tag)}`),
    ]);
  });

  test("in doubt asks by GET, until HEAD has shown a manifest or is known to show none", async () => {
    await using server = await seeded();
    server.fault({ when: { method: "HEAD" }, times: forEver, effect: { status: 404 } });
    const repository = repositoryAt(server);
    expect(await repository.resolve("v1")).toBeUndefined();
    expect(await repository.resolveInDoubt("v2")).toBeUndefined();
    expect((await repository.resolveInDoubt("v1"))?.digest).toBe(image.digest);
    expect((await repository.resolve("v1"))?.digest).toBe(image.digest);
    expect(sent(server).filter((line) => line.startsWith("HEAD"))).toHaveLength(1);
    server.clearFaults();
    const other = repositoryAt(server);
    await other.resolve("v1");
    const before = sent(server).length;
    expect(await other.resolveInDoubt("v1")).toBeUndefined();
    expect(sent(server)).toHaveLength(before);
  });

  test("does not take status 400 for absence where GET is answered so, too", async () => {
    await using server = await seeded();
    server.fault({ when: { path: /manifests/ }, times: forEver, effect: { status: 400 } });
    expect((await failureOf(repositoryAt(server).resolve("v1"))).status).toBe(400);
  });

  test.each([401, 403])("does not take status %i for absence", async (status) => {
    await using server = await seeded();
    server.fault({ when: { method: "HEAD" }, times: forEver, effect: { status } });
    expect((await failureOf(repositoryAt(server).resolve("v1"))).status).toBe(status);
  });
});

describe("manifest", () => {
  test.each([
    ["tag", "v1"],
    ["digest", image.digest],
  ])("comes by %s, byte for byte", async (_name, reference) => {
    await using server = await seeded();
    const manifest = await repositoryAt(server).manifest(reference);
    expect(Buffer.from(manifest.bytes)).toEqual(image.bytes);
    expect(manifest.digest).toBe(image.digest);
  });

  test("is followed to where a registry redirects", async () => {
    await using server = await seeded();
    const effect = { status: 302, headers: { location: manifestPath(image.digest) } };
    server.fault({ when: { path: /manifests\/v1/ }, effect });
    expect((await repositoryAt(server).manifest("v1")).digest).toBe(image.digest);
  });

  test.each([
    ["other bytes than the digest", image.digest, { spoilBody: true }, "do not have the digest"],
    ["no JSON", "v1", { spoilBody: true }, "not JSON"],
    [
      "another type than its Content-Type",
      "v1",
      { status: 200, headers: { "content-type": mediaTypes.ociIndex }, body: image.bytes },
      "its Content-Type says",
    ],
    [
      "a web page",
      "v1",
      { status: 200, headers: { "content-type": "text/html" }, body: "<html>" },
      "not JSON",
    ],
    [
      "more than 8 MiB",
      "v1",
      { status: 200, body: Buffer.alloc(8 * 1024 * 1024 + 1, " ") },
      "larger than 8388608",
    ],
  ] as const)("is refused with %s", async (_name, reference, effect, problem) => {
    await using server = await seeded();
    server.fault({ when: { method: "GET", path: /manifests/ }, effect });
    const error = await failureOf(repositoryAt(server).manifest(reference));
    expect(error.message).toContain(
      `${server.host}/${repositoryName}: reading the manifest ${reference} failed`,
    );
    expect(error.message).toContain(problem);
    expect(error.temporary).toBe(false);
    expect(sent(server)).toHaveLength(1);
  });

  test("is read again when the connection breaks in the middle", async () => {
    await using server = await seeded();
    server.fault({ when: { path: /manifests/ }, effect: { cutBodyAfter: 100 } });
    expect((await repositoryAt(server).manifest("v1")).digest).toBe(image.digest);
    expect(sent(server)).toHaveLength(2);
  });

  test("that does not exist is a failure", async () => {
    await using server = await seeded();
    expect((await failureOf(repositoryAt(server).manifest("v2"))).details).toMatchObject({
      status: 404,
      code: "MANIFEST_UNKNOWN",
    });
  });
});

describe("putManifest", () => {
  test("stores the very bytes under a tag and under a digest", async () => {
    await using server = await seeded();
    server.deleteManifest(repositoryName, image.digest);
    const repository = repositoryAt(server);
    await repository.putManifest(image.digest, manifestOf(image));
    expect(server.tags(repositoryName).size).toBe(0);
    await repository.putManifest("v2", manifestOf(image));
    expect(server.manifest(repositoryName, "v2")).toEqual({
      bytes: image.bytes,
      mediaType: image.mediaType,
      digest: image.digest,
    });
  });

  test.each([true, false])("tells whether the registry keeps track of subjects: %j", async (referrers) => {
    await using server = await seeded({ referrers });
    const signature = buildImage({ seed: "signature", format: "oci", subject: image });
    pushTo(server, repositoryName, signature);
    const stored = await repositoryAt(server).putManifest(signature.digest, manifestOf(signature));
    expect(stored).toEqual({ tracksSubject: referrers });
  });

  test("sends a tag once: who sets it looks at it before", async () => {
    await using server = await seeded();
    server.fault({ when: { method: "PUT" }, effect: { status: 503 } });
    const error = await failureOf(repositoryAt(server).putManifest("v2", manifestOf(image)));
    expect(error).toMatchObject({ temporary: true, status: 503 });
    expect(server.requests.filter(({ method }) => method === "PUT")).toHaveLength(1);
  });

  test("is sent again, whole, when the answer got lost", async () => {
    await using server = await seeded();
    server.fault({ when: { method: "PUT" }, effect: { loseAnswer: true } });
    await repositoryAt(server).putManifest(image.digest, manifestOf(image));
    expect(server.requests.filter(({ method }) => method === "PUT").map(({ bytesIn }) => bytesIn)).toEqual([
      image.bytes.length,
      image.bytes.length,
    ]);
  });

  test("fails, with the registry's code, while a blob is missing", async () => {
    await using server = await startRegistry();
    const error = await failureOf(repositoryAt(server).putManifest("v1", manifestOf(image)));
    expect(error.details).toMatchObject({ status: 400, code: "MANIFEST_BLOB_UNKNOWN", side: "destination" });
  });

  test.each([digestOf("other"), "x\n::error::y"])("fails when the registry stored %j", async (stored) => {
    await using server = await seeded();
    const effect = { status: 201, headers: { "docker-content-digest": stored.replace("\n", " ") } };
    server.fault({ when: { method: "PUT" }, effect });
    const error = await failureOf(repositoryAt(server).putManifest("v2", manifestOf(image)));
    expect(error.message).toContain("stored other bytes");
    expect(error.message).not.toContain("::");
  });
});

describe("deleteManifest", () => {
  test.each([
    ["by-tag", "v1", "deleted", []],
    ["by-tag", "v2", "not-found", ["v1"]],
    ["by-tag", image.digest, "deleted", []],
    ["by-digest", "v1", "unsupported", ["v1"]],
    ["by-digest", image.digest, "deleted", []],
    ["docker-hub", "v1", "unsupported", ["v1"]],
    ["harbor", "v1", "unsupported", ["v1"]],
    ["disabled", image.digest, "unsupported", ["v1"]],
  ] as const)("at a registry that deletes %s: %s is %s", async (deletion, reference, outcome, left) => {
    await using server = await seeded({ deletion });
    expect(await repositoryAt(server).deleteManifest(reference)).toBe(outcome);
    expect([...server.tags(repositoryName).keys()]).toEqual(left);
  });

  test("that is not allowed is a failure", async () => {
    await using server = await seeded({ deletion: "docker-hub" });
    expect((await failureOf(repositoryAt(server).deleteManifest(image.digest))).status).toBe(403);
  });

  test("asks for the right to delete, which nothing else does", async () => {
    const users = [fullAccess("bot", "secret")];
    await using server = await seeded({ authentication: { kind: "bearer", users } });
    const credentials = () => Promise.resolve({ username: "bot", password: "secret" });
    const repository = repositoryAt(server, { credentials });
    await repository.resolve("v1");
    await repository.deleteManifest("v1");
    const scopes = server.tokenServer?.requests.map(({ path }) =>
      new URLSearchParams(path.split("?")[1]).get("scope"),
    );
    expect(scopes).toEqual([
      `repository:${repositoryName}:pull,push`,
      `repository:${repositoryName}:pull,push,delete`,
    ]);
  });
});
