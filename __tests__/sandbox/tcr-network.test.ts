import { describe, expect, it } from "vitest";
import { startGitHubOidc } from "../../sandbox/github-oidc.ts";
import { buildImage, pushTo } from "../../sandbox/images.ts";
import { serviceAccount, startTcr, type Tcr, tcrInstance, tcrKey } from "../../sandbox/tcr.ts";
import type { TencentCloudKey } from "../../sandbox/tcr-api.ts";
import { signatureOf } from "../../sandbox/tcr-signature.ts";

const { registryId: RegistryId } = tcrInstance;
const runner = "203.0.113.7";

type Response = Record<string, unknown> & { readonly Error?: { readonly Code: string } };

/** Calls an action, signed with a key; without one as the token service is called. */
async function call(
  tcr: Tcr,
  action: string,
  parameters: object,
  key: TencentCloudKey | null = tcrKey,
  version = "2019-09-24",
): Promise<Response> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const body = JSON.stringify(parameters);
  const headers = { "content-type": "application/json", host: tcr.api.host };
  const signedHeaders = ["content-type", "host"];
  const date = new Date(Number(timestamp) * 1000).toISOString().slice(0, 10);
  const signature =
    key !== null &&
    signatureOf({
      method: "POST",
      query: "",
      headers,
      signedHeaders,
      body: Buffer.from(body),
      secretKey: key.secretKey,
      timestamp,
      service: "tcr",
    });
  const response = await fetch(tcr.api.origin, {
    method: "POST",
    body,
    headers: {
      "content-type": headers["content-type"],
      authorization:
        key === null
          ? "SKIP"
          : `TC3-HMAC-SHA256 Credential=${key.secretId}/${date}/tcr/tc3_request, SignedHeaders=content-type;host, Signature=${signature}`,
      "x-tc-action": action,
      "x-tc-version": version,
      "x-tc-region": tcrInstance.region,
      "x-tc-timestamp": timestamp,
      ...(key?.sessionToken === undefined ? {} : { "x-tc-token": key.sessionToken }),
    },
  });
  return ((await response.json()) as { Response: Response }).Response;
}

const reaches = (tcr: Tcr) =>
  fetch(`${tcr.registry.origin}/v2/`).then(
    ({ status }) => status,
    () => "cut",
  );

describe("access control", () => {
  it("cuts off who is not on the list of an open endpoint", async () => {
    await using tcr = await startTcr({ network: { egress: () => runner } });
    expect(await reaches(tcr)).toBe("cut");
    expect((await call(tcr, "DescribeSecurityPolicies", { RegistryId })).SecurityPolicySet).toBeNull();
    await call(tcr, "CreateSecurityPolicy", { RegistryId, CidrBlock: `${runner}/32`, Description: "d" });
    expect(await reaches(tcr)).toBe(401);
    expect((await call(tcr, "DescribeSecurityPolicies", { RegistryId })).SecurityPolicySet).toEqual([
      { PolicyIndex: 0, CidrBlock: `${runner}/32`, Description: "d", PolicyVersion: "2" },
    ]);
  });

  it("deletes by address before place, by place only at the present version, and moves the others up", async () => {
    const allowlist = ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"].map((block) => ({
      block,
      description: "",
    }));
    await using tcr = await startTcr({ network: { egress: () => runner, allowlist } });
    const remove = (given: object) => call(tcr, "DeleteSecurityPolicy", { RegistryId, ...given });
    expect((await remove({ PolicyIndex: 0, PolicyVersion: "7" })).Error?.Code).toBe("InvalidParameter");
    await remove({ PolicyIndex: 0, PolicyVersion: "1", CidrBlock: "192.0.2.2/32" });
    expect(tcr.network?.allowlist.map(({ block }) => block)).toEqual(["192.0.2.1/32", "192.0.2.3/32"]);
    await remove({ PolicyIndex: 1, PolicyVersion: "2" });
    expect(tcr.network?.allowlist.map(({ block }) => block)).toEqual(["192.0.2.1/32"]);
    expect((await remove({ CidrBlock: "192.0.2.3/32" })).Error?.Code).toBe("ResourceNotFound");
  });

  it.each([
    ["the same address twice", { CidrBlock: "192.0.2.1/32", Description: "" }],
    ["no network", { CidrBlock: "192.0.2.9", Description: "" }],
    ["a description of 101 characters", { CidrBlock: "192.0.2.9/32", Description: "x".repeat(101) }],
  ])("refuses %s", async (_what, entry) => {
    const allowlist = [{ block: "192.0.2.1/32", description: "" }];
    await using tcr = await startTcr({ network: { egress: () => runner, allowlist } });
    const answer = await call(tcr, "CreateSecurityPolicy", { RegistryId, ...entry });
    expect(answer.Error?.Code).toBe("InvalidParameter");
    expect(tcr.network?.changes).toEqual([]);
  });

  it("has no list while the endpoint is closed or opening", async () => {
    const allowlist = [{ block: `${runner}/32`, description: "" }];
    await using tcr = await startTcr({ network: { endpoint: "Closed", egress: () => runner, allowlist } });
    const list = async () => (await call(tcr, "DescribeSecurityPolicies", { RegistryId })).Error?.Code;
    const state = async () => (await call(tcr, "DescribeExternalEndpointStatus", { RegistryId })).Status;
    expect([await state(), await list(), await reaches(tcr)]).toEqual(["Closed", "ResourceNotFound", "cut"]);
    await call(tcr, "ManageExternalEndpoint", { RegistryId, Operation: "Create" });
    expect([await state(), await list(), await reaches(tcr)]).toEqual(["Opening", "ResourceNotFound", "cut"]);
    expect([await state(), await list(), await reaches(tcr)]).toEqual(["Opened", undefined, 401]);
    await call(tcr, "ManageExternalEndpoint", { RegistryId, Operation: "Delete" });
    expect([await state(), await reaches(tcr)]).toEqual(["Closed", "cut"]);
  });
});

