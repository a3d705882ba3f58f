import { describe, expect, it } from "vitest";
import type { ActionResult } from "../../sandbox/action.ts";
import type { SandboxIssue } from "../../sandbox/github-issues.ts";
import { copyJob, matrixOf, planJob, publishJob } from "./jobs.ts";
import { act, startSandboxWorld, version } from "./world.ts";

type World = Awaited<ReturnType<typeof startSandboxWorld>>;

async function start(permission: "write" | "none" = "write"): Promise<World> {
  const world = await startSandboxWorld();
  world.sandbox.github.issues.permission = permission;
  await world.source.seed(version("v2.15.2"));
  return world;
}

let runs = 0;

/** Another run with `report-issue: true`. */
function report(world: World, inputs: Readonly<Record<string, string>> = {}): Promise<ActionResult> {
  runs += 1;
  return act(world, {
    inputs: { ...world.inputs, "report-issue": "true", ...inputs },
    env: { GITHUB_RUN_ID: String(runs) },
  });
}

const issuesOf = (world: World): readonly SandboxIssue[] => world.sandbox.github.issues.all;

/** Requests that would change something at GitHub. */
function writes(world: World): number {
  return world.sandbox.github.requests.filter(({ method }) => method !== "GET").length;
}

/** Makes a destination refuse everything that is pushed. */
function breakTcr({ sandbox }: World): void {
  sandbox.tcr.registry.fault({
    when: { method: ["POST"], path: /\/blobs\/uploads\// },
    times: Number.POSITIVE_INFINITY,
    effect: { status: 403, body: '{"errors":[{"code":"DENIED","message":"ask @octocat, see #1"}]}' },
  });
}

describe("report-issue", () => {
  it("opens an issue when a run fails, brings it up to date, and closes it when one succeeds", async () => {
    await using world = await start();
    breakTcr(world);
    const first = await report(world);
    expect([first.exitCode, first.outputs.copied]).toEqual([1, "12"]);
    const [issue] = issuesOf(world);
    expect(issue).toMatchObject({ state: "open", title: "Mirroring fails in the workflow Mirror" });
    // One cause is one line, with the names of all images in it.
    const lines = issue?.body.split("\n").filter((line) => line.startsWith("- "));
    expect(lines).toEqual([expect.stringContaining(`\`${world.far.name}\`, 12 images (\``)]);
    expect(lines?.[0]).toContain("`harbor-core:v2.15.2`");
    expect(first.log.match(/^::error::/gm)).toHaveLength(1);
    expect(issue?.body).toMatch(/<code>[^<]*ask &#64;octocat[^<]*<\/code>/);
    expect(first.log).toContain("Opened issue 1");

    const second = await report(world);
    expect([second.exitCode, issuesOf(world).length]).toEqual([1, 1]);
    expect(issue?.body).toContain("Runs in a row that failed: 2.");

    world.sandbox.tcr.registry.clearFaults();
    const third = await report(world);
    expect(third.exitCode).toBe(0);
    expect(issue).toMatchObject({ state: "closed", comments: [expect.stringContaining("12 images copied")] });
    const before = writes(world);
    expect((await report(world)).exitCode).toBe(0);
    expect(writes(world)).toBe(before);
  });

  it("tells too that a run stopped before it had a plan, without what its inputs keep secret", async () => {
    await using world = await start();
    const mistaken = await report(world, { keep: "none", "tcr-secret-id": "100012345678" });
    expect(mistaken.exitCode).toBe(1);
    expect(issuesOf(world)[0]?.body).toContain("- <code>keep&#58;");
    expect(issuesOf(world)[0]?.body).toContain("tcr-secret-id");
    expect(issuesOf(world)[0]?.body).not.toContain("100012345678");
    const unknown = await report(world, { version: "v9.9.9" });
    expect(unknown.exitCode).toBe(1);
    expect(issuesOf(world)).toHaveLength(1);
    expect(issuesOf(world)[0]?.body).toContain("v9.9.9");
    expect((await report(world)).exitCode).toBe(0);
    expect(issuesOf(world)[0]?.state).toBe("closed");
  });

  it("fails no run that lacks the permission, and says what to give it", async () => {
    await using world = await start("none");
    const good = await report(world);
    expect([good.exitCode, good.log.includes("No issue could tell")]).toEqual([0, false]);
    const bad = await report(world, { version: "v9.9.9" });
    expect(bad.exitCode).toBe(1);
    expect(bad.log).toContain("::warning::No issue could tell how this run ended: GitHub");
    expect(bad.log).toContain('Give the job "permissions: issues: write"');
    expect(issuesOf(world)).toEqual([]);
  });

  it("is silent by default, in a dry run and in a check, and leaves what is open", async () => {
    await using world = await start();
    await act(world, { inputs: { version: "v9.9.9" } });
    await report(world, { version: "v9.9.9", "dry-run": "true" });
    await report(world, { "dockerhub-token": "dckr_pat_wrong", check: "true" });
    expect([writes(world), issuesOf(world).length]).toEqual([0, 0]);
    await report(world, { version: "v9.9.9" });
    await report(world, { "dry-run": "true" });
    expect(issuesOf(world)[0]).toMatchObject({ state: "open", comments: [] });
  });

  it("keeps apart what goes to other destinations", async () => {
    await using world = await start();
    breakTcr(world);
    await report(world, { destinations: world.far.line });
    expect((await report(world, { destinations: world.near.line })).exitCode).toBe(0);
    expect(issuesOf(world)[0]?.state).toBe("open");
  });

  it("stays open in a run that has nothing to do for one of its routes, which may be the one that failed", async () => {
    await using world = await start();
    const line = (name: string) =>
      `{name: ${name}, images: harbor-${name}, destinations: "${world.near.line}"}`;
    const wanted = line("core").replace("{", "{prereleases: true, ");
    const inputs = { routes: `[${line("db")}, ${wanted}]`, destinations: "" };
    const { registry } = world.sandbox.dockerHub;
    registry.fault({
      when: { method: "POST", path: /db\/blobs\// },
      times: Infinity,
      effect: { status: 403 },
    });
    expect((await report(world, inputs)).outputs).toMatchObject({ copied: "1", failed: "1" });
    await world.source.seed(version("v2.16.0-rc1"));
    world.github.addRelease({ tag: "v2.16.0-rc1", prerelease: true, publishedAt: Date.UTC(2026, 10, 27) });
    const other = await act(world, {
      tag: "v2.16.0-rc1",
      inputs: { ...world.inputs, "report-issue": "true", ...inputs },
    });
    expect(other.log).toContain("Nothing to do for db");
    expect([other.exitCode, other.outputs.copied]).toEqual([0, "1"]);
    expect(issuesOf(world)).toMatchObject([{ state: "open" }]);
    registry.clearFaults();
    expect((await report(world, inputs)).exitCode).toBe(0);
    expect(issuesOf(world)).toMatchObject([{ state: "closed" }]);
  });

  it("over several jobs, the last one speaks; the first one does when there is no plan", async () => {
    await using world = await start();
    const wanted = { "report-issue": "true" };
    breakTcr(world);
    const plan = await planJob(world, {}, wanted);
    for (const share of matrixOf(plan)) await copyJob(world, plan, share, { inputs: wanted });
    expect(writes(world)).toBe(0);
    expect((await publishJob(world, plan, { inputs: wanted, env: { GITHUB_RUN_ID: "1" } })).exitCode).toBe(1);
    expect(issuesOf(world)).toMatchObject([{ state: "open" }]);
    const none = await planJob(world, { env: { GITHUB_RUN_ID: "2" } }, { ...wanted, version: "v9.9.9" });
    expect(none.exitCode).toBe(1);
    expect(issuesOf(world)).toHaveLength(1);
    expect(issuesOf(world)[0]?.body).toContain("v9.9.9");
  });
});
