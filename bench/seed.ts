/** Fills a registry's storage once and keeps it, so that a run costs no seeding. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { mediaTypes } from "../sandbox/images.ts";
import type { StoredBlob, StoredImage } from "./content.ts";
import { startRegistry } from "./registry.ts";
import { namespace } from "./workload.ts";

/**
 * The storage folder of a registry that holds exactly these images, from the cache or made now.
 * @returns its path; nobody may write there.
 * @throws Error when the registry refuses something.
 */
export async function seededStorage(cache: string, images: readonly StoredImage[]): Promise<string> {
  const content = images.map(({ name, version, digest }) => `${namespace}/${name}:${version}@${digest}`);
  const key = createHash("sha256").update(content.join("\n")).digest("hex").slice(0, 16);
  const storage = join(cache, `storage-${key}`);
  if (existsSync(storage)) return storage;
  const unfinished = `${storage}.part`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  {
    await using registry = await startRegistry({ folder: cache, storage: unfinished });
    for (const image of images) await pushImage(`http://127.0.0.1:${registry.port}`, image);
  }
  await rename(unfinished, storage);
  return storage;
}

async function pushImage(origin: string, image: StoredImage): Promise<void> {
  const repository = `${namespace}/${image.name}`;
  for (const blob of image.blobs) await pushBlob(origin, repository, blob);
  await send(`${origin}/v2/${repository}/manifests/${image.version}`, {
    method: "PUT",
    headers: { "content-type": mediaTypes.dockerManifest },
    body: new Uint8Array(image.manifest),
  });
}

async function pushBlob(origin: string, repository: string, blob: StoredBlob): Promise<void> {
  const started = await send(`${origin}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  const location = new URL(started.headers.get("location") ?? "", origin);
  location.searchParams.set("digest", blob.digest);
  await send(location.href, {
    method: "PUT",
    headers: { "content-type": "application/octet-stream", "content-length": String(blob.size) },
    body: Readable.toWeb(createReadStream(blob.path)) as ReadableStream,
    duplex: "half",
  });
}

async function send(url: string, request: RequestInit & { duplex?: "half" }): Promise<Response> {
  const response = await fetch(url, request);
  const text = await response.text();
  if (!response.ok) throw new Error(`seeding: ${request.method} ${url}: ${response.status} ${text}`);
  return response;
}
