import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  authorizationOf,
  canonicalRequest,
  type RequestToSign,
  signatureOf,
  stringToSign,
} from "../../../src/destinations/tencent/tencent-signature.ts";

/** The escapes are part of the documented body, six characters each. */
const body = '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}';
const common = { service: "cvm", body, timestamp: 1551113065 };
const headers = { "content-type": "application/json; charset=utf-8", host: "cvm.tencentcloudapi.com" };

interface Vector {
  readonly name: string;
  readonly request: RequestToSign;
  readonly key: { readonly secretId: string; readonly secretKey: string };
  readonly signedHeaders: string;
  readonly hashedCanonicalRequest: string;
  readonly signature: string;
}

/** The examples of Tencent's "Signature v3" pages, in their older and newer wording. The asterisks are literal. */
const vectors: readonly Vector[] = [
  {
    name: "content-type and host",
    request: { ...common, headers },
    key: {
      secretId: "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
      secretKey: "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
    },
    signedHeaders: "content-type;host",
    hashedCanonicalRequest: "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031",
    signature: "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
  },
  {
    name: "content-type, host and action",
    // In another order than they are signed in.
    request: { ...common, headers: { "x-tc-action": "DescribeInstances", ...headers } },
    key: {
      secretId: "AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******",
      secretKey: "Gu5t9xGARNpq86cd98joQYCN3*******",
    },
    signedHeaders: "content-type;host;x-tc-action",
    hashedCanonicalRequest: "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84",
    signature: "be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3",
  },
];

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

describe.each(vectors)("TC3-HMAC-SHA256 with $name", (vector) => {
  it("hashes the body as documented", () => {
    const lines = canonicalRequest(vector.request).split("\n");
    expect(lines.at(-1)).toBe("35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064");
  });

  it("gives the documented canonical request", () => {
    expect(sha256(canonicalRequest(vector.request))).toBe(vector.hashedCanonicalRequest);
  });

  it("signs time, scope and the hash of the canonical request", () => {
    expect(stringToSign(vector.request).split("\n")).toEqual([
      "TC3-HMAC-SHA256",
      "1551113065",
      "2019-02-25/cvm/tc3_request",
      vector.hashedCanonicalRequest,
    ]);
  });

  it("gives the documented signature", () => {
    expect(signatureOf(vector.request, vector.key.secretKey)).toBe(vector.signature);
  });

  it("writes all of it into the Authorization header", () => {
    expect(authorizationOf(vector.request, vector.key)).toBe(
      `TC3-HMAC-SHA256 Credential=${vector.key.secretId}/2019-02-25/cvm/tc3_request, ` +
        `SignedHeaders=${vector.signedHeaders}, Signature=${vector.signature}`,
    );
  });
});

describe("the signing day", () => {
  it("is the day in UTC, on both sides of midnight", () => {
    const midnight = Date.UTC(2026, 5, 2) / 1000;
    const scopeAt = (timestamp: number) => stringToSign({ ...common, headers, timestamp }).split("\n")[2];
    expect(scopeAt(midnight - 1)).toBe("2026-06-01/cvm/tc3_request");
    expect(scopeAt(midnight)).toBe("2026-06-02/cvm/tc3_request");
  });
});
