/**
 * Blob downloads: with ranges (RFC 9110, section 14), and by redirect to a content server at another origin. The
 * content server behaves as S3 and its kin do with signed URLs: a request that carries an `Authorization` header as
 * well is refused by 400, an unknown signature by 403.
 */
import { randomUUID } from "node:crypto";
import { type Answer, type SandboxRequest, type SandboxServer, startServer } from "../server.ts";
import { isDigest } from "./content.ts";
import { refusal } from "./errors.ts";
import type { RegistryStore } from "./store.ts";

/** Where redirects of blobs lead. */
export interface ContentServer extends SandboxServer {
  /** A signed address of a blob. */
  sign(digest: string, bytes: Buffer): string;
  /** Every signature that was given out: whoever has one may read its blob. */
  readonly signatures: readonly string[];
}

/** @throws Refusal for an unknown blob. */
export function getBlob(
  store: RegistryStore,
  content: ContentServer | undefined,
  request: SandboxRequest,
  repository: string,
  digest: string,
): Answer {
  if (!isDigest(digest)) throw refusal(400, "DIGEST_INVALID", "no digest");
  if (store.find(repository) === undefined)
    throw refusal(404, "NAME_UNKNOWN", "repository name not known to registry");
  const bytes = store.blob(repository, digest);
  if (bytes === undefined) throw refusal(404, "BLOB_UNKNOWN", "blob unknown to registry", { digest });
  if (content !== undefined && request.method === "GET") {
    return { status: 307, headers: { location: content.sign(digest, bytes) } };
  }
  return ranged(request, bytes, { "docker-content-digest": digest });
}

/** Starts the server that blob redirects lead to. */
export async function startContentServer(): Promise<ContentServer> {
  const signed = new Map<string, Buffer>();
  const signatures: string[] = [];
  const server = await startServer((request) => {
    if (request.headers.authorization !== undefined) {
      return xml(400, "InvalidArgument", "Only one auth mechanism allowed");
    }
    const bytes = signed.get(request.path);
    if (bytes === undefined) return xml(403, "SignatureDoesNotMatch", "The signature is not one of ours");
    return ranged(request, bytes, {});
  });
  return Object.assign(server, {
    signatures,
    sign: (digest: string, bytes: Buffer) => {
      const signature = randomUUID();
      const path = `/blobs/${digest}/data?X-Amz-Expires=1200&X-Amz-Signature=${signature}`;
      signatures.push(signature);
      signed.set(path, bytes);
      return `${server.origin}${path}`;
    },
  });
}

function ranged(request: SandboxRequest, bytes: Buffer, extra: Readonly<Record<string, string>>): Answer {
  const headers = { ...extra, "content-type": "application/octet-stream", "accept-ranges": "bytes" };
  const range = request.headers.range;
  if (range === undefined) return { status: 200, headers, body: bytes };
  const [start, end] = bounds(range, bytes.length);
  if (!(start <= end && start < bytes.length)) {
    return { status: 416, headers: { ...extra, "content-range": `bytes */${bytes.length}` } };
  }
  const part = bytes.subarray(start, end + 1);
  return {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${start}-${end}/${bytes.length}` },
    body: part,
  };
}

/** First and last byte of a range of one of the three forms, each NaN for another. */
function bounds(range: string, length: number): readonly [start: number, end: number] {
  const [, from, to] = /^bytes=([0-9]*)-([0-9]*)$/.exec(range) ?? [];
  if (from === undefined || to === undefined || (from === "" && to === "")) return [Number.NaN, Number.NaN];
  if (from === "") return [Math.max(0, length - Number(to)), to === "0" ? Number.NaN : length - 1];
  return [Number(from), to === "" ? length - 1 : Math.min(Number(to), length - 1)];
}

function xml(status: number, code: string, message: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status, headers: { "content-type": "application/xml" }, body };
}
