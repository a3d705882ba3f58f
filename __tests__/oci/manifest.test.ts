import { describe, expect, test } from "vitest";
import {
  buildImage,
  buildIndex as buildSandboxIndex,
  buildSchema1,
  mediaTypes,
} from "../../sandbox/images.ts";
import { BodyError } from "../../src/http/http.ts";
import { digestOf, parseDigest } from "../../src/oci/digest.ts";
import { buildIndex, type Manifest, parseManifest, selectChildren } from "../../src/oci/manifest.ts";
import {
  acceptedManifests,
  isIndexType,
  isManifestType,
  isNonDistributable,
  isSchema1Type,
} from "../../src/oci/media-types.ts";

const { ociIndex, ociManifest, dockerList, dockerManifest } = mediaTypes;

interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [field: string]: unknown;
}

function entry(seed: string, mediaType: string = mediaTypes.ociLayer, more: object = {}): Entry {
  return { mediaType, digest: digestOf(seed), size: seed.length, ...more };
}

function child(seed: string, platform: string, more: object = {}): Entry {
  const [os, architecture, variant] = platform.split("/");
  return entry(seed, ociManifest, { platform: { os, architecture, variant }, ...more });
}

function bytesOf(document: unknown): Buffer {
  return Buffer.from(JSON.stringify(document, undefined, 2));
}

function parsed(document: object, contentType: string = ociManifest): Manifest {
  return parseManifest(bytesOf({ schemaVersion: 2, ...document }), contentType, undefined);
}

const config = entry("config", mediaTypes.ociConfig);

describe("media types", () => {
  test.each([
    [ociIndex, "index"],
    [dockerList, "index"],
    [ociManifest, "image"],
    [dockerManifest, "image"],
    [mediaTypes.dockerSchema1, "schema 1"],
    ["application/vnd.docker.distribution.manifest.v1+json", "schema 1"],
    [mediaTypes.ociLayer, undefined],
    ["application/json", undefined],
    ["", undefined],
  ])("%j is %s", (type, kind) => {
    expect(isIndexType(type)).toBe(kind === "index");
    expect(isManifestType(type)).toBe(kind === "index" || kind === "image");
    expect(isSchema1Type(type)).toBe(kind === "schema 1");
    expect(acceptedManifests.split(", ").includes(type)).toBe(isManifestType(type));
  });

  test.each([
    [mediaTypes.dockerForeignLayer, true],
    ["application/vnd.docker.image.rootfs.foreign.diff.tar", true],
    ["application/vnd.oci.image.layer.nondistributable.v1.tar", true],
    [mediaTypes.ociForeignLayer, true],
    ["application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", true],
    [mediaTypes.ociLayer, false],
    [mediaTypes.dockerLayer, false],
  ])("a layer of type %s may not be passed on: %j", (type, expected) => {
    expect(isNonDistributable(type)).toBe(expected);
  });
});

