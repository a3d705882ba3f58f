import { describe, expect, it } from "vitest";
import { createNetwork, type NetworkOptions } from "../../sandbox/tcr-access.ts";
import { ApiError } from "../../sandbox/tcr-api.ts";
import { type ClosedInstance, type LetIn, letIn, shutOut } from "../../src/access/access.ts";
import { type AccessMark, parseMark, printMark } from "../../src/access/access-mark.ts";
import { createAllowlist, isCovered } from "../../src/access/allowlist.ts";
import { createTcrInstance } from "../../src/destinations/tencent/tcr-instance.ts";
import { createTencentApi } from "../../src/destinations/tencent/tencent-api.ts";
import { fixedKey } from "../../src/destinations/tencent/tencent-keys.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { recordingLog } from "../support/recording-log.ts";
import { routedTransport } from "../support/scripted-transport.ts";

const signal = new AbortController().signal;
const runner = "203.0.113.7";
const office = { block: "198.51.100.0/24", description: "office" };

const mark = (id: string, more: Partial<AccessMark> = {}): AccessMark => ({
  id,
  runId: "1",
  attempt: 1,
  until: Date.UTC(2026, 0, 2),
  repository: "goharbor/harbor",
  endpoint: false,
  ...more,
});

/** The access control of an instance, and a job that may be let in. */
function scenario(options: Partial<NetworkOptions> = {}, over: readonly string[] = []) {
  const clock = fakeClock();
  const log = recordingLog();
  const network = createNetwork({ allowlist: [office], egress: () => runner, ...options });
  const actions = new Map(network.actions(() => undefined));
  const calls: string[] = [];
  const beforeCall = new Map<string, () => void>();
  const transport = routedTransport(({ headers, body }) => {
    const name = headers["x-tc-action"] ?? "";
    calls.push(name);
    const before = beforeCall.get(name);
    beforeCall.delete(name);
    before?.();
    const given = JSON.parse(body) as Record<string, never>;
    try {
      const result = actions.get(name)?.run(
        {
          text: (key) => String(given[key]),
          optionalText: (key) => given[key],
          number: (key, otherwise) => given[key] ?? otherwise,
          flag: () => false,
          texts: () => [],
          filters: () => [],
        },
        "ap-guangzhou",
      );
      return { json: { Response: { ...result, RequestId: "r" } } };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { json: { Response: { Error: { Code: error.code, Message: error.message }, RequestId: "r" } } };
    }
  });
  const keys = fixedKey({ secretId: "AKIDexample", secretKey: "secret", sessionToken: undefined });
  const api = createTencentApi({ transport, clock, url: new URL("https://tcr.tencentcloudapi.com"), keys });
  const target = { kind: "identified", registryId: "tcr-1", region: "ap-guangzhou" } as const;
  const instance = createTcrInstance(api, target, clock);
  const closed: ClosedInstance = {
    registry: "goharbor.tencentcloudcr.com",
    instance,
    clock,
    log,
    isOver: async ({ id }) => over.includes(id),
  };
  const noted: string[] = [];
  const how = (id: string, more: Partial<LetIn> = {}): LetIn => ({
    mode: "allowlist",
    mark: mark(id),
    egress: async () => [`${runner}/32`],
    answers: async () => network.admits(),
    noteEndpoint: () => noted.push(`${id}: ${network.endpoint}`),
    ...more,
  });
  const blocks = () => network.allowlist.map(({ block }) => block);
  return { clock, log, network, calls, beforeCall, instance, closed, how, noted, blocks };
}

