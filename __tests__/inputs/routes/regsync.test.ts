import fc from "fast-check";
import semver from "semver";
import { describe, expect, test } from "vitest";
import { regsyncRange } from "../../../src/inputs/routes/expressions.ts";
import { choosing } from "../../../src/pattern.ts";
import { select } from "../../../src/plan/selection.ts";
import { roughNumber, versionOfTag } from "../../../src/plan/version.ts";
import { copiesOf, loaded, problemsIn, read } from "./reading.ts";

const all = "{{tag}}";
const hex = "0123456789abcdef".repeat(4);

/** A file with one entry for a repository. */
function repository(more: string): string {
  return `version: 1
sync:
  - source: ghcr.io/goharbor/harbor-core
    target: t.example/goharbor/core
    type: repository
${more.replace(/^/gm, "    ")}
`;
}

const tags = [
  "1",
  "1.2",
  "v1.2.0",
  "1.2.1",
  "1.3.0-rc1",
  "1.3.0",
  "2.0.0-rc1",
  "v2.0.0",
  "2.1-alpine",
  "latest",
  "0.0.3",
  "0.0.4",
  "2026.01.02",
];

/** The tags that any route of a file chooses. */
async function chosen(text: string): Promise<readonly string[]> {
  const { routes } = await read(text);
  const versions = tags.map(versionOfTag);
  const universe = versions.flatMap((version) =>
    version.number === undefined || version.prerelease ? [] : [version],
  );
  const otherTags = versions.filter((version) => !universe.some(({ tag }) => tag === version.tag));
  const found = routes.flatMap(({ inputs }) => {
    const { version } = loaded(inputs);
    if (version === undefined) throw new Error("no version");
    return select(version, { universe, otherTags, passedOver: [] }, "x", [{ keepBy: "semver" }]).map(
      ({ tag }) => tag,
    );
  });
  return [...new Set(found)].sort();
}

