import { createHash, createHmac } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { startTcr, type Tcr, type TcrOptions, tcrInstance, tcrKey } from "../../sandbox/tcr.ts";
import { canonicalRequestHash, signatureOf } from "../../sandbox/tcr-signature.ts";

const open: Tcr[] = [];

async function start(options?: TcrOptions): Promise<Tcr> {
  const tcr = await startTcr(options);
  open.push(tcr);
  return tcr;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((tcr) => tcr.close()));
});

interface Call {
  readonly action: string;
  readonly parameters?: unknown;
  readonly key?: { secretId: string; secretKey: string };
  readonly at?: number;
  readonly region?: string;
  readonly headers?: Record<string, string>;
}

const sha256 = (data: string) => createHash("sha256").update(data).digest("hex");
const hmac = (key: Buffer | string, data: string) => createHmac("sha256", key).update(data).digest();

/** A client's side of the signature, written out step by step as the documentation does. */
async function call(tcr: Tcr, { action, parameters = {}, key = tcrKey, at, region, headers = {} }: Call) {
  const timestamp = String(Math.floor((at ?? Date.now()) / 1000));
  const date = new Date(Number(timestamp) * 1000).toISOString().slice(0, 10);
  const body = JSON.stringify(parameters);
  const canonical = `POST\n/\n\ncontent-type:application/json\nhost:${tcr.api.host}\n\ncontent-type;host\n${sha256(body)}`;
  const text = `TC3-HMAC-SHA256\n${timestamp}\n${date}/tcr/tc3_request\n${sha256(canonical)}`;
  const signing = hmac(hmac(hmac(`TC3${key.secretKey}`, date), "tcr"), "tc3_request");
  const response = await fetch(tcr.api.origin, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      authorization: `TC3-HMAC-SHA256 Credential=${key.secretId}/${date}/tcr/tc3_request, SignedHeaders=content-type;host, Signature=${hmac(signing, text).toString("hex")}`,
      "x-tc-action": action,
      "x-tc-version": "2019-09-24",
      "x-tc-region": region ?? tcrInstance.region,
      "x-tc-timestamp": timestamp,
      ...headers,
    },
  });
  expect(response.status).toBe(200);
  const { Response } = (await response.json()) as {
    Response: Record<string, unknown> & { Error?: { Code: string } };
  };
  expect(Response.RequestId).toEqual(expect.any(String));
  return Response;
}

async function codeOf(tcr: Tcr, one: Call): Promise<string | undefined> {
  return (await call(tcr, one)).Error?.Code;
}

const { registryId: RegistryId } = tcrInstance;

describe("signatures", () => {
  const documented = {
    method: "POST",
    query: "",
    headers: {
      "content-type": "application/json; charset=utf-8",
      host: "cvm.tencentcloudapi.com",
      "x-tc-action": "DescribeInstances",
    },
    body: Buffer.from(
      String.raw`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`,
    ),
    timestamp: "1551113065",
    service: "cvm",
  };
  // Both examples of Tencent's page "Signature v3"; the asterisks of the second are its text, literally.
  it.each([
    {
      signedHeaders: ["content-type", "host"],
      secretKey: "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
      hash: "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031",
      signature: "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
    },
    {
      signedHeaders: ["content-type", "host", "x-tc-action"],
      secretKey: "Gu5t9xGARNpq86cd98joQYCN3*******",
      hash: "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84",
      signature: "be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3",
    },
  ])("equal the documented example over $signedHeaders", ({ signedHeaders, secretKey, hash, signature }) => {
    const request = { ...documented, signedHeaders, secretKey };
    expect(canonicalRequestHash(request)).toBe(hash);
    expect(signatureOf(request)).toBe(signature);
  });

  it.each([
    { name: "right", one: {}, code: undefined },
    {
      name: "wrong key",
      one: { key: { ...tcrKey, secretKey: "wrong" } },
      code: "AuthFailure.SignatureFailure",
    },
    {
      name: "unknown id",
      one: { key: { ...tcrKey, secretId: "AKIDunknown" } },
      code: "AuthFailure.SecretIdNotFound",
    },
    { name: "slow clock", one: { at: Date.now() - 301_000 }, code: "AuthFailure.SignatureExpire" },
    { name: "fast clock", one: { at: Date.now() + 310_000 }, code: "AuthFailure.SignatureExpire" },
    { name: "other version", one: { headers: { "x-tc-version": "2018-08-13" } }, code: "InvalidParameter" },
    {
      name: "other content type",
      one: { headers: { "content-type": "text/plain" } },
      code: "AuthFailure.SignatureFailure",
    },
    {
      name: "no authorization",
      one: { headers: { authorization: "Bearer x" } },
      code: "AuthFailure.InvalidAuthorization",
    },
  ])("$name: $code", async ({ one, code }) => {
    expect(await codeOf(await start(), { action: "DescribeInstances", ...one })).toBe(code);
  });

  it("of temporary keys need their session token", async () => {
    const tcr = await start({ keys: [{ ...tcrKey, sessionToken: "session" }] });
    const one = { action: "DescribeInstances" };
    expect(await codeOf(tcr, one)).toBe("AuthFailure.TokenFailure");
    expect(await codeOf(tcr, { ...one, headers: { "x-tc-token": "session" } })).toBeUndefined();
  });
});

