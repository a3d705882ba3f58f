/**
 * Tencent Cloud's signature TC3-HMAC-SHA256, to check requests with: as the page "Signature Method v3" of every Tencent
 * Cloud API describes it, and equal to both examples that it has had.
 */
import { createHash, createHmac } from "node:crypto";

/** Everything that a signature covers. */
export interface SignedRequest {
  readonly method: string;
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names of the covered headers, in lower case, in the order of the `Authorization` header. */
  readonly signedHeaders: readonly string[];
  readonly body: Uint8Array;
  readonly secretKey: string;
  /** Seconds since the epoch, as sent. */
  readonly timestamp: string;
  readonly service: string;
}

/** The parts of `TC3-HMAC-SHA256 Credential=<id>/<date>/<service>/tc3_request, SignedHeaders=<…>, Signature=<…>`. */
export interface Authorization {
  readonly secretId: string;
  readonly date: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

/** Reads an `Authorization` header; undefined when it is not of the form. */
export function parseAuthorization(header: string): Authorization | undefined {
  const pattern =
    /^TC3-HMAC-SHA256 Credential=([^/,\s]+)\/([0-9-]+)\/([a-z0-9]+)\/tc3_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;
  const match = pattern.exec(header);
  if (match === null) return undefined;
  const [, secretId = "", date = "", service = "", names = "", signature = ""] = match;
  return { secretId, date, service, signedHeaders: names.split(";"), signature };
}

/** The hash of the canonical request: the first half of the signature, documented with its test vectors. */
export function canonicalRequestHash(request: SignedRequest): string {
  const headers = request.signedHeaders.map(
    (name) => `${name}:${canonicalValue(request.headers[name] ?? "")}\n`,
  );
  const lines = [
    request.method,
    "/",
    request.query,
    headers.join(""),
    request.signedHeaders.join(";"),
    sha256(request.body),
  ];
  return sha256(lines.join("\n"));
}

/** The signature in hexadecimal form. */
export function signatureOf(request: SignedRequest): string {
  const date = dateOf(request.timestamp);
  const scope = `${date}/${request.service}/tc3_request`;
  const text = ["TC3-HMAC-SHA256", request.timestamp, scope, canonicalRequestHash(request)].join("\n");
  const dateKey = hmac(`TC3${request.secretKey}`, date);
  return hmac(hmac(hmac(dateKey, request.service), "tc3_request"), text).toString("hex");
}

/** `YYYY-MM-DD` in UTC of seconds since the epoch. */
export function dateOf(timestamp: string): string {
  return new Date(Number(timestamp) * 1000).toISOString().slice(0, 10);
}

function canonicalValue(value: string): string {
  return value.trim().toLowerCase();
}

function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: Uint8Array | string, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}