describe("a file of regsync", () => {
  test("images, repositories and registries", async () => {
    const text = `version: 1
sync:
  - source: busybox
    target: localhost:5000/library/busybox:stable
    type: image
  - source: alpine:3@sha256:${hex}
    target: localhost:5000/library/alpine
    type: image
  - source: ghcr.io/goharbor/harbor-core
    target: t.example/goharbor/core
    type: repository
  - source: localhost:5000
    target: t.example/all
    type: registry
`;
    expect(await copiesOf(text)).toEqual([
      "docker.io/library/busybox:latest -> localhost:5000/library/busybox:stable",
      `docker.io/library/alpine:sha256:${hex} -> localhost:5000/library/alpine:latest`,
      `ghcr.io/goharbor/harbor-core:${all} -> t.example/goharbor/core:${all}`,
      "localhost:5000/** -> t.example/all/",
    ]);
    const { shape, routes, notices, logins } = await read(text);
    expect(shape).toBe("regsync");
    expect(routes.map(({ name, line }) => [name, line])).toEqual([
      ["docker.io/library/busybox", 3],
      ["docker.io/library/alpine", 6],
      ["ghcr.io/goharbor/harbor-core", 9],
      ["localhost:5000", 12],
    ]);
    expect(routes.every(({ inputs }) => inputs.version === "glob:*")).toBe(true);
    expect({ notices, logins }).toEqual({ notices: [], logins: [] });
  });

  test.each<[tags: string, chosen: readonly string[]]>([
    ["", tags],
    ["tags: {}", tags],
    ["tags: {allow: ['1\\..*']}", ["1.2", "1.2.1", "1.3.0", "1.3.0-rc1"]],
    // Anchored without brackets around: what begins with 1.2, and what ends with 0.4.
    ["tags: {allow: ['1\\.2|0\\.4']}", ["0.0.4", "1.2", "1.2.1"]],
    ["tags: {allow: [latest, '1'], deny: ['1']}", ["latest"]],
    ["tags: {deny: ['.*rc.*', '[01]\\..*', 'v?2.*']}", ["1", "latest", "v1.2.0"]],
    ["tags: {semverRange: ['>=1.2 <2.0']}", ["1.2", "1.2.1", "1.3.0", "1.3.0-rc1", "2.0.0-rc1", "v1.2.0"]],
    [
      "tags: {semverRange: ['>1.2']}",
      ["1.2.1", "1.3.0", "1.3.0-rc1", "2.0.0-rc1", "2.1-alpine", "2026.01.02", "v2.0.0"],
    ],
    ["tags: {semverRange: ['=1.2', '^2']}", ["1.2", "2.1-alpine", "v1.2.0", "v2.0.0"]],
    ["tags: {semverRange: ['~1']}", ["1"]],
    ["tags: {semverRange: ['~1.2']}", ["1.2", "1.2.1", "1.3.0-rc1", "v1.2.0"]],
    ["tags: {semverRange: ['^0.0.3', '']}", ["0.0.3"]],
    ["tags: {semverRange: ['>=1.2'], allow: ['v.*', '1\\.3\\.0'], deny: ['v2.*']}", ["1.3.0", "v1.2.0"]],
    ["tags: {semverRange: ['>=1.2'], allow: ['v.*']}", ["v1.2.0", "v2.0.0"]],
    [
      "tagSets:\n  - {allow: ['0.*'], deny: ['.*4']}\n  - {semverRange: ['=1.3.0']}\ntags: {allow: [latest]}",
      ["0.0.3", "1.3.0", "latest"],
    ],
  ])("its filter %s", async (filter, expected) => {
    expect(await chosen(repository(filter))).toEqual([...expected].sort());
  });

  test("its filters of repositories are patterns of images", async () => {
    const text = `sync:
  - source: localhost:5000
    target: t.example
    type: registry
    repos: {allow: ['team/.*', app], deny: ['.*-dev', 'x|y']}
    tags: {allow: ['v.*']}
`;
    const { routes } = await read(text);
    expect(routes).toHaveLength(1);
    const inputs = loaded(routes[0]?.inputs ?? {});
    const names = ["team/a", "team/a-dev", "app", "web", "team/by", "xapp"];
    expect(choosing(inputs.repositories ?? [], names)).toEqual(["team/a", "app"]);
    expect(inputs).toMatchObject({
      sources: [{ registry: "localhost:5000", path: "" }],
      destinations: [{ registry: "t.example", path: "" }],
      version: { kind: "pattern" },
    });
  });

  test("platforms, referrers, and what forces a look at everything", async () => {
    const inputs = async (more: string, defaults = "") => {
      const { routes } = await read(`${repository(more)}defaults: {${defaults}}\n`);
      const { platforms, referrers, verify } = routes[0]?.inputs ?? {};
      return { platforms, referrers, verify };
    };
    expect(await inputs("")).toEqual({});
    expect(await inputs("platform: linux/arm64")).toEqual({ platforms: "linux/arm64" });
    expect(await inputs("platforms: [linux/amd64, linux/arm64]")).toEqual({
      platforms: "linux/amd64\nlinux/arm64",
    });
    expect(await inputs("referrers: false")).toEqual({ referrers: "false" });
    expect(await inputs("referrers: false", "digestTags: true")).toEqual({ referrers: "true" });
    expect(await inputs("digestTags: false", "referrers: true, forceRecursive: true")).toEqual({
      referrers: "true",
      verify: "full",
    });
    expect(await inputs("forceRecursive: false", "forceRecursive: true")).toEqual({});
  });

  test("logins, by variables as well", async () => {
    const text = `version: 1
creds:
  - registry: '{{env "HOST"}}'
    user: "{{ env \`USER_NAME\` }}"
    pass: 'a{{env "PASS"}}b'
    reqPerSec: 5
  - registry: docker.io
    user: bob
    pass: secret
  - registry: https://index.docker.io/v1/
    user: alice
    pass: secret
  - registry: localhost:5000
    tls: disabled
  - registry: quay.io
    hostname: quay.io
    tls: enabled
    repoAuth: true
${repository("").replace("version: 1\n", "")}`;
    const { logins, notices } = await read(text, { HOST: "t.example", USER_NAME: "u", PASS: "p$w" });
    expect(logins).toEqual([
      { place: "t.example", username: "u", password: "ap$wb" },
      { place: "docker.io", username: "bob", password: "secret" },
      { place: "docker.io", username: "alice", password: "secret" },
    ]);
    expect(notices).toEqual([
      "reqPerSec: limits are read from the answers of each registry",
      "repoAuth: tokens are asked for as each registry gives them",
    ]);
  });

  test("variables in places", async () => {
    const text = repository("")
      .replace("t.example", "'{{env \"HOST\"}}'")
      .replace("'{{env \"HOST\"}}'/goharbor/core", "'{{env \"HOST\"}}/goharbor/core'");
    expect(await copiesOf(text, { HOST: "u.example" })).toEqual([
      `ghcr.io/goharbor/harbor-core:${all} -> u.example/goharbor/core:${all}`,
    ]);
  });

  test("what changes nothing is told once, and asks for nothing where it is empty", async () => {
    const text = `version: 1
x-all: &all
  type: image
  interval: 60m
  parallel: 2
defaults:
  interval: 60m
  schedule: ""
  ratelimit: {min: 0}
  parallel: 2
  hooks: {}
  backup: ""
  mediaTypes: []
  userAgent: x
sync:
  - {<<: *all, source: a/x, target: t.example/a/x, platform: linux/amd64}
  - {<<: *all, source: a/y, target: t.example/a/y, colour: red}
`;
    const { notices, routes } = await read(text);
    expect(routes).toHaveLength(2);
    expect(notices).toEqual([
      "interval: a run begins when the workflow does: set its schedule",
      "parallel: how much goes at once is found by measuring",
      "userAgent: requests say what they come from",
      "platform: an image of several platforms stays an index, with this one only",
      '"colour" is no key of regsync\'s, and left alone as there',
    ]);
  });

  test("a key may stand twice, as there: the last one counts", async () => {
    expect(await copiesOf(repository("target: u.example/goharbor/core"))).toEqual([
      `ghcr.io/goharbor/harbor-core:${all} -> u.example/goharbor/core:${all}`,
    ]);
  });
});

