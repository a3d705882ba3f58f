import { gzipSync } from "node:zlib";
import { type Artifact, type Blob, buildImage, digestOf, mediaTypes } from "../../sandbox/images.ts";

/** The archive of a file, as tar writes it. https://www.gnu.org/software/tar/manual/html_node/Standard.html */
function archiveOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, "0")}\0`;
  const fields: readonly (readonly [offset: number, text: string])[] = [
    [0, name],
    [100, octal(0o644, 8)],
    [108, octal(0, 8)],
    [116, octal(0, 8)],
    [124, octal(content.length, 12)],
    [136, octal(0, 12)],
    [148, " ".repeat(8)],
    [156, "0"],
    [257, "ustar\u000000"],
  ];
  for (const [offset, text] of fields) header.write(text, offset, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}

/** An image whose layers are what they say: archives of files, compressed, with the digests of the archives in its config. */
export function imageOfArchives(): Artifact {
  const archives = ["one", "two"].map((name) =>
    archiveOf(name, Buffer.from(`the file ${name}\n`.repeat(500))),
  );
  const layers = archives.map((archive) => {
    const bytes = gzipSync(archive);
    return { mediaType: mediaTypes.ociLayer, digest: digestOf(bytes), size: bytes.length, bytes };
  });
  const model = buildImage({ seed: "archives", format: "oci" });
  const configBytes = Buffer.from(
    JSON.stringify({
      ...JSON.parse(model.config?.bytes?.toString() ?? "{}"),
      rootfs: { type: "layers", diff_ids: archives.map((archive) => digestOf(archive)) },
    }),
  );
  const config = {
    mediaType: mediaTypes.ociConfig,
    digest: digestOf(configBytes),
    size: configBytes.length,
    bytes: configBytes,
  };
  const descriptor = ({ mediaType, digest, size }: Blob) => ({ mediaType, digest, size });
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: descriptor(config),
      layers: layers.map(descriptor),
    }),
  );
  return { ...model, bytes, digest: digestOf(bytes), config, layers };
}
