import { describe, expect, it } from "vitest";
import type { DestinationInput } from "../../src/destinations/destination-input.ts";
import { createDestination } from "../../src/destinations/select.ts";
import { createTencentApi } from "../../src/destinations/tencent/tencent-api.ts";
import type { TencentCloudKey } from "../../src/destinations/tencent/tencent-keys.ts";
import { fixedKey } from "../../src/destinations/tencent/tencent-keys.ts";
import { silentLog } from "../../src/log/log.ts";
import type { Credentials } from "../../src/oci/credentials.ts";
import { printNamespace } from "../../src/oci/reference.ts";
import { Registry } from "../../src/oci/registry.ts";
import { vendorIds } from "../../src/vendors/vendor.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { scriptedTransport } from "../support/scripted-transport.ts";

const signal = new AbortController().signal;
const apiKey = { secretId: "AKIDexample", secretKey: "key-secret", sessionToken: undefined };
const inputs = {
  dockerHubLogin: { username: "hub", password: "hub-secret" },
  tcrLogin: { username: "tcr", password: "tcr-secret" },
  awsKey: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "aws-secret", sessionToken: undefined },
};
const plainTypes = [
  "registry",
  ...vendorIds.filter((id) => !["docker-hub", "tcr", "tcr-personal"].includes(id)),
] as const;
const noInputs = {
  dockerHubLogin: undefined,
  tcrLogin: undefined,
  awsKey: undefined,
};

function inputOf(type: DestinationInput["type"], registry: string): DestinationInput {
  return {
    type,
    registry,
    path: "goharbor",
    retention: { keep: 3, keepBy: "semver" },
    api: undefined,
    registryId: undefined,
    region: undefined,
    public: false,
    tokenServer: undefined,
    attestations: true,
  };
}

/** What destinations are made with; the Docker configuration holds a login named after each registry. */
function context(key: TencentCloudKey | undefined = undefined) {
  const transport = scriptedTransport();
  const clock = fakeClock();
  const log = silentLog;
  const opened: string[] = [];
  const openedWith: Credentials[] = [];
  return {
    transport,
    opened,
    openedWith,
    clock,
    log,
    tencentCloud: (url: URL) =>
      key === undefined ? undefined : createTencentApi({ transport, clock, url, keys: fixedKey(key) }),
    dockerConfiguration: (registry: string) => () =>
      Promise.resolve({ username: `docker-${registry}`, password: "configured" }),
    openRegistry: (input: DestinationInput, credentials: Credentials) => {
      opened.push(printNamespace(input));
      openedWith.push(credentials);
      const { registry } = input;
      return new Registry({ registry, side: "destination", credentials, transport, clock, log });
    },
  };
}

describe("the destination of a line", () => {
  it.each([
    ["docker-hub", "docker.io", "hub", "by-tag"],
    ["tcr", "goharbor.tencentcloudcr.com", "tcr", "shared-digest-unsafe"],
    ["tcr-personal", "ccr.ccs.tencentyun.com", "tcr", "shared-digest-unsafe"],
    ["registry", "registry.example.com", "docker-registry.example.com", "shared-digest-unsafe"],
  ] as const)("of type %s at %s logs in as %s and deletes %s", async (type, registry, username, deletion) => {
    const given = context(apiKey);
    const destination = await createDestination(inputOf(type, registry), inputs, given);
    expect((await destination.credentials(signal))?.username).toBe(username);
    expect(destination.deletion).toBe(deletion);
    expect(destination.name).toBe(`${registry}/goharbor`);
    expect(given.transport.sent).toEqual([]);
  });

  it.each([
    ["docker-hub", "docker.io", "by-tag"],
    ["tcr", "goharbor.tencentcloudcr.com", "unavailable"],
    ["tcr-personal", "ccr.ccs.tencentyun.com", "unavailable"],
    ["registry", "registry.example.com", "shared-digest-unsafe"],
  ] as const)(
    "of type %s logs in by the Docker configuration without inputs",
    async (type, registry, deletion) => {
      const destination = await createDestination(inputOf(type, registry), noInputs, context());
      expect((await destination.credentials(signal))?.username).toBe(`docker-${registry}`);
      expect(destination.deletion).toBe(deletion);
    },
  );

  it.each(plainTypes)("of type %s gets the login of the Docker configuration alone", async (type) => {
    for (const host of ["hub.example.com", "docker.io", "a.tencentcloudcr.com"]) {
      const destination = await createDestination(inputOf(type, host), inputs, context(apiKey));
      expect(await destination.credentials(signal)).toEqual({
        username: `docker-${host}`,
        password: "configured",
      });
    }
  });

  it("deletes through the registry client, with the same login, only where the vendor has no API", async () => {
    const given = context(apiKey);
    await createDestination(inputOf("docker-hub", "docker.io"), inputs, given);
    await createDestination(inputOf("tcr", "goharbor.tencentcloudcr.com"), inputs, given);
    expect(given.opened).toEqual([]);
    const destination = await createDestination(inputOf("registry", "registry.example.com"), inputs, given);
    expect(given.opened).toEqual(["registry.example.com/goharbor"]);
    expect(given.openedWith).toEqual([destination.credentials]);
  });
});
