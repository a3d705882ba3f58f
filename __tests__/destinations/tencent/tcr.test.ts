import { describe, expect, it } from "vitest";
import type { DestinationInput } from "../../../src/destinations/destination-input.ts";
import { createTcrDestination, mainlandApi, tcrWithoutApi } from "../../../src/destinations/tencent/tcr.ts";
import { createTencentApi } from "../../../src/destinations/tencent/tencent-api.ts";
import type { TencentCloudKey } from "../../../src/destinations/tencent/tencent-keys.ts";
import { fixedKey } from "../../../src/destinations/tencent/tencent-keys.ts";
import { InputError, OperationError } from "../../../src/errors.ts";
import type { Login } from "../../../src/oci/credentials.ts";
import { wordsOf } from "../../support/failures.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { fakeTcr } from "../fake-tcr.ts";

const signal = new AbortController().signal;
const apiKey: TencentCloudKey = { secretId: "AKIDexample", secretKey: "secret", sessionToken: undefined };
const anHour = 60 * 60_000;

interface Options {
  readonly input?: Partial<DestinationInput>;
  readonly login?: Login;
  /** What the Docker configuration has for the registry. */
  readonly docker?: Login;
}

/** A destination at the instance `goharbor` of a fake TCR. */
function scenario({ input = {}, login, docker }: Options = {}) {
  const clock = fakeClock();
  const log = recordingLog();
  const tcr = fakeTcr();
  tcr.expiry = () => clock.now() + anHour;
  const url = input.api ?? mainlandApi;
  const api = createTencentApi({ transport: tcr.transport, clock, url, keys: fixedKey(apiKey) });
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
      tokenServer: undefined,
      attestations: true,
      ...input,
    },
    api,
    login,
    dockerCredentials: () => Promise.resolve(docker),
    clock,
    log,
  });
  const actions = () => tcr.calls.map(({ action }) => action);
  return { clock, log, tcr, destination, actions };
}