const secret = "hunter2-the-password";

describe("a mistake has its line and key, and no value of a login", () => {
  test.each([
    [repository("hooks: {pre: {type: sh}}"), "line 6: hooks: no program runs for an image"],
    [repository("backup: old-{{.Ref.Tag}}"), "line 6: backup: what a tag held before is kept nowhere"],
    [repository("includeExternal: true"), "line 6: includeExternal: layers that may not be passed on"],
    [repository("referrerTarget: t.example/r"), "line 6: referrerTarget:"],
    [repository("referrerFilters: [{artifactType: x}]"), "line 6: referrerFilters:"],
    [repository("tags: {allow: ['(']}"), "line 6: "],
    [repository("tags: {allow: ['']}"), "line 6: an empty regular expression fits nothing"],
    [
      repository("tags: {alow: [a]}"),
      'line 6: "alow" is none of allow, deny, semverRange; did you mean allow?',
    ],
    [repository("tags: {semverRange: ['>= 1.2']}"), 'line 6: the range ">= 1.2" is none of regsync: ">="'],
    [repository("tags: {semverRange: ['1.x']}"), "line 6: the range"],
    [repository("tags: {semverRange: ['<1.2.3.4']}"), "line 6: the range"],
    [repository("tags: [a]"), 'line 6: "tags" takes a map'],
    [repository("platforms: {a: b}"), 'line 6: "platforms" takes a list of texts'],
    [repository("referrers: perhaps"), 'line 6: "referrers" is neither true nor false'],
    [
      repository("").replace("repository", "folder"),
      'line 5: type: "folder" is none of image, repository, registry',
    ],
    [repository("").replace("    type: repository\n", ""), 'line 3: type: "" is none of'],
    [repository("").replace("    target: t.example/goharbor/core\n", ""), "line 3: target: it is missing"],
    [repository("").replace("ghcr.io/goharbor/harbor-core", "ocidir://path/to"), "is a folder on a disk"],
    [
      repository("").replace("ghcr.io/goharbor/harbor-core", "Ghcr.io/Goharbor"),
      "is not the name of an image",
    ],
    [
      repository("")
        .replace("t.example/", "'{{file \"/etc/passwd\"}}'")
        .replace("'{{file \"/etc/passwd\"}}'goharbor/core", "'{{file \"/etc/passwd\"}}/goharbor/core'"),
      'line 4: the template {{file…}} is not filled in here, only {{env "NAME"}}',
    ],
    [
      "sync:\n  - {source: a/x, target: t.example/x, type: registry}",
      'source: "a/x" is not the host of a registry',
    ],
    ["sync:\n  - {source: s.example, target: T/x, type: registry}", 'target: "T/x" is not of the form'],
    [
      `sync:\n  - {source: a/x, target: "t.example/x@sha256:${hex}", type: image}`,
      'target: "t.example/x@sha256:',
    ],
    ["sync: []", "line 1: sync: it holds no image, repository or registry"],
    ["sync: [a]", 'line 1: "sync" takes a list of maps'],
    [
      `version: 2\n${repository("").replace("version: 1\n", "")}`,
      "line 1: version: files of regsync have the version 1",
    ],
    [
      `creds:\n  - {registry: q.example, user: bob, pass: ${secret}, tls: disabled}\n${repository("")}`,
      'line 2: tls: "q.example" would be spoken to without TLS',
    ],
    [
      `creds:\n  - {registry: "http://q.example", pass: ${secret}}\n${repository("")}`,
      'line 2: registry: "q.example" would be spoken to',
    ],
    [
      `creds:\n  - {registry: q.example, scheme: http, pass: ${secret}}\n${repository("")}`,
      'line 2: scheme: "q.example" would be',
    ],
    [
      `creds:\n  - {registry: q.example, regcert: ${secret}}\n${repository("")}`,
      "line 2: regcert: a certificate of an authority of your own",
    ],
    [
      `creds:\n  - {registry: q.example, clientKey: ${secret}}\n${repository("")}`,
      "line 2: clientKey: no certificate",
    ],
    [`creds:\n  - {registry: q.example, token: ${secret}}\n${repository("")}`, "line 2: token: a login is"],
    [
      `creds:\n  - {registry: q.example, credHelper: docker-credential-x}\n${repository("")}`,
      "line 2: credHelper: name the helper",
    ],
    [
      `creds:\n  - {registry: q.example, hostname: r.example}\n${repository("")}`,
      "line 2: hostname: a registry is spoken to by its own name",
    ],
    [
      `creds:\n  - {registry: q.example, user: a, pass: '{{env "NONE"}}'}\n${repository("")}`,
      'line 2: the variable "NONE" is not set',
    ],
    [
      `creds:\n  - {registry: q.example, user: a, pass: '{{env "ACTIONS_RUNTIME_TOKEN"}}'}\n${repository("")}`,
      "is not given to a file of routes",
    ],
    [
      `creds:\n  - {registry: q.example, user: a, pass: '{{file "${secret}"}}'}\n${repository("")}`,
      "line 2: the template {{file…}}",
    ],
    [
      `creds:\n  - {registry: q.example, user: a, pass: '{{${secret}}}'}\n${repository("")}`,
      "line 2: the template {{…}} is not filled in here",
    ],
    [
      `creds:\n  - {registry: q.example, pass: [${secret}]}\n${repository("")}`,
      'line 2: "pass" takes a text',
    ],
    [
      `creds:\n  - {registry: "", pass: ${secret}}\n${repository("")}`,
      "line 2: registry: it takes the host of a registry",
    ],
  ])("%j", async (text, problem) => {
    const message = await problemsIn(text, { ACTIONS_RUNTIME_TOKEN: secret });
    expect(message).toContain(problem);
    expect(message).not.toContain(secret);
  });
});

