/**
 * Images made of seeded random bytes: the same seed gives the same digests, and nothing compresses. Manifests are
 * written with indentation, so that a client which parses and writes them anew is found out by the digest.
 */
import { createCipheriv, createHash } from "node:crypto";
import { digestOf, mediaTypes } from "./registry/content.ts";

export { digestOf, mediaTypes } from "./registry/content.ts";

export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  /** Undefined for a foreign layer: it is nowhere but at its `urls`. */
  readonly bytes: Buffer | undefined;
}

/** An image or an index with everything below it. */
export interface Artifact {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: string;
  /** Undefined for an index. */
  readonly config: Blob | undefined;
  readonly layers: readonly Blob[];
  readonly children: readonly Artifact[];
  /** `os/architecture[/variant]`, for the entry in an index. */
  readonly platform: string | undefined;
  /** Annotations of the entry in an index. */
  readonly entryAnnotations?: Readonly<Record<string, string>>;
}

export interface LayerOptions {
  /** In bytes. */
  readonly size: number;
  /** Layers with the same seed and size are the same. Default: the image's seed and the layer's position. */
  readonly seed?: string;
  /** A non-distributable layer: a descriptor with `urls`, and no blob. */
  readonly foreign?: boolean;
  readonly mediaType?: string;
}

export type Format = "docker" | "oci";

export interface ImageOptions {
  readonly seed: string;
  /** Default: one layer of 4 KiB. */
  readonly layers?: readonly LayerOptions[];
  /** Default: `docker`. */
  readonly format?: Format;
  /** Default: `linux/amd64`. */
  readonly platform?: string;
  /** Makes the image a referrer of this artifact (format `oci` only). */
  readonly subject?: Artifact;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Random bytes from a seed: the key stream of AES-256 in counter mode. */
export function randomBytes(seed: string, size: number): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** An image: manifest, config and layers. */
export function buildImage(options: ImageOptions): Artifact {
  const { seed, format = "docker", platform = "linux/amd64", subject } = options;
  const docker = format === "docker";
  const layers = (options.layers ?? [{ size: 4096 }]).map((layer, index) =>
    layerOf(layer, `${seed}#${index}`, format),
  );
  const config = configOf(seed, platform, layers, docker ? mediaTypes.dockerConfig : mediaTypes.ociConfig);
  const mediaType = docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest;
  const manifest = {
    schemaVersion: 2,
    mediaType,
    ...(options.artifactType === undefined ? {} : { artifactType: options.artifactType }),
    config: descriptorOf(config),
    layers: layers.map(descriptorOf),
    ...(subject === undefined ? {} : { subject: manifestDescriptor(subject) }),
    ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
  };
  return { ...documentOf(manifest, mediaType), config, layers, children: [], platform };
}

/** An index (Docker: a manifest list) of images, or of other indexes. */
export function buildIndex(
  children: readonly Artifact[],
  options: { readonly format?: Format; readonly annotations?: Readonly<Record<string, string>> } = {},
): Artifact {
  const mediaType = options.format === "docker" ? mediaTypes.dockerList : mediaTypes.ociIndex;
  const index = {
    schemaVersion: 2,
    mediaType,
    manifests: children.map((child) => ({
      ...manifestDescriptor(child),
      ...(child.entryAnnotations === undefined ? {} : { annotations: child.entryAnnotations }),
      ...platformOf(child.platform),
    })),
    ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
  };
  return { ...documentOf(index, mediaType), config: undefined, layers: [], children, platform: undefined };
}

/**
 * BuildKit's attestations of an image, as an OCI artifact, for the index that lists the image.
 * https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
 */
export function buildAttestation(of: Artifact): Artifact {
  const layer = {
    ...layerOf({ size: 512 }, `attestation of ${of.digest}`, "oci"),
    mediaType: mediaTypes.inToto,
  };
  const bytes = Buffer.from("{}");
  const config = { mediaType: mediaTypes.ociEmpty, digest: digestOf(bytes), size: bytes.length, bytes };
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: "application/vnd.docker.attestation.manifest.v1+json",
    config: descriptorOf(config),
    layers: [
      {
        ...descriptorOf(layer),
        annotations: { "in-toto.io/predicate-type": "https://slsa.dev/provenance/v1" },
      },
    ],
  };
  return {
    ...documentOf(manifest, mediaTypes.ociManifest),
    config,
    layers: [layer],
    children: [],
    platform: "unknown/unknown",
    entryAnnotations: {
      "vnd.docker.reference.digest": of.digest,
      "vnd.docker.reference.type": "attestation-manifest",
    },
  };
}

