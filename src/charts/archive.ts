import { posix } from "node:path";
import { createGunzip } from "node:zlib";
import { messageOf } from "../errors.ts";
import { BodyError } from "../http/http.ts";
import { printable } from "../log/log.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { type ChartMetadata, readMetadata } from "./metadata.ts";
import { type TarFile, tarFiles } from "./tar.ts";

/** What is known of a chart from its archive, a `.tgz`. */
export interface ChartArchive {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly metadata: ChartMetadata;
  /** When `Chart.yaml` was last written: by `helm package`, when the archive was made. */
  readonly modified: Date;
}

/**
 * Most bytes of all files, and of one: what is larger, Helm does not load.
 * https://github.com/helm/helm/blob/v3.18.6/pkg/chart/loader/archive.go
 */
const unpackedLimit = 100 * 1024 * 1024;
const fileLimit = 5 * 1024 * 1024;

/** The files that say what the chart is. `requirements.yaml` has the dependencies of charts of Helm 2. */
const readFiles: ReadonlySet<string> = new Set(["Chart.yaml", "requirements.yaml"]);

/**
 * Reads an archive without unpacking it: file by file, of which it keeps none but those that say what the chart is.
 * @throws BodyError when it is not a chart that Helm loads, or larger than it loads.
 */
export async function readArchive(bytes: Uint8Array): Promise<ChartArchive> {
  const found = new Map<string, TarFile>();
  const isRead = (name: string) => readFiles.has(pathInChart(name));
  for await (const file of tarFiles(unpacked(bytes), { isRead, fileLimit })) {
    const path = pathInChart(file.name);
    if (!readFiles.has(path)) continue;
    if (found.has(path)) throw new BodyError(`the archive has more than one ${path}`);
    found.set(path, file);
  }
  const chart = found.get("Chart.yaml");
  if (chart === undefined) throw new BodyError("the archive has no Chart.yaml");
  const requirements = found.get("requirements.yaml");
  const metadata = await readMetadata(textOf(chart), requirements && textOf(requirements));
  return { digest: digestOf(bytes), size: bytes.length, metadata, modified: chart.modified };
}

function textOf({ content }: TarFile): string {
  return content.toString("utf8").replace(/^\ufeff/, "");
}

/**
 * The path of a file below the chart's folder, by Helm's rules.
 * @throws BodyError for one that climbs out.
 */
function pathInChart(name: string): string {
  const [folder = "", ...parts] = name.split(name.includes("\\") ? "\\" : "/");
  const below = parts.join("/");
  const path = posix.normalize(below);
  const isOutside = below.startsWith("/") || path === "." || path.startsWith("..") || /^[a-z]:\//i.test(path);
  if (isOutside || folder === "Chart.yaml")
    throw new BodyError(`the archive has a file outside the chart's folder, ${printable(name, 100)}`);
  return path;
}

/** The tar within. @throws BodyError when it is no gzip, or larger than the limit. */
async function* unpacked(bytes: Uint8Array): AsyncGenerator<Buffer> {
  let size = 0;
  try {
    for await (const chunk of createGunzip().end(bytes) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > unpackedLimit)
        throw new BodyError(
          `the archive unpacks to more than ${unpackedLimit} bytes, which Helm does not load`,
        );
      yield chunk;
    }
  } catch (error) {
    if (error instanceof BodyError) throw error;
    throw new BodyError(`the archive is not packed with gzip (${messageOf(error)})`);
  }
}
