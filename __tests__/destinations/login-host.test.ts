import { describe, expect, it } from "vitest";
import { hubLoginHost, tcrLoginHost } from "../../src/destinations/login-host.ts";
import { createTencentApi } from "../../src/destinations/tencent/tencent-api.ts";
import { fixedKey } from "../../src/destinations/tencent/tencent-keys.ts";
import { InputError } from "../../src/errors.ts";
import { parseNamespace } from "../../src/oci/reference.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { load } from "../support/given-inputs.ts";
import { scriptedTransport } from "../support/scripted-transport.ts";

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

function placesOf({ to, from = [], docker = [], failing = [], withKey = false }: Given) {
  const keys = fixedKey({ secretId: "AKIDexample", secretKey: "secret", sessionToken: undefined });
  const transport = scriptedTransport();
  const lines = to.map((host) => {
    const [name, ...attributes] = host.split(",");
    return [`${name}/goharbor`, ...attributes].join(",");
  });
  return {
    destinations: load({ destinations: lines.join("\n") }).destinations,
    sources: from.flatMap((host) => parseNamespace(`${host}/goharbor`) ?? []),
    dockerConfiguration: (registry: string) => async () => {
      if (failing.includes(registry)) throw new InputError("The credential helper failed.");
      return docker.includes(registry) ? { username: registry, password: "configured" } : undefined;
    },
    tencentCloud: (url: URL) =>
      withKey ? createTencentApi({ transport, clock: fakeClock(), url, keys }) : undefined,
  };
}

/** The host that the `tcr-` login is for. */
const hostOf = (given: Given) => tcrLoginHost(placesOf(given));

describe("the tcr- login", () => {
  it.each<[string, Given, string | undefined]>([
    ["the only destination of TCR", { to: [a, "docker.io"], from: ["ghcr.io"] }, a],
    ["the only one, though the Docker configuration has a login, too", { to: [a], docker: [a] }, a],
    ["no plain registry at a host of TCR", { to: [`${a},type=registry`] }, undefined],
    ["no Harbor at a host of TCR", { to: [`${a},type=harbor`] }, undefined],
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
    [
      "a source below a host of TCR, too",
      { to: ["docker.io"], from: ["a.b.tencentcloudcr.com"] },
      "a.b.tencentcloudcr.com",
    ],
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

describe("the dockerhub- login", () => {
  const other = "hub.example.com,type=docker-hub,api=https://api.example.com";
  const host = "hub.example.com";

  it.each<[string, Given, string | undefined]>([
    ["Docker Hub", { to: ["docker.io", a], from: ["ghcr.io"] }, "docker.io"],
    [
      "Docker Hub, though the Docker configuration has a login, too",
      { to: ["docker.io"], docker: ["docker.io"] },
      "docker.io",
    ],
    ["Docker Hub as a source", { to: [a], from: ["docker.io"] }, "docker.io"],
    ["what its line says to be one", { to: [other], from: ["ghcr.io"] }, host],
    ["the destination, not a source", { to: [other], from: ["docker.io"] }, host],
    [
      "the source, where the destination has a Docker login",
      { to: [other], from: ["docker.io"], docker: [host] },
      "docker.io",
    ],
    ["the destination without a Docker login", { to: ["docker.io", other], docker: ["docker.io"] }, host],
    ["nobody, where nothing is Docker Hub", { to: [a], from: ["hub.example.com"] }, undefined],
  ])("is for %s", async (_whom, given, expected) => {
    expect(await hubLoginHost(placesOf(given))).toBe(expected);
  });

  it("is a mistake with two that it could be for", async () => {
    await expect(hubLoginHost(placesOf({ to: ["docker.io", other] }))).rejects.toThrow(
      /^dockerhub-username: nothing tells which of docker.io, hub.example.com this login is for.*`dockerhub-token`/,
    );
  });
});
