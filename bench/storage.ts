/**
 * Looks into the storage of a destination, past HTTP, so that looking costs the registry nothing.
 * Layout: https://pkg.go.dev/github.com/distribution/distribution/registry/storage#section-documentation (paths.go)
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { StoredImage } from "./content.ts";
import { namespace } from "./workload.ts";

const root = "docker/registry/v2";

/** Whether a tag of an image is written. */
export function isTagged(storage: string, { name, version }: StoredImage): boolean {
  return existsSync(join(tagsFolder(storage, name), version, "current/link"));
}

/**
 * Compares a destination with what it should hold.
 * @returns what is wrong, in words; empty when tags, manifests and blobs are all there, and no other tag.
 */
export function problemsOf(storage: string, expected: readonly StoredImage[]): readonly string[] {
  const images = Map.groupBy(expected, ({ name }) => name);
  const extra = [...images].flatMap(([name, versions]) => {
    const folder = tagsFolder(storage, name);
    const wanted = new Set(versions.map(({ version }) => version));
    const tags = existsSync(folder) ? readdirSync(folder) : [];
    return tags.filter((tag) => !wanted.has(tag)).map((tag) => `${name}:${tag} should not be there`);
  });
  return [...extra, ...expected.flatMap((image) => problemsOfImage(storage, image))];
}

function problemsOfImage(storage: string, image: StoredImage): readonly string[] {
  const { name, version, digest, manifest, blobs } = image;
  const reference = `${name}:${version}`;
  if (!isTagged(storage, image)) return [`${reference} is not tagged`];
  const held = readFileSync(join(tagsFolder(storage, name), version, "current/link"), "utf8");
  if (held !== digest) return [`${reference} is ${held}, not ${digest}`];
  const layers = join(repositoryFolder(storage, name), "_layers");
  return [
    ...wrongSize(storage, reference, { digest, size: manifest.length }),
    ...blobs.flatMap((blob) => wrongSize(storage, reference, blob)),
    ...blobs
      .filter((blob) => !existsSync(join(layers, ...blob.digest.split(":"), "link")))
      .map((blob) => `${reference}: ${blob.digest} is not linked to the repository`),
  ];
}

function wrongSize(
  storage: string,
  reference: string,
  { digest, size }: { digest: string; size: number },
): readonly string[] {
  const [algorithm = "", hex = ""] = digest.split(":");
  const path = join(storage, root, "blobs", algorithm, hex.slice(0, 2), hex, "data");
  const held = statSync(path, { throwIfNoEntry: false })?.size;
  return held === size ? [] : [`${reference}: ${digest} has ${held ?? "no"} bytes, not ${size}`];
}

function tagsFolder(storage: string, name: string): string {
  return join(repositoryFolder(storage, name), "_manifests/tags");
}

function repositoryFolder(storage: string, name: string): string {
  return join(storage, root, "repositories", namespace, name);
}
