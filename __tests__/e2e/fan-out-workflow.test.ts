/** The reusable workflow as callers in the documents start it. */
import { describe, expect, test } from "vitest";
import { releaseEvent } from "../../sandbox/action.ts";
import { runWorkflow } from "../../sandbox/workflow.ts";
import { textOf } from "../support/documents.ts";
import { isInstalled, skipWithout } from "../support/programs.ts";
import { act } from "./act.ts";
import { blocksIn } from "./example-cases.ts";
import { optionsIn, secrets, startExampleWorld, tagsByNamespace } from "./examples.ts";

/** Without the login of TCR, which "secrets: inherit" would hand on as well: this instance knows no such user. */
const { TCR_USERNAME: _user, TCR_PASSWORD: _password, ...withoutLogin } = secrets;

const [fourLines, byRunner] = blocksIn("docs/fan-out.md", textOf("docs/fan-out.md")).map(({ text }) => text);

/** act tells no workflow where it comes from, so this is with our own runner, which refuses `./` of any other commit. */
test.each(["0123456789abcdef0123456789abcdef01234567", "v1.0.0"])(
  "the reusable workflow, called at %s from a repository of another owner, runs the Action of that very commit",
  { timeout: 180_000 },
  async (ref) => {
    await using world = await startExampleWorld("example");
    const event = { name: "schedule", payload: { schedule: "17 3,15 * * *" } };
    const options = { ...optionsIn(world, event), secrets: withoutLogin, repository: "acme/mirror" };
    const jobs = await runWorkflow((fourLines ?? "").replace("@v1", `@${ref}`), options);
    const failed = jobs.flatMap(({ steps }) => steps.filter((step) => step.failed));
    expect(failed.map(({ log }) => log)).toEqual([]);
    expect(jobs.map(({ id }) => id)).toEqual(["plan", "copy", "publish"]);
    expect(tagsByNamespace(world.sandbox.tcr.registry)).toEqual({
      goharbor: ["v2.15.0", "v2.15.1", "v2.15.2"],
    });
  },
);

describe("the reusable workflow, with a runner that is not ours", () => {
  if (!isInstalled("act")) {
    skipWithout("act", "go install github.com/nektos/act@v0.2.89");
    return;
  }

  test("mirrors the newest versions in three jobs when it is called in four lines", {
    timeout: 180_000,
  }, async () => {
    await using world = await startExampleWorld("example");
    const event = { name: "schedule", payload: { schedule: "17 3,15 * * *" } };
    const { status, log } = await act(world, fourLines ?? "", { event, secrets: withoutLogin });
    expect([status, status === 0 ? "" : log]).toEqual([0, ""]);
    expect(tagsByNamespace(world.sandbox.tcr.registry)).toEqual({
      goharbor: ["v2.15.0", "v2.15.1", "v2.15.2"],
    });
    expect(log).toContain("No tag has moved yet");
  });

  test("mirrors a release with two copy jobs for each destination", { timeout: 180_000 }, async () => {
    await using world = await startExampleWorld("goharbor");
    const { status, log } = await act(world, byRunner ?? "", {
      event: releaseEvent(world.sandbox, "v2.15.2"),
    });
    expect([status, status === 0 ? "" : log]).toEqual([0, ""]);
    const { tcr, dockerHub } = world.sandbox;
    expect(tagsByNamespace(tcr.registry)).toEqual({ goharbor: ["v2.15.2"] });
    expect(tagsByNamespace(dockerHub.registry)).toEqual({ goharbor: ["v2.15.2"] });
    const jobs = log.matchAll(/Copy to (destination \d \([\w ]+\), share \d of \d)/g);
    expect([...new Set([...jobs].map(([, name]) => name))].toSorted()).toEqual([
      "destination 1 (Docker Hub), share 1 of 2",
      "destination 1 (Docker Hub), share 2 of 2",
      "destination 2 (TCR), share 1 of 2",
      "destination 2 (TCR), share 2 of 2",
    ]);
    expect(world.internet.refused).toEqual([]);
  });
});
