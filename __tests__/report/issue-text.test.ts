import { describe, expect, test } from "vitest";
import { rememberSecret } from "../../src/log/secrets.ts";
import {
  closingComment,
  failuresAfter,
  hasKey,
  issueBody,
  issueTitle,
  newsOfRun,
  newsOfStop,
} from "../../src/report/issue-text.ts";
import { heldBack } from "../support/failures.ts";
import { copyStep, failStep, pruneStep, run, tcr } from "./result-builder.ts";

const source = { workflow: "Mirror", runUrl: "https://github.com/o/r/actions/runs/7/attempts/1" };
const key = "sha256:abc";

function bodyOf(news: ReturnType<typeof newsOfRun>, failures = 1): string {
  if (news.kind !== "failure") throw new Error("it is no failure");
  return issueBody(news, key, failures, source);
}

/** What GitHub looks for mentions and references in: the text outside of code. */
function outsideCode(markdown: string): string {
  return markdown
    .replace(/<!--.*?-->/g, "")
    .replace(/`[^`]*`/g, "")
    .replace(/<code>.*?<\/code>/g, "");
}

describe("the text of an issue", () => {
  test("says what failed where, causes first, and where to look", () => {
    const held = failStep({ image: "prepare", failure: heldBack("held back: harbor-core:v2.15.2") });
    const result = run()
      .plan(held)
      .copyFailed(copyStep(), "destination x: no disk")
      .pruneFailed(pruneStep({ image: "nginx" }), "no right")
      .build();
    expect(bodyOf(newsOfRun(result)).split("\n")).toEqual([
      "<!-- harbor-release-mirror: sha256:abc failures=1 -->",
      "[A run](https://github.com/o/r/actions/runs/7/attempts/1) of the workflow `Mirror` could not mirror everything.",
      "",
      `- \`${tcr}\`, \`harbor-core:v2.15.2\`: <code>destination x&#58; no disk</code>`,
      `- \`${tcr}\`, pruning of \`nginx:v2.12.0\`: <code>no right</code>`,
      `- \`${tcr}\`, \`prepare:v2.15.2\`: <code>held back&#58; harbor-core&#58;v2.15.2</code>`,
      "",
      expect.stringContaining("closed by the next one that succeeds"),
    ]);
  });

  test.each([
    "@octocat look",
    "see #1 and octocat/mirror#2, GH-3",
    "` @octocat `",
    "</code> @octocat <code>",
    "<!-- --> @octocat https://evil.example",
    "a\n\n@octocat\n# heading",
  ])("calls nobody and refers to nothing for the foreign text %j", (text) => {
    const result = run().copyFailed(copyStep(), text).build();
    for (const news of [newsOfRun(result), newsOfStop(text)]) {
      const body = issueBody(news as never, key, 1, { ...source, workflow: text });
      expect(outsideCode(body)).not.toMatch(/octocat|evil|#|GH-/);
      expect(body.split("<code>").length).toBe(body.split("</code>").length);
    }
  });

  test("holds no secret", () => {
    rememberSecret("ghs_issue-text-secret");
    for (const text of ["refused: ghs_issue-text-secret", "ghs_issue-text-secret"]) {
      expect(bodyOf(newsOfStop(text))).toContain("&#42;&#42;&#42;</code>");
      expect(bodyOf(newsOfStop(text))).not.toContain("issue-text-secret");
    }
  });

  test("lists the mistakes of inputs one by one", () => {
    const body = bodyOf(newsOfStop("The inputs need mending:\n- keep: wrong\n- wait: wrong"));
    expect(body).toContain("- <code>keep&#58; wrong</code>\n- <code>wait&#58; wrong</code>");
  });

  test("stays below what GitHub takes, and says how much was left out", () => {
    const builder = run();
    for (let index = 0; index < 300; index += 1) {
      builder.copyFailed(copyStep({ image: `image-${index}` }), `${"@#|*".repeat(200)} ${index}`);
    }
    const body = bodyOf(newsOfRun(builder.build()));
    expect(body.length).toBeLessThanOrEqual(65_536);
    expect(body.length).toBeGreaterThan(50_000);
    expect(body).toMatch(/… and \d+ more, in the summary of the run/);
    expect(issueTitle({ ...source, workflow: "w".repeat(500) }).length).toBeLessThanOrEqual(256);
  });

  test("is known by its beginning alone, and counts each run once", () => {
    const body = bodyOf(newsOfStop("x"), 41);
    expect([hasKey(body, key), hasKey(body, "sha256:ab"), hasKey(`> ${body}`, key)]).toEqual([
      true,
      false,
      false,
    ]);
    const next = { ...source, runUrl: source.runUrl.replace("7", "8") };
    expect([failuresAfter(body, source), failuresAfter(body, next), failuresAfter("", next)]).toEqual([
      41, 42, 1,
    ]);
  });

  test("of a success names versions and numbers", () => {
    const news = newsOfRun(run().copied(copyStep()).build());
    if (news.kind !== "success") throw new Error("it is no success");
    expect(closingComment(news, { workflow: "", runUrl: undefined })).toMatch(
      /^A run of the mirror has done everything\. `v2\.15\.2`: 1 image copied, 0 skipped/,
    );
  });
});
