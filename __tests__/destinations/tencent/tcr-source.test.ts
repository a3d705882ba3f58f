import { describe, expect, it } from "vitest";
import { tcrSource } from "../../../src/destinations/tencent/tcr-source.ts";
import { createTencentApi } from "../../../src/destinations/tencent/tencent-api.ts";
import { fixedKey } from "../../../src/destinations/tencent/tencent-keys.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { fakeTcr } from "../fake-tcr.ts";

const signal = new AbortController().signal;
const login = { username: "100012345678", password: "given" };
const docker = { username: "docker", password: "configured" };

/** The login for reading from a registry. */
function loginFor(registry: string, options: { withKey?: boolean; withLogin?: boolean }) {
  const { withKey = false, withLogin = false } = options;
  const clock = fakeClock();
  const tcr = fakeTcr();
  tcr.expiry = () => clock.now() + 3_600_000;
  const keys = fixedKey({ secretId: "AKIDexample", secretKey: "secret", sessionToken: undefined });
  const place = { registry, path: "goharbor" };
  const credentials = tcrSource(place, withLogin ? login : undefined, () => Promise.resolve(docker), {
    tencentCloud: (url) =>
      withKey ? createTencentApi({ transport: tcr.transport, clock, url, keys }) : undefined,
    clock,
    log: recordingLog(),
  });
  return { tcr, got: credentials(signal) };
}

describe("the login for a TCR source", () => {
  it.each([
    ["ccr.ccs.tencentyun.com", { withLogin: true }, login.username],
    ["hkccr.ccs.tencentyun.com", { withKey: true, withLogin: true }, login.username],
    ["goharbor.tencentcloudcr.com", { withLogin: true }, login.username],
    ["goharbor.tencentcloudcr.com", { withKey: true }, "100012345678"],
    ["goharbor-vpc.tencentcloudcr.com", { withKey: true }, "100012345678"],
    ["ccr.ccs.tencentyun.com", { withKey: true }, docker.username],
    ["goharbor.tencentcloudcr.com", {}, docker.username],
    ["registry.example.com", { withKey: true, withLogin: true }, docker.username],
  ])("at %s with %o is that of %s", async (registry, options, username) => {
    const { got } = loginFor(registry, options);
    expect((await got)?.username).toBe(username);
  });

  it("falls back to the Docker configuration where the key is of another account", async () => {
    const { tcr, got } = loginFor("unknown.tencentcloudcr.com", { withKey: true });
    expect(await got).toEqual(docker);
    expect(tcr.calls.map(({ action }) => action)).toEqual(["DescribeInstances"]);
  });
});