describe("the four types", () => {
  test.each(["docker", "oci"] as const)("an image of %s", (format) => {
    const image = buildImage({ seed: "image", format, layers: [{ size: 10 }, { size: 20 }] });
    const manifest = parseManifest(image.bytes, image.mediaType, undefined);
    expect(manifest.kind).toBe("image");
    expect(manifest.digest).toBe(image.digest);
    expect(manifest.children).toEqual([]);
    expect(manifest.blobs.map(({ digest }) => digest)).toEqual(
      [image.config, ...image.layers].map((blob) => blob?.digest),
    );
    expect(manifest.blobs.map(({ size }) => size).slice(1)).toEqual([10, 20]);
    expect(manifest.artifactType).toBe(image.config?.mediaType);
  });

  test.each(["docker", "oci"] as const)("an index of %s", (format) => {
    const children = ["linux/amd64", "linux/arm/v7"].map((platform) =>
      buildImage({ seed: platform, format, platform }),
    );
    const index = buildSandboxIndex(children, { format });
    const manifest = parseManifest(index.bytes, index.mediaType, undefined);
    expect(manifest.kind).toBe("index");
    expect(manifest.blobs).toEqual([]);
    expect(manifest.children.map(({ digest }) => digest)).toEqual(children.map(({ digest }) => digest));
    expect(manifest.children.map(({ platform }) => platform)).toEqual([
      { os: "linux", architecture: "amd64" },
      { os: "linux", architecture: "arm", variant: "v7" },
    ]);
  });

  test("an index in an index is a child like any other", () => {
    const inner = buildSandboxIndex([buildImage({ seed: "x" })]);
    const outer = buildSandboxIndex([inner]);
    const manifest = parseManifest(outer.bytes, outer.mediaType, undefined);
    expect(manifest.children.map(({ digest, mediaType }) => [digest, mediaType])).toEqual([
      [inner.digest, ociIndex],
    ]);
  });

  test("the bytes stay the very same, whatever their layout", () => {
    const bytes = Buffer.from(
      `\n{ "layers" : [], "config": ${JSON.stringify(config)},\t"schemaVersion":2, "later": {"b":1,"a":2} }\n`,
    );
    const manifest = parseManifest(bytes, ociManifest, undefined);
    expect(manifest.bytes).toBe(bytes);
    expect(manifest.digest).toBe(digestOf(bytes));
  });
});

describe("what a manifest needs", () => {
  test("each digest once, though layers repeat", () => {
    const layer = entry("layer");
    const manifest = parsed({ config, layers: [layer, layer, entry("other"), layer] });
    expect(manifest.blobs.map(({ digest }) => digest)).toEqual([
      config.digest,
      layer.digest,
      digestOf("other"),
    ]);
    const one = child("one", "linux/amd64");
    expect(parsed({ manifests: [one, one] }, ociIndex).children).toHaveLength(1);
  });

  test.each([mediaTypes.dockerForeignLayer, mediaTypes.ociForeignLayer])(
    "layers of type %s stay where they are, whatever their urls",
    (mediaType) => {
      const foreign = entry("foreign", mediaType, { urls: ["https://evil.example/layer"] });
      const manifest = parsed({
        config,
        layers: [foreign, entry("layer", undefined, { urls: ["https://x"] })],
      });
      expect(manifest.foreignLayers.map(({ digest }) => digest)).toEqual([foreign.digest]);
      expect(manifest.blobs.map(({ digest }) => digest)).toEqual([config.digest, digestOf("layer")]);
    },
  );

  test("children of an unknown type are blobs", () => {
    const manifest = parsed(
      { manifests: [child("a", "linux/amd64"), entry("sbom", "text/spdx+json")] },
      ociIndex,
    );
    expect(manifest.children.map(({ digest }) => digest)).toEqual([digestOf("a")]);
    expect(manifest.blobs.map(({ digest }) => digest)).toEqual([digestOf("sbom")]);
  });

  test("subject, artifact type and annotations of a signature", () => {
    const manifest = parsed({
      config: entry("{}", mediaTypes.ociEmpty),
      layers: [entry("signature", "application/vnd.dev.sigstore.bundle.v0.3+json")],
      subject: entry("image", ociManifest),
      artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      annotations: { "a.b": "c" },
    });
    expect(manifest).toMatchObject({
      subject: digestOf("image"),
      artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      annotations: { "a.b": "c" },
    });
  });

  test.each([
    ["lists that are null", { config, layers: null, manifests: null, subject: null, annotations: null }],
    [
      "fields of the manifest that are null",
      { config, layers: [], mediaType: null, fsLayers: null, artifactType: null, annotations: { a: null } },
    ],
    [
      "fields of a descriptor that are null",
      {
        config: { ...config, platform: null, annotations: null, artifactType: null },
        layers: [entry("a", undefined, { platform: { os: null, architecture: null, variant: null } })],
      },
    ],
    ["an empty platform", { config, layers: [entry("a", undefined, { platform: {} })] }],
    ["unknown fields", { config, layers: [], x: { manifests: [1] } }],
  ])("%s are no mistake", (_name, document) => {
    expect(parsed(document).kind).toBe("image");
  });

  test("an index is one with a config and layers of null, and with a child without a platform", () => {
    const child = entry("child", ociManifest, { platform: null });
    const manifest = parsed({ config: null, layers: null, manifests: [child] }, ociIndex);
    expect(manifest.children).toEqual([
      expect.objectContaining({ digest: digestOf("child"), platform: undefined }),
    ]);
  });

  test("an empty index is one", () => {
    expect(parsed({ manifests: [] }, ociIndex)).toMatchObject({ kind: "index", children: [], blobs: [] });
  });
});

