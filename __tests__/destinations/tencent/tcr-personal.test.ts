import { describe, expect, it } from "vitest";
import { buildImage, pushTo } from "../../../sandbox/images.ts";
import { tcrKey } from "../../../sandbox/tcr.ts";
import { personalLogin, startTcrPersonal, type TcrPersonalOptions } from "../../../sandbox/tcr-personal.ts";
import { systemClock } from "../../../src/clock.ts";
import type { DestinationInput } from "../../../src/destinations/destination-input.ts";
import {
  createTcrPersonalDestination,
  personalRegion,
} from "../../../src/destinations/tencent/tcr-personal.ts";
import { createTencentApi } from "../../../src/destinations/tencent/tencent-api.ts";
import { fixedKey } from "../../../src/destinations/tencent/tencent-keys.ts";
import { InputError } from "../../../src/errors.ts";
import { createTransport } from "../../../src/http/transport.ts";
import { silentLog } from "../../../src/log/log.ts";
import type { Credential } from "../../../src/oci/credentials.ts";
import { recordingLog } from "../../support/recording-log.ts";

const signal = new AbortController().signal;
const transport = createTransport(silentLog, systemClock);
const repository = "goharbor/harbor-core";

interface Given {
  readonly options?: TcrPersonalOptions;
  readonly withKey?: boolean;
  readonly login?: Credential | undefined;
  readonly input?: Partial<DestinationInput>;
}

/** A destination at the stand-in of the Personal edition. */
async function scenario({ options = {}, withKey = true, login = personalLogin, input = {} }: Given = {}) {
  const personal = await startTcrPersonal(options);
  const log = recordingLog();
  const keys = fixedKey({ ...tcrKey, sessionToken: undefined });
  const url = new URL(personal.api.origin);
  const api = createTencentApi({ transport, clock: systemClock, url, keys });
  const destination = await createTcrPersonalDestination({
    input: {
      type: "tcr-personal",
      registry: "ccr.ccs.tencentyun.com",
      path: "goharbor",
      retention: { keep: 3, keepBy: "semver" },
      api: undefined,
      registryId: undefined,
      region: undefined,
      public: false,
      tokenServer: undefined,
      attestations: true,
      ...input,
    },
    api: withKey ? api : undefined,
    credentials: () => Promise.resolve(login),
    clock: systemClock,
    log,
  });
  const deleteTags = (tags: readonly string[]) =>
    destination.deleteTags(
      repository,
      tags.map((tag) => ({ tag, digest: undefined })),
      signal,
    );
  return {
    personal,
    log,
    destination,
    deleteTags,
    [Symbol.asyncDispose]: () => personal[Symbol.asyncDispose](),
  };
}

describe("TCR Personal", () => {
  it("gets its namespace made once, and is pushed to with the login of the registry", async () => {
    await using at = await scenario({ options: { namespaces: ["goharbor-old"] } });
    await at.destination.prepare(signal);
    await at.destination.prepare(signal);
    expect([...at.personal.namespaces]).toEqual(["goharbor-old", "goharbor"]);
    expect(at.personal.api.requests.map(({ headers }) => headers["x-tc-action"])).toEqual([
      "DescribeNamespacePersonal",
      "CreateNamespacePersonal",
      "DescribeNamespacePersonal",
    ]);
    expect(await at.destination.credentials(signal)).toEqual(personalLogin);
  });

  it("loses exactly the tags that are to go, more than a batch, one of them gone before", async () => {
    await using at = await scenario({ options: { namespaces: ["goharbor"] } });
    const tags = Array.from({ length: 25 }, (_, index) => `v1.0.${index}`);
    for (const tag of [...tags, "v1.0.1-dev", "v2"]) {
      pushTo(at.personal.registry, repository, buildImage({ seed: tag }), tag);
    }
    const deletions = await at.deleteTags([...tags.slice(0, 3), "v0.9.0", ...tags.slice(3)]);
    expect(deletions.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(deletions).toHaveLength(26);
    expect([...at.personal.registry.tags(repository).keys()].sort()).toEqual(["v1.0.1-dev", "v2"]);
  });

  it("of another region is asked there", async () => {
    await using at = await scenario({
      options: { region: "ap-hongkong" },
      input: { registry: "hkccr.ccs.tencentyun.com" },
    });
    await at.destination.prepare(signal);
    expect([...at.personal.namespaces]).toEqual(["goharbor"]);
  });

  it.each([
    [{ namespaceLimit: 0 }, /LimitExceeded.ErrNamespaceMaxLimit.*no further namespace/],
    [{ region: "ap-beijing-fsi" }, /ErrNoUserInitialized.*set its password once/],
  ])("that does not make the namespace says what to do: %o", async (options, words) => {
    await using at = await scenario({ options });
    await expect(at.destination.prepare(signal)).rejects.toThrow(words);
  });

  it("warns of a namespace that is somebody else's; the push tells", async () => {
    await using at = await scenario({ options: { taken: ["goharbor"] } });
    await at.destination.prepare(signal);
    expect(at.log.warnings).toEqual([expect.stringContaining("another account has this name")]);
  });

  it("needs a login beside the key, and says so before the first push", async () => {
    const personal = await startTcrPersonal();
    await using _closing = personal;
    const destination = await createTcrPersonalDestination({
      input: {
        type: "tcr-personal",
        registry: "ccr.ccs.tencentyun.com",
        path: "goharbor",
        retention: { keep: 3, keepBy: "semver" },
        api: undefined,
        registryId: undefined,
        region: undefined,
        public: false,
        tokenServer: undefined,
        attestations: true,
      },
      api: createTencentApi({
        transport,
        clock: systemClock,
        url: new URL(personal.api.origin),
        keys: fixedKey({ ...tcrKey, sessionToken: undefined }),
      }),
      credentials: () => Promise.resolve(undefined),
      clock: systemClock,
      log: silentLog,
    });
    await expect(destination.prepare(signal)).rejects.toThrow(/`tcr-username` and `tcr-password`/);
    expect(personal.api.requests).toEqual([]);
  });

  it("without a key prunes nothing, and says why", async () => {
    await using at = await scenario({ withKey: false });
    expect(at.destination.deletion).toBe("unavailable");
    expect(at.destination.deletionUnavailable).toMatch(/access credential.*`tcr-secret-id`/);
    await at.destination.prepare(signal);
    expect(at.personal.api.requests).toEqual([]);
  });

  it.each([
    [{ registry: "registry.example.com" }, /does not tell the region/],
    [{ path: "goharbor/deep" }, /has one part/],
  ])("%o is a mistake", async (input, words) => {
    await expect(scenario({ input })).rejects.toThrow(InputError);
    await expect(scenario({ input })).rejects.toThrow(words);
  });
});

it.each([
  ["ccr.ccs.tencentyun.com", undefined, "ap-guangzhou"],
  ["uswccr.ccs.tencentyun.com", undefined, "na-siliconvalley"],
  ["shjrccr.ccs.tencentyun.com", undefined, "ap-shanghai-fsi"],
  ["registry.example.com", "ap-tokyo", "ap-tokyo"],
])("%s with region %s is in %s", (registry, region, result) => {
  expect(personalRegion({ registry, path: "goharbor", region })).toBe(result);
});
