import { describe, expect, it } from "vitest";
import { createTcrDestination } from "../../src/destinations/tcr.ts";
import { InputError, OperationError } from "../../src/errors.ts";
import type { DestinationInput, Login, TencentCloudKey } from "../../src/inputs.ts";
import { anonymous } from "../../src/oci/credentials.ts";
import { fakeClock } from "../fake-clock.ts";
import { recordingLog } from "../recording-log.ts";
import { fakeTcr } from "./fake-tcr.ts";

const signal = new AbortController().signal;
const apiKey: TencentCloudKey = { secretId: "AKIDexample", secretKey: "secret", sessionToken: undefined };
const anHour = 60 * 60_000;

interface Options {
  readonly input?: Partial<DestinationInput>;
  readonly key?: TencentCloudKey | undefined;
  readonly login?: Login;
}

/** A destination at the instance `goharbor` of a fake TCR. */
function scenario({ input = {}, key = apiKey, login }: Options = {}) {
  const clock = fakeClock();
  const log = recordingLog();
  const tcr = fakeTcr();
  tcr.expiry = () => clock.now() + anHour;
  const destination = createTcrDestination({
    input: {
      registry: "goharbor.tencentcloudcr.com",
      path: "goharbor",
      type: "tcr",
      retention: { keep: 3, keepBy: "semver" },
      api: undefined,
      registryId: undefined,
      region: undefined,
      public: false,
      ...input,
    },
    key,
    login,
    dockerCredentials: anonymous,
    transport: tcr.transport,
    clock,
    log,
  });
  const actions = () => tcr.calls.map(({ action }) => action);
  return { clock, log, tcr, destination, actions };
}

/** A scenario without an API key. */
function withoutKey(login: Login | undefined) {
  const clock = fakeClock();
  const tcr = fakeTcr();
  const destination = createTcrDestination({
    input: {
      registry: "registry.example.com",
      path: "goharbor",
      type: "tcr",
      retention: { keep: 3, keepBy: "semver" },
      api: undefined,
      registryId: undefined,
      region: undefined,
      public: false,
    },
    key: undefined,
    login,
    dockerCredentials: () => Promise.resolve({ username: "docker", password: "configured" }),
    transport: tcr.transport,
    clock,
    log: recordingLog(),
  });
  return { tcr, destination };
}

describe("the TCR instance", () => {
  it.each(["goharbor.tencentcloudcr.com", "goharbor-vpc.tencentcloudcr.com"])(
    "of %s is looked up once by its exact name, and then called in its region",
    async (registry) => {
      const { tcr, destination } = scenario({ input: { registry } });
      tcr.instances.clear();
      tcr.instances.set("goharbor-test", { id: "tcr-wrong", region: "ap-beijing" });
      tcr.instances.set("goharbor", { id: "tcr-right", region: "ap-shanghai" });
      await Promise.all([destination.prepare(signal), destination.credentials(signal)]);
      const [lookup, ...others] = tcr.calls;
      expect(lookup).toEqual({
        action: "DescribeInstances",
        region: "ap-guangzhou",
        parameters: {
          AllRegion: true,
          Limit: 100,
          Filters: [{ Name: "RegistryName", Values: ["goharbor"] }],
        },
      });
      expect(others.length).toBeGreaterThan(1);
      for (const call of others) {
        expect(call.action).not.toBe("DescribeInstances");
        expect(call.region).toBe("ap-shanghai");
        expect(call.parameters.RegistryId).toBe("tcr-right");
      }
    },
  );

  it("that the account does not have is a failure that names the ones it has", async () => {
    const { tcr, destination, actions } = scenario();
    tcr.instances.clear();
    tcr.instances.set("goharbor-test", { id: "tcr-wrong", region: "ap-beijing" });
    const failure = destination.prepare(signal);
    await expect(failure).rejects.toThrow(OperationError);
    await expect(failure).rejects.toThrow(/no instance of that name \(but goharbor-test\).*`registry-id=`/);
    expect(actions()).toEqual(["DescribeInstances"]);
  });

  it("is not looked up when the attributes tell it", async () => {
    const { tcr, destination } = scenario({
      input: { registry: "registry.example.com", registryId: "tcr-custom", region: "ap-beijing" },
    });
    await destination.credentials(signal);
    expect(tcr.calls).toEqual([
      {
        action: "CreateInstanceToken",
        region: "ap-beijing",
        parameters: { RegistryId: "tcr-custom", TokenType: "temp" },
      },
    ]);
  });

  it.each([
    [{ registry: "registry.example.com" }, /registry-id=tcr-xxxxxxxx,region=/],
    [{ registryId: "tcr-custom" }, /`registry-id` and `region` go together/],
    [{ region: "ap-beijing" }, /`registry-id` and `region` go together/],
  ])("that %o does not tell is a mistake of the input", (input, words) => {
    expect(() => scenario({ input })).toThrow(InputError);
    expect(() => scenario({ input })).toThrow(words);
  });

  it("is asked for at the API that the attribute names", async () => {
    const api = new URL("https://tcr.intl.tencentcloudapi.com");
    const { tcr, destination } = scenario({ input: { api } });
    await destination.credentials(signal);
    expect(new Set(tcr.transport.sent.map(({ url }) => url))).toEqual(new Set([api.href]));
  });
});

