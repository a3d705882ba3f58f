import { describe, expect, it } from "vitest";
import { tcrLoginHost } from "../../../src/destinations/tencent/tcr-login-host.ts";
import { createTencentApi } from "../../../src/destinations/tencent/tencent-api.ts";
import { fixedKey } from "../../../src/destinations/tencent/tencent-keys.ts";
import { InputError } from "../../../src/errors.ts";
import { parseNamespace } from "../../../src/oci/reference.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { load } from "../../support/given-inputs.ts";
import { scriptedTransport } from "../../support/scripted-transport.ts";

const a = "a.tencentcloudcr.com";
const b = "b.tencentcloudcr.com";
const personal = "ccr.ccs.tencentyun.com";

interface Given {
  readonly to: readonly string[];
  readonly from?: readonly string[];
  /** Hosts that the Docker configuration has a login for. */
  readonly docker?: readonly string[];
  /** Hosts whose credential helper fails. */
  readonly failing?: readonly string[];
  readonly withKey?: boolean;
}

/** The host that the `tcr-` login is for. */
function hostOf({ to, from = [], docker = [], failing = [], withKey = false }: Given) {
  const keys = fixedKey({ secretId: "AKIDexample", secretKey: "secret", sessionToken: undefined });
  const transport = scriptedTransport();
  return tcrLoginHost({
    destinations: load({ destinations: to.map((host) => `${host}/goharbor`).join("\n") }).destinations,
    sources: from.flatMap((host) => parseNamespace(`${host}/goharbor`) ?? []),
    dockerConfiguration: (registry) => async () => {
      if (failing.includes(registry)) throw new InputError("The credential helper failed.");
      return docker.includes(registry) ? { username: registry, password: "configured" } : undefined;
    },
    tencentCloud: (url) =>
      withKey ? createTencentApi({ transport, clock: fakeClock(), url, keys }) : undefined,
  });
}

describe("the tcr- login", () => {
  it.each<[string, Given, string | undefined]>([
    ["the only destination of TCR", { to: [a, "docker.io"], from: ["ghcr.io"] }, a],
    ["the only one, though the Docker configuration has a login, too", { to: [a], docker: [a] }, a],
    ["the only source of TCR", { to: ["docker.io"], from: [a] }, a],
    ["the source that is the destination as well", { to: [a], from: [a] }, a],
    ["the destination that has no Docker login", { to: [a, b], docker: [b] }, a],
    ["the one without, in any order", { to: [b, a], docker: [b] }, a],
    [
      "the Enterprise instance beside Personal with a Docker login",
      { to: [a, personal], docker: [personal] },
      a,
    ],
    [
      "Personal, where a key makes the login of the Enterprise instance",
      { to: [a, personal], withKey: true },
      personal,
    ],
    ["the destination, not a source", { to: [a], from: [b] }, a],
    ["the source, where the destination has a Docker login", { to: [a], from: [b], docker: [a] }, b],
    ["nobody, where each has a Docker login", { to: [a, b], docker: [a, b] }, undefined],
    ["nobody, where there is no TCR", { to: ["docker.io"], from: ["ghcr.io"] }, undefined],
    ["not a host whose credential helper fails", { to: [a, b], failing: [b] }, a],
  ])("is for %s", async (_whom, given, host) => {
    expect(await hostOf(given)).toBe(host);
  });

  it.each<[string, Given]>([
    ["two destinations", { to: [a, b] }],
    ["two instances with a key that makes both logins", { to: [a, b], withKey: true }],
    ["an Enterprise and a Personal destination without a key", { to: [a, personal] }],
    ["two regions of Personal", { to: [personal, "hkccr.ccs.tencentyun.com"], withKey: true }],
    ["two sources", { to: ["docker.io"], from: [a, b] }],
    ["two of three destinations", { to: [a, b, personal], docker: [b] }],
  ])("is a mistake with %s that it could be for", async (_what, given) => {
    await expect(hostOf(given)).rejects.toThrow(InputError);
    await expect(hostOf(given)).rejects.toThrow(
      /nothing tells which of .*, .* this login is for.*docker\/login-action/,
    );
  });
});
