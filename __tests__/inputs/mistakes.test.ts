/** What a new user gets wrong, input by input, and what the message says that was meant. */
import { describe, expect, test } from "vitest";
import { givenSecrets } from "../../src/inputs/inputs.ts";
import { rememberSecret, withoutSecrets } from "../../src/log/secrets.ts";
import { load, mistakeLines, mistakesOf } from "../support/given-inputs.ts";

/** A value, and what was meant by it; undefined: nobody can tell. */
type Slip = readonly [input: string, given: string, meant: string | undefined];

const places: readonly Slip[] = [
  ["destinations", "docker.io/goharbor,kepp=3", "keep"],
  ["destinations", "docker.io/goharbor,keep_by=minor", "keep-by"],
  ["destinations", "docker.io/goharbor keep=3", "docker.io/goharbor,keep=3"],
  ["destinations", "docker.io/goharbor;keep=3", "docker.io/goharbor,keep=3"],
  ["destinations", "docker.io/goharbor, keep: 3", "keep=3"],
  ["destinations", "docker.io/goharbor,keep 3", "keep=3"],
  ["destinations", "docker.io/goharbor,keep=All", "all"],
  ["destinations", "docker.io/goharbor,keep=latest 3", "3"],
  ["destinations", "docker.io/goharbor,keep=0", undefined],
  ["destinations", "docker.io/goharbor,keep=none", undefined],
  ["destinations", "docker.io/goharbor,keep-by=date", "published"],
  ["destinations", '"docker.io/goharbor"', "docker.io/goharbor"],
  ["destinations", "'docker.io/goharbor,keep=3'", "docker.io/goharbor,keep=3"],
  ["destinations", "- docker.io/goharbor", "docker.io/goharbor"],
  [
    "destinations",
    "- docker.io/goharbor,keep=3\n- ghcr.io/me",
    "a line each for docker.io/goharbor,keep=3 and ghcr.io/me",
  ],
  [
    "destinations",
    '["docker.io/goharbor", "ghcr.io/me"]',
    "a line each for docker.io/goharbor and ghcr.io/me",
  ],
  ["destinations", "docker.io/goharbor ghcr.io/me", "a line each for docker.io/goharbor and ghcr.io/me"],
  ["destinations", "docker.io/goharbor,ghcr.io/me", "a line each for docker.io/goharbor and ghcr.io/me"],
  ["destinations", "docker.io/goharbor; ghcr.io/me", "a line each for docker.io/goharbor and ghcr.io/me"],
  ["destinations", "dockerhub/goharbor,keep=3", "docker.io/goharbor,keep=3"],
  ["destinations", "docker-hub/goharbor", "docker.io/goharbor"],
  ["destinations", "dockerhub", "docker.io"],
  ["destinations", "ghcr/goharbor", "ghcr.io/goharbor"],
  ["destinations", "quay/goharbor", "quay.io/goharbor"],
  ["destinations", "github.com/me", "ghcr.io/me"],
  ["destinations", "hub.docker.com/r/goharbor/harbor-core", "docker.io/goharbor"],
  ["destinations", "https://hub.docker.com/u/goharbor", "docker.io/goharbor"],
  ["destinations", "https://hub.docker.com/repository/docker/goharbor/harbor-core", "docker.io/goharbor"],
  ["destinations", "https://index.docker.io/v1/goharbor", "docker.io/goharbor"],
  ["destinations", "docker.io/goharbor/harbor-core,keep=3", "docker.io/goharbor,keep=3"],
  ["destinations", "docker.io/goharbor/harbor-core:v2.15.2", "docker.io/goharbor"],
  ["destinations", "docker.io/goharbor:latest", "docker.io/goharbor"],
  ["destinations", "https://ghcr.io/MyOrg/", "ghcr.io/myorg"],
  ["destinations", "http://localhost:5000/me", "localhost:5000/me"],
  ["destinations", "goharbor.tencentcloudcr.com/goharbor,public=yes", "true"],
  ["destinations", "goharbor.tencentcloudcr.com/goharbor,Public=true", "public"],
  ["destinations", "ghcr.io/me,type=ghrc", "ghcr"],
  [
    "source",
    "ghcr.io/goharbor docker.io/goharbor",
    "a line each for ghcr.io/goharbor and docker.io/goharbor",
  ],
  [
    "source",
    "ghcr.io/goharbor;docker.io/goharbor",
    "a line each for ghcr.io/goharbor and docker.io/goharbor",
  ],
  ["source", "- ghcr.io/goharbor", "ghcr.io/goharbor"],
  ["source", "dockerhub/goharbor", "docker.io/goharbor"],
  ["source", "docker.io/goharbor/harbor-core:v2.15.2", "docker.io/goharbor"],
];

