import { describe, expect, test } from "vitest";
import { load, mistakeLines, mistakesOf } from "../support/given-inputs.ts";

const role = {
  "tcr-role-arn": "qcs::cam::uin/100012345678:roleName/harbor-mirror",
  "tcr-provider-id": "github",
};
const key = { "tcr-secret-id": "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "tcr-secret-key": "secret" };
const runner = { GITHUB_STATE: "/tmp/state", GITHUB_RUN_ID: "77" };

describe("a role", () => {
  test("is read with the defaults of its session", () => {
    expect(load(role, runner).tencentRole).toEqual({
      arn: role["tcr-role-arn"],
      providerId: "github",
      sessionName: "harbor-release-mirror-77",
      durationSeconds: 7200,
      audience: "sts.tencentcloudapi.com",
    });
  });

  test("is read with a session of the user's", () => {
    const session = {
      "tcr-role-session": "release of goharbor/harbor",
      "tcr-role-duration": "12h",
      "tcr-role-audience": "me",
    };
    expect(load({ ...role, ...session }).tencentRole).toMatchObject({
      sessionName: "release-of-goharbor-harbor",
      durationSeconds: 43_200,
      audience: "me",
    });
  });

  test("wins as a whole over the variables of a login action", () => {
    const variables = { TENCENTCLOUD_SECRET_ID: "AKIDvariable", TENCENTCLOUD_SECRET_KEY: "vk" };
    const inputs = load(role, variables);
    expect(inputs.tencentCloudKey).toBeUndefined();
    expect(inputs.tencentRole).toBeDefined();
  });

  test.each([
    [{ "tcr-role-arn": role["tcr-role-arn"] }, "tcr-provider-id: is empty, but tcr-role-arn is set"],
    [{ "tcr-provider-id": "github" }, "tcr-role-arn: is empty, but tcr-provider-id is set"],
    [{ ...role, "tcr-role-arn": "arn:aws:iam::1:role/x" }, "tcr-role-arn: "],
    [{ ...role, "tcr-provider-id": "a/b" }, "tcr-provider-id: "],
    [{ ...role, "tcr-role-duration": "5m" }, "tcr-role-duration: "],
    [{ ...role, "tcr-role-duration": "13h" }, "tcr-role-duration: "],
    [{ ...role, ...key }, "tcr-role-arn: is a way to do without tcr-secret-id"],
  ])("%o is one mistake", (inputs, words) => {
    const lines = mistakeLines(mistakesOf(inputs));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(words);
  });
});

describe("the environment of login actions", () => {
  test.each(["TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"])("is read with %s", (name) => {
    const variables = {
      TENCENTCLOUD_SECRET_ID: "AKIDvariable",
      TENCENTCLOUD_SECRET_KEY: "vk",
      [name]: "session",
    };
    expect(load({}, variables).tencentCloudKey).toEqual({
      secretId: "AKIDvariable",
      secretKey: "vk",
      sessionToken: "session",
    });
  });
});

describe("logins in the wrong place", () => {
  test.each([
    [{ ...key, "tcr-secret-id": "100012345678" }, "tcr-secret-id: is the user name of a registry login"],
    [{ ...key, "tcr-secret-id": "tcr$mirror" }, "tcr-secret-id: is the user name of a registry login"],
    [
      { "tcr-username": key["tcr-secret-id"], "tcr-password": "p" },
      "tcr-username: is a SecretId, not a user name",
    ],
  ])("are told by their form: %o", (inputs, words) => {
    const lines = mistakeLines(mistakesOf(inputs));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(words);
    expect(lines[0]).not.toContain(key["tcr-secret-id"]);
  });
});

describe("open access", () => {
  test.each([
    ["false", undefined],
    ["", undefined],
    ["true", "allowlist"],
    ["allowlist", "allowlist"],
    ["endpoint", "endpoint"],
  ])('"%s" means %s', (text, meaning) => {
    expect(load({ ...key, "tcr-open-access": text }, runner).tcrOpenAccess).toBe(meaning);
  });

  test.each([
    [{ ...key, "tcr-open-access": "yes" }, runner, "none of false, true, allowlist, endpoint"],
    [{ ...key, "tcr-open-access": "true" }, {}, "needs a runner of GitHub Actions"],
    [{ "tcr-open-access": "true" }, runner, "needs an API key or a role"],
    [
      { "tcr-open-access": "true", "tcr-username": "tcr$m", "tcr-password": "p" },
      runner,
      "needs an API key or a role",
    ],
  ])("%o is a mistake", (inputs, variables, words) => {
    const lines = mistakeLines(mistakesOf(inputs, variables));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`tcr-open-access: `);
    expect(lines[0]).toContain(words);
  });

  test.each([
    ["auto", { blocks: [], services: undefined }],
    ["203.0.113.7", { blocks: ["203.0.113.7/32"], services: [] }],
    ["203.0.113.7, 198.51.100.0/24", { blocks: ["203.0.113.7/32", "198.51.100.0/24"], services: [] }],
    ["https://ip.example.com/me", { blocks: [], services: [new URL("https://ip.example.com/me")] }],
    ["http://127.0.0.1:1/", { blocks: [], services: [new URL("http://127.0.0.1:1/")] }],
  ])("takes %s as egress", (text, meaning) => {
    expect(load({ "tcr-egress": text }).tcrEgress).toEqual(meaning);
  });

  test.each([
    "0.0.0.0/0",
    "203.0.113.0/15",
    "203.0.113.7/33",
    "203.0.113.7/24/1",
    "2001:db8::1",
    "runner.example.com",
    "http://ip.example.com/",
    "203.0.113.7/",
  ])("does not take %s as egress", (text) => {
    expect(mistakeLines(mistakesOf({ "tcr-egress": text }))).toHaveLength(1);
  });

  test.each([
    [{ GITHUB_RUN_ID: "12", GITHUB_RUN_ATTEMPT: "3", RUNNER_ENVIRONMENT: "github-hosted" }, "12", 3, true],
    [{ GITHUB_RUN_ID: "12", RUNNER_ENVIRONMENT: "self-hosted" }, "12", 1, false],
    [{ GITHUB_RUN_ID: "1; rm", GITHUB_RUN_ATTEMPT: "x" }, "0", 1, false],
  ])("knows its run from %o", (variables, id, attempt, githubHosted) => {
    expect(load({}, variables).workflowRun).toMatchObject({ id, attempt, githubHosted });
  });
});

describe("the Personal edition", () => {
  test.each(["ccr.ccs.tencentyun.com", "hkccr.ccs.tencentyun.com"])("is told from %s", (host) => {
    expect(load({ destinations: `${host}/goharbor` }).destinations[0]?.type).toBe("tcr-personal");
  });

  test("has no public namespaces", () => {
    const message = mistakesOf({ destinations: "ccr.ccs.tencentyun.com/goharbor,public=true" });
    expect(message).toContain("public means nothing for a destination of type tcr-personal");
  });
});
