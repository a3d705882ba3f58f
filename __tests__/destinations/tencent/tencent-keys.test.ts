import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { createTencentCloud, securityTokenUrl } from "../../../src/destinations/tencent/tencent-cloud.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { routedTransport, type SentRequest } from "../../support/scripted-transport.ts";

const signal = new AbortController().signal;
const role = {
  arn: "qcs::cam::uin/100012345678:roleName/harbor-mirror",
  providerId: "github",
  sessionName: "harbor-release-mirror-77",
  durationSeconds: 7200,
  audience: "sts.tencentcloudapi.com",
};
const tcr = new URL("https://tcr.tencentcloudapi.com/");
const place = { registry: "goharbor.tencentcloudcr.com", path: "goharbor" };
const ownKey = {
  registry: "other.tencentcloudcr.com",
  path: "",
  login: undefined,
  key: { secretId: "AKIDown", secretKey: "own", sessionToken: undefined },
  from: "here",
};

/** Tencent Cloud that hands out the keys 1, 2, 3 … and takes only those that `refused` does not hold. */
function scenario(exchange: (request: SentRequest) => object | undefined = () => undefined) {
  const clock = fakeClock();
  const log = recordingLog();
  const audiences: string[] = [];
  const refused = new Set<string>();
  let keys = 0;
  const transport = routedTransport((request) => {
    const respond = (Response: object) => ({ json: { Response: { ...Response, RequestId: "r" } } });
    if (request.headers["x-tc-action"] === "AssumeRoleWithWebIdentity") {
      const scripted = exchange(request);
      if (scripted !== undefined) return respond(scripted);
      keys += 1;
      const Credentials = { TmpSecretId: `AKID${keys}`, TmpSecretKey: `key${keys}`, Token: `token${keys}` };
      return respond({ Credentials, ExpiredTime: clock.now() / 1000 + 7200, Expiration: "later" });
    }
    const token = request.headers["x-tc-token"] ?? "";
    return respond(refused.has(token) ? { Error: { Code: "AuthFailure.TokenFailure", Message: "no" } } : {});
  });
  const idTokens = async (audience: string) => {
    audiences.push(audience);
    return `id-token-${audiences.length}`;
  };
  const cloud = createTencentCloud({
    logins: [ownKey],
    tencentCloudKey: undefined,
    tencentRole: role,
    idTokens,
    transport,
    clock,
    log,
  });
  const call = (url = tcr) =>
    cloud(url, place)?.call(
      { action: "DescribeInstances", operation: "trying", region: "ap-guangzhou", parameters: {}, signal },
      v.object({}),
    );
  const exchanges = () =>
    transport.sent.filter(({ headers }) => headers["x-tc-action"] === "AssumeRoleWithWebIdentity");
  const tokens = () => transport.sent.flatMap(({ headers }) => headers["x-tc-token"] ?? []);
  return { clock, log, audiences, refused, transport, cloud, call, exchanges, tokens };
}

