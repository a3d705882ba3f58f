import { describe, expect, test } from "vitest";
import { copiesOf, loaded, problemsIn, read } from "./reading.ts";

const hex = "0123456789abcdef".repeat(4);
const digest = `sha256:${hex}`;
const all = "{{tag}}";

describe("a file of image-transfer", () => {
  test.each([
    ["s.example/ns/app:1.0: t.example/ns/app:1.0", ["s.example/ns/app:1.0 -> t.example/ns/app:1.0"]],
    ["s.example/ns/app: t.example/ns/app", [`s.example/ns/app:${all} -> t.example/ns/app:${all}`]],
    // Both fail there, and exit 0.
    ["s.example/ns/app:1.0: t.example/ns/app", ["s.example/ns/app:1.0 -> t.example/ns/app:1.0"]],
    [
      "s.example/ns/app:1.0,2.0: t.example/ns/app",
      ["s.example/ns/app:1.0 -> t.example/ns/app:1.0", "s.example/ns/app:2.0 -> t.example/ns/app:2.0"],
    ],
    ["s.example/a/b/c:1: t.example/x/b/d:2", ["s.example/a/b/c:1 -> t.example/x/b/d:2"]],
    [
      "demo-ns/nginx:latest : t.example/demo-ns/nginx:latest",
      ["docker.io/demo-ns/nginx:latest -> t.example/demo-ns/nginx:latest"],
    ],
    ["registry.hub.docker.com/a/b: t.example/a/b", [`docker.io/a/b:${all} -> t.example/a/b:${all}`]],
    ["nginx:1: t.example/x/nginx", ["docker.io/library/nginx:1 -> t.example/x/nginx:1"]],
    ["s.example/app:1: t.example/app:1", ["s.example/app:1 -> t.example/app:1"]],
    ["s.example/ns/app:1: t.example/app", ["s.example/ns/app:1 -> t.example/app:1"]],
    [
      `s.example/ns/app@${digest}: t.example/ns/app:v1`,
      [`s.example/ns/app:${digest} -> t.example/ns/app:v1`],
    ],
    // Within one registry, and within one namespace.
    ["s.example/dev/app:1: s.example/prod/app:1", ["s.example/dev/app:1 -> s.example/prod/app:1"]],
    ["s.example/ns/app:1: s.example/ns/app2:1", ["s.example/ns/app:1 -> s.example/ns/app2:1"]],
    ["s.example/a:1: s.example/ns/a:1", ["s.example/a:1 -> s.example/ns/a:1"]],
  ])("%s", async (text, copies) => {
    expect(await copiesOf(text)).toEqual(copies);
  });

  test("an empty target is the source's name at the registry that the step names", async () => {
    const text = 's.example/ns/app:1.0: ""\ns.example/ns/b/web:\n';
    expect(await copiesOf(text, {}, "t.example")).toEqual([
      "s.example/ns/app:1.0 -> t.example/ns/app:1.0",
      `s.example/ns/b/web:${all} -> t.example/ns/b/web:${all}`,
    ]);
    expect(await copiesOf(text, {}, "t.example/x")).toEqual([
      "s.example/ns/app:1.0 -> t.example/x/app:1.0",
      `s.example/ns/b/web:${all} -> t.example/x/web:${all}`,
    ]);
  });

  test("all tags are wanted, whatever the step's version says, and nothing is pruned", async () => {
    const { shape, routes } = await read("s.example/ns/app: t.example/ns/app");
    expect(shape).toBe("image-transfer");
    const inputs = loaded({ version: "newest:1", ...routes[0]?.inputs });
    expect(inputs).toMatchObject({
      versionsFrom: "tags",
      version: { kind: "pattern", pattern: { text: "glob:*" } },
      destinations: [{ registry: "t.example", path: "ns", retention: { keep: "all" } }],
    });
  });
});

