import * as v from "valibot";
import { BodyError, parseJson } from "../http/http.ts";
import { printable } from "../log/log.ts";
import { type Digest, digestOf, hasDigest, parseDigest } from "./digest.ts";
import { isIndexType, isManifestType, isNonDistributable, isSchema1Type, ociIndex } from "./media-types.ts";

/** What points to content: its type, digest and size. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly platform?: DescriptorPlatform | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly artifactType?: string | undefined;
}

export interface DescriptorPlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** A manifest as the registry sent it, and what has to be at a destination before it can be put there. */
export interface Manifest {
  /** Never written again from the parsed form: a manifest passes byte for byte (P1). */
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
  readonly kind: "image" | "index";
  /** Config and layers of an image, and children of an index that are no manifests. Each digest once. */
  readonly blobs: readonly Descriptor[];
  /** Manifests below an index. */
  readonly children: readonly Descriptor[];
  /** Layers that may not be passed on: in the manifest, but neither read nor sent. */
  readonly foreignLayers: readonly Descriptor[];
  /** The manifest that this one is about, for signatures and the like. */
  readonly subject: Digest | undefined;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** Largest manifest that is read, in bytes. Registries take at most 4 MiB on push; twice that is room enough for any. */
export const manifestLimit = 8 * 1024 * 1024;

/** Most entries of one manifest: an index of all platforms has dozens, an image some hundred layers at the most. */
const entryLimit = 10_000;
/** Deepest nesting of indexes that is followed. Real images have one level; two are known. */
export const indexDepthLimit = 8;

const digestSchema = v.pipe(
  v.string(),
  v.transform((text) => parseDigest(text)),
  v.check((digest) => digest !== undefined, "not a sha256 or sha512 digest"),
  v.transform((digest) => digest as Digest),
);

/** A field that may be absent; `null`, which builders in Go and Python write for what is not there, is as absent. */
function optional<T>(schema: v.GenericSchema<unknown, T>) {
  return v.pipe(
    v.nullish(schema),
    v.transform((value) => value ?? undefined),
  );
}

const annotationsSchema = v.pipe(
  v.record(v.string(), v.nullable(v.string())),
  v.transform((entries) =>
    Object.fromEntries(
      Object.entries(entries).filter((entry): entry is [string, string] => entry[1] !== null),
    ),
  ),
);

const descriptorSchema = v.object({
  mediaType: v.string(),
  digest: digestSchema,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  // Harbor and others write `platform: {}` and empty strings for what has no platform.
  platform: optional(
    v.object({
      os: v.nullish(v.string(), ""),
      architecture: v.nullish(v.string(), ""),
      variant: optional(v.string()),
    }),
  ),
  annotations: optional(annotationsSchema),
  artifactType: optional(v.string()),
});

const entriesSchema = v.pipe(v.array(descriptorSchema), v.maxLength(entryLimit));

const manifestSchema = v.object({
  schemaVersion: v.number(),
  mediaType: optional(v.string()),
  config: optional(descriptorSchema),
  layers: optional(entriesSchema),
  manifests: optional(entriesSchema),
  fsLayers: optional(v.unknown()),
  subject: optional(descriptorSchema),
  artifactType: optional(v.string()),
  annotations: optional(annotationsSchema),
});

/**
 * Reads manifest bytes. The type is decided once, from the Content-Type and the body's `mediaType`, which must agree:
 * a document that can be read as two kinds is refused (CVE-2021-41190).
 * @param expected digest that was asked for; undefined when a tag was.
 * @throws BodyError that says what is wrong with it.
 */
export function parseManifest(
  bytes: Uint8Array,
  contentType: string,
  expected: Digest | undefined,
): Manifest {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (isSchema1Type(type)) throw schema1Error();
  if (expected !== undefined && !hasDigest(bytes, expected)) {
    throw new BodyError(`the bytes of the manifest do not have the digest ${expected}`);
  }
  const document = parseJson(Buffer.from(bytes).toString("utf8"), manifestSchema);
  if (document.schemaVersion === 1 || document.fsLayers !== undefined) throw schema1Error();
  const mediaType = document.mediaType ?? type;
  if (!isManifestType(mediaType))
    throw new BodyError(`"${printable(mediaType) || "no type"}" is not a manifest type that can be mirrored`);
  if (type !== mediaType && isManifestType(type)) {
    throw new BodyError(`the manifest says it is ${mediaType}, its Content-Type says ${type}`);
  }
  const isIndex = isIndexType(mediaType);
  // An empty list counts as well: a reader that goes by the fields would take the document for the other kind.
  const hasImage = document.config !== undefined || document.layers !== undefined;
  if (isIndex ? hasImage : document.manifests !== undefined) throw ambiguousError();
  const listed = document.manifests ?? [];
  const layers = document.layers ?? [];
  if (!isIndex && document.config === undefined) throw new BodyError("the image manifest has no config");
  const config = document.config === undefined ? [] : [document.config];
  const content = isIndex
    ? listed.filter((entry) => !isManifestType(entry.mediaType))
    : [...config, ...layers];
  return {
    bytes,
    mediaType,
    digest: expected ?? digestOf(bytes),
    kind: isIndex ? "index" : "image",
    blobs: eachOnce(content.filter((entry) => !isNonDistributable(entry.mediaType)).map(toDescriptor)),
    children: eachOnce(listed.filter((entry) => isManifestType(entry.mediaType)).map(toDescriptor)),
    foreignLayers: content.filter((entry) => isNonDistributable(entry.mediaType)).map(toDescriptor),
    subject: document.subject?.digest,
    artifactType: document.artifactType ?? document.config?.mediaType,
    annotations: document.annotations,
  };
}

function schema1Error(): BodyError {
  return new BodyError(
    "it is a schema 1 manifest, which cannot be mirrored unchanged; push the image again with a current tool",
  );
}

function ambiguousError(): BodyError {
  return new BodyError("the manifest is an image and an index at the same time");
}

function toDescriptor(entry: v.InferOutput<typeof descriptorSchema>): Descriptor {
  return {
    mediaType: entry.mediaType,
    digest: entry.digest,
    size: entry.size,
    platform: entry.platform,
    annotations: entry.annotations,
    artifactType: entry.artifactType,
  };
}

function eachOnce(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  const seen = new Set<Digest>();
  return descriptors.filter((descriptor) => !seen.has(descriptor.digest) && seen.add(descriptor.digest));
}

/** The index that lists these manifests; for referrers of a registry without the referrers API. */
export function buildIndex(manifests: readonly Descriptor[]): Manifest {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests }));
  return parseManifest(bytes, ociIndex, undefined);
}