describe("letting a runner in", () => {
  it("and shutting it out leaves the list as it was", async () => {
    const { closed, how, network } = scenario();
    await letIn(closed, how("aaaaaaaa"), signal);
    expect(network.allowlist).toEqual([
      office,
      { block: `${runner}/32`, description: printMark(mark("aaaaaaaa")) },
    ]);
    await shutOut(closed, "aaaaaaaa", false, signal);
    expect(network.allowlist).toEqual([office]);
  });

  it("lets all its addresses in, also one that it gets only while it waits", async () => {
    const { closed, how, blocks } = scenario({ slowEntries: 1 });
    const addresses = [["192.0.2.1/32", `${runner}/32`], ["192.0.2.2/32"]];
    await letIn(closed, how("aaaaaaaa", { egress: async () => addresses.shift() ?? [] }), signal);
    expect(blocks()).toEqual([office.block, "192.0.2.1/32", `${runner}/32`, "192.0.2.2/32"]);
    await shutOut(closed, "aaaaaaaa", false, signal);
    expect(blocks()).toEqual([office.block]);
  });

  it("gives up after three minutes, and says what to do", async () => {
    const { closed, how, clock } = scenario({ egress: () => "192.0.2.77" });
    const start = clock.now();
    await expect(letIn(closed, how("aaaaaaaa"), signal)).rejects.toThrow(
      /203\.0\.113\.7\/32 may come in.*`tcr-egress`/,
    );
    expect(clock.now() - start).toBeLessThan(4 * 60_000);
  });

  it("finds an entry whose creation was answered by a broken connection", async () => {
    const { closed, how, beforeCall, network, blocks } = scenario();
    beforeCall.set("CreateSecurityPolicy", () =>
      network.add({ block: `${runner}/32`, description: printMark(mark("aaaaaaaa")) }),
    );
    await letIn(closed, how("aaaaaaaa"), signal);
    expect(blocks()).toEqual([office.block, `${runner}/32`]);
  });

  it("does nothing where the registry answers past a closed endpoint", async () => {
    const { closed, how, calls } = scenario({ endpoint: "Closed" });
    await letIn(closed, how("aaaaaaaa", { answers: async () => true }), signal);
    expect(calls).toEqual(["DescribeExternalEndpointStatus"]);
  });

  it("keeps it in when the run goes away whose entry it came in by", async () => {
    const { closed, how, blocks, network, clock } = scenario();
    await letIn(closed, how("aaaaaaaa"), signal);
    const keeper = await letIn(closed, how("bbbbbbbb"), signal);
    expect(blocks()).toEqual([office.block, `${runner}/32`]);
    await shutOut(closed, "aaaaaaaa", false, signal);
    expect(network.admits()).toBe(false);
    const ended = new AbortController();
    const { sleep } = clock;
    let sleeps = 0;
    clock.sleep = async (ms, until) => {
      // Looks twice, and the run is over.
      if (ms >= 30_000) sleeps += 1;
      if (sleeps > 2) ended.abort();
      await sleep(ms, until);
    };
    await keeper(ended.signal);
    expect(network.allowlist).toContainEqual({
      block: `${runner}/32`,
      description: printMark(mark("bbbbbbbb")),
    });
    await shutOut(closed, "bbbbbbbb", false, signal);
    expect(network.allowlist).toEqual([office]);
  });
});

describe("the public endpoint", () => {
  it("is noted before it is opened, and closed by the last of two runs", async () => {
    const { closed, how, network, noted } = scenario({ endpoint: "Closed", openingLooks: 3 });
    await letIn(closed, how("aaaaaaaa", { mode: "endpoint" }), signal);
    const second = how("bbbbbbbb", { mode: "endpoint", egress: async () => ["192.0.2.5/32"] });
    await letIn(closed, second, signal);
    expect(noted).toEqual(["aaaaaaaa: Closed", "bbbbbbbb: Opened"]);
    await shutOut(closed, "aaaaaaaa", true, signal);
    expect(network.endpoint).toBe("Opened");
    await shutOut(closed, "bbbbbbbb", true, signal);
    expect(network.endpoint).toBe("Closed");
    expect(network.allowlist).toEqual([office]);
  });

  it("that a dead run opened is closed by the next", async () => {
    const dead = {
      block: "192.0.2.5/32",
      description: printMark(mark("dddddddd", { endpoint: true })),
    };
    const { closed, how, network, noted } = scenario({ allowlist: [office, dead] }, ["dddddddd"]);
    await letIn(closed, how("aaaaaaaa"), signal);
    expect(noted).toEqual(["aaaaaaaa: Opened"]);
    await shutOut(closed, "aaaaaaaa", true, signal);
    expect(network.endpoint).toBe("Closed");
    expect(network.allowlist).toEqual([office]);
  });

  it("that never opened is nothing to close", async () => {
    const { closed, network } = scenario({ endpoint: "Closed" });
    await shutOut(closed, "aaaaaaaa", true, signal);
    expect(network.endpoint).toBe("Closed");
  });
});

