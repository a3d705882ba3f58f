import { type Digest, digestOf } from "../oci/digest.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { chartConfig, ociManifest } from "../oci/media-types.ts";
import type { ChartArchive } from "./archive.ts";
import { goJson } from "./go-json.ts";
import { type ChartMetadata, writeMetadata } from "./metadata.ts";

/**
 * A chart as Helm pushes it to a registry. Everything is a function of the archive and its provenance, so two runs make the same
 * digest: `created` is when `Chart.yaml` was written, where Helm takes the date of the file on the disk of who pushes.
 * https://github.com/helm/helm/blob/v3.18.6/pkg/registry/client.go
 */
export interface ChartArtifact {
  readonly manifest: Manifest;
  /** The config; the archive is not among them. */
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
}

/** https://github.com/helm/helm/blob/v3.18.6/pkg/registry/constants.go */
const contentType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const provenanceType = "application/vnd.cncf.helm.chart.provenance.v1.prov";

/** What a chart's own annotations do not change. */
const protectedAnnotations: ReadonlySet<string> = new Set([
  "org.opencontainers.image.version",
  "org.opencontainers.image.title",
]);

/** @param provenance the chart's `.prov` file, where it has one. */
export function makeArtifact(
  { metadata, modified, digest, size }: ChartArchive,
  provenance: Uint8Array | undefined,
): ChartArtifact {
  const config = Buffer.from(writeMetadata(metadata));
  const content = { mediaType: contentType, digest, size };
  const layers = provenance === undefined ? [content] : [content, descriptorOf(provenanceType, provenance)];
  const manifest = goJson({
    schemaVersion: 2,
    config: descriptorOf(chartConfig, config),
    layers: layers.sort((one, other) => (one.digest < other.digest ? -1 : 1)),
    annotations: annotationsOf(metadata, modified),
  });
  const blobs = provenance === undefined ? [config] : [config, provenance];
  return {
    manifest: parseManifest(Buffer.from(manifest), ociManifest, undefined),
    blobs: new Map(blobs.map((blob) => [digestOf(blob), blob])),
  };
}

function descriptorOf(mediaType: string, bytes: Uint8Array) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** https://github.com/helm/helm/blob/v3.18.6/pkg/registry/util.go, generateOCIAnnotations */
function annotationsOf(metadata: ChartMetadata, modified: Date): ReadonlyMap<string, string> {
  const authors = metadata.maintainers.map(
    ({ name, email }) => `${name}${email === "" ? "" : ` (${email})`}`,
  );
  const told = {
    description: metadata.description,
    title: metadata.name,
    version: metadata.version,
    url: metadata.home,
    created: modified.toISOString().replace(/\.[0-9]+Z$/, "Z"),
    source: metadata.sources[0] ?? "",
    authors: authors.join(", "),
  };
  const filled = Object.entries(told).filter(([, value]) => value.trim() !== "");
  const own = [...metadata.annotations].filter(([key]) => !protectedAnnotations.has(key));
  return new Map([
    ...filled.map(([name, value]) => [`org.opencontainers.image.${name}`, value] as const),
    ...own,
  ]);
}
