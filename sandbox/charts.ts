/**
 * A repository of Helm charts: a web server with `index.yaml`, archives and provenance, as `helm repo index` leaves them.
 * https://helm.sh/docs/topics/chart_repository/
 */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { basicLogin, extend, type SandboxServer, startServer } from "./server.ts";

/** A chart of a repository. */
export interface Chart {
  readonly name: string;
  readonly version: string;
  readonly archive: Buffer;
}

export interface ChartOptions {
  /** What stands in `Chart.yaml` beside name and version, as YAML. Default: what Helm wants. */
  readonly fields?: string;
  /** Further files, by their paths in the chart's folder. */
  readonly files?: Readonly<Record<string, string>>;
  /** When `Chart.yaml` was written. */
  readonly modified?: Date;
}

const packed = new Date("2026-05-27T03:17:53Z");

/** Makes a chart as `helm package` does: `Chart.yaml` first, all in a folder of the chart's name. */
export function buildChart(name: string, version: string, options: ChartOptions = {}): Chart {
  const { fields = "apiVersion: v2\ndescription: A chart\n", files = {}, modified = packed } = options;
  const chart = `name: ${name}\nversion: ${version}\n${fields}`;
  const all = { "Chart.yaml": chart, "values.yaml": "{}\n", ...files };
  const inFolder = Object.entries(all).map(([path, content]) => [`${name}/${path}`, content] as const);
  return { name, version, archive: buildArchive(inFolder, modified) };
}

/**
 * A tar with these files, packed with gzip.
 * @param level of compression.
 */
export function buildArchive(
  files: readonly (readonly [path: string, content: string | Uint8Array])[],
  modified = packed,
  level?: number,
): Buffer {
  const blocks = files.flatMap(([path, content]) => {
    const bytes = Buffer.from(content);
    return [tarHeader(path, bytes.length, modified), bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]), level === undefined ? {} : { level });
}

/**
 * The head of a file in a tar, in the form USTAR.
 * @param type its kind: `0` is a file, `5` a folder.
 */
export function tarHeader(path: string, size: number, modified = packed, type = "0"): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, "0")}\0`;
  header.write(path, 0, 100);
  header.write(octal(0o644, 8), 100);
  header.write(octal(size, 12), 124);
  header.write(octal(Math.floor(modified.getTime() / 1000), 12), 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write("ustar\u000000", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(octal(sum, 7), 148);
  return header;
}

/** The digest of an archive as an index has it. */
export function hexDigest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** `index.yaml` as Helm writes it. */
export function buildIndex(charts: readonly Chart[]): string {
  const entries = [...Map.groupBy(charts, ({ name }) => name)].flatMap(([name, versions]) => [
    `  ${name}:`,
    ...versions.flatMap(({ version, archive }) => [
      "  - apiVersion: v2",
      '    created: "2026-05-27T11:17:53.235754+08:00"',
      `    digest: ${hexDigest(archive)}`,
      `    name: ${name}`,
      "    urls:",
      `    - ${name}-${version}.tgz`,
      `    version: ${version}`,
    ]),
  ]);
  return `${["apiVersion: v1", "entries:", ...entries, 'generated: "2026-05-27T11:17:53+08:00"'].join("\n")}\n`;
}

export interface ChartServer extends SandboxServer {
  /** What it serves, by the path below its origin. */
  readonly files: Map<string, Buffer | string>;
}

/** @param login without it, everybody reads. */
export async function startChartRepository(
  charts: readonly Chart[],
  login?: { readonly username: string; readonly password: string },
): Promise<ChartServer> {
  const files = new Map<string, Buffer | string>([["/index.yaml", buildIndex(charts)]]);
  for (const { name, version, archive } of charts) files.set(`/${name}-${version}.tgz`, archive);
  const server = await startServer(({ method, url, headers }) => {
    const given = basicLogin(headers);
    if (login !== undefined && (given?.username !== login.username || given.password !== login.password))
      return { status: 401, headers: { "www-authenticate": 'Basic realm="charts"' } };
    const body = method === "GET" ? files.get(decodeURIComponent(url.pathname)) : undefined;
    if (body === undefined) return { status: 404, body: "<html>Not found</html>" };
    const etag = `"${hexDigest(Buffer.from(body))}"`;
    return headers["if-none-match"] === etag ? { status: 304 } : { status: 200, headers: { etag }, body };
  });
  return extend(server, { files });
}
