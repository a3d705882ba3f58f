import { describe, expect, test } from "vitest";
import { choosing } from "../../src/pattern.ts";
import { load, mistakeLines, mistakesOf } from "../support/given-inputs.ts";

const digest = `sha256:${"a".repeat(64)}`;

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
    ["quay.io/", "image name"],
    ["a:v1 => r.example.com:5000/x/a:v1", "name the registry in destinations"],
    ["https://quay.io/x/y:v1", "did you mean quay.io/x/y:v1?"],
    ["docker://quay.io/x/y:v1 => y:v1", "did you mean quay.io/x/y:v1?"],
    [`a:v1@${digest}`, `did you mean a@${digest} => a:v1?`],
    [`quay.io/x/a:v1@${digest} => b:2`, `did you mean quay.io/x/a@${digest} => b:2?`],
    ['["a"]', "is not what the output images of this Action holds"],
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
    expect(lines[0]).not.toContain(" for ?");
  });

  test("an IPv6 address begins no JSON", () => {
    expect(load({ images: "[::1]:5000/team/a:v1" }).images).toMatchObject([
      { source: { registry: "[::1]:5000", path: "team" }, from: "a", fromTag: "v1" },
    ]);
  });

  test("a name on the right is below the destination, whatever it is", () => {
    expect(load({ images: "quay.io/x/a:v1 => quay.io/x/a:v1" }).images).toMatchObject([
      { from: "a", to: "quay.io/x/a" },
    ]);
  });
});

describe("patterns in images", () => {
  test.each([
    ["*\n!Nginx", "Nginx"],
    ["!", '""'],
    ["!!nginx", "!nginx"],
    ["/(/", "/(/", "is not a regular expression"],
    ["*\n!nginx:1.27", "nginx:1.27", "choose tags by version"],
    ["App*", "App*"],
    ["/team/*", "/team/*"],
    ["team/*/", "team/*/"],
    ["a* b*", "a* b*"],
    ["a*,b*", "a*,b*"],
    ["[ab]?", "is not what the output images of this Action holds", ""],
    ["a[bc]*", "a[bc]*"],
    ["quay.io/x/*", "set source to quay.io/x"],
    ["localhost:5000/x/y/*", "set source to localhost:5000/x/y"],
    ["localhost:5000/*", "set source to localhost:5000 "],
  ])(
    "%j is a mistake that names %j",
    (images, problem, why = problem.startsWith("set") ? "" : "fits no name") => {
      const lines = mistakeLines(mistakesOf({ images, "versions-from": "tags" }));
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(problem);
      expect(lines[0]).toContain(why);
    },
  );

  test.each(["*", "**", "team/**", "{a{b,c},d}", "harbor-?", "a.b_c-*"])("%j is one", (images) => {
    expect(load({ images, "versions-from": "tags" }).repositories).toHaveLength(1);
  });

  test("those that leave out, and regular expressions", () => {
    const images = "/team\\/(?:a|b)-.*/\nx/**\n!nginx\n! x/{y,z}\n!/.*-dev/";
    const repositories = load({ images, "versions-from": "tags" }).repositories ?? [];
    const names = ["team/a-1", "team/c-1", "team/b-dev", "nginx", "x/a", "x/y", "x/a-dev"];
    expect(choosing(repositories, names)).toEqual(["team/a-1", "x/a"]);
    expect(load({ images: "!nginx", "versions-from": "tags" }).repositories).toEqual([
      { text: "!nginx", expression: /^(?:nginx)$/, except: true },
    ]);
  });
});
