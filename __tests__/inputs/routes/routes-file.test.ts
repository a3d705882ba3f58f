import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../../../src/errors.ts";
import { loaded, problemsIn, read } from "./reading.ts";

describe("the shape of a file is told by what is in it", () => {
  test.each([
    ["- images: app", "routes"],
    ["- name: x\n  images: [a, b]", "routes"],
    ["nginx", "list"],
    ["nginx:1.27 # comment\n\n--platform=linux/amd64 redis", "list"],
    ["- nginx\n- redis:7", "list"],
    ['["nginx", "redis:7"]', "list"],
    ["a/x: t.example/a/x", "image-transfer"],
    ['{"a/x": "t.example/a/x"}', "image-transfer"],
    ["a/x:", "image-transfer"],
    ["a/x: [t.example/a/x]", "image-syncer"],
    ["images: {a/x: t.example/a/x}", "image-syncer"],
    ["images: {a/x: t.example/a/x}\nauth:", "image-syncer"],
    ["sync: [{source: a, target: t.example/a/b, type: image}]", "regsync"],
    ["quay.io: {images: {a/x: [v1]}}", "skopeo"],
    ["quay.io: {images-by-tag-regex: {a/x: v1}}", "skopeo"],
  ])("%j", async (text, shape) => {
    expect((await read(text)).shape).toBe(shape);
    const crlf = text.replaceAll("\n", "\r\n");
    expect(await read(`\ufeff${crlf}\r\n`)).toEqual(await read(text));
  });
});

describe("what is none of them", () => {
  test.each([
    ["", "routes.yaml is empty"],
    ["\ufeff \n# nothing\n", "routes.yaml is empty"],
    ["{}", "routes.yaml is empty"],
    ["---\n", "routes.yaml is empty"],
    [
      "images: app\ndestinations: t.example",
      'routes.yaml is one map, and routes are a list: put "- " in front of each',
    ],
    ["name: x", 'put "- " in front of each'],
    // A file of logins.
    ["quay.io: {username: bob, password: hunter2}", "routes.yaml is none of what is read here"],
    ["ccr: {secretId: hunter2, secretKey: hunter2}", "routes.yaml is none of what is read here"],
    ['{"auths": {"quay.io": {"auth": "hunter2"}}}', "routes.yaml is none of what is read here"],
    ["a/x: t.example/a/x\nb: {c: hunter2}", "routes.yaml is none of what is read here"],
    ["- images: a\n  images: b", 'routes.yaml, line 2: the key "images" is in line 1 already'],
    ["- images: a\n\tkeep: hunter2", "routes.yaml, line 2: a tab indents it"],
    ["[".repeat(100_000), "routes.yaml, line 1: it is nested too deep"],
    ["a".repeat(10_000_000), "routes.yaml has 10.0 MB: it may have 1.0 MB at the most"],
    ["nginx\n".repeat(2_000_000), "routes.yaml has 12.0 MB: it may have 1.0 MB at the most"],
    ["a: &a [x]\nb: &b [*a,*a,*a]\n- c", "routes.yaml, line 3: "],
  ])("%#", async (text, problem) => {
    const message = await problemsIn(text);
    expect(message).toContain(problem);
    expect(message).not.toContain("hunter2");
  });

  test("an anchor bomb", async () => {
    const names = [..."abcdefghij"];
    const bomb = names.map((name, index) => {
      const part = index === 0 ? "t.example/x" : `*${names[index - 1]}`;
      return `${name}: &${name} [${Array.from({ length: 10 }, () => part).join(",")}]`;
    });
    expect(await problemsIn(bomb.join("\n"))).toContain("it has more than 100000 values from here on");
  });
});