describe("a file of image-syncer", () => {
  test("its examples", async () => {
    const text = `quay.io/coreos/kube-rbac-proxy: quay.io/ruohe/kube-rbac-proxy
quay.io/coreos/kube-rbac-proxy:v1.0: quay.io/ruohe/kube-rbac-proxy
quay.io/coreos/kube-rbac-proxy:v1.0,v2.0: quay.io/ruohe/kube-rbac-proxy
quay.io/coreos/kube-rbac-proxy@${digest}: quay.io/ruohe/kube-rbac-proxy
quay.io/coreos/kube-rbac-proxy:v1.1:
  - quay.io/ruohe/kube-rbac-proxy1
  - quay.io/ruohe/kube-rbac-proxy2
quay.io/coreos/kube-rbac-proxy:/a+/: quay.io/ruohe/kube-rbac-proxy`;
    const from = "quay.io/coreos/kube-rbac-proxy";
    const to = "quay.io/ruohe/kube-rbac-proxy";
    expect(await copiesOf(text)).toEqual([
      `${from}:${all} -> ${to}:${all}`,
      `${from}:v1.0 -> ${to}:v1.0`,
      `${from}:v2.0 -> ${to}:v2.0`,
      `${from}:${digest} -> ${to}:${hex}`,
      `${from}:v1.1 -> ${to}1:v1.1`,
      `${from}:v1.1 -> ${to}2:v1.1`,
      `${from}:${all} -> ${to}:${all}`,
    ]);
    const { shape, routes, notices } = await read(text);
    expect(shape).toBe("image-syncer");
    expect(routes.map(({ name, line, inputs }) => [name, line, inputs.version])).toEqual([
      [from, 1, "glob:*"],
      [`${from} (line 2)`, 2, "glob:*"],
      [`${from} (line 5)`, 5, "glob:*"],
      [`${from} (line 5) 2`, 5, "glob:*"],
      [`${from} (line 8)`, 8, "/.*a+.*/"],
    ]);
    expect(notices).toEqual([
      `${digest} gets the tag ${hex}: every image has a tag here, and its digest stays`,
    ]);
  });

  test("as JSON; several destinations of one name are one route, read once", async () => {
    const text = '{\n\t"a/x:1,2": ["t.example/a/x:3,4", "u.example/b/x:3,4", "t.example/a/x:3,4"]\n}';
    expect(await copiesOf(text)).toEqual([
      "docker.io/a/x:1 -> t.example/a/x:3",
      "docker.io/a/x:2 -> t.example/a/x:4",
      "docker.io/a/x:1 -> u.example/b/x:3",
      "docker.io/a/x:2 -> u.example/b/x:4",
    ]);
    expect((await read(text)).routes).toHaveLength(1);
  });

  test("variables are filled in where the images go", async () => {
    const text = `a/x:1: \${HOST}/$TEAM/x`;
    expect(await copiesOf(text, { HOST: "t.example", TEAM: "ns" })).toEqual([
      "docker.io/a/x:1 -> t.example/ns/x:1",
    ]);
    expect((await read(text, { HOST: "t.example", TEAM: "ns" })).shape).toBe("image-syncer");
    expect(await problemsIn(text, { HOST: "t.example" })).toContain(
      'line 1: the variable "TEAM" is not set: give it to the step by env:',
    );
  });

  test.each([
    "INPUT_GITHUB-TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "GITHUB_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "DB_PASSWORD",
  ])("%s is filled in nowhere, as it would be sent to whoever is named", async (name) => {
    const message = await problemsIn(`a/x: \${${name}}.evil.example/x/y`, { [name]: "hunter2-secret" });
    expect(message).not.toContain("hunter2");
  });

  test("its older form has the logins as well, as they are written", async () => {
    const text = `auth:
  quay.io: {username: bob, password: "pa$$word\${X}"}
  quay.io/coreos:
    username: alice
    password: secret
  localhost:5000: {username: a, password: b, insecure: true}
  docker.io: {}
images:
  quay.io/coreos/app: [t.example/x/app]
`;
    const { logins, shape, routes } = await read(text, { X: "1" });
    expect(shape).toBe("image-syncer");
    expect(routes).toHaveLength(1);
    expect(logins).toEqual([
      { place: "quay.io", username: "bob", password: `pa$$word\${X}` },
      { place: "quay.io/coreos", username: "alice", password: "secret" },
      { place: "localhost:5000", username: "a", password: "b" },
    ]);
  });
});

const secret = "hunter2-the-password";

describe("a mistake has its line", () => {
  test.each([
    [
      "a/x: t.example/a/x:1",
      'line 1: "t.example/a/x:1" has a tag, and its source has none: all tags cannot become one',
    ],
    ["a/x:/v.*/: t.example/a/x:1", "has a tag, and its source has none"],
    ["a/x:1,2: t.example/a/x:1", 'line 1: "t.example/a/x:1" has 1 tags, and its source 2: each takes one'],
    ["a/x:1: t.example/a/x:1,2", "has 2 tags, and its source 1: each takes one"],
    [`a/x:1: t.example/a/x@${digest}`, "has a digest that is not its source's"],
    ["a/x:/v.*: t.example/a/x", "has a regular expression that ends with no slash"],
    [
      "a/x:/(?i)v/: t.example/a/x",
      'line 1: the regular expression "(?i)v" has "(?i)", which JavaScript does not know',
    ],
    ["a/x:/(/: t.example/a/x", "is not a regular expression of JavaScript"],
    [
      "a/x:1: t.example/a/x\nb/y:1: [t.example/a/x]",
      "line 2: it writes t.example/a/x:1 from docker.io/b/y:1, and line 1 from docker.io/a/x:1",
    ],
    ["a/x: []", 'line 1: "a/x" has an empty list of targets'],
    ['a/x:\n  - ""', 'line 2: "a/x" has an empty target in its list'],
    ["a/x:\n  - [b]", 'line 2: "a/x" takes a target, or a list of them'],
    ["a/x:1: s.example/A/x", 'line 1: "s.example/A/x" is not the name of an image'],
    ["a/x:-: t.example/a/x", '"-" is not a tag'],
    ["a/x@sha256:1: t.example/a/x", '"sha256:1" is not a digest'],
    [
      "s.example/a/x:1: s.example/a/x:2",
      "line 1: s.example/a/x is source and target at once: that is not mirrored",
    ],
    ["s.example/x:1: s.example/y:1", "line 1: s.example/x is beside its target, and both have no namespace"],
    [
      `auth:\n  quay.io:\n    username: bob\n    password: ${secret}\n    insecure: true\nimages: {a/x: t.example/a/x}`,
      'line 5: insecure: "quay.io" would be spoken to without TLS',
    ],
    [
      `auth:\n  quay.io: {username: a, password: [${secret}]}\nimages: {a/x: t.example/a/x}`,
      'line 2: "password" takes a text',
    ],
    [
      `auth:\n  Quay/: {username: a, password: ${secret}}\nimages: {a/x: t.example/a/x}`,
      'line 2: "Quay/" is not of the form',
    ],
    [`auth: {}\nimages: {}\nproxy: {}`, 'line 3: "proxy" stands in no file of image-syncer'],
    [`auth: {}\nimages: {}`, "line 2: images: it holds no image"],
    ["a/x: t.example/a/x\na/x: u.example/a/x", 'line 2: the key "a/x" is in line 1 already'],
  ])("%j", async (text, problem) => {
    const message = await problemsIn(text);
    expect(message).toContain(problem);
    expect(message).not.toContain(secret);
  });
});