describe("calls", () => {
  it.each([
    { name: "an unknown action", one: { action: "DeleteEverything" }, code: "InvalidAction" },
    { name: "a missing parameter", one: { action: "CreateInstanceToken" }, code: "MissingParameter" },
    {
      name: "an unknown parameter",
      one: { action: "DescribeInstances", parameters: { Name: "x" } },
      code: "UnknownParameter",
    },
    {
      name: "another type",
      one: { action: "DescribeInstances", parameters: { Limit: "1" } },
      code: "InvalidParameter",
    },
    {
      name: "another region",
      one: { action: "CreateInstanceToken", parameters: { RegistryId }, region: "ap-beijing" },
      code: "ResourceNotFound.TcrResourceNotFound",
    },
  ])("refuse $name", async ({ one, code }) => {
    expect(await codeOf(await start(), one)).toBe(code);
  });

  it("are limited by the second", async () => {
    const tcr = await start({ callsPerSecond: 1, now: () => 1_551_113_065_000 });
    const one = { action: "DescribeInstances", at: 1_551_113_065_000 };
    expect([await codeOf(tcr, one), await codeOf(tcr, one)]).toEqual([undefined, "RequestLimitExceeded"]);
  });

  it("find an instance by its name, in its region or in all", async () => {
    const tcr = await start();
    const find = async (name: string, AllRegion: boolean, region: string) => {
      const parameters = { AllRegion, Filters: [{ Name: "RegistryName", Values: [name] }] };
      const { Registries } = await call(tcr, { action: "DescribeInstances", parameters, region });
      return (Registries as { RegistryId: string; RegionName: string }[]).map(
        (one) => `${one.RegistryId} ${one.RegionName}`,
      );
    };
    expect(await find("goharbor", true, "ap-beijing")).toEqual([`${RegistryId} ap-guangzhou`]);
    expect(await find("goharbor", false, "ap-beijing")).toEqual([]);
    expect(await find("harbor", true, "ap-guangzhou")).toEqual([]);
  });

  it("give out logins of the registry that run out", async () => {
    let now = Date.now();
    const tcr = await start({ now: () => now, loginSeconds: 3600 });
    const { Username, Token, ExpTime } = await call(tcr, {
      action: "CreateInstanceToken",
      parameters: { RegistryId },
    });
    expect(ExpTime).toBe(now + 3_600_000);
    const { realm, service } = tcr.registry.tokenServer ?? { realm: "", service: "" };
    const authorization = `Basic ${Buffer.from(`${Username}:${Token}`).toString("base64")}`;
    const login = async () =>
      (await fetch(`${realm}?service=${service}`, { headers: { authorization } })).status;
    expect(await login()).toBe(200);
    now += 3_600_000;
    expect(await login()).toBe(401);
  });

  it("create namespaces, find them by a part of their name, and page by page number", async () => {
    const tcr = await start({ namespaces: { "goharbor-old": false } });
    const create = (NamespaceName: string) =>
      codeOf(tcr, { action: "CreateNamespace", parameters: { RegistryId, NamespaceName, IsPublic: true } });
    expect(await create("goharbor")).toBeUndefined();
    expect(await create("goharbor")).toBe("FailedOperation.ErrorTcrResourceConflict");
    expect(await create("Go_")).toBe("InvalidParameter.ErrorTcrInvalidParameter");
    expect(tcr.namespaces.get("goharbor")).toEqual({ public: true });
    const list = async (Offset: number, Limit = 1) => {
      const parameters = { RegistryId, NamespaceName: "goharbor", Limit, Offset };
      const { NamespaceList, TotalCount } = await call(tcr, { action: "DescribeNamespaces", parameters });
      return [TotalCount, ...(NamespaceList as { Name: string }[]).map(({ Name }) => Name)];
    };
    expect(await list(1)).toEqual([2, "goharbor-old"]);
    expect(await list(2)).toEqual([2, "goharbor"]);
    expect(await list(3)).toEqual([2]);
    const before = { RegistryId, NamespaceName: "goharbor", Offset: 0 };
    expect(await codeOf(tcr, { action: "DescribeNamespaces", parameters: before })).toBe(
      "InvalidParameter.ErrorTcrInvalidParameter",
    );
  });

  it("count pages from 0, where told so", async () => {
    const tcr = await start({ namespaces: { "goharbor-old": false, goharbor: true }, firstPage: 0 });
    const list = async (Offset: number) => {
      const parameters = { RegistryId, NamespaceName: "goharbor", Limit: 1, Offset };
      const { NamespaceList } = await call(tcr, { action: "DescribeNamespaces", parameters });
      return (NamespaceList as { Name: string }[]).map(({ Name }) => Name);
    };
    expect(await list(0)).toEqual(["goharbor-old"]);
    expect(await list(1)).toEqual(["goharbor"]);
    expect(await list(2)).toEqual([]);
  });

  const tagging = { RegistryId, NamespaceName: "goharbor", RepositoryName: "harbor-core" };
  const repository = "goharbor/harbor-core";

  async function withTags(options?: TcrOptions): Promise<Tcr> {
    const tcr = await start({ namespaces: { goharbor: false }, ...options });
    for (const tag of ["v1.0.0", "v1.0.0-rc1"])
      pushTo(tcr.registry, repository, buildImage({ seed: "one" }), tag);
    pushTo(tcr.registry, repository, buildImage({ seed: "two" }), "v2.0.0");
    return tcr;
  }

  const remove = (tcr: Tcr, Tags: readonly string[]) =>
    codeOf(tcr, { action: "DeleteRepositoryTags", parameters: { ...tagging, Tags } });

  it("delete tags: at most 20, each alone, and stop at one that is not there", async () => {
    const tcr = await withTags();
    const many = Array.from({ length: 21 }, (_none, index) => `v${index}`);
    expect(await remove(tcr, many)).toBe("InvalidParameter");
    expect(await remove(tcr, ["v1.0.0"])).toBeUndefined();
    expect([...tcr.registry.tags(repository).keys()]).toEqual(["v1.0.0-rc1", "v2.0.0"]);
    expect(await remove(tcr, ["v2.0.0", "v1.0.0", "v1.0.0-rc1"])).toBe(
      "ResourceNotFound.TcrResourceNotFound",
    );
    expect([...tcr.registry.tags(repository).keys()]).toEqual(["v1.0.0-rc1"]);
  });

  it("delete a tag with its digest and all tags of it, where told so", async () => {
    const tcr = await withTags({ deleteRemovesDigest: true });
    expect(await remove(tcr, ["v1.0.0"])).toBeUndefined();
    expect([...tcr.registry.tags(repository).keys()]).toEqual(["v2.0.0"]);
  });

  it("describe images by a part of the tag, or exactly", async () => {
    const tcr = await withTags();
    const tags = async (more: object) => {
      const parameters = { ...tagging, ImageVersion: "v1.0.0", ...more };
      const { ImageInfoList } = await call(tcr, { action: "DescribeImages", parameters });
      return (ImageInfoList as { ImageVersion: string }[]).map(({ ImageVersion }) => ImageVersion);
    };
    expect(await tags({})).toEqual(["v1.0.0", "v1.0.0-rc1"]);
    expect(await tags({ ExactMatch: true })).toEqual(["v1.0.0"]);
    expect(await tags({ Limit: 1, Offset: 2 })).toEqual(["v1.0.0-rc1"]);
  });
});