const versions: readonly Slip[] = [
  ["version", "latest 3", "newest:3"],
  ["version", "latest:3", "newest:3"],
  ["version", "newest 3", "newest:3"],
  ["version", "newest: 3", "newest:3"],
  ["version", "newest=3", "newest:3"],
  ["version", "Newest:3", "newest:3"],
  ["version", "last 3", "newest:3"],
  ["version", "newest:0", undefined],
  ["version", '"v2.15.2"', "v2.15.2"],
  ["version", "[v2.15.2]", "v2.15.2"],
  ["version", "- v2.15.2", "v2.15.2"],
  ["version", "refs/tags/v2.15.2", "v2.15.2"],
  ["version", "tags/v2.15.2", "v2.15.2"],
  ["version", "https://github.com/goharbor/harbor/releases/tag/v2.15.2", "v2.15.2"],
  ["version", "ghcr.io/goharbor/harbor-core:v2.15.2", "v2.15.2"],
  ["version", "v2.15.2 v2.14.4", "v2.15.2, v2.14.4"],
  ["version", "v2.15.2;v2.14.4", "v2.15.2, v2.14.4"],
  ["version", ">=2.14, <2.16", ">=2.14 <2.16"],
  ["version", ">=2.14 and <2.16", ">=2.14 <2.16"],
  ["version", "=>2.14", ">=2.14"],
  ["version", "v2.15.?", "glob:v2.15.?"],
  ["version", "regex:v2\\.1.*", "/v2\\.1.*/"],
  ["version", "/^v2", "/^v2/"],
];

const others: readonly Slip[] = [
  ["repository", "goharbor/harbor/", "goharbor/harbor"],
  ["repository", "github.com/goharbor/harbor", "goharbor/harbor"],
  ["repository", "goharbor\\harbor", "goharbor/harbor"],
  ["repository", "goharbor/harbor@v2.15.2", "goharbor/harbor"],
  ["repository", '"goharbor/harbor"', "goharbor/harbor"],
  ["repository", "harbor", undefined],
  ["images", "Auto", "auto"],
  ["images", "harbor-core, harbor-db", "a line each for harbor-core and harbor-db"],
  ["images", "- harbor-core\n- harbor-db", "a line each for harbor-core and harbor-db"],
  ["images", '["harbor-core", "harbor-db"]', "a line each for harbor-core and harbor-db"],
  ["images", '"harbor-core"', "harbor-core"],
  ["images", "harbor-core -> core", "harbor-core => core"],
  ["images", "harbor-core as core", "harbor-core => core"],
  ["images", "harbor-core:{{Tag}}", "{{tag}}"],
  ["images", "https://ghcr.io/goharbor/harbor-core", "ghcr.io/goharbor/harbor-core"],
  ["images", "harbor-core:", "{{tag}}"],
  ["images", "harbor-core:{tag}", "{{tag}}"],
  ["images", "harbor-core:v<version>-alpine", "v{{version}}-alpine"],
  ["keep", "latest 3", "3"],
  ["keep", "newest:3", "3"],
  ["keep", "3 versions", "3"],
  ["keep", "All", "all"],
  ["keep", "unlimited", "all"],
  ["keep", "0", undefined],
  ["keep", "none", undefined],
  ["keep", "-1", undefined],
  ["keep-by", "date", "published"],
  ["keep-by", "version", "semver"],
  ["prune-limit", "unlimited", "all"],
  ["prereleases", '"true"', "true"],
  ["prereleases", "on", "true"],
  ["overwrite", "no", "false"],
  ["verify", "true", "full"],
  ["verify", "false", "tags"],
  ["versions-from", "release", "releases"],
  ["versions-from", "registry", "tags"],
  ["platforms", "amd64", "linux/amd64"],
  ["platforms", "x86_64", "linux/amd64"],
  ["platforms", "linux/amd64 linux/arm64", "linux/amd64,linux/arm64"],
  ["platforms", "[linux/amd64, linux/arm64]", "a line each for linux/amd64 and linux/arm64"],
  ["platforms", "All", "all"],
  ["platforms", "macos/arm64", "darwin/arm64"],
  ["wait", "1 hour", "1h"],
  ["wait", "1.5h", "90m"],
  ["wait", "1d", "24h"],
  ["wait", "no", "0"],
  ["wait", "500ms", undefined],
  ["spool-limit", "8GiB", "8GB"],
  ["spool-limit", "8,5 GB", "8.5GB"],
  ["spool-limit", "8000000000", "8000MB"],
  ["download-connections", "Auto", "auto"],
  ["upload-connections", "100", "64"],
  ["congestion-control", "off", "leave"],
  ["congestion-control", "true", "bbr"],
  ["dry-run", "yes", "true"],
  ["check", "1", "true"],
  ["mode", "full", "all"],
];

