import { readFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { givenSecrets, inputDefaults } from "../../src/inputs/inputs.ts";
import { type Given, load, mistakeLines, mistakesOf } from "../support/given-inputs.ts";

describe("defaults", () => {
  const action: { inputs: Record<string, { default?: string }> } = parse(readFileSync("action.yml", "utf8"));

  test("are those of action.yml, so that a local run behaves like one on a runner", () => {
    const documented = Object.entries(action.inputs).map(([name, input]) => [name, input.default ?? ""]);
    // These two are filled in by the runner from its own context, so a local run starts without them.
    const filledByRunner = Object.fromEntries(
      ["github-token", "github-api-url"].map((name) => [
        name,
        expect.stringMatching(/^\$\{\{ github\.\w+ \}\}$/),
      ]),
    );
    expect(Object.fromEntries(documented)).toEqual({ ...inputDefaults, ...filledByRunner });
  });

  test("hold when every variable is absent but the destinations", () => {
    const { routes, ...given } = load();
    expect(routes).toHaveLength(1);
    expect(given).toEqual({
      logins: [],
      notices: [],
      destinations: [
        {
          registry: "registry.example",
          path: "harbor",
          type: "distribution",
          retention: { keep: 3, keepBy: "semver" },
          api: undefined,
          tokenServer: undefined,
          registryId: undefined,
          region: undefined,
          public: false,
          attestations: true,
        },
      ],
      version: undefined,
      repository: undefined,
      sources: [
        { registry: "ghcr.io", path: "goharbor" },
        { registry: "docker.io", path: "goharbor" },
      ],
      images: "auto",
      mode: { kind: "all" },
      retention: { keep: 3, keepBy: "semver" },
      prereleases: false,
      overwrite: true,
      verify: "tags",
      versionsFrom: "releases",
      repositories: undefined,
      repositoryLimit: 1000,
      pruneLimit: 10,
      platforms: "all",
      referrers: true,
      wait: 3_600_000,
      spoolLimit: 8_000_000_000,
      summary: true,
      downloadConnections: undefined,
      uploadConnections: undefined,
      congestionControl: "auto",
      dryRun: false,
      check: false,
      dockerHubLogin: undefined,
      dockerHubConnection: undefined,
      tencentCloudKey: undefined,
      tencentRole: undefined,
      tcrLogin: undefined,
      tcrOpenAccess: undefined,
      tcrEgress: { blocks: [], services: undefined },
      workflowRun: { id: "0", attempt: 1, githubHosted: false, hasPostStep: false },
      githubToken: undefined,
      githubApiUrl: new URL("https://api.github.com"),
      idTokenRequest: undefined,
      event: { name: "", path: undefined, repository: undefined, refName: undefined, refType: undefined },
      runner: {
        temporaryFolder: tmpdir(),
        stateFolder: join(homedir(), ".local", "state", "harbor-release-mirror"),
        searchPath: undefined,
        dockerConfigFolder: join(homedir(), ".docker"),
        helperEnvironment: {},
      },
    });
  });

  test("hold for empty values, which is what an absent workflow input gives", () => {
    expect(load({ keep: "", "keep-by": " ", wait: "", images: "", overwrite: "" })).toEqual(load());
  });
});

describe("single inputs", () => {
  test.each([
    ["keep", "1", { retention: { keep: 1, keepBy: "semver" } }],
    ["keep", "1000", { retention: { keep: 1000, keepBy: "semver" } }],
    ["keep", "all", { retention: { keep: "all", keepBy: "semver" } }],
    ["prune-limit", "60", { pruneLimit: 60 }],
    ["prune-limit", "all", { pruneLimit: "all" }],
    ["keep-by", "minor", { retention: { keep: 3, keepBy: "minor" } }],
    ["keep-by", "published", { retention: { keep: 3, keepBy: "published" } }],
    ["wait", "0", { wait: 0 }],
    ["wait", "90s", { wait: 90_000 }],
    ["wait", "60m", { wait: 3_600_000 }],
    ["wait", "2h", { wait: 7_200_000 }],
    ["wait", "120h", { wait: 432_000_000 }],
    ["prereleases", "TRUE", { prereleases: true }],
    ["overwrite", "False", { overwrite: false }],
    ["overwrite", "skip", { overwrite: "skip" }],
    ["referrers", "FALSE", { referrers: false }],
    ["summary", "False", { summary: false }],
    ["dry-run", "True", { dryRun: true }],
    ["check", "true", { check: true }],
    ["repository", "acme/app.js", { repository: { owner: "acme", name: "app.js" } }],
    ["version", "# ours\nnewest:2 # two", { version: { kind: "newest", count: 2 } }],
    ["version", "newest:2", { version: { kind: "newest", count: 2 } }],
    ["version", "v2.15.2, v2.14.4", { version: { kind: "tags", tags: ["v2.15.2", "v2.14.4"] } }],
    ["version", ">=2.14 <2.16", { version: { kind: "range", range: ">=2.14 <2.16" } }],
    ["github-token", " ghs_x ", { githubToken: "ghs_x" }],
    ["github-api-url", "https://ghe.example/api/v3", { githubApiUrl: new URL("https://ghe.example/api/v3") }],
    ["github-api-url", "http://127.0.0.1:8080", { githubApiUrl: new URL("http://127.0.0.1:8080") }],
    [
      "source",
      "# first\nINDEX.docker.io/a\n\nghcr.io/b # own\r\n",
      {
        sources: [
          { registry: "docker.io", path: "a" },
          { registry: "ghcr.io", path: "b" },
        ],
      },
    ],
    [
      "platforms",
      "linux/amd64, linux/arm/v7\nlinux/amd64",
      {
        platforms: [
          { os: "linux", architecture: "amd64", variant: undefined },
          { os: "linux", architecture: "arm", variant: "v7" },
        ],
      },
    ],
  ])("%s: %j", (name, value, expected) => {
    expect(load({ [name]: value })).toMatchObject(expected);
  });

  test.each([
    ["keep", "0"],
    ["keep", "1001"],
    ["keep", "-1"],
    ["keep", "3.5"],
    ["keep", "ALL"],
    ["prune-limit", "0"],
    ["prune-limit", "-1"],
    ["prune-limit", "none"],
    ["keep-by", "date"],
    ["wait", "60"],
    ["wait", "1.5h"],
    ["wait", "1d"],
    ["wait", "-5m"],
    ["wait", "121h"],
    ["prereleases", "yes"],
    ["overwrite", "tRUE"],
    ["overwrite", "skipped"],
    ["overwrite", "Skip"],
    ["referrers", "1"],
    ["dry-run", "on"],
    ["check", "on"],
    ["repository", "harbor"],
    ["repository", "goharbor/harbor/x"],
    ["repository", "goharbor/.."],
    ["repository", "https://github.com/goharbor/harbor"],
    ["version", "newest:0"],
    ["version", "v2.15.2 v2.14.4"],
    ["version", "v2.15.2/../x"],
    ["source", "ghcr.io/"],
    ["source", "ghcr.io/goharbor,docker.io/goharbor"],
    ["source", "docker.io/a\nindex.docker.io/a"],
    ["source", "# none"],
    ["source", "ghcr.io/goharbor,keep=3"],
    ["platforms", "linux"],
    ["platforms", "all,linux/amd64"],
    ["platforms", "Linux/AMD64"],
    ["platforms", ","],
    ["github-api-url", "http://ghe.example"],
    ["github-api-url", "https://user:secret@ghe.example"],
    ["github-api-url", "https://ghe.example/?x=1"],
    ["github-api-url", "ghe.example"],
    ["github-api-url", "file:///etc/passwd"],
  ] as const)("%s: %j is one mistake with the input's name and an example", (name, value) => {
    const lines = mistakeLines(mistakesOf({ [name]: value }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(new RegExp(`^- ${name}: .+[.?] Example: .+`));
  });

  test("all mistakes are told at once", () => {
    const message = mistakesOf({
      destinations: "",
      keep: "0",
      wait: "x",
      images: "Bad_Name\nok:{{oops}}",
      "dockerhub-username": "me",
    });
    const names = mistakeLines(message).map((line) => /^- ([a-z-]+):/.exec(line)?.[1]);
    expect(names).toEqual(
      expect.arrayContaining(["destinations", "keep", "wait", "images", "dockerhub-token"]),
    );
    expect(names.filter((name) => name === "images")).toHaveLength(2);
  });

  test("foreign text in a mistake cannot start a workflow command", () => {
    const message = mistakesOf({ "keep-by": "x\n::add-mask::y" });
    expect(mistakeLines(message)).toHaveLength(1);
    expect(message).not.toContain("::add-mask::");
  });
});

describe("logins", () => {
  test("are read in pairs, without the spaces that copying leaves", () => {
    const inputs = load({
      "dockerhub-username": " bot ",
      "dockerhub-token": "t\n",
      "tcr-username": "u",
      "tcr-password": "p",
      "tcr-secret-id": "i",
      "tcr-secret-key": "k",
    });
    expect(inputs.dockerHubLogin).toEqual({ username: "bot", password: "t" });
    expect(inputs.tcrLogin).toEqual({ username: "u", password: "p" });
    expect(inputs.tencentCloudKey).toEqual({ secretId: "i", secretKey: "k", sessionToken: undefined });
  });

  test.each([
    [{ "dockerhub-username": "hidden" }, "dockerhub-token"],
    [{ "dockerhub-token": "hidden" }, "dockerhub-username"],
    [{ "tcr-username": "hidden" }, "tcr-password"],
    [{ "tcr-password": "hidden" }, "tcr-username"],
    [{ "tcr-secret-id": "hidden" }, "tcr-secret-key"],
    [{ "tcr-secret-key": "hidden" }, "tcr-secret-id"],
  ])("%j alone is a mistake of %s, told without the secret", (given: Given, missing) => {
    const message = mistakesOf(given);
    expect(mistakeLines(message)).toHaveLength(1);
    expect(message).toContain(`- ${missing}: `);
    expect(message).not.toContain("hidden");
  });

  const variables = {
    TENCENTCLOUD_SECRET_ID: "vi",
    TENCENTCLOUD_SECRET_KEY: "vk",
    TENCENTCLOUD_TOKEN: "vt",
  };

  test("the variables of Tencent Cloud's tools serve when no input is set", () => {
    const { tencentCloudKey } = load({}, variables);
    expect(tencentCloudKey).toEqual({ secretId: "vi", secretKey: "vk", sessionToken: "vt" });
  });

  test("inputs win as a whole: no key is mixed with another's session token", () => {
    const { tencentCloudKey } = load({ "tcr-secret-id": "i", "tcr-secret-key": "k" }, variables);
    expect(tencentCloudKey).toEqual({ secretId: "i", secretKey: "k", sessionToken: undefined });
    expect(mistakesOf({ "tcr-session-token": "t" }, variables)).toContain("tcr-secret-id: ");
  });

  test("half a key among the variables is a mistake that names them", () => {
    expect(mistakesOf({}, { TENCENTCLOUD_SECRET_ID: "vi" })).toContain("TENCENTCLOUD_ variables");
  });
});

test("the runner's variables become the event and the folders", () => {
  const inputs = load(
    {},
    {
      GITHUB_EVENT_NAME: "push",
      GITHUB_EVENT_PATH: "/event.json",
      GITHUB_REPOSITORY: "acme/mirror",
      GITHUB_REF_NAME: "v1.0.0",
      GITHUB_REF_TYPE: "tag",
      GITHUB_API_URL: "https://ghe.example/api/v3",
      RUNNER_TEMP: "/runner/temp",
      HOME: "/home/me",
      PATH: "/usr/bin",
    },
  );
  expect(inputs.event).toEqual({
    name: "push",
    path: "/event.json",
    repository: "acme/mirror",
    refName: "v1.0.0",
    refType: "tag",
  });
  expect(inputs.githubApiUrl.href).toBe("https://ghe.example/api/v3");
  expect(inputs.runner).toEqual({
    temporaryFolder: "/runner/temp",
    stateFolder: "/home/me/.local/state/harbor-release-mirror",
    dockerConfigFolder: "/home/me/.docker",
    searchPath: "/usr/bin",
    helperEnvironment: { HOME: "/home/me", PATH: "/usr/bin" },
  });
  expect(load({}, { DOCKER_CONFIG: "/cfg", HOME: "/home/me" }).runner.dockerConfigFolder).toBe("/cfg");
  expect(load({}, { XDG_STATE_HOME: "/state", HOME: "/home/me" }).runner.stateFolder).toBe(
    "/state/harbor-release-mirror",
  );
});

describe("secrets", () => {
  test("are all that action.yml and the tools of the clouds know, without the spaces that copying leaves", () => {
    const environment = {
      "INPUT_DOCKERHUB-TOKEN": " 1 ",
      "INPUT_TCR-SECRET-ID": "2",
      "INPUT_TCR-SECRET-KEY": "3\n",
      "INPUT_TCR-SESSION-TOKEN": "4",
      "INPUT_TCR-PASSWORD": "5",
      "INPUT_GITHUB-TOKEN": "6",
      TENCENTCLOUD_SECRET_ID: "7",
      TENCENTCLOUD_SECRET_KEY: "8",
      TENCENTCLOUD_TOKEN: "9",
      TENCENTCLOUD_SECURITY_TOKEN: "10",
      AWS_SECRET_ACCESS_KEY: " 11",
      AWS_SESSION_TOKEN: "12",
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "13",
      AWS_ACCESS_KEY_ID: "no secret",
      INPUT_DESTINATIONS: "no secret either",
    };
    const numbers = Array.from({ length: 13 }, (_, index) => String(index + 1));
    expect([...givenSecrets(environment)].sort()).toEqual(numbers.sort());
    expect(givenSecrets({})).toEqual([]);
  });

  test("an input named like one is among them", () => {
    const { inputs } = parse(readFileSync("action.yml", "utf8")) as { inputs: Record<string, unknown> };
    for (const name of Object.keys(inputs).filter((each) => /(?:token|password|secret-\w+)$/.test(each))) {
      expect([name, givenSecrets({ [`INPUT_${name.toUpperCase()}`]: "a secret" })]).toEqual([
        name,
        ["a secret"],
      ]);
    }
  });
});

describe("the copy engine's limits", () => {
  test.each([
    ["500MB", 500_000_000],
    ["1.5 GB", 1_500_000_000],
    ["2TB", 2_000_000_000_000],
  ])("spool-limit %s", (text, bytes) => {
    expect(load({ "spool-limit": text }).spoolLimit).toBe(bytes);
  });

  test.each(["8", "8GiB", "-1GB", "10MB", "lots"])("spool-limit %s is a mistake", (text) => {
    expect(() => load({ "spool-limit": text })).toThrow(/spool-limit: .*Example: 8GB/s);
  });

  test("congestion-control is auto, bbr or leave", () => {
    for (const choice of ["auto", "bbr", "leave"])
      expect(load({ "congestion-control": choice }).congestionControl).toBe(choice);
    expect(() => load({ "congestion-control": "cubic" })).toThrow(/congestion-control: .*none of auto, bbr/);
  });

  test.each(["download-connections", "upload-connections"])("%s: a number pins it, auto does not", (name) => {
    const of = (text: string) => {
      const { downloadConnections, uploadConnections } = load({ [name]: text });
      return name === "download-connections" ? downloadConnections : uploadConnections;
    };
    expect(of("7")).toBe(7);
    expect(of("auto")).toBeUndefined();
    for (const wrong of ["0", "65", "many", "1.5"]) expect(() => of(wrong)).toThrow(name);
  });
});