describe("the allowlist", () => {
  it("loses our entry and not one of somebody else with the same address", async () => {
    const mine = { block: `${runner}/32`, description: printMark(mark("aaaaaaaa")) };
    const theirs = { block: `${runner}/32`, description: "added by hand" };
    const { instance, clock, network } = scenario({ allowlist: [theirs, office, mine] });
    await createAllowlist(instance, clock).removeAll((text) => parseMark(text)?.id === "aaaaaaaa", signal);
    expect(network.allowlist).toEqual([theirs, office]);
  });

  it("that changes under our hands is looked at again", async () => {
    const mine = { block: `${runner}/32`, description: printMark(mark("aaaaaaaa")) };
    const theirs = { block: `${runner}/32`, description: "added by hand" };
    const { instance, clock, network, beforeCall } = scenario({ allowlist: [theirs, mine] });
    beforeCall.set("DeleteSecurityPolicy", () => network.add(office));
    await createAllowlist(instance, clock).removeAll((text) => parseMark(text)?.id === "aaaaaaaa", signal);
    expect(network.allowlist).toEqual([theirs, office]);
  });

  it.each([
    ["203.0.113.7/32", ["203.0.113.7/32"], true],
    ["203.0.113.7/32", ["203.0.113.7"], true],
    ["203.0.113.7/32", ["203.0.113.0/24"], true],
    ["203.0.113.7/32", ["0.0.0.0/0"], true],
    ["203.0.113.7/32", ["203.0.113.8/32", "198.51.100.0/24"], false],
    ["203.0.113.0/24", ["203.0.113.0/25"], false],
    ["203.0.113.7/32", ["", "::/0", "203.0.113.0/99", "all"], false],
    ["203.0.113.7/32", [], false],
  ])("covers %s by %o: %s", (block, entries, covered) => {
    expect(
      isCovered(
        block,
        entries.map((entry) => ({ block: entry })),
      ),
    ).toBe(covered);
  });
});

describe("a mark", () => {
  it.each([
    [mark("0a1b2c3d")],
    [mark("0a1b2c3d", { endpoint: true, runId: "12345678901", attempt: 12 })],
    [mark("0a1b2c3d", { repository: undefined })],
  ])("%o is read as it was written, in at most 100 characters", (written) => {
    expect(parseMark(printMark(written))).toEqual(written);
    expect(printMark(written).length).toBeLessThanOrEqual(100);
  });

  it("leaves a repository out that does not fit", () => {
    const long = mark("0a1b2c3d", { repository: `${"o".repeat(39)}/${"r".repeat(100)}` });
    expect(parseMark(printMark(long))).toEqual({ ...long, repository: undefined });
  });

  it.each([
    "",
    "harbor-release-mirror",
    "harbor-release-mirror by hand",
    "my harbor-release-mirror 0a1b2c3d run 1/1 until 2026-01-02T00:00Z",
    "harbor-release-mirror 0A1B2C3D run 1/1 until 2026-01-02T00:00Z",
    "harbor-release-mirror 0a1b2c3d run 1/1 until 2026-13-45T99:99Z",
    "harbor-release-mirror 0a1b2c3d run 1/1 until 2026-01-02T00:00Z keep this",
    "harbor-release-mirror 0a1b2c3d run 1/1 until 2026-01-02T00:00Z\n",
  ])("is not seen in %o", (description) => {
    expect(parseMark(description)).toBeUndefined();
  });
});