describe("the type", () => {
  test.each([
    ["by Content-Type alone", undefined, ociManifest],
    ["by mediaType alone", ociManifest, ""],
    ["by mediaType, under a Content-Type that is none of a manifest", ociManifest, "application/json"],
    ["with parameters and in upper case", ociManifest, `${ociManifest.toUpperCase()}; charset=utf-8`],
  ])("%s", (_name, mediaType, contentType) => {
    expect(parsed({ mediaType, config, layers: [] }, contentType).mediaType).toBe(ociManifest);
  });

  test.each([
    ["two types", { mediaType: dockerManifest, config, layers: [] }, ociManifest, "its Content-Type says"],
    [
      "an index sent as an image",
      { mediaType: ociIndex, manifests: [] },
      ociManifest,
      "its Content-Type says",
    ],
    [
      "an image that lists manifests",
      { config, layers: [], manifests: [entry("a", ociManifest)] },
      ociManifest,
      "at the same time",
    ],
    ["an index that has layers", { manifests: [], layers: [entry("a")] }, ociIndex, "at the same time"],
    ["an index that has a config", { manifests: [], config }, ociIndex, "at the same time"],
    [
      "an index sent as an image by Content-Type only",
      { manifests: [entry("a", ociManifest)] },
      ociManifest,
      "at the same time",
    ],
    ["an image without config", { layers: [] }, ociManifest, "no config"],
    ["no type at all", { config, layers: [] }, "", "no type"],
    ["a foreign type", { mediaType: "text/html", config }, ociManifest, "not a manifest type"],
    ["schema 1 by Content-Type", {}, mediaTypes.dockerSchema1, "schema 1"],
    ["schema 1 by content", { schemaVersion: 1 }, ociManifest, "schema 1"],
    ["schema 1 by its layers", { fsLayers: [], config }, dockerManifest, "schema 1"],
  ])("%s is refused", (_name, document, contentType, problem) => {
    expect(() => parsed(document, contentType)).toThrow(BodyError);
    expect(() => parsed(document, contentType)).toThrow(problem);
  });

  test("a signed schema 1 manifest is refused in words that help", () => {
    const old = buildSchema1({ seed: "old", name: "a/b", tag: "v1" });
    expect(() => parseManifest(old.bytes, old.mediaType, undefined)).toThrow("push the image again");
  });
});