describe("the Security Token Service", () => {
  const arn = "qcs::cam::uin/100012345678:roleName/harbor-mirror";
  const sub = "repo:goharbor/harbor:ref:refs/heads/main";

  async function scenario(subjects: readonly string[] = [sub]) {
    const oidc = await startGitHubOidc();
    const now = { ms: Date.now() };
    const role = { arn, providerId: "github", subjects, check: oidc.check };
    const tcr = await startTcr({ role, now: () => now.ms });
    const idToken = async (audience = "sts.tencentcloudapi.com") => {
      const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token } = oidc.variables;
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetch(`${url}&audience=${audience}`, { headers });
      return ((await response.json()) as { value: string }).value;
    };
    const assume = async (given: object = {}) =>
      call(
        tcr,
        "AssumeRoleWithWebIdentity",
        {
          ProviderId: "github",
          WebIdentityToken: await idToken(),
          RoleArn: arn,
          RoleSessionName: "session",
          ...given,
        },
        null,
        "2018-08-13",
      );
    const [close, end] = [oidc.close, tcr.close];
    return {
      tcr,
      now,
      idToken,
      assume,
      [Symbol.asyncDispose]: async () => void (await Promise.all([close(), end()])),
    };
  }

  it("gives a key that works until it runs out, with its token only", async () => {
    await using at = await scenario();
    expect((await at.assume()).ExpiredTime).toBe(Math.floor(at.now.ms / 1000) + 7200);
    const key = at.tcr.sessions[0]?.key ?? tcrKey;
    const code = async (one: TencentCloudKey) =>
      (await call(at.tcr, "DescribeInstances", {}, one)).Error?.Code;
    expect(await code(key)).toBeUndefined();
    const { sessionToken: _left, ...bare } = key;
    expect(await code(bare)).toBe("AuthFailure.TokenFailure");
    await using short = await scenario();
    await short.assume({ DurationSeconds: 1 });
    const ended = short.tcr.sessions[0]?.key ?? tcrKey;
    short.now.ms += 1000;
    expect((await call(short.tcr, "DescribeInstances", {}, ended)).Error?.Code).toBe(
      "AuthFailure.TokenFailure",
    );
  });

  it.each([
    [
      "another audience",
      async (at: Awaited<ReturnType<typeof scenario>>) =>
        at.assume({ WebIdentityToken: await at.idToken("me") }),
      "InvalidParameter.WebIdentityTokenError",
    ],
    [
      "no token",
      (at: Awaited<ReturnType<typeof scenario>>) => at.assume({ WebIdentityToken: "a.b.c" }),
      "InvalidParameter.WebIdentityTokenError",
    ],
    [
      "another role",
      (at: Awaited<ReturnType<typeof scenario>>) => at.assume({ RoleArn: `${arn}2` }),
      "InternalError.GetRoleError",
    ],
    [
      "another provider",
      (at: Awaited<ReturnType<typeof scenario>>) => at.assume({ ProviderId: "gitlab" }),
      "InvalidParameter.ParamError",
    ],
    [
      "too long a session",
      (at: Awaited<ReturnType<typeof scenario>>) => at.assume({ DurationSeconds: 7201 }),
      "InvalidParameter.OverLimit",
    ],
    [
      "a session name with a slash",
      (at: Awaited<ReturnType<typeof scenario>>) => at.assume({ RoleSessionName: "a/b" }),
      "InvalidParameter.ParamError",
    ],
  ])("refuses %s", async (_what, attempt, code) => {
    await using at = await scenario();
    expect((await attempt(at)).Error?.Code).toBe(code);
    expect(at.tcr.sessions).toEqual([]);
  });

  it("refuses a subject that the role does not trust", async () => {
    await using at = await scenario(["repo:goharbor/harbor:environment:mirror"]);
    expect((await at.assume()).Error?.Code).toBe("UnauthorizedOperation");
  });

  it("answers nothing else without a signature", async () => {
    await using at = await scenario();
    expect((await call(at.tcr, "DescribeInstances", {}, null)).Error?.Code).toBe(
      "AuthFailure.InvalidAuthorization",
    );
  });
});

it("protects immutable tags by both ways", async () => {
  const immutableTags = new Set(["goharbor/core:v1"]);
  await using tcr = await startTcr({ namespaces: { goharbor: false }, immutableTags });
  pushTo(tcr.registry, "goharbor/core", buildImage({ seed: "v1" }), "v1");
  const names = { RegistryId, NamespaceName: "goharbor", RepositoryName: "core" };
  const answer = await call(tcr, "DeleteRepositoryTags", { ...names, Tags: ["v1"] });
  expect(answer.Error?.Code).toBe("FailedOperation.PreconditionFailed");
  expect(tcr.registry.tags("goharbor/core").has("v1")).toBe(true);
});

it("knows service accounts, whose names begin with tcr$, and who have no right to delete", () => {
  const { username, access } = serviceAccount("mirror", "p");
  expect(username).toBe("tcr$mirror");
  expect((["pull", "push", "delete"] as const).map((action) => access("goharbor/core", action))).toEqual([
    true,
    true,
    false,
  ]);
});