describe("the login", () => {
  it("is a temporary one, masked before anyone has it", async () => {
    const { log, destination } = scenario();
    const login = await destination.credentials(signal);
    expect(login).toEqual({ username: "100012345678", password: "token-1" });
    const basic = Buffer.from("100012345678:token-1").toString("base64");
    expect(log.masked).toEqual(["token-1", basic]);
  });

  it.each([
    ["milliseconds", (end: number) => end],
    ["seconds", (end: number) => end / 1000],
  ])("is renewed five minutes before its end, given in %s", async (_unit, written) => {
    const { clock, tcr, destination } = scenario();
    const end = clock.now() + anHour;
    tcr.expiry = () => written(end);
    expect((await destination.credentials(signal))?.password).toBe("token-1");
    clock.advance(end - 5 * 60_000 - 1 - clock.now());
    expect((await destination.credentials(signal))?.password).toBe("token-1");
    clock.advance(1);
    expect((await destination.credentials(signal))?.password).toBe("token-2");
  });

  it("is made once for all who ask at the same moment", async () => {
    const { destination, actions } = scenario();
    await Promise.all([destination.credentials(signal), destination.credentials(signal)]);
    expect(actions()).toEqual(["DescribeInstances", "CreateInstanceToken"]);
  });

  it("is the one of the inputs, where they give one beside the key", async () => {
    const login = { username: "robot", password: "given" };
    const { destination, actions } = scenario({ login });
    expect(await destination.credentials(signal)).toEqual(login);
    expect(actions()).toEqual([]);
    expect(destination.deletion).toBe("shared-digest-unsafe");
  });
});

describe("without an API key", () => {
  it("pushes with the login of the inputs, prepares nothing, and says why it cannot delete", async () => {
    const login = { username: "robot", password: "given" };
    const { tcr, destination } = withoutKey(login);
    expect(await destination.credentials(signal)).toEqual(login);
    await destination.prepare(signal);
    expect(destination.deletion).toBe("unavailable");
    expect(destination.deletionUnavailable).toContain("`tcr-secret-id`");
    const tags = [{ tag: "v1", digest: undefined }];
    const [deletion] = await destination.deleteTags("goharbor/harbor-core", tags, signal);
    expect(deletion?.failure).toContain("`tcr-secret-id`");
    expect(tcr.transport.sent).toEqual([]);
  });

  it("pushes with the login of the Docker configuration, where the inputs give none", async () => {
    const { destination } = withoutKey(undefined);
    expect(await destination.credentials(signal)).toEqual({ username: "docker", password: "configured" });
  });
});

describe("preparing", () => {
  it.each([
    [false, "private"],
    [true, "public"],
  ])("creates the missing namespace, with public=%s", async (isPublic, word) => {
    const { tcr, log, destination } = scenario({ input: { public: isPublic } });
    await destination.prepare(signal);
    expect([...tcr.namespaces]).toEqual([["goharbor", isPublic]]);
    expect(log.infos).toEqual([`Created the ${word} TCR namespace goharbor.tencentcloudcr.com/goharbor.`]);
  });

  it("takes the first part of a longer path for the namespace", async () => {
    const { tcr, destination } = scenario({ input: { path: "team/harbor" } });
    await destination.prepare(signal);
    expect([...tcr.namespaces.keys()]).toEqual(["team"]);
  });

  it("leaves an existing namespace as it is", async () => {
    const { tcr, log, destination, actions } = scenario();
    tcr.namespaces.set("goharbor", false);
    await destination.prepare(signal);
    expect(actions()).toEqual(["DescribeInstances", "DescribeNamespaces"]);
    expect(log.warnings).toEqual([]);
  });

  it("warns when the namespace was to be public, but exists and is private", async () => {
    const { tcr, log, destination } = scenario({ input: { public: true } });
    tcr.namespaces.set("goharbor", false);
    await destination.prepare(signal);
    expect(tcr.namespaces.get("goharbor")).toBe(false);
    expect(log.warnings).toEqual([expect.stringContaining("exists and is private")]);
  });

  it("does not take a namespace whose name contains the wanted one for it", async () => {
    const { tcr, destination } = scenario();
    tcr.namespaces.set("goharbor-dev", true);
    await destination.prepare(signal);
    expect(tcr.namespaces.get("goharbor")).toBe(false);
  });

  it("finds the namespace on a later page, asking by page number from 1", async () => {
    const { tcr, destination, actions } = scenario();
    for (let number = 0; number < 45; number++) tcr.namespaces.set(`goharbor-${number}`, false);
    tcr.namespaces.set("goharbor", false);
    await destination.prepare(signal);
    const pages = tcr.calls.filter(({ action }) => action === "DescribeNamespaces");
    expect(pages.map(({ parameters }) => parameters.Offset)).toEqual([1, 2, 3]);
    expect(actions()).not.toContain("CreateNamespace");
  });

  it("ends when a page repeats what is known, whatever the total count says", async () => {
    const { tcr, destination } = scenario();
    for (let number = 0; number < 25; number++) tcr.namespaces.set(`goharbor-${number}`, false);
    await destination.prepare(signal);
    const pages = tcr.calls.filter(({ action }) => action === "DescribeNamespaces");
    expect(pages.map(({ parameters }) => parameters.Offset)).toEqual([1, 2, 3]);
    expect(tcr.namespaces.has("goharbor")).toBe(true);
  });

  it.each(["FailedOperation.ErrorTcrResourceConflict", "InternalError.ErrorTcrResourceConflict"])(
    "is fine with a namespace that someone else has just created (%s)",
    async (code) => {
      const { tcr, log, destination } = scenario();
      tcr.errors.set("CreateNamespace", [code]);
      await destination.prepare(signal);
      expect(log.infos).toEqual([]);
    },
  );

  it("fails when the namespace cannot be created", async () => {
    const { tcr, destination } = scenario();
    tcr.errors.set("CreateNamespace", ["UnauthorizedOperation"]);
    await expect(destination.prepare(signal)).rejects.toThrow(
      /creating the namespace goharbor failed.*`tcr:CreateNamespace`/,
    );
  });
});