describe("a role of GitHub's id token", () => {
  it("is assumed without a signature, and its temporary key signs the call", async () => {
    const { call, exchanges, transport, audiences, log } = scenario();
    await call();
    expect(audiences).toEqual(["sts.tencentcloudapi.com"]);
    const [exchange] = exchanges();
    expect(exchange?.url).toBe("https://sts.tencentcloudapi.com/");
    expect(exchange?.headers).toMatchObject({ authorization: "SKIP", "x-tc-version": "2018-08-13" });
    expect(exchange?.headers).not.toHaveProperty("x-tc-token");
    expect(JSON.parse(exchange?.body ?? "")).toEqual({
      ProviderId: "github",
      WebIdentityToken: "id-token-1",
      RoleArn: role.arn,
      RoleSessionName: "harbor-release-mirror-77",
      DurationSeconds: 7200,
    });
    const [, signed] = transport.sent;
    expect(signed?.headers.authorization).toMatch(/^TC3-HMAC-SHA256 Credential=AKID1\//);
    expect(signed?.headers["x-tc-token"]).toBe("token1");
    expect(log.masked).toEqual(["AKID1", "key1", "token1"]);
  });

  it("is assumed again five minutes before the key's end, with a new id token", async () => {
    const { call, clock, tokens, audiences } = scenario();
    await call();
    clock.advance(7200_000 - 5 * 60_000 - 1000);
    await call();
    clock.advance(1000);
    await call();
    expect(tokens()).toEqual(["token1", "token1", "token2"]);
    expect(audiences).toHaveLength(2);
  });

  it("is assumed once for all who ask at the same moment", async () => {
    const { call, exchanges } = scenario();
    await Promise.all([call(), call(), call()]);
    expect(exchanges()).toHaveLength(1);
  });

  it("is assumed again when its key is refused before its time, but not for ever", async () => {
    const { call, refused, tokens } = scenario();
    await call();
    refused.add("token1");
    await call();
    expect(tokens()).toEqual(["token1", "token1", "token2"]);
    refused.add("token2").add("token3");
    await expect(call()).rejects.toThrow("AuthFailure.TokenFailure");
    expect(tokens().slice(3)).toEqual(["token2", "token3"]);
  });

  it.each([
    [
      "InvalidParameter.WebIdentityTokenError",
      /`github` in CAM needs the issuer .*signing keys and the client id/,
    ],
    ["UnauthorizedOperation", /trust policy of .* does not let this workflow in: .*`oidc:sub`/],
    ["InvalidParameter.OverLimit", /lower `tcr-role-duration`/],
    ["InternalError.GetRoleError", /Check `tcr-role-arn`/],
    ["InvalidParameter.ParamError", /Check `tcr-role-arn` and `tcr-provider-id`/],
  ])("that is refused with %s says what to change, and nothing else is sent", async (Code, words) => {
    const { call, transport } = scenario(() => ({ Error: { Code, Message: "no" } }));
    await expect(call()).rejects.toThrow(words);
    expect(transport.sent).toHaveLength(1);
  });

  it("with an answer that is none is a failure, not a key", async () => {
    const { call, transport } = scenario(() => ({
      Credentials: { TmpSecretId: "", TmpSecretKey: "k", Token: "t" },
      ExpiredTime: 1,
    }));
    await expect(call()).rejects.toThrow(/not of the expected form/);
    expect(transport.sent).toHaveLength(1);
  });

  it("has one client, and so one rate limit, for each API", () => {
    const { cloud } = scenario();
    expect(cloud(tcr, place)).toBe(cloud(new URL(tcr), { ...place, path: "other" }));
    expect(cloud(new URL("https://tcr.intl.tencentcloudapi.com/"), place)).not.toBe(cloud(tcr, place));
  });

  it("is not assumed for a place with a key of its own", async () => {
    const { cloud, exchanges, transport } = scenario();
    const api = cloud(tcr, ownKey);
    expect(api).not.toBe(cloud(tcr, place));
    expect(api).toBe(cloud(tcr, { ...ownKey, path: "below" }));
    const call = { action: "DescribeInstances", operation: "trying", region: "ap-guangzhou", parameters: {} };
    await api?.call({ ...call, signal }, v.object({}));
    expect(exchanges()).toEqual([]);
    expect(transport.sent.map(({ headers }) => headers.authorization)).toEqual([
      expect.stringContaining("Credential=AKIDown/"),
    ]);
  });
});

it.each([
  ["https://tcr.tencentcloudapi.com/", "https://sts.tencentcloudapi.com/"],
  ["https://tcr.intl.tencentcloudapi.com/", "https://sts.intl.tencentcloudapi.com/"],
  ["https://tcr.ap-guangzhou.tencentcloudapi.com/", "https://sts.ap-guangzhou.tencentcloudapi.com/"],
  ["http://127.0.0.1:1234/", "http://127.0.0.1:1234/"],
  ["https://tcr.example.com/", "https://tcr.example.com/"],
])("the token service of %s is at %s", (api, url) => {
  expect(securityTokenUrl(new URL(api)).href).toBe(url);
});