describe("what a file cannot say of a destination", () => {
  const step =
    "t.example,type=harbor,keep=3\nt.example/team,token-server=auth.example,keep-by=minor\nu.example/x";
  const destinationOf = async (text: string) => (await read(text, {}, step)).routes[0]?.inputs.destinations;

  test("the step says of the same place, else of its registry, but for how much is kept", async () => {
    expect(await destinationOf("a/x: t.example/team/x")).toBe("t.example/team,token-server=auth.example");
    expect(await destinationOf("a/x: t.example/other/x")).toBe("t.example/other,type=harbor");
    expect(await destinationOf("a/x: u.example/y/x")).toBe("u.example/y");
    expect(await destinationOf("sync: [{source: s.example, target: t.example, type: registry}]")).toBe(
      "t.example,type=harbor",
    );
  });

  test("and where images go that have no target", async () => {
    expect(await destinationOf("nginx:1.27\nredis")).toBeUndefined();
  });
});

test("more routes than a run takes are a mistake", async () => {
  const many = Array.from({ length: 5001 }, (_, index) => `r.example/a/b${index}`);
  expect(await problemsIn(many.join("\n"))).toBe("routes.yaml has 5001 routes: 5000 are the most of a run");
});

test.each([
  ["colons", ":a".repeat(400_000)],
  ["tags", `a/x:${"1,".repeat(400_000)}/`],
  ["signs", "@".repeat(800_000)],
  ["dots", `a => ${".".repeat(800_000)}`],
  ["templates", `- source: ${"{{".repeat(400_000)}`],
  ["variables", `a/x: ${"$".repeat(800_000)}`],
  ["regular expressions", `a/x:/${"(".repeat(800_000)}/: b`],
  ["ranges", `r.example: {images-by-semver: {x: "${"!=1 ".repeat(200_000)}"}}`],
  ["alternatives", `r.example: {images-by-semver: {x: "${"1 || ".repeat(150_000)}"}}`],
])("a long line of %s is read, or refused, in a moment", async (_what, text) => {
  for (const whole of [text, `${text}\n${text.slice(0, 100)}`])
    expect(await read(whole).catch((error: unknown) => error)).toBeDefined();
});

const words = fc.constantFrom(
  ...[
    "sync",
    "creds",
    "images",
    "auth",
    "version",
    "source",
    "target",
    "type",
    "repository",
    "registry",
    "image",
    "tags",
  ],
  ...[
    "allow",
    "deny",
    "semverRange",
    "tagSets",
    "credentials",
    "username",
    "password",
    "images-by-semver",
    "insecure",
  ],
  ...[
    "images-by-tag-regex",
    "tls-verify",
    "name",
    "keep",
    "destinations",
    "1",
    "defaults",
    "hooks",
    "platform",
    "x",
    "a/b",
  ],
  ...[
    "nginx",
    "quay.io/a/b",
    "quay.io/a/b:v1",
    "t.example/a:1,2",
    "a:/v.*/",
    "localhost:5000",
    "/(/",
    "^v(",
    ">=1",
    "a|b",
  ],
  ...[
    '{{env "X"}}',
    "$X",
    "{{",
    "${",
    "--platform=linux/amd64 nginx",
    "a => b",
    "",
    "~",
    "true",
    `a@sha256:${"0".repeat(64)}`,
  ],
  ...["__proto__", "constructor", "toString", "a\u202eb", "::error::x", "**", "!x", "*", "<<"],
);

test("any file gives routes that the step's readers take or refuse, or an InputError", async () => {
  const value = fc.letrec<{ readonly node: unknown }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      words,
      fc.array(tie("node"), { maxLength: 4 }),
      fc.dictionary(words, tie("node"), { maxKeys: 4 }),
      fc.constantFrom(null, 1, true),
    ),
  })).node;
  const text = fc.oneof(
    value.map((node) => JSON.stringify(node)),
    fc.array(words, { maxLength: 5 }).map((lines) => lines.join("\n")),
    fc.string({ unit: "binary" }),
  );
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(text, async (given) => {
      try {
        const { routes } = await read(given, { X: "t.example" });
        for (const { inputs } of routes) loaded(inputs);
        const names = routes.map(({ name }) => name);
        expect(new Set(names).size).toBe(names.length);
        accepted += 1;
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
  expect(accepted).toBeGreaterThan(50);
});
