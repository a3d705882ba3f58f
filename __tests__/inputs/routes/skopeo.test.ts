import { describe, expect, test } from "vitest";
import { select } from "../../../src/plan/selection.ts";
import { versionOfTag } from "../../../src/plan/version.ts";
import { copiesOf, loaded, problemsIn, read } from "./reading.ts";

const all = "{{tag}}";
const hex = "0000000000000000000000000000000011111111111111111111111111111111";

const example = `registry.example.com:
    images:
        busybox: []
        redis:
            - "1.0"
            - "2.0"
            - "sha256:${hex}"
    images-by-tag-regex:
        nginx: ^1\\.13\\.[12]-alpine-perl$
    images-by-semver:
        alpine: ">= 3.12.0"
    credentials:
        username: john
        password: this is a secret
    tls-verify: true
quay.io:
    images:
        coreos/etcd:
            - latest
docker.io:
    images: {memcached: }
`;

describe("a file of skopeo sync", () => {
  test("its example", async () => {
    const to = "registry.example.com/mirror";
    expect(await copiesOf(example)).toEqual([
      `registry.example.com/busybox:${all} -> ${to}/busybox:${all}`,
      `registry.example.com/redis:1.0 -> ${to}/redis:1.0`,
      `registry.example.com/redis:2.0 -> ${to}/redis:2.0`,
      `registry.example.com/redis:sha256:${hex} -> ${to}/redis:${hex}`,
      `registry.example.com/nginx:${all} -> ${to}/nginx:${all}`,
      `registry.example.com/alpine:${all} -> ${to}/alpine:${all}`,
      `quay.io/coreos/etcd:latest -> ${to}/etcd:latest`,
      `docker.io/library/memcached:${all} -> ${to}/memcached:${all}`,
    ]);
    const { shape, routes, logins, notices } = await read(example);
    expect(shape).toBe("skopeo");
    expect(logins).toEqual([
      { place: "registry.example.com", username: "john", password: "this is a secret" },
    ]);
    expect(notices).toEqual([
      `sha256:${hex} gets the tag ${hex}: every image has a tag here, and its digest stays`,
    ]);
    expect(routes.map(({ line, inputs }) => [line, inputs.version])).toEqual([
      [3, "glob:*"],
      [4, "glob:*"],
      [9, "/1\\.13\\.[12]-alpine-perl/"],
      [11, "semver:>= 3.12.0\n!/v?[0-9]+(?:\\.[0-9]+){0,2}-.*/"],
      [18, "glob:*"],
      [21, "glob:*"],
    ]);
  });

  const tags = [
    "1",
    "1.2",
    "v1.2.0",
    "1.2.1",
    "1.3.0-rc1",
    "1.3.0",
    "v2.0.0",
    "2.1-alpine",
    "latest",
    "a1.2b",
  ];

  async function chosen(kind: string, text: string): Promise<readonly string[]> {
    const { routes } = await read(`r.example: {${kind}: {app: '${text}'}}`);
    const { version } = loaded(routes[0]?.inputs ?? {});
    const versions = tags.map(versionOfTag);
    const released = { universe: [], otherTags: versions, passedOver: [] };
    return version === undefined
      ? []
      : select(version, released, "x", [{ keepBy: "semver" }])
          .map(({ tag }) => tag)
          .sort();
  }

  test.each<[range: string, chosen: readonly string[]]>([
    [">= 1.2", ["1.2", "1.2.1", "1.3.0", "v1.2.0", "v2.0.0"]],
    [">1.2", ["1.3.0", "v2.0.0"]],
    [">=1.2, <2", ["1.2", "1.2.1", "1.3.0", "v1.2.0"]],
    ["=> 1.3 || 1.2.1", ["1.2.1", "1.3.0", "v2.0.0"]],
    ["1.2", ["1.2", "1.2.1", "v1.2.0"]],
    ["~1.2.0", ["1.2", "1.2.1", "v1.2.0"]],
    ["1.2 - 1.3", ["1.2", "1.2.1", "1.3.0", "v1.2.0"]],
    ["^1.2, != 1.2.1", ["1.2", "1.3.0", "v1.2.0"]],
    ["!=1.3.0", ["1", "1.2", "1.2.1", "v1.2.0", "v2.0.0"]],
    [">=1.3.0-0", ["1.3.0", "1.3.0-rc1", "2.1-alpine", "v2.0.0"]],
    ["*", ["1", "1.2", "1.2.1", "1.3.0", "v1.2.0", "v2.0.0"]],
  ])("the range %s", async (range, expected) => {
    expect(await chosen("images-by-semver", range)).toEqual(expected);
  });

  test.each<[expression: string, chosen: readonly string[]]>([
    ["1\\.2", ["1.2", "1.2.1", "a1.2b", "v1.2.0"]],
    ["^1\\.2", ["1.2", "1.2.1"]],
    ["[.]0$", ["1.3.0", "v1.2.0", "v2.0.0"]],
    ["^v|t$", ["latest", "v1.2.0", "v2.0.0"]],
    ["\\A1\\z", ["1"]],
    ["^[[:alpha:]]+$", ["latest"]],
    ["(?P<x>atest)", ["latest"]],
  ])("the expression %s finds something anywhere in a tag", async (expression, expected) => {
    expect(await chosen("images-by-tag-regex", expression)).toEqual(expected);
  });

  test("an image in several lists has a route for each", async () => {
    const { routes } = await read("r.example: {images: {app: [v1]}, images-by-semver: {app: '>=2'}}");
    expect(routes.map(({ name }) => name)).toEqual(["r.example/app", "r.example/app (line 1)"]);
  });

  test("images of one name: each keeps its own place where the destinations have no namespace", async () => {
    const text = "quay.io:\n  images:\n    a/x: [v1]\n    b/x: [v2]\n";
    expect(await problemsIn(text)).toContain(
      "line 4: quay.io/b/x and quay.io/a/x are both x at the destination: give destinations without a namespace",
    );
    expect(await copiesOf(text, {}, "t.example")).toEqual([
      "quay.io/a/x:v1 -> t.example/a/x:v1",
      "quay.io/b/x:v2 -> t.example/b/x:v2",
    ]);
    expect(
      await problemsIn("quay.io: {images: {a/x: }}\nghcr.io: {images: {a/x: }}", {}, "t.example"),
    ).toContain("are both a/x at the destination");
  });

  test("a registry without images is told", async () => {
    expect(await read("quay.io: {images: {a/x: }}\nghcr.io: {images: {}}\nr.example:\n")).toMatchObject({
      notices: ['"ghcr.io" has no images in the file'],
    });
  });
});