/** A signed manifest of Docker's schema 1, the way registries of 2015 hold them; its signature is not a real one. */
export function buildSchema1(options: {
  readonly seed: string;
  readonly name: string;
  readonly tag: string;
}): Artifact {
  const layer = layerOf({ size: 4096 }, options.seed, "docker");
  const manifest = {
    schemaVersion: 1,
    name: options.name,
    tag: options.tag,
    architecture: "amd64",
    fsLayers: [{ blobSum: layer.digest }],
    history: [{ v1Compatibility: JSON.stringify({ id: digestOf(options.seed).slice(7), os: "linux" }) }],
    signatures: [{ header: { alg: "ES256" }, signature: "c2FuZGJveA", protected: "e30" }],
  };
  const document = documentOf(manifest, mediaTypes.dockerSchema1);
  return { ...document, config: undefined, layers: [layer], children: [], platform: undefined };
}

/** What `pushTo` writes to: a registry of the sandbox. */
export interface PushTarget {
  putBlob(repository: string, bytes: Uint8Array): string;
  putManifest(repository: string, bytes: Uint8Array, mediaType: string, tag?: string): string;
}

/** Stores an artifact with everything below it, past HTTP. Returns its digest. */
export function pushTo(registry: PushTarget, repository: string, artifact: Artifact, tag?: string): string {
  for (const child of artifact.children) pushTo(registry, repository, child);
  for (const blob of blobsOf(artifact)) {
    if (blob.bytes !== undefined) registry.putBlob(repository, blob.bytes);
  }
  return registry.putManifest(repository, artifact.bytes, artifact.mediaType, tag);
}

/** Config and layers of an image; of an index, nothing. */
export function blobsOf(artifact: Artifact): readonly Blob[] {
  return artifact.config === undefined ? artifact.layers : [artifact.config, ...artifact.layers];
}

function layerOf(layer: LayerOptions, seed: string, format: Format): Blob {
  const bytes = randomBytes(layer.seed ?? seed, layer.size);
  const digest = digestOf(bytes);
  if (layer.foreign) {
    const mediaType = format === "docker" ? mediaTypes.dockerForeignLayer : mediaTypes.ociForeignLayer;
    return { mediaType: layer.mediaType ?? mediaType, digest, size: layer.size, bytes: undefined };
  }
  const mediaType = format === "docker" ? mediaTypes.dockerLayer : mediaTypes.ociLayer;
  return { mediaType: layer.mediaType ?? mediaType, digest, size: layer.size, bytes };
}

function configOf(seed: string, platform: string, layers: readonly Blob[], mediaType: string): Blob {
  const config = {
    created: "2026-01-01T00:00:00Z",
    ...platformFields(platform),
    config: { Labels: { "sandbox.seed": seed } },
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    history: layers.map((_layer, index) => ({
      created: "2026-01-01T00:00:00Z",
      created_by: `layer ${index}`,
    })),
  };
  const bytes = Buffer.from(JSON.stringify(config));
  return { mediaType, digest: digestOf(bytes), size: bytes.length, bytes };
}

function documentOf(value: unknown, mediaType: string): Pick<Artifact, "bytes" | "mediaType" | "digest"> {
  const bytes = Buffer.from(JSON.stringify(value, undefined, 3));
  return { bytes, mediaType, digest: digestOf(bytes) };
}

function descriptorOf({ mediaType, digest, size, bytes }: Blob): Record<string, unknown> {
  const urls = bytes === undefined ? { urls: [`https://layers.example/${digest}`] } : {};
  return { mediaType, size, digest, ...urls };
}

function manifestDescriptor({ mediaType, digest, bytes }: Artifact): Record<string, unknown> {
  return { mediaType, size: bytes.length, digest };
}

function platformOf(platform: string | undefined): Record<string, unknown> {
  return platform === undefined ? {} : { platform: platformFields(platform) };
}

function platformFields(platform: string): Record<string, string> {
  const [os = "", architecture = "", variant] = platform.split("/");
  return { architecture, os, ...(variant === undefined ? {} : { variant }) };
}
