import { describe, expect, test } from "vitest";
import { signedHeaders } from "../../../src/destinations/registry/aws-signature.ts";

/**
 * Vectors of AWS's own test suite for Signature Version 4 (`get-vanilla`, `post-vanilla`, `post-header-value-case`), with its
 * key, region, service and time. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
const key = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  sessionToken: undefined,
};
const host = "example.amazonaws.com";
const suite = { region: "us-east-1", service: "service", body: "", now: Date.UTC(2015, 7, 30, 12, 36) };

describe("Signature Version 4", () => {
  test.each([
    ["GET", { host }, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
    ["POST", { host }, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
    [
      "POST",
      { host, "my-header1": "VALUE1" },
      "host;my-header1;x-amz-date",
      "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ],
  ] as const)("of a %s with the headers %j is that of the suite", (method, headers, names, signature) => {
    expect(signedHeaders({ ...suite, method, headers }, key)).toEqual({
      ...headers,
      "x-amz-date": "20150830T123600Z",
      authorization:
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " +
        `SignedHeaders=${names}, Signature=${signature}`,
    });
  });

  test("covers the body, and the token of a temporary key", () => {
    const request = { ...suite, method: "POST", headers: { host } } as const;
    const plain = signedHeaders(request, key);
    const withToken = signedHeaders(request, { ...key, sessionToken: "token" });
    expect(withToken["x-amz-security-token"]).toBe("token");
    expect(withToken.authorization).toContain("SignedHeaders=host;x-amz-date;x-amz-security-token,");
    expect(signedHeaders({ ...request, body: "{}" }, key).authorization).not.toBe(plain.authorization);
  });
});