/** A destination with a registry login alone. */
function withoutApi(login: Login) {
  const log = recordingLog();
  const place = { registry: "goharbor.tencentcloudcr.com", path: "goharbor" };
  const clock = fakeClock();
  return { clock, log, destination: tcrWithoutApi(place, () => Promise.resolve(login), clock, log) };
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

describe("with a registry login alone", () => {
  it.each([
    ["tcr$mirror", /the login tcr\$mirror is a service account, for which TCR has no right to delete/],
    ["100012345678", /the login 100012345678 is an access credential, which is for the registry alone/],
    ["robot", /TCR deletes tags by its API only, which takes no registry login\./],
  ])("%s pushes, prepares nothing, and it is said early why it cannot delete", async (username, words) => {
    const login = { username, password: "given" };
    const destination = await withoutApi(login).destination;
    expect(await destination.credentials(signal)).toEqual(login);
    await destination.prepare(signal);
    expect(destination.deletion).toBe("unavailable");
    expect(destination.deletionUnavailable).toMatch(words);
    expect(destination.deletionUnavailable).toMatch(
      /`tcr-secret-id` and `tcr-secret-key`, or `tcr-role-arn`/,
    );
    const tags = [{ tag: "v1", digest: undefined }];
    const [deletion] = await destination.deleteTags("goharbor/harbor-core", tags, signal);
    expect(wordsOf(deletion?.failure)).toMatch(words);
  });

  const now = fakeClock().now() / 1000;
  const tokenUntil = (exp: unknown) =>
    ["e30", Buffer.from(JSON.stringify({ exp })).toString("base64url"), "c2ln"].join(".");

  it.each([
    ["that ends within the hour", tokenUntil(now + 1800), [expect.stringContaining("ends in 30 minutes")]],
    ["that has ended", tokenUntil(now - 60), [expect.stringContaining("has ended")]],
    ["that is good for a year", tokenUntil(now + 365 * 86_400), []],
    ["without an end", tokenUntil(undefined), []],
    ["of another form", "a.b.c", []],
    ["with dots", "not.a-token.but a password", []],
  ])("with a password %s, it warns only of the one that runs out", async (_kind, password, warnings) => {
    const { destination, log } = withoutApi({ username: "100012345678", password });
    await destination;
    expect(log.warnings).toEqual(warnings);
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

  it("ends when a page repeats what is known, and so does page 0, whatever the total count says", async () => {
    const { tcr, destination } = scenario();
    for (let number = 0; number < 25; number++) tcr.namespaces.set(`goharbor-${number}`, false);
    await destination.prepare(signal);
    const pages = tcr.calls.filter(({ action }) => action === "DescribeNamespaces");
    expect(pages.map(({ parameters }) => parameters.Offset)).toEqual([1, 2, 3, 0]);
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

  it("of an instance as a whole makes the namespaces of its repositories, and lists those there once", async () => {
    const { tcr, destination, actions } = scenario({ input: { path: "", public: true } });
    for (let number = 0; number < 25; number++) tcr.namespaces.set(`n${number}`, true);
    await destination.prepare(signal, ["n3/app", "new/app", "new/deep/app", "app"]);
    expect([...tcr.namespaces].slice(25)).toEqual([["new", true]]);
    expect(actions().filter((action) => action === "CreateNamespace")).toHaveLength(1);
    const lists = tcr.calls.filter(({ action }) => action === "DescribeNamespaces");
    expect(lists.every(({ parameters }) => parameters.NamespaceName === undefined)).toBe(true);
    const why = ["n3/app", "new/app", "app"].map((name) => destination.whyUnprepared?.(name)?.message);
    expect(why).toEqual([
      undefined,
      undefined,
      "at TCR, a repository is in a namespace, and this one has none",
    ]);
    expect(await destination.repositoriesThere?.(signal)).toBeUndefined();
    expect(await destination.preview?.(signal, "n3/app")).toMatchObject({ there: true, outcome: "ok" });
    expect(await destination.preview?.(signal, "harbor-core")).toMatchObject({ outcome: "unknown" });
  });

  it("of an instance as a whole goes on with the others where one namespace cannot be made", async () => {
    const { tcr, destination } = scenario({ input: { path: "" } });
    tcr.errors.set("CreateNamespace", ["LimitExceeded.ErrNamespaceMaxLimit"]);
    await destination.prepare(signal, ["one/app", "two/app"]);
    expect([...tcr.namespaces.keys()]).toEqual(["two"]);
    expect(destination.whyUnprepared?.("one/app")?.message).toContain("creating the namespace one failed");
    expect(destination.whyUnprepared?.("two/app")).toBeUndefined();
  });

  it("fails when the namespace cannot be created", async () => {
    const { tcr, destination } = scenario();
    tcr.errors.set("CreateNamespace", ["UnauthorizedOperation"]);
    await expect(destination.prepare(signal)).rejects.toThrow(
      /creating the namespace goharbor failed.*`tcr:CreateNamespace`/,
    );
  });
});

describe("an instance that is not of the key's account", () => {
  const docker = { username: "tcr$docker", password: "configured" };
  const given = { username: "tcr$given", password: "given" };
  const reason = /account of the API key has no such TCR instance.*registry login is used/;

  function foreign(options: Options) {
    const made = scenario(options);
    made.tcr.instances.clear();
    made.tcr.instances.set("other", { id: "tcr-other", region: "ap-beijing" });
    return made;
  }

  it.each([
    ["the Docker configuration's", { docker }, docker],
    ["the inputs'", { login: given }, given],
    ["the inputs', before the Docker configuration's", { login: given, docker }, given],
  ])("is pushed to with its own login, %s, and told once", async (_whose, options, login) => {
    const { destination, actions, log, tcr } = foreign(options);
    await destination.prepare(signal);
    expect(await destination.credentials(signal)).toEqual(login);
    expect(await destination.credentials(signal)).toEqual(login);
    expect(await destination.whyNoDeletion?.(signal)).toMatch(reason);
    expect(await destination.preview?.(signal, "goharbor/harbor-core")).toMatchObject({
      there: true,
      outcome: "unknown",
      finding: expect.stringMatching(reason),
    });
    // No namespace is made, no tag deleted, no login made in another's instance.
    expect(actions()).toEqual(["DescribeInstances"]);
    expect(tcr.logins).toBe(0);
    expect(log.warnings).toEqual([expect.stringMatching(reason)]);
  });

  const byId = { registryId: "tcr-theirs", region: "ap-beijing" };
  const unknownId = "ResourceNotFound.TcrResourceNotFound";
  it.each([
    ["the Docker configuration's", { docker }, docker],
    ["the inputs'", { login: given }, given],
  ])("is pushed to with its own login where its id is given, too: %s", async (_whose, options, login) => {
    const { destination, actions, log, tcr } = foreign({ ...options, input: byId });
    tcr.errors.set("CreateInstanceToken", [unknownId]);
    await destination.prepare(signal);
    expect(await destination.credentials(signal)).toEqual(login);
    expect(await destination.whyNoDeletion?.(signal)).toMatch(reason);
    expect(actions()).toEqual(["CreateInstanceToken"]);
    expect(log.warnings).toEqual([expect.stringMatching(reason)]);
  });

  it("is a failure where its id is given and it has no login of its own", async () => {
    const { destination, tcr } = foreign({ input: byId });
    tcr.errors.set("CreateInstanceToken", [unknownId]);
    await expect(destination.credentials(signal)).rejects.toThrow(unknownId);
  });

  it("is told by its id alone, and not by a key that may not make logins", async () => {
    const { destination, tcr } = foreign({ login: given, input: byId });
    tcr.errors.set("CreateInstanceToken", ["UnauthorizedOperation"]);
    expect(await destination.whyNoDeletion?.(signal)).toBeUndefined();
    expect(await destination.credentials(signal)).toEqual(given);
  });

  it("is a failure without a login of its own", async () => {
    const { destination } = foreign({});
    await expect(destination.credentials(signal)).rejects.toThrow(/no instance of that name/);
    await expect(destination.prepare(signal)).rejects.toThrow(/no instance of that name/);
  });

  it("is not what an API in trouble says: no login of another kind is tried then", async () => {
    const { destination, tcr } = scenario({ docker });
    tcr.errors.set("DescribeInstances", ["UnauthorizedOperation"]);
    await expect(destination.credentials(signal)).rejects.toThrow(/UnauthorizedOperation/);
  });

  it("leaves the key in charge where the instance is its own", async () => {
    const { destination } = scenario({ docker });
    expect((await destination.credentials(signal))?.password).toBe("token-1");
    expect(await destination.whyNoDeletion?.(signal)).toBeUndefined();
  });
});
