import { describe, expect, test } from "vitest";
import { load, mistakeLines, mistakesOf } from "../support/given-inputs.ts";

describe("images", () => {
  test.each([
    ["app", { from: "app", fromTag: "{{tag}}", to: "app", toTag: "{{tag}}" }],
    [
      "team/app:v{{version}}-alpine",
      { from: "team/app", fromTag: "v{{version}}-alpine", toTag: "v{{version}}-alpine" },
    ],
    ["a => b", { from: "a", fromTag: "{{tag}}", to: "b", toTag: "{{tag}}" }],
    ["a:{{version}} => b", { from: "a", fromTag: "{{version}}", to: "b", toTag: "{{version}}" }],
    [
      "a => b:{{ major }}.{{minor}}.{{patch}}",
      { fromTag: "{{tag}}", to: "b", toTag: "{{ major }}.{{minor}}.{{patch}}" },
    ],
    ["# ours\n a:stable # floating\n", { from: "a", fromTag: "stable" }],
  ])("%j", (line, expected) => {
    const { images } = load({ images: line });
    expect(images).toHaveLength(1);
    expect(images).toMatchObject([expected]);
  });

  test.each([
    ["App", "image name"],
    ["../app", "image name"],
    ["", "image name", "=> b"],
    ["a => ", "image name"],
    ["a => b => c", "more than once"],
    ["a:", "grammar of tags"],
    ["a:-{{tag}}", "grammar of tags"],
    ["a:{{tag}}+x", "grammar of tags"],
    ["a:{{tag", "grammar of tags"],
    ["a:{{digest}}", "is unknown"],
    ["a:{{constructor}}", "is unknown"],
    ["a\na:{{tag}}", "two lines write the image a:{{tag}}"],
    ["a => c\nb => c", "two lines write the image c:{{tag}}"],
    ["auto\na", "auto stands alone"],
    ["# none", "nothing but comments"],
    // These took minutes: each brace was a start that looked for its end.
    [`a:${"{{".repeat(30_000)}`, "grammar of tags"],
    [`a:${"{{ ".repeat(30_000)}}}`, "is unknown"],
  ])("%j is a mistake: %s", (line, problem, instead = line) => {
    const lines = mistakeLines(mistakesOf({ images: instead }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(problem);
  });
});
