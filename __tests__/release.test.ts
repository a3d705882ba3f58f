/** The scripts of `.github/workflows/release.yml`, run as they stand, with stand-ins for `git` and `gh`. */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseWorkflow, root, textOf } from "./support/documents.ts";

const { jobs } = parseWorkflow(textOf(".github/workflows/release.yml"));
const { version } = JSON.parse(textOf("package.json")) as { version: string };
const commit = "0123456789abcdef0123456789abcdef01234567";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "release-"));
  for (const name of ["package.json", "CHANGELOG.md"]) copyFileSync(join(root, name), join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A program that notes how it is called, and answers by the words that a call begins with. */
function standIn(name: string, answers: Readonly<Record<string, string>> = {}): void {
  const cases = Object.entries(answers).map(([words, answer]) => `"${words}"*) ${answer};;`);
  const script = `#!/usr/bin/env bash\necho "${name} $*" >> calls\ncase "$*" in\n${cases.join("\n")}\nesac\n`;
  writeFileSync(join(folder, name), script);
  chmodSync(join(folder, name), 0o755);
}

/** Runs the script of a step. */
function run(job: string, step: string, wanted = version) {
  const script = jobs[job]?.steps.find(({ name }) => name === step)?.run ?? expect.fail();
  const env = {
    PATH: [folder, dirname(process.execPath), process.env.PATH].join(":"),
    VERSION: wanted,
    GITHUB_REPOSITORY: "goharbor/harbor-release-mirror",
    GITHUB_SERVER_URL: "https://github.com",
    GITHUB_SHA: commit,
    RUNNER_TEMP: folder,
  };
  const { status, stdout } = spawnSync("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", script], {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  return { status, stdout };
}

const calls = (): readonly string[] => readFileSync(join(folder, "calls"), "utf8").trim().split("\n");

describe("before a release", () => {
  const agree = "Version, changelog and tag agree";

  test("the version of package.json is the first of the changelog, and no tag has it: it can be released as it is", () => {
    standIn("git");
    expect(run("check", agree)).toEqual({ status: 0, stdout: "" });
  });

  test.each([
    ["v1.0.0", "not of the form"],
    ["1.0", "not of the form"],
    ["99.0.0", "package.json has another version"],
  ])("%s is refused: %s", (wanted, words) => {
    standIn("git");
    expect(run("check", agree, wanted)).toEqual({ status: 1, stdout: expect.stringContaining(words) });
  });

  test("a version that the changelog does not begin with, or that is tagged, is refused", () => {
    standIn("git", { "ls-remote": `echo "${commit} refs/tags/v${version}"` });
    expect(run("check", agree).stdout).toContain("exists already");
    writeFileSync(join(folder, "CHANGELOG.md"), `# Changelog\n\n## 99.0.0\n\n## ${version}\n`);
    expect(run("check", agree).stdout).toContain("first heading");
  });
});

describe("a release", () => {
  const publish = "Tag, release, and move the major tag";
  const release = `release create v${version}`;
  const look = `api repos/goharbor/harbor-release-mirror/releases/tags/v${version}`;
  const refs = "repos/goharbor/harbor-release-mirror/git";
  const [major] = version.split(".");

  test("has its part of the changelog, and is immutable before the major tag moves to the same commit", () => {
    standIn("gh", { [look]: "echo true" });
    expect(run("publish", publish)).toEqual({ status: 0, stdout: "" });
    expect(calls().map((call) => call.replace(/ --(?:title|notes-file|jq) .*$/, ""))).toEqual([
      `gh ${release} --repo goharbor/harbor-release-mirror --target ${commit}`,
      `gh ${look}`,
      `gh api ${refs}/ref/tags/v${major} --silent`,
      `gh api --method PATCH ${refs}/refs/tags/v${major} --field sha=${commit} --field force=true --silent`,
    ]);
    const notes = readFileSync(join(folder, "notes.md"), "utf8");
    expect(notes).toContain("- Mirrors the images of Harbor releases");
    expect(notes).not.toMatch(/^## /m);
  });

  test("makes the major tag where there is none", () => {
    standIn("gh", { [look]: "echo true", [`api ${refs}/ref/`]: "exit 1" });
    expect(run("publish", publish).status).toBe(0);
    expect(calls().at(-1)).toBe(
      `gh api --method POST ${refs}/refs --field ref=refs/tags/v${major} --field sha=${commit} --silent`,
    );
  });

  test.each([
    ["that can be changed", { [look]: "echo false" }, /turn on immutable releases/],
    ["that could not be made", { [release]: "exit 1" }, /^$/],
    ["of which nobody knows", { [look]: "exit 1" }, /turn on immutable releases/],
  ])("%s moves no major tag", (_what, answers, words) => {
    standIn("gh", answers);
    expect(run("publish", publish)).toEqual({ status: 1, stdout: expect.stringMatching(words) });
    expect(calls().filter((call) => call.includes("/git/"))).toEqual([]);
  });

  test("is attested: all that a runner executes", () => {
    const attest = jobs.publish?.steps.find(({ uses }) => uses?.startsWith("actions/attest@"));
    expect(attest?.with["subject-path"]).toBe("dist/*\npost.js\n");
  });
});
