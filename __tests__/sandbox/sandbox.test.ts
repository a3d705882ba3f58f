import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseOutputs } from "../../sandbox/action.ts";
import { renderMarkdown } from "../../sandbox/markdown.ts";
import {
  actionEnvironment,
  actionInputs,
  heldByTcr,
  releaseEvent,
  runAction,
  seedHarbor,
  startSandbox,
  unrelatedTags,
} from "../../sandbox/sandbox.ts";
import { workflowLog } from "../../sandbox/workflow-log.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "harbor-release-mirror-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("is seeded with the newest release at the source only, and older ones at the destinations", async () => {
  await using sandbox = await startSandbox();
  seedHarbor(sandbox, { scale: 0.1 });
  const core = "goharbor/harbor-core";
  expect([...sandbox.source.tags(core).keys()]).toEqual(["v2.15.2", ...heldByTcr]);
  expect([...sandbox.tcr.registry.tags(core).keys()]).toEqual([...heldByTcr, ...unrelatedTags.tcr]);
  expect([...sandbox.dockerHub.registry.tags(core).keys()]).toEqual(["v2.15.1", ...unrelatedTags.dockerHub]);
  expect(sandbox.source.tags("goharbor/redis-photon").has("v2.15.2")).toBe(false);
  expect(sandbox.source.tags("goharbor/valkey-photon").has("v2.15.2")).toBe(true);
});

it("gives the child process the environment of a runner, and nothing of this machine", async () => {
  await using sandbox = await startSandbox();
  const event = releaseEvent(sandbox, "v2.15.2");
  const inputs = { ...actionInputs(sandbox), keep: "all" };
  const environment = actionEnvironment(sandbox, { event, inputs, folder, env: { EXTRA: "1" } });
  expect(environment).toMatchObject({
    INPUT_KEEP: "all",
    "INPUT_KEEP-BY": "semver",
    "INPUT_GITHUB-API-URL": sandbox.github.origin,
    GITHUB_EVENT_NAME: "release",
    GITHUB_REF: "refs/tags/v2.15.2",
    EXTRA: "1",
  });
  expect(JSON.parse(readFileSync(environment.GITHUB_EVENT_PATH ?? "", "utf8"))).toMatchObject({
    action: "published",
    release: { tag_name: "v2.15.2" },
    repository: { full_name: "goharbor/harbor" },
  });
  process.env.SANDBOX_TEST_LEAK = "leaked";
  const entry = join(folder, "entry.mjs");
  writeFileSync(
    entry,
    `import { appendFileSync } from "node:fs";
     appendFileSync(process.env.GITHUB_OUTPUT, "names<<EOD\\n" + JSON.stringify(Object.keys(process.env)) + "\\nEOD\\n");
     appendFileSync(process.env.GITHUB_STEP_SUMMARY, "# Summary");
     console.log("said"); process.exitCode = 3;`,
  );
  const result = await runAction(environment, { entry });
  delete process.env.SANDBOX_TEST_LEAK;
  expect(result).toMatchObject({ exitCode: 3, log: "said\n", summary: "# Summary", report: undefined });
  expect((JSON.parse(result.outputs.names ?? "") as string[]).sort()).toEqual(
    Object.keys(environment).sort(),
  );
});

it("reads outputs, one-line and multi-line", () => {
  expect(parseOutputs("a=1=2\nb<<ghadelimiter_x\none\n\ntwo=3\nghadelimiter_x\nc<<E\nE\n")).toEqual({
    a: "1=2",
    b: "one\n\ntwo=3",
    c: "",
  });
  expect(() => parseOutputs("b<<EOD\nx")).toThrow("no end");
});

it("renders a summary for the terminal: headings, aligned tables, entities", () => {
  const markdown =
    "## Title &amp; more\n\n| image | n |\n| :-- | --: |\n| `core` | 10 |\n| a&#124;b | 2 |\n\n<table><tr><th>x</th></tr><tr><td>&lt;y&gt;</td></tr></table>";
  const plain = stripVTControlCharacters(renderMarkdown(markdown));
  expect(plain.split("\n").filter((line) => line !== "")).toEqual([
    "Title & more",
    "image  n",
    "─────  ──",
    "core   10",
    "a|b    2",
    "x",
    "───",
    "<y>",
  ]);
});

it("leaves folded in the terminal what a summary folds", () => {
  const inner = "<details><summary>in it</summary>\n\ntext\n\n</details>";
  const markdown = `above\n\n<details><summary><strong>Images</strong> &amp; more</summary>\n\n${inner}\n\ntext\n\n</details>\n\nbelow`;
  const plain = stripVTControlCharacters(renderMarkdown(markdown));
  expect(plain.split("\n").filter((line) => line !== "")).toEqual(["above", "▸ Images & more", "below"]);
});

it("shows a log as GitHub does: no commands, no secrets", () => {
  const lines: string[] = [];
  const log = workflowLog((line) => lines.push(line));
  log.write("::add-mask::s3cret\n::group::Copy\npushing with s3c");
  log.write("ret\n::endgroup::\n::debug::hidden\n::warning title=x::one%0Atwo\nlast");
  log.end();
  const plain = lines.map(stripVTControlCharacters);
  expect(plain).toEqual(["▸ Copy", "  pushing with ***", "⚠ one\ntwo", "last"]);
});