/** regclient's own comparison, for versions of up to three numbers: internal/semver/semver.go. */
function checks(range: string, tag: string): boolean {
  const parse = (text: string) => {
    const [numbers = "", ...pre] = text.replace(/^v/, "").split("-");
    const parts = numbers.split(".").map(Number);
    return { parts: [0, 1, 2].map((at) => parts[at] ?? 0), pre: pre.join("-") };
  };
  type Parsed = ReturnType<typeof parse>;
  const compare = (one: Parsed, other: Parsed): number => {
    const at = [0, 1, 2].find((each) => one.parts[each] !== other.parts[each]);
    if (at !== undefined) return (one.parts[at] ?? 0) - (other.parts[at] ?? 0);
    if (one.pre === other.pre) return 0;
    if (one.pre === "" || other.pre === "") return one.pre === "" ? 1 : -1;
    return one.pre < other.pre ? -1 : 1;
  };
  const version = parse(tag);
  const upper = (parts: readonly number[]) => compare(version, { parts: [...parts], pre: "" }) < 0;
  return range.split(" ").every((part) => {
    const [, operator = "", text = ""] = /^(>=|<=|>|<|=|\^|~|)(.*)$/.exec(part) ?? [];
    const limit = parse(text);
    const [major = 0, minor = 0, patch = 0] = limit.parts;
    const order = compare(version, limit);
    if (operator === "^")
      return (
        order >= 0 && upper(major > 0 ? [major + 1, 0, 0] : minor > 0 ? [0, minor + 1, 0] : [0, 0, patch + 1])
      );
    if (operator === "~") return order >= 0 && upper([major, minor + 1, 0]);
    if (operator === ">=") return order >= 0;
    if (operator === "<=") return order <= 0;
    if (operator === ">") return order > 0;
    return operator === "<" ? order < 0 : order === 0;
  });
}

test("its ranges choose what regsync's own comparison chooses", () => {
  const number = fc.integer({ min: 0, max: 3 });
  const version = fc
    .tuple(
      fc.array(number, { minLength: 1, maxLength: 3 }),
      fc.constantFrom("", "-alpha", "-rc"),
      fc.constantFrom("", "v"),
    )
    .map(([parts, pre, v]) => `${v}${parts.join(".")}${pre}`);
  const comparison = fc
    .tuple(fc.constantFrom(">=", "<=", ">", "<", "=", "^", "~", ""), version)
    .map(([operator, text]) => `${operator}${text}`);
  const range = fc.array(comparison, { minLength: 1, maxLength: 2 }).map((parts) => parts.join(" "));
  fc.assert(
    fc.property(range, version, (given, tag) => {
      const chosen = semver.satisfies(roughNumber(tag) ?? "", regsyncRange(given), {
        includePrerelease: true,
      });
      expect([given, tag, chosen]).toEqual([given, tag, checks(given, tag)]);
    }),
    { numRuns: 20_000 },
  );
});
