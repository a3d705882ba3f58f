import { describe, expect, it, test } from "vitest";
import { hubLoginKind, whyNoDeletion } from "../../../src/destinations/docker-hub/docker-hub-login.ts";

function apiToken(claims: unknown): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256" })}.${part(claims)}.c2lnbmF0dXJl`;
}

test.each([
  ["dckr_pat_abc", "personal token"],
  ["dckr_oat_abc", "organisation token"],
  ["correct horse", "password"],
  ["xdckr_pat_abc", "password"],
])("the kind of %s is told by its form: %s", (secret, kind) => {
  expect(hubLoginKind(secret)).toBe(kind);
});

describe("the right to delete, by the API's token", () => {
  it.each([
    ["repo:public_read", true],
    ["repo:read", true],
    ["repo:write", true],
    ["repo:admin", false],
    ["repo:read repo:write", true],
    ["repo:write repo:admin", false],
    ["openid offline_access", false],
    ["", false],
  ])("a personal token with the scope %j lacks it: %s", (scope, lacks) => {
    const reason = whyNoDeletion("personal token", apiToken({ scope }));
    expect(reason?.includes('"Read, Write, Delete"') ?? false).toBe(lacks);
  });

  it.each<[string, string]>([
    ["no token of this form", "opaque"],
    ["claims that are no JSON", "a.b.c"],
    ["no scope", apiToken({ aud: "https://hub.docker.com" })],
    ["a scope of another type", apiToken({ scope: ["repo:read"] })],
    ["endless claims", `a.${"x".repeat(70_000)}.c`],
  ])("is not judged by %s", (_name, token) => {
    expect(whyNoDeletion("personal token", token)).toBeUndefined();
  });

  it.each(["organisation token", "password", "keyless"] as const)("is not judged for a %s", (kind) => {
    expect(whyNoDeletion(kind, apiToken({ scope: "repo:read" }))).toBeUndefined();
  });
});
