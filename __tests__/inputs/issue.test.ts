import { expect, test } from "vitest";
import { readIssueReporting } from "../../src/inputs/issue.ts";

/** The key of the issue of a job with these inputs. */
function keyWith(inputs: Readonly<Record<string, string>>): string | undefined {
  return readIssueReporting({
    text: (name) => inputs[name] ?? (name === "report-issue" ? "true" : ""),
    mistake: (message) => expect.unreachable(message),
    environment: {
      GITHUB_REPOSITORY: "acme/mirror",
      GITHUB_WORKFLOW_REF: "acme/mirror/.github/workflows/m.yml@x",
    },
    githubApiUrl: new URL("https://api.github.com"),
    githubToken: "token",
  })?.key;
}

test("jobs of one workflow with files of routes of their own have an issue each", () => {
  const [one, two] = ["mirror/one.yaml", "mirror/two.yaml"].map((routes) => keyWith({ routes }));
  expect(one).not.toBe(two);
  expect(keyWith({ routes: " mirror/one.yaml\n" })).toBe(one);
});

test("routes that are written in the workflow are mended without a new issue", () => {
  const [before, after] = ["- images: ap\n", "- images: app\n"].map((routes) => keyWith({ routes }));
  expect(after).toBe(before);
});
