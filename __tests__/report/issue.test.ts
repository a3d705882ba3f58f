import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type GitHub, githubToken, startGitHub } from "../../sandbox/github.ts";
import { systemClock } from "../../src/clock.ts";
import { createGitHubClient } from "../../src/github/client.ts";
import { followingFetch, retryingFetch } from "../../src/github/fetch.ts";
import { createTransport, type NetworkTransport } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";
import type { IssueReporting } from "../../src/report/issue.ts";
import { keepIssue } from "../../src/report/issue.ts";
import type { News } from "../../src/report/issue-text.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { type RecordingLog, recordingLog } from "../support/recording-log.ts";

let github: GitHub;
let network: NetworkTransport;
let log: RecordingLog;
let runs: number;
beforeEach(async () => {
  github = await startGitHub({ repository: "octocat/mirror", releases: [], files: () => undefined });
  github.issues.permission = "write";
  network = createTransport(silentLog, systemClock);
  log = recordingLog();
  runs = 0;
});
afterEach(async () => {
  await network.close();
  await github.close();
});

const failed: News = { kind: "failure", lines: ["`registry.example/a`: <code>no way</code>"] };
const succeeded: News = { kind: "success", sentence: "12 images copied." };

function reporting(key: string, token = githubToken): IssueReporting {
  return {
    repository: { owner: "octocat", name: "mirror" },
    workflow: "Mirror",
    key,
    runUrl: `https://github.com/octocat/mirror/actions/runs/${runs}/attempts/1`,
    githubApiUrl: new URL(github.origin),
    githubToken: token,
  };
}

async function tell(news: News, key = "sha256:a", token = githubToken): Promise<void> {
  runs += 1;
  const clock = fakeClock();
  const signal = new AbortController().signal;
  const client = await createGitHubClient({
    fetch: followingFetch(network.dispatcher, { clock, log: silentLog }),
    repeating: retryingFetch({ clock, log: silentLog }),
    apiUrl: new URL(github.origin),
    token,
    userAgent: "test",
    log: silentLog,
    signal,
  });
  await keepIssue(news, reporting(key, token), { github: client, clock, log, signal });
}

const sent = (method: string): number =>
  github.requests.filter((request) => request.method === method).length;

describe("the issue about a workflow", () => {
  test("is opened by a failure, brought up to date by the next, and closed by a success", async () => {
    await tell(failed);
    expect(github.issues.all).toMatchObject([
      { title: "Mirroring fails in the workflow Mirror", state: "open", labels: ["harbor-release-mirror"] },
    ]);
    expect(github.issues.all[0]?.body).toContain("- `registry.example/a`: <code>no way</code>");
    await tell({ kind: "failure", lines: ["something else"] });
    const [issue, ...others] = github.issues.all;
    expect(others).toEqual([]);
    expect(issue?.body).toContain("- something else");
    expect(issue?.body).toContain("Runs in a row that failed: 2.");
    expect(issue?.body).not.toContain("no way");
    expect(issue?.comments).toEqual([]);
    await tell(succeeded);
    expect(issue).toMatchObject({ state: "closed", stateReason: "completed" });
    expect(issue?.comments).toEqual([
      "[A run](https://github.com/octocat/mirror/actions/runs/3/attempts/1) of the workflow `Mirror` has done everything. 12 images copied.",
    ]);
    await tell(failed);
    expect(github.issues.all.map(({ state }) => state)).toEqual(["closed", "open"]);
  });

  test("a success writes nothing where no issue is open", async () => {
    await tell(succeeded);
    expect([sent("POST"), sent("PATCH")]).toEqual([0, 0]);
    expect(log.warnings).toEqual([]);
  });

  test("another workflow's, a stranger's with the same text, and a pull request are left alone", async () => {
    await tell(failed, "sha256:b");
    const theirs = github.issues.all[0]?.body ?? "";
    const marked = theirs.replace("sha256:b", "sha256:a");
    const stranger = github.issues.add({ title: "Mirroring fails in the workflow Mirror", body: marked });
    const pull = github.issues.add({ body: marked, labels: ["harbor-release-mirror"], isPullRequest: true });
    const quoting = github.issues.add({ body: `see ${marked}`, labels: ["harbor-release-mirror"] });
    await tell(succeeded);
    expect(github.issues.all.map(({ state }) => state)).toEqual(["open", "open", "open", "open"]);
    await tell(failed);
    expect(github.issues.all).toHaveLength(5);
    expect([stranger.body, pull.body, quoting.body]).toEqual([marked, marked, `see ${marked}`]);
    expect(github.issues.all[0]?.body).toBe(theirs);
  });

  test("is found on a later page, and two that were opened at the same time are both closed", async () => {
    for (let count = 0; count < 120; count += 1) github.issues.add({ labels: ["harbor-release-mirror"] });
    await tell(failed);
    const { body = "" } = github.issues.all[120] ?? {};
    github.issues.add({ body, labels: ["harbor-release-mirror"] });
    await tell(failed);
    expect(github.issues.all).toHaveLength(122);
    await tell(succeeded);
    expect(github.issues.all.filter(({ state }) => state === "closed").map(({ number }) => number)).toEqual([
      121, 122,
    ]);
  });

  test.each([
    ["none", 'Give the job "permissions: issues: write"'],
    ["disabled", "Turn on issues in the settings of this repository"],
    ["open", "could not be given the label harbor-release-mirror"],
  ] as const)("with the permission %s, a warning says what to do", async (permission, advice) => {
    github.issues.permission = permission;
    await tell(failed);
    expect(log.warnings).toHaveLength(1);
    expect(log.warnings[0]).toContain(advice);
  });

  test("a token that is not valid is a warning too", async () => {
    await tell(failed, "sha256:a", "ghs_other");
    expect(log.warnings.join()).toContain("The github-token is not valid here");
    expect(github.issues.all).toEqual([]);
  });

  test("an answer that is lost opens no second issue", async () => {
    github.fault({ when: { method: ["POST"] }, times: 1, effect: { loseAnswer: true } });
    await tell(failed);
    expect(github.issues.all).toHaveLength(1);
    expect(sent("POST")).toBe(1);
    expect(github.issues.all[0]?.body).not.toContain("in a row");
    expect(log.warnings).toEqual([]);
  });

  test("is opened although GitHub is busy, and given up where it stays so", async () => {
    const busy = { status: 503, body: "{}" };
    github.fault({ when: { method: ["POST"] }, times: 2, effect: busy });
    await tell(failed);
    expect(github.issues.all).toHaveLength(1);
    github.fault({ when: { method: ["GET"] }, times: Number.POSITIVE_INFINITY, effect: busy });
    await tell(succeeded);
    expect(log.warnings.join()).toContain("No issue could tell how this run ended");
    expect(github.issues.all[0]?.state).toBe("open");
  });
});
