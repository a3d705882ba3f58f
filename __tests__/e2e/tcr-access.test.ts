import type { ChildProcess } from "node:child_process";
import { describe, expect, it } from "vitest";
import { office, runnerAddress, startTcrWorld, type TcrWorld } from "./tcr-world.ts";

/** An entry of ours, of any run. */
const ours = (run: string) => ({
  block: `${runnerAddress}/32`,
  description: expect.stringMatching(
    new RegExp(`^harbor-release-mirror [0-9a-f]{8}(\\+endpoint)? run ${run} until \\S+Z goharbor/harbor$`),
  ) as string,
});

/** Kills the child when TCR is asked for this action. */
function killAt(
  world: TcrWorld,
  action: string,
  child: () => ChildProcess | undefined,
  signal: NodeJS.Signals,
) {
  world.sandbox.tcr.api.fault({
    when: { header: { name: "x-tc-action", value: new RegExp(`^${action}$`) } },
    effect: { run: () => void child()?.kill(signal) },
  });
}

/** Slows uploads to TCR down so much that a run would last for minutes, and signals once it is at that. */
function signalInTheMiddle(world: TcrWorld, signal: NodeJS.Signals): (child: ChildProcess) => void {
  const { registry } = world.sandbox.tcr;
  registry.fault({
    when: { method: ["PUT", "PATCH"], path: /\/blobs\/uploads\// },
    times: Number.POSITIVE_INFINITY,
    effect: { requestBytesPerSecond: 500 },
  });
  return (child) => {
    const timer = setInterval(() => {
      if (registry.uploadsOpen() === 0) return;
      clearInterval(timer);
      child.kill(signal);
    }, 20);
    child.once("exit", () => clearInterval(timer));
  };
}

describe("a closed TCR instance", () => {
  it("is opened to the runner alone while it copies, and closed by the post step", async () => {
    await using world = await startTcrWorld();
    await using job = await world.job();
    const { exitCode, log } = await job.main();
    expect(log).toContain(`Put ${runnerAddress}/32 on the allowlist`);
    expect(exitCode).toBe(0);
    expect(world.isMirrored("tcr")).toBe(true);
    expect(world.allowlist()).toEqual([office, ours("1/1")]);
    const post = await job.post();
    expect(post.exitCode).toBe(0);
    expect(world.allowlist()).toEqual([office]);
    expect(world.sandbox.tcr.network?.changes.map(({ kind }) => kind)).toEqual(["added", "removed"]);
  });

  it("is closed again after a run that failed", async () => {
    await using world = await startTcrWorld();
    world.sandbox.source.untag("goharbor/harbor-core", "v2.15.2");
    await using job = await world.job({ inputs: { wait: "0" } });
    expect((await job.main()).exitCode).toBe(1);
    expect(world.allowlist()).toEqual([office, ours("1/1")]);
    expect((await job.post()).exitCode).toBe(0);
    expect(world.allowlist()).toEqual([office]);
  });

  it("is closed again after a job that was cancelled", async () => {
    await using world = await startTcrWorld();
    await using job = await world.job();
    const { exitCode } = await job.main({ onStart: signalInTheMiddle(world, "SIGTERM") });
    expect(exitCode).toBe(1);
    expect(world.allowlist()).toEqual([office, ours("1/1")]);
    expect((await job.post()).exitCode).toBe(0);
    expect(world.allowlist()).toEqual([office]);
  });

  it.each(["SIGKILL", "SIGTERM"] as const)(
    "is closed again when %s comes just as the entry is made",
    async (signal) => {
      await using world = await startTcrWorld();
      await using job = await world.job();
      let child: ChildProcess | undefined;
      killAt(world, "CreateSecurityPolicy", () => child, signal);
      await job.main({
        onStart: (started) => {
          child = started;
        },
      });
      expect(world.allowlist()).toEqual([office, ours("1/1")]);
      expect((await job.post()).exitCode).toBe(0);
      expect(world.allowlist()).toEqual([office]);
    },
  );

  it("is swept by the next run when the runner died, past a run at work and the entries of others", async () => {
    await using world = await startTcrWorld();
    const { github, tcr } = world.sandbox;
    const alive = {
      block: "192.0.2.9/32",
      description: "harbor-release-mirror 0a0b0c0d run 99/1 until 2099-01-01T00:00Z goharbor/harbor",
    };
    const expired = {
      block: "192.0.2.10/32",
      description: "harbor-release-mirror 0e0e0e0e run 98/1 until 2020-01-01T00:00Z somebody/else",
    };
    const foreign = {
      block: "192.0.2.11/32",
      description: "harbor-release-mirror 0f0f0f0f run 97/1 until 2099-01-01T00:00Z somebody/else",
    };
    const handmade = { block: "192.0.2.12/32", description: "harbor-release-mirror of the office" };
    for (const entry of [alive, expired, foreign, handmade]) tcr.network?.add(entry);
    github.runs.set("99", { status: "in_progress", attempt: 1 });
    await using dead = await world.job();
    await dead.main({ onStart: signalInTheMiddle(world, "SIGKILL") });
    expect(world.allowlist()).toContainEqual(ours("1/1"));
    tcr.registry.clearFaults();
    // Its run is over, and no post step of it will come.
    github.runs.set("1", { status: "completed", attempt: 1 });
    await using next = await world.job({ env: { GITHUB_RUN_ID: "2" } });
    const { exitCode } = await next.main();
    expect(exitCode).toBe(0);
    expect(world.isMirrored("tcr")).toBe(true);
    expect(world.allowlist()).toEqual([office, alive, foreign, handmade, ours("2/1")]);
    await next.post();
    expect(world.allowlist()).toEqual([office, alive, foreign, handmade]);
  });

  it("gets no second entry where one covers the runner, and keeps that one", async () => {
    const wide = { block: "203.0.113.0/24", description: "all runners" };
    await using world = await startTcrWorld({ allowlist: [office, wide] });
    await using job = await world.job();
    expect((await job.main()).exitCode).toBe(0);
    await job.post();
    expect(world.sandbox.tcr.network?.changes).toEqual([]);
  });

  it("waits until an entry is in force", async () => {
    await using world = await startTcrWorld({ slowEntries: 1 });
    await using job = await world.job();
    expect((await job.main()).exitCode).toBe(0);
    expect(world.isMirrored("tcr")).toBe(true);
  });

  it("whose endpoint is closed fails for itself alone, unless that may be opened", async () => {
    await using world = await startTcrWorld({ endpoint: "Closed" });
    await using refused = await world.job();
    const { exitCode, log } = await refused.main();
    expect(exitCode).toBe(1);
    expect(log).toContain("the public endpoint of the TCR instance is closed");
    expect(log).toContain("tcr-open-access: endpoint");
    expect(world.isMirrored("dockerHub")).toBe(true);
    expect((await refused.post()).exitCode).toBe(0);
    expect(world.sandbox.tcr.network?.endpoint).toBe("Closed");

    await using allowed = await world.job({ inputs: { "tcr-open-access": "endpoint" } });
    expect((await allowed.main()).exitCode).toBe(0);
    expect(world.isMirrored("tcr")).toBe(true);
    expect(world.sandbox.tcr.network?.endpoint).toBe("Opened");
    expect((await allowed.post()).exitCode).toBe(0);
    expect(world.sandbox.tcr.network?.endpoint).toBe("Closed");
    expect(world.allowlist()).toEqual([office]);
  });

  it("is left alone without the input, and by a post step with nothing to do", async () => {
    await using world = await startTcrWorld();
    await using job = await world.job({ inputs: { "tcr-open-access": "false" } });
    await job.main();
    const actions = world.sandbox.tcr.api.requests.map(({ headers }) => String(headers["x-tc-action"]));
    expect(actions.filter((action) => /Policy|Policies|Endpoint/.test(action))).toEqual([]);
    world.sandbox.clearRequests();
    const post = await job.post();
    expect(post).toMatchObject({ exitCode: 0, log: "" });
    expect([...world.sandbox.servers.values()].flatMap(({ requests }) => requests)).toEqual([]);
    expect(world.addresses.requests).toEqual([]);
  });

  it("says what is left behind when the post step cannot take it away", async () => {
    await using world = await startTcrWorld();
    await using job = await world.job();
    await job.main();
    world.sandbox.tcr.api.fault({
      when: { header: { name: "x-tc-action", value: /^DeleteSecurityPolicy$/ } },
      times: Number.POSITIVE_INFINITY,
      effect: {
        status: 200,
        body: '{"Response":{"Error":{"Code":"UnauthorizedOperation","Message":"no"},"RequestId":"r"}}',
      },
    });
    const { exitCode, log } = await job.post();
    expect(exitCode).toBe(1);
    expect(log).toMatch(/CAM action `tcr:DeleteSecurityPolicy`.*An entry may be left on the allowlist/);
    expect(world.allowlist()).toEqual([office, ours("1/1")]);
  });
});
