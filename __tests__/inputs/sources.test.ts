import { describe, expect, it } from "vitest";
import { load, mistakeLines, mistakesOf } from "../support/given-inputs.ts";

const images = { images: "harbor" };

describe("a chart repository as source", () => {
  it.each([
    ["https://helm.goharbor.io", "https://helm.goharbor.io"],
    ["https://Helm.goharbor.io/", "https://helm.goharbor.io"],
    ["https://helm.goharbor.io/index.yaml", "https://helm.goharbor.io"],
    ["https://example.github.io/My-Charts", "https://example.github.io/My-Charts"],
    [
      "https://harbor.example.com:8443/chartrepo/library",
      "https://harbor.example.com:8443/chartrepo/library",
    ],
    ["https://a.tencentcloudcr.com/chartrepo/team", "https://a.tencentcloudcr.com/chartrepo/team"],
    [
      "https://acme.jfrog.io/artifactory/api/helm/charts",
      "https://acme.jfrog.io/artifactory/api/helm/charts",
    ],
    ["http://127.0.0.1:8080/charts", "http://127.0.0.1:8080/charts"],
  ])("%s is one, whose tags are the versions", (source, registry) => {
    const { sources, versionsFrom, destinations } = load({ source, ...images });
    expect(sources).toEqual([{ registry, path: "", tokenServer: undefined, charts: true }]);
    expect(versionsFrom).toBe("tags");
    expect(destinations[0]?.retention.keep).toBe("all");
  });

  it.each([
    ["oci://ghcr.io/team/charts", { registry: "ghcr.io", path: "team/charts" }],
    ["oci://registry-1.docker.io/bitnamicharts", { registry: "docker.io", path: "bitnamicharts" }],
  ])("%s is a registry", (source, namespace) => {
    const { sources, versionsFrom } = load({ source, ...images });
    expect(sources).toEqual([{ ...namespace, tokenServer: undefined, charts: true }]);
    expect(versionsFrom).toBe("releases");
  });

  it.each([
    [
      "https://artifacthub.io/packages/helm/harbor/harbor",
      "is a page of Artifact Hub, which holds no charts: write the address of the repository that its button Install shows, such as https://helm.goharbor.io",
    ],
    [
      "http://helm.goharbor.io",
      '"http://helm.goharbor.io" would be read over plain HTTP; did you mean https://helm.goharbor.io?',
    ],
    [
      "https://helm.goharbor.io/?token=x",
      "below which index.yaml is; did you mean https://helm.goharbor.io?",
    ],
    ["https://helm.goharbor.io/a//b", "is not the address of a chart repository"],
    ["https://ghcr.io/goharbor", "it begins with a scheme; did you mean ghcr.io/goharbor?"],
    ["https://helm.goharbor.io\nghcr.io/goharbor", "a chart repository and a registry do not go together"],
    [
      "https://helm.goharbor.io\nhttps://helm.goharbor.io/",
      "https://helm.goharbor.io is given more than once",
    ],
  ])("%s is a mistake, told in one sentence", (source, problem) => {
    const lines = mistakeLines(mistakesOf({ source, ...images, "versions-from": "tags" }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(problem);
  });

  it("does not repeat a login in its address", () => {
    const mistake = mistakesOf({ source: "https://me:pass-word@charts.example.com", ...images });
    expect(mistake).toContain("source: ");
    expect(mistake).not.toContain("pass-word");
  });

  it("asks for names of charts", () => {
    expect(mistakesOf({ source: "https://helm.goharbor.io" })).toContain("auto knows the images of releases");
  });
});
