/** Media types of the image specification and of Docker, which predates it. */

export const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
export const dockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json";
export const ociManifest = "application/vnd.oci.image.manifest.v1+json";
export const ociIndex = "application/vnd.oci.image.index.v1+json";

/** The config of a Helm chart: https://github.com/helm/helm/blob/v3.18.6/pkg/registry/constants.go */
export const chartConfig = "application/vnd.cncf.helm.config.v1+json";

const indexTypes: ReadonlySet<string> = new Set([dockerManifestList, ociIndex]);
const imageTypes: ReadonlySet<string> = new Set([dockerManifest, ociManifest]);

/** Signed manifests of Docker's first schema: their digest is not that of their bytes, so they cannot be mirrored untouched. */
const schema1Types: ReadonlySet<string> = new Set([
  "application/vnd.docker.distribution.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
]);

/** What is sent as `Accept` for a manifest: without it a registry may answer with schema 1. */
export const acceptedManifests = [ociIndex, dockerManifestList, ociManifest, dockerManifest].join(", ");

export function isIndexType(mediaType: string): boolean {
  return indexTypes.has(mediaType);
}

export function isManifestType(mediaType: string): boolean {
  return indexTypes.has(mediaType) || imageTypes.has(mediaType);
}

export function isSchema1Type(mediaType: string): boolean {
  return schema1Types.has(mediaType);
}

/**
 * Whether a layer may not be passed on. The media type decides, not the `urls` of its descriptor.
 * https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers
 */
export function isNonDistributable(mediaType: string): boolean {
  return (
    mediaType.startsWith("application/vnd.oci.image.layer.nondistributable.v1.tar") ||
    mediaType === "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" ||
    mediaType === "application/vnd.docker.image.rootfs.foreign.diff.tar"
  );
}