describe("bytes that are no manifest", () => {
  test.each([
    ["no JSON", "<html></html>"],
    ["an empty body", ""],
    ["a list", "[]"],
    ["null", "null"],
    ["no schemaVersion", JSON.stringify({ config, layers: [] })],
    [
      "a digest in upper case",
      JSON.stringify({ schemaVersion: 2, config: { ...config, digest: config.digest.toUpperCase() } }),
    ],
    [
      "a digest that leads elsewhere",
      JSON.stringify({ schemaVersion: 2, config: { ...config, digest: "../../x" } }),
    ],
    [
      "an unknown algorithm",
      JSON.stringify({ schemaVersion: 2, config: { ...config, digest: `__proto__:${"a".repeat(64)}` } }),
    ],
    ["a negative size", JSON.stringify({ schemaVersion: 2, config: { ...config, size: -1 } })],
    ["a size beyond all numbers", JSON.stringify({ schemaVersion: 2, config: { ...config, size: 2 ** 53 } })],
    ["a size in words", JSON.stringify({ schemaVersion: 2, config: { ...config, size: "12" } })],
    [
      "100,000 children",
      JSON.stringify({
        schemaVersion: 2,
        mediaType: ociIndex,
        manifests: Array(100_000).fill(entry("a", ociManifest)),
      }),
    ],
  ])("%s", (_name, text) => {
    expect(() => parseManifest(Buffer.from(text), ociManifest, undefined)).toThrow(BodyError);
  });

  test("other bytes than the digest that was asked for", () => {
    const bytes = bytesOf({ schemaVersion: 2, config, layers: [] });
    const digest = parseDigest(digestOf(bytes));
    expect(parseManifest(bytes, ociManifest, digest).digest).toBe(digest);
    expect(() => parseManifest(Buffer.concat([bytes, Buffer.from(" ")]), ociManifest, digest)).toThrow(
      `do not have the digest ${digest}`,
    );
  });

  test.each([
    ["a media type", { mediaType: "x\n::set-output name=a::b", config }],
    ["a value", { config, layers: "x\n::set-output name=a::b" }],
    ["a key", { config, annotations: { "x\n::set-output name=a::b": 1 } }],
  ])("%s that would be a workflow command is quoted without being one", (_name, document) => {
    const thrown = messageOfThrown(() => parsed(document));
    expect(thrown).toMatch(/^[^\n]*: :set-output name=a: :b[^\n]*$/);
  });
});

function messageOfThrown(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof BodyError) return error.message;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("selectChildren", () => {
  const attests = (seed: string) => ({
    annotations: {
      "vnd.docker.reference.digest": digestOf(seed),
      "vnd.docker.reference.type": "attestation-manifest",
    },
  });
  const document = {
    mediaType: ociIndex,
    manifests: [
      child("amd64", "linux/amd64", { data: "kept" }),
      child("arm64", "linux/arm64"),
      child("amd64 attestation", "unknown/unknown", attests("amd64")),
      child("arm64 attestation", "unknown/unknown", attests("arm64")),
      entry("no platform", ociManifest),
    ],
    annotations: { "a.b": "c" },
    later: [1, 2],
  };
  const index = parsed(document, ociIndex);

  test("keeps what is wanted and what attests it, and every other field", () => {
    const selected = selectChildren(index, ({ architecture }) => architecture === "amd64");
    expect(selected.children.map(({ digest }) => digest)).toEqual([
      digestOf("amd64"),
      digestOf("amd64 attestation"),
    ]);
    expect(selected.mediaType).toBe(ociIndex);
    expect(selected.digest).toBe(digestOf(selected.bytes));
    expect(selected.digest).not.toBe(index.digest);
    const [first, , second] = document.manifests;
    expect(JSON.parse(Buffer.from(selected.bytes).toString())).toEqual({
      schemaVersion: 2,
      ...document,
      manifests: [first, second],
    });
  });

  test("is the very same index when nothing falls away", () => {
    const whole = parsed({ manifests: document.manifests.slice(0, 4) }, ociIndex);
    expect(selectChildren(whole, ({ os }) => os === "linux")).toBe(whole);
  });

  test("fails when nothing is left", () => {
    expect(() => selectChildren(index, () => false)).toThrow(BodyError);
  });
});

test("buildIndex lists descriptors as an index of its own", () => {
  const { children } = parsed(
    { manifests: [child("a", "linux/amd64"), child("b", "linux/arm64")] },
    ociIndex,
  );
  const index = buildIndex(children);
  expect(index).toMatchObject({ kind: "index", mediaType: ociIndex, children });
  expect(index.digest).toBe(digestOf(index.bytes));
  expect(buildIndex([]).children).toEqual([]);
});
