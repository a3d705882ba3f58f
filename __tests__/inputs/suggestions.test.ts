import { describe, expect, test } from "vitest";
import { parseDestinations } from "../../src/inputs/destinations.ts";
import { parseImages } from "../../src/inputs/images.ts";
import { parseSources } from "../../src/inputs/sources.ts";
import { nearest } from "../../src/inputs/suggestions.ts";
import {
  type Mistake,
  parseBoolean,
  parseDuration,
  parseKeepBy,
  parsePlatforms,
  parseRepository,
  parseSize,
  parseVersionInput,
} from "../../src/inputs/values.ts";

const destinations = (text: string, mistake: Mistake) =>
  parseDestinations(text, { keep: 3, keepBy: "semver" }, ["goharbor"], mistake);

function mistakesOf(parse: (text: string, mistake: Mistake) => unknown, text: string): readonly string[] {
  const mistakes: string[] = [];
  parse(text, (problem) => mistakes.push(problem));
  return mistakes;
}

describe("a mistake in an input names what was meant", () => {
  const inputs: Readonly<Record<string, (text: string, mistake: Mistake) => unknown>> = {
    destinations,
    source: parseSources,
    version: parseVersionInput,
    repository: parseRepository,
    images: parseImages,
    platforms: parsePlatforms,
    wait: parseDuration,
    "spool-limit": parseSize,
    "keep-by": parseKeepBy,
    "dry-run": parseBoolean,
  };

  test.each([
    ["destinations", "ghcr.io/MyOrg", "it has capital letters; did you mean ghcr.io/myorg?"],
    ["destinations", "ghcr.io/MyOrg,keep=3", "did you mean ghcr.io/myorg,keep=3?"],
    [
      "destinations",
      "ghcr.io/MyOrg,type=ghcr,keep=3,keep-by=minor,api=https://ghe.example.com/api/v3",
      "did you mean ghcr.io/myorg,type=ghcr,keep=3,keep-by=minor,api=https://ghe.example.com/api/v3?",
    ],
    ["destinations", "ghcr.io/myorg/", "it ends with a slash; did you mean ghcr.io/myorg?"],
    ["destinations", "https://ghcr.io/myorg", "it begins with a scheme; did you mean ghcr.io/myorg?"],
    ["destinations", "oci://ghcr.io/MyOrg/", "a scheme, it ends with a slash, it has capital letters; did"],
    ["destinations", "docker pull ghcr.io/myorg/app:v1", "did you mean ghcr.io/myorg/app?"],
    ["destinations", "ghcr.io/v2/myorg", undefined],
    ["destinations", "ghcr.io//myorg", "did you mean ghcr.io/myorg?"],
    ["destinations", "ghcr.io\\myorg", "did you mean ghcr.io/myorg?"],
    ["destinations", "ghcr.io/myorg/app@sha256:abc", "did you mean ghcr.io/myorg/app?"],
    ["destinations", "2001:db8::1/team", "no brackets; did you mean [2001:db8::1]/team?"],
    ["destinations", "[2001:DB8:0::1]:5000/team", undefined],
    ["destinations", "goharbor", "it has no registry; did you mean docker.io/goharbor?"],
    ["destinations", "https://ghcr.io", "it begins with a scheme; did you mean ghcr.io?"],
    ["destinations", "ghcr.io/my org", "is not of the form <registry>/<namespace>"],
    ["destinations", "ghcr.io/myorg,Keep=3", "did you mean keep?"],
    ["destinations", "ghcr.io/myorg,keepby=semver", "did you mean keep-by?"],
    ["destinations", "ghcr.io/myorg,type=dockerhub", "did you mean docker-hub?"],
    ["source", "https://GHCR.io/goharbor/", "did you mean ghcr.io/goharbor?"],
    [
      "source",
      "https://r.example/a,token-server=b.example",
      "did you mean r.example/a,token-server=b.example?",
    ],
    ["source", "r.example/a,tokenserver=b.example", "did you mean token-server?"],
    ["source", "ghcr.io/a,docker.io/a", "docker.io/a goes on a line of its own"],
    ["destinations", "ghcr.io/a,docker.io/a", "docker.io/a goes on a line of its own"],
    ...[
      "https://auth.b.example/token",
      "auth.b.example/token",
      "HTTPS://bot:word@auth.b.example",
      "http://auth.b.example",
    ].map((given): [string, string, string] => [
      "source",
      `r.example/a,token-server=${given}`,
      "did you mean token-server=auth.b.example?",
    ]),
    ["version", "https://github.com/goharbor/harbor/releases/tag/v2.15.2", "did you mean v2.15.2?"],
    ["version", "v2.15.2 v2.14.4", "did you mean v2.15.2, v2.14.4?"],
    ["version", "v2.15.2; v2.14.4", "did you mean v2.15.2, v2.14.4?"],
    ["repository", "https://github.com/goharbor/harbor", "did you mean goharbor/harbor?"],
    ["repository", "git@github.com:goharbor/harbor.git", "did you mean goharbor/harbor?"],
    ["repository", "https://github.com/goharbor/harbor/releases", "did you mean goharbor/harbor?"],
    ["images", "harbor-core, harbor-db", "did you mean a line each for harbor-core and harbor-db?"],
    ["images", "harbor-core harbor-db:{{tag}}", "a line each for harbor-core and harbor-db:{{tag}}?"],
    ["images", "Harbor-Core", "did you mean harbor-core?"],
    ["images", "harbor-core:{{versoin}}", "did you mean {{version}}?"],
    ["platforms", "linux/armm64", "is no platform that an image can have; did you mean linux/arm64?"],
    ["platforms", "linux/x86_64", "did you mean linux/amd64?"],
    ["platforms", "aarch64", "did you mean linux/arm64?"],
    ["platforms", "amd64", "did you mean linux/amd64?"],
    ["platforms", "linux-amd64", "did you mean linux/amd64?"],
    ["platforms", "linx/amd64", "did you mean linux/amd64?"],
    ["wait", "60", "did you mean 60m?"],
    ["wait", "1h30m", "did you mean 90m?"],
    ["wait", "2 hours", "did you mean 2h?"],
    ["spool-limit", "8gb", "did you mean 8GB?"],
    ["spool-limit", "500M", "did you mean 500MB?"],
    ["keep-by", "Semver", "did you mean semver?"],
    ["keep-by", "publised", "did you mean published?"],
    ["dry-run", "yes", "did you mean true?"],
    ["dry-run", "FALSe", "did you mean false?"],
  ])("%s: %s", (input, text, expected) => {
    const mistakes = mistakesOf(inputs[input] ?? expect.fail(), text);
    if (expected === undefined) expect(mistakes).toEqual([]);
    else expect(mistakes.join()).toContain(expected);
  });

  test("tells no password that stands in the address of a place", () => {
    const [mistake = ""] = mistakesOf(parseSources, "https://user:pass-word@ghcr.io/myorg");
    expect(mistake).toContain("did you mean ghcr.io/myorg?");
    expect(mistake).not.toContain("pass-word");
  });

  test("suggests nothing where several are as near, or none is near", () => {
    expect(nearest("ab", ["ac", "ad"])).toBeUndefined();
    expect(nearest("elephant", ["keep", "type"])).toBeUndefined();
    expect(nearest("tyep", ["keep", "type"])).toBe("type");
  });
});
