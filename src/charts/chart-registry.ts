import { Readable } from "node:stream";
import type { HttpRequest, HttpResponse, Transport } from "../http/http.ts";
import { anonymous } from "../oci/credentials.ts";
import { parseDigest } from "../oci/digest.ts";
import { ociManifest } from "../oci/media-types.ts";
import { Registry } from "../oci/registry.ts";
import { vendorOf } from "../vendors/vendors.ts";
import { ChartRepository, type ChartRepositoryOptions } from "./chart-repository.ts";

/**
 * A chart repository as a registry that is read: its charts are repositories, their versions tags. Who asks it sends the requests of the
 * distribution specification, and none of these leaves the process: so nobody who reads a source need know of charts.
 */
export function openChartRegistry(options: ChartRepositoryOptions): Registry {
  const { address, clock, log } = options;
  const charts = new ChartRepository(options);
  const transport: Transport = { send: (request) => answer(charts, request) };
  return new Registry({
    registry: address,
    vendor: vendorOf(address, "distribution"),
    side: "source",
    credentials: anonymous,
    transport,
    clock,
    log,
  });
}

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull */
async function answer(charts: ChartRepository, { url, signal }: HttpRequest): Promise<HttpResponse> {
  const [, name = "", kind = "", reference = ""] =
    /^\/v2\/([^/]+)\/(tags|manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
  if (url.pathname === "/v2/_catalog") return document(url, { repositories: await charts.names(signal) });
  if (url.pathname === "/v2/") return document(url, {});
  if (kind === "tags") return document(url, { name, tags: await charts.tags(name, signal) });
  if (kind === "manifests") {
    const manifest = await charts.manifest(name, reference, signal);
    if (manifest === undefined) return response(url, 404, {});
    const { digest, bytes } = manifest;
    return response(url, 200, { "content-type": ociManifest, "docker-content-digest": digest }, bytes);
  }
  const digest = kind === "blobs" ? parseDigest(reference) : undefined;
  const blob = digest === undefined ? undefined : await charts.blob(name, digest, signal);
  return blob === undefined ? response(url, 404, {}) : response(url, 200, {}, blob);
}

function document(url: URL, body: object): HttpResponse {
  return response(url, 200, { "content-type": "application/json" }, Buffer.from(JSON.stringify(body)));
}

function response(
  url: URL,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array = Buffer.alloc(0),
): HttpResponse {
  const all: Readonly<Record<string, string>> = { ...headers, "content-length": String(body.length) };
  const header = (name: string) => all[name];
  return {
    status,
    url,
    header,
    headers: (name) => [header(name) ?? []].flat(),
    body: Readable.from(body.length === 0 ? [] : [body], { objectMode: false }),
  };
}