describe("a slip names what was meant", () => {
  test.each([...places, ...versions, ...others])("%s: %j: %s", (input, given, meant) => {
    const lines = mistakeLines(mistakesOf({ [input]: given }));
    expect(lines.length).toBeGreaterThan(0);
    const [, said] = /; did you mean (.*)\? Example: /s.exec(lines.join("\n")) ?? [];
    expect(said).toBe(meant);
  });

  /** The message does not lead from one mistake to the next. Of some slips it names a part of the line alone. */
  const whole = [...places, ...versions].filter(
    ([, , meant]) => meant !== undefined && /^a line each|[/.:]|newest/.test(meant),
  );
  test.each(whole)("%s: %j: %s is right", (input, _given, meant = "") => {
    const [, items] = /^a line each for (.*)$/.exec(meant) ?? [];
    const value = items === undefined ? meant : items.split(" and ").join("\n");
    expect(mistakesOf({ [input]: value })).toBe("");
  });

  test.each([
    ["self-hosted", '{"default":"self-hosted"}'],
    ['"self-hosted"', '{"default":"self-hosted"}'],
    ['["self-hosted", "guangzhou"]', '{"default":["self-hosted","guangzhou"]}'],
    ["{default: self-hosted}", undefined],
  ])("runs-on: %j: %s", (given, meant) => {
    const [, said] =
      /; did you mean (.*)\? Example: /.exec(mistakesOf({ mode: "plan", "runs-on": given })) ?? [];
    expect(said).toBe(meant);
  });
});

describe("an input under a name that there is not", () => {
  test.each([
    ["destination", "destinations"],
    ["kepp", "keep"],
    ["keep_by", "keep-by"],
    ["dryrun", "dry-run"],
    ["prune-limits", "prune-limit"],
    ["versions", "version"],
    ["sources", "source"],
  ])("%s: %s", (given, meant) => {
    expect(mistakesOf({ [given]: "1", destinations: "" })).toContain(
      `there is no input "${given}"; did you mean ${meant}?`,
    );
  });

  test("is no mistake where it is like no other, or the other is given as well", () => {
    expect(mistakesOf({ colour: "blue", keep: "5", kepp: "1" })).toBe("");
    expect(load({ destination: "elsewhere" }).destinations).toHaveLength(1);
  });
});

test.each([
  '"https://me:hunter2-secret@ghcr.io/me"',
  "- me:hunter2-secret@ghcr.io/me",
  "ghcr.io/me password=hunter2-secret",
  "ghcr.io/me;token=hunter2-secret",
  "'ghcr.io/me,password: hunter2-secret'",
  "dockerhub/me:hunter2-secret@x",
])("the slip in %j makes no message tell a password", (line) => {
  const environment = { INPUT_DESTINATIONS: line };
  for (const secret of givenSecrets(environment)) rememberSecret(secret);
  expect(withoutSecrets(mistakesOf({ destinations: line }))).not.toContain("hunter2-secret");
});
