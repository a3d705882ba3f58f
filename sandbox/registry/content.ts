/**
 * Names, digests and manifests as the OCI specifications define them, written anew for the sandbox: a mistake of the
 * Action must not be repeated by its judge.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md
 * https://github.com/opencontainers/image-spec/blob/main/descriptor.md
 */
import { createHash } from "node:crypto";

export const mediaTypes = {
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerForeignLayer: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
  dockerSchema1: "application/vnd.docker.distribution.manifest.v1+prettyjws",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociForeignLayer: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  ociEmpty: "application/vnd.oci.empty.v1+json",
  inToto: "application/vnd.in-toto+json",
} as const;

const repositoryPattern = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const digestPattern = /^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;

export const isRepository = (text: string): boolean => text.length <= 255 && repositoryPattern.test(text);
export const isTag = (text: string): boolean => tagPattern.test(text);
export const isDigest = (text: string): boolean => digestPattern.test(text);

/** The sha256 digest of bytes. */
export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Whether bytes, in one or several pieces, have a digest; by that digest's own algorithm. */
export function hasDigest(pieces: readonly Uint8Array[], digest: string): boolean {
  const [algorithm = "", hex] = digest.split(":");
  const hash = createHash(algorithm);
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex") === hex;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** What a registry has to know about a manifest. */
export interface ManifestContent {
  /** Media type of the config of an image. */
  readonly configType: string | undefined;
  /** Config and layers that have to be in the repository: non-distributable layers are left out. */
  readonly blobs: readonly Descriptor[];
  /** Manifests of an index. */
  readonly children: readonly Descriptor[];
  readonly subject: string | undefined;
  /** `artifactType`, else the config's media type (distribution-spec, "Listing Referrers"). */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** A manifest that breaks the specification; the message says how. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

/**
 * Reads a manifest of one of the four types that registries take today.
 * @throws ManifestError when it breaks the specification.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): ManifestContent {
  const isIndex = mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList;
  if (!isIndex && mediaType !== mediaTypes.ociManifest && mediaType !== mediaTypes.dockerManifest) {
    throw new ManifestError(`unknown media type ${mediaType}`);
  }
  const document = readObject(bytes);
  if (document.schemaVersion !== 2) throw new ManifestError("schemaVersion is not 2");
  // Optional in OCI documents only; GHSA-77vh-xpmg-72qh tells what an ambiguous document is good for.
  const named = document.mediaType ?? (mediaType.startsWith("application/vnd.oci.") ? mediaType : undefined);
  if (named !== mediaType)
    throw new ManifestError(`mediaType is ${String(named)}, Content-Type is ${mediaType}`);
  if ("manifests" in document === ("config" in document || "layers" in document)) {
    throw new ManifestError("neither an image nor an index, or both");
  }
  if (isIndex !== "manifests" in document) throw new ManifestError("the content is not of its media type");
  return contentOf(document, isIndex);
}

function contentOf(document: Readonly<Record<string, unknown>>, isIndex: boolean): ManifestContent {
  const config = isIndex ? undefined : readDescriptor(document.config);
  const layers = isIndex ? [] : readDescriptors(document.layers);
  const named = document.artifactType;
  return {
    configType: config?.mediaType,
    blobs: [
      ...(config === undefined ? [] : [config]),
      ...layers.filter((layer) => !isForeign(layer.mediaType)),
    ],
    children: isIndex ? readDescriptors(document.manifests) : [],
    subject: document.subject === undefined ? undefined : readDescriptor(document.subject).digest,
    artifactType: typeof named === "string" && named !== "" ? named : config?.mediaType,
    annotations: isRecord(document.annotations)
      ? (document.annotations as Record<string, string>)
      : undefined,
  };
}

/** Non-distributable layers stay where their `urls` say (image-spec, layer.md). */
function isForeign(mediaType: string): boolean {
  return mediaType === mediaTypes.dockerForeignLayer || mediaType.includes(".nondistributable.");
}

function readObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new ManifestError("no JSON");
  }
  if (!isRecord(value)) throw new ManifestError("no JSON object");
  return value;
}

function readDescriptors(value: unknown): readonly Descriptor[] {
  if (!Array.isArray(value)) throw new ManifestError("a list of descriptors is missing");
  return value.map(readDescriptor);
}

function readDescriptor(value: unknown): Descriptor {
  if (!isRecord(value)) throw new ManifestError("a descriptor is missing");
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== "string" || !mediaType.includes("/"))
    throw new ManifestError("a descriptor has no mediaType");
  if (typeof digest !== "string" || !isDigest(digest))
    throw new ManifestError("a descriptor has no valid digest");
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw new ManifestError("a descriptor has no valid size");
  }
  return { mediaType, digest, size };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