const secret = "hunter2-the-password";

describe("a mistake has its line and key, and no value of a login", () => {
  test.each([
    [
      `quay.io:\n  images: {a/x: }\n  tls-verify: false`,
      'line 3: tls-verify: "quay.io" would be spoken to without TLS',
    ],
    [
      `quay.io:\n  images: {a/x: }\n  cert-dir: /home/x`,
      "line 3: cert-dir: a certificate of an authority of your own",
    ],
    [
      `quay.io:\n  images: {a/x: }\n  credential: {password: ${secret}}`,
      'line 3: "credential" is none of images,',
    ],
    [`quay.io:\n  images: {a/x: }\n  credentials: ${secret}`, 'line 3: "credentials" takes a map'],
    ["quay.io:\n  images: {a/x: {b: c}}", 'line 2: "a/x" takes a list of texts'],
    ["quay.io:\n  images: {a/x: [-b]}", 'line 2: "-b" is not a tag'],
    ["quay.io:\n  images: {A/x: [b]}", 'line 2: "quay.io/A/x" is not the name of an image'],
    ["quay.io:\n  images-by-tag-regex: {a/x: }", 'line 2: "a/x" takes a text'],
    ["quay.io:\n  images-by-tag-regex: {a/x: '('}", "line 2: "],
    ["quay.io:\n  images-by-tag-regex: {a/x: ''}", "line 2: an empty regular expression"],
    ["quay.io:\n  images-by-semver: {a/x: '>=a'}", 'line 2: "semver:>=a" is not a semver range'],
    ["quay.io:\n  images-by-semver: {a/x: '!=1.2 || 2'}", 'line 2: the range "!=1.2 || 2" has != beside ||'],
    ["quay.io:\n  images: {a/x: }\nghcr.io: [a]", 'line 3: "ghcr.io" takes a map'],
    [
      "quay.io:\n  images: {a/x: [v1]}\n  images: {a/y: [v1]}",
      'line 3: the key "images" is in line 2 already',
    ],
  ])("%j", async (text, problem) => {
    const message = await problemsIn(text);
    expect(message).toContain(problem);
    expect(message).not.toContain(secret);
  });
});
