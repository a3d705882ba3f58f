/** The bytes of a workload: blobs as files in the cache folder, manifests in memory. */
import { createCipheriv, createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, mediaTypes } from "../sandbox/images.ts";
import type { ImageShape, LayerShape, ReleaseShape } from "./workload.ts";

export interface StoredBlob {
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
  readonly path: string;
}

export interface StoredImage {
  readonly name: string;
  readonly version: string;
  readonly manifest: Buffer;
  readonly digest: string;
  /** Config and layers. */
  readonly blobs: readonly StoredBlob[];
}

/** Bytes made at a time: fits the second-level cache of a processor. */
const pieceBytes = 1024 * 1024;

/** Makes sure that the blobs of releases are files below the cache folder, and returns the images made of them. */
export async function storeImages(
  cache: string,
  releases: readonly ReleaseShape[],
): Promise<readonly StoredImage[]> {
  const folder = join(cache, "blobs");
  await mkdir(folder, { recursive: true });
  const layers = new Map<string, StoredBlob>();
  const images: StoredImage[] = [];
  for (const { version, images: shapes } of releases) {
    for (const shape of shapes) {
      for (const layer of shape.layers) {
        const key = `${layer.seed}:${layer.size}`;
        if (!layers.has(key)) layers.set(key, await storeLayer(folder, layer));
      }
      const stored = shape.layers.flatMap(({ seed, size }) => layers.get(`${seed}:${size}`) ?? []);
      images.push(await storeImage(folder, shape, version, stored));
    }
  }
  return images;
}

/** Every blob of some images once. */
export function uniqueBlobs(images: readonly StoredImage[]): readonly StoredBlob[] {
  return [...new Map(images.flatMap(({ blobs }) => blobs.map((blob) => [blob.digest, blob]))).values()];
}

/** The file has the name of what it is made of, and its digest in a second file: it is hashed once, not at every start. */
async function storeLayer(folder: string, layer: LayerShape): Promise<StoredBlob> {
  const { seed, size } = layer;
  const path = join(folder, createHash("sha256").update(`${seed}:${size}`).digest("hex"));
  const digestPath = `${path}.digest`;
  if (!existsSync(digestPath)) await writeFile(digestPath, await writeLayer(path, layer));
  return { digest: await readFile(digestPath, "utf8"), size, path };
}

/** Writes the key stream of AES-256 in counter mode: random to every compressor, and the same for the same seed. */
async function writeLayer(path: string, { seed, size }: LayerShape): Promise<string> {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  const hash = createHash("sha256");
  const zeros = Buffer.alloc(pieceBytes);
  await using file = await open(`${path}.part`, "w");
  for (let left = size; left > 0; left -= pieceBytes) {
    const piece = cipher.update(left < pieceBytes ? zeros.subarray(0, left) : zeros);
    hash.update(piece);
    await file.write(piece);
  }
  await rename(`${path}.part`, path);
  return `sha256:${hash.digest("hex")}`;
}

async function storeImage(
  folder: string,
  shape: ImageShape,
  version: string,
  layers: readonly StoredBlob[],
): Promise<StoredImage> {
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: { Labels: { "org.opencontainers.image.title": shape.name, version } },
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
      history: layers.map((_layer, index) => ({ created_by: `layer ${index}` })),
    }),
  );
  const digest = digestOf(config);
  const path = join(folder, digest.replace(":", "-"));
  await writeFile(path, config);
  const descriptor = (mediaType: string, blob: StoredBlob) => ({
    mediaType,
    size: blob.size,
    digest: blob.digest,
  });
  const stored = { digest, size: config.length, path };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: descriptor(mediaTypes.dockerConfig, stored),
      layers: layers.map((layer) => descriptor(mediaTypes.dockerLayer, layer)),
    }),
  );
  return { name: shape.name, version, manifest, digest: digestOf(manifest), blobs: [stored, ...layers] };
}
