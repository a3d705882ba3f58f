import { createHash, createHmac } from "node:crypto";

/**
 * Signature method v3 of Tencent Cloud API 3.0 (TC3-HMAC-SHA256), for a POST to the path `/` without a query. This Action sends
 * no other kind.
 * https://www.tencentcloud.com/document/product/267/37447
 */
const algorithm = "TC3-HMAC-SHA256";

/** What a signature covers. */
export interface RequestToSign {
  /** First label of the API's host name: `tcr`. */
  readonly service: string;
  /** Names in lower case. `content-type` and `host` must be among them, exactly as they are sent. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Seconds since the epoch, as sent in `X-TC-Timestamp`. */
  readonly timestamp: number;
}

/** The request in canonical form: method, path, query, headers by name, names of the headers, hash of the body. */
export function canonicalRequest(request: RequestToSign): string {
  // Values are lowered too: the documented example signs `x-tc-action:describeinstances` for `DescribeInstances`.
  const headers = Object.entries(request.headers)
    .map(([name, value]) => `${name}:${value.trim().toLowerCase()}\n`)
    .sort();
  return ["POST", "/", "", headers.join(""), signedHeaders(request), sha256(request.body)].join("\n");
}

/** What is signed: algorithm, time, scope and the hash of the canonical request. */
export function stringToSign(request: RequestToSign): string {
  const hashed = sha256(canonicalRequest(request));
  return [algorithm, String(request.timestamp), credentialScope(request), hashed].join("\n");
}

/** The signature in hexadecimal. The key is narrowed to the day and the service before it signs anything. */
export function signatureOf(request: RequestToSign, secretKey: string): string {
  const dayKey = hmac(`TC3${secretKey}`, dayOf(request.timestamp));
  const serviceKey = hmac(dayKey, request.service);
  const signingKey = hmac(serviceKey, "tc3_request");
  return hmac(signingKey, stringToSign(request)).toString("hex");
}

/** Value of the `Authorization` header for a request. */
export function authorizationOf(
  request: RequestToSign,
  key: { readonly secretId: string; readonly secretKey: string },
): string {
  return (
    `${algorithm} Credential=${key.secretId}/${credentialScope(request)}, ` +
    `SignedHeaders=${signedHeaders(request)}, Signature=${signatureOf(request, key.secretKey)}`
  );
}

function signedHeaders(request: RequestToSign): string {
  return Object.keys(request.headers).sort().join(";");
}

function credentialScope(request: RequestToSign): string {
  return `${dayOf(request.timestamp)}/${request.service}/tc3_request`;
}

/** The day of a timestamp in UTC: a local date would be refused for some hours of each day. */
function dayOf(timestamp: number): string {
  return new Date(timestamp * 1000).toISOString().slice(0, 10);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