/**
 * Attestations of BuildKit name the manifest that they are about in this annotation of their index entry.
 * https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
 */
const attestedDigest = "vnd.docker.reference.digest";

/**
 * Whether an entry of an index is BuildKit's attestations (provenance, SBOM) of an image of that index. Tools that write an
 * index anew drop annotations; the platform `unknown/unknown`, which nothing can run on, stays.
 */
export function isAttestation({ annotations, platform }: Descriptor): boolean {
  const type = annotations?.["vnd.docker.reference.type"];
  if (type !== undefined) return type === "attestation-manifest";
  return platform?.os === "unknown" && platform.architecture === "unknown";
}

/** An index without its attestations: a new document, and so another digest; the same bytes where it has none, or nothing else. */
export function withoutAttestations(index: Manifest): Manifest {
  return index.children.every(isAttestation) ? index : keepChildren(index, (child) => !isAttestation(child));
}

/** An index with other manifests in the place of some of its children; all else stays as it was. */
export function withReplaced(index: Manifest, replacements: ReadonlyMap<Digest, Manifest>): Manifest {
  if (replacements.size === 0) return index;
  const document = documentOf(index);
  document.manifests = document.manifests.map((entry) => {
    const manifest = replacements.get(entry.digest as Digest);
    // Content that is embedded in the entry is that of the child before.
    const { data: _data, ...rest } = entry;
    return manifest === undefined ? entry : { ...rest, digest: manifest.digest, size: manifest.bytes.length };
  });
  return parseManifest(Buffer.from(JSON.stringify(document)), index.mediaType, undefined);
}

/**
 * An index with only the children that `wanted` accepts, and their attestations. The same bytes when nothing falls away;
 * otherwise a new document, and so another digest. All other fields stay as they were.
 * @throws BodyError when no child is left.
 */
export function selectChildren(index: Manifest, wanted: (platform: DescriptorPlatform) => boolean): Manifest {
  const chosen = new Set(
    index.children
      .filter((child) => child.platform !== undefined && wanted(child.platform))
      .map((child) => child.digest),
  );
  const stays = (child: Descriptor): boolean =>
    chosen.has(child.digest) || chosen.has(child.annotations?.[attestedDigest] as Digest);
  if (chosen.size === 0) throw new BodyError("none of its platforms is wanted");
  return keepChildren(index, stays);
}

/** An index with those of its entries alone that are manifests which stay; the same bytes where all its manifests do. */
export function keepChildren(index: Manifest, stays: (child: Descriptor) => boolean): Manifest {
  if (index.children.every(stays)) return index;
  const left = new Set<string>(index.children.filter(stays).map((child) => child.digest));
  const document = documentOf(index);
  document.manifests = document.manifests.filter((entry) => left.has(entry.digest));
  return parseManifest(Buffer.from(JSON.stringify(document)), index.mediaType, undefined);
}

/** An index has been checked when it was read: only its form is taken from the bytes here. */
function documentOf({ bytes }: Manifest): { manifests: { digest: string; data?: unknown }[] } {
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}
