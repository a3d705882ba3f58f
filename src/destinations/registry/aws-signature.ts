import { createHash, createHmac } from "node:crypto";

/** A key of AWS, as its own tools and login actions leave it in the environment. */
export interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Present with temporary keys only. */
  readonly sessionToken: string | undefined;
}

/**
 * Signature Version 4 of AWS, for a request to the path `/` without a query. No other kind is sent here.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
const algorithm = "AWS4-HMAC-SHA256";

/** What a signature covers. */
export interface AwsRequest {
  readonly method: "GET" | "POST";
  readonly region: string;
  /** Signing name of the service: `ecr`. */
  readonly service: string;
  /** Names in lower case, `host` among them, exactly as they are sent; `x-amz-date` and the token are added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The headers to send: those given, the time, the token of a temporary key, and the signature over all of them. */
export function signedHeaders(request: AwsRequest, key: AwsKey): Readonly<Record<string, string>> {
  const time = new Date(request.now).toISOString().replace(/[-:]|\.[0-9]{3}/g, "");
  const headers: Readonly<Record<string, string>> = {
    ...request.headers,
    "x-amz-date": time,
    ...(key.sessionToken === undefined ? {} : { "x-amz-security-token": key.sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${(headers[name] ?? "").trim().replace(/ +/g, " ")}\n`);
  const canonical = [request.method, "/", "", lines.join(""), names.join(";"), sha256(request.body)];
  const day = time.slice(0, 8);
  const scope = [day, request.region, request.service, "aws4_request"];
  const toSign = [algorithm, time, scope.join("/"), sha256(canonical.join("\n"))].join("\n");
  // The key is narrowed to the day, the region and the service before it signs anything.
  const signingKey = scope.reduce<string | Buffer>(hmac, `AWS4${key.secretAccessKey}`);
  const signature = hmac(signingKey, toSign).toString("hex");
  const credential = `${key.accessKeyId}/${scope.join("/")}`;
  return {
    ...headers,
    authorization: `${algorithm} Credential=${credential}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
