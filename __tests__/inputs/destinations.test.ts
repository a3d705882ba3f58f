import { describe, expect, test } from "vitest";
import { parseDestinations } from "../../src/inputs/destinations.ts";
import { vendorIds } from "../../src/vendors/vendor.ts";
import { load, mistakeLines, mistakesOf } from "../support/given-inputs.ts";

describe("destinations", () => {
  const keep3 = { keep: 3, keepBy: "semver" };
  test.each([
    [
      "docker.io/goharbor",
      { registry: "docker.io", type: "docker-hub", retention: { keep: "all", keepBy: "semver" } },
    ],
    ["docker.io/goharbor,keep=5", { type: "docker-hub", retention: { keep: 5, keepBy: "semver" } }],
    ["registry-1.docker.io/goharbor", { registry: "docker.io", type: "docker-hub" }],
    ["registry.hub.docker.com/goharbor", { registry: "docker.io", type: "docker-hub" }],
    [
      "Acme.TencentCloudCR.com/goharbor",
      { registry: "acme.tencentcloudcr.com", type: "tcr", retention: keep3 },
    ],
    ["acme-vpc.tencentcloudcr.com:443/goharbor", { registry: "acme-vpc.tencentcloudcr.com", type: "tcr" }],
    ["tencentcloudcr.com.evil.example/goharbor", { type: "distribution" }],
    ["eviltencentcloudcr.com/goharbor", { type: "distribution" }],
    [
      "quay.io/a/b/c , keep-by = minor , keep=all",
      { path: "a/b/c", retention: { keep: "all", keepBy: "minor" } },
    ],
    [
      "localhost:5000/x,type=docker-hub,api=http://localhost:5001",
      { type: "docker-hub", api: new URL("http://localhost:5001") },
    ],
    [
      "images.acme.example/x,type=tcr,registry-id=tcr-abc123,region=ap-guangzhou,public=true",
      {
        type: "tcr",
        registryId: "tcr-abc123",
        region: "ap-guangzhou",
        public: true,
      },
    ],
    [
      "a.tencentcloudcr.com/x,api=https://tcr.intl.tencentcloudapi.com",
      {
        api: new URL("https://tcr.intl.tencentcloudapi.com"),
        public: false,
      },
    ],
    ["quay.io/a", { attestations: true }],
    ["quay.io/a,attestations=false", { attestations: false }],
    ["docker.io/a,attestations=false", { type: "docker-hub", attestations: false }],
    ["quay.io/a", { tokenServer: undefined }],
    ["quay.io/a,token-server=auth.example.com", { tokenServer: new URL("https://auth.example.com") }],
    [
      "quay.io/a,token-server=https://Auth.example.com:8443/",
      { tokenServer: new URL("https://auth.example.com:8443") },
    ],
    ["quay.io/a,token-server=127.0.0.1:5001", { tokenServer: new URL("http://127.0.0.1:5001") }],
    ["quay.io/a,token-server=https://localhost:5001", { tokenServer: new URL("https://localhost:5001") }],
    ["# mirror in China\n\na.tencentcloudcr.com/x # paid by us", { registry: "a.tencentcloudcr.com" }],
  ])("%j", (line, expected) => {
    const { destinations } = load({ destinations: line });
    expect(destinations).toHaveLength(1);
    expect(destinations[0]).toMatchObject(expected);
  });

  test("one that another mechanism fills keeps all, whatever the keep input says", () => {
    const given = { destinations: "quay.io/a,filled-by=sync,attestations=false", keep: "3" };
    expect(load(given).destinations).toMatchObject([
      { filledBySync: true, attestations: false, retention: { keep: "all", keepBy: "semver" } },
    ]);
  });

  test("Docker Hub keeps all whatever the keep input says, and inherits keep-by", () => {
    const { destinations, retention } = load({
      destinations: "docker.io/a\nquay.io/a",
      keep: "2",
      "keep-by": "published",
    });
    expect(destinations.map((one) => one.retention)).toEqual([
      { keep: "all", keepBy: "published" },
      { keep: 2, keepBy: "published" },
    ]);
    expect(retention).toEqual({ keep: 2, keepBy: "published" });
  });

  const images = "registry.example.com/b/app:1.0 => app:1.0";

  test.each([
    ["takes that of the source", { source: "ghcr.io/acme/shop" }, "acme/shop"],
    ["takes that of the first source", { source: "ghcr.io/acme\ndocker.io/acmeinc" }, "acme"],
    ["takes that of the images that name their registry", { images }, "b"],
    ["has none where the source is a registry alone", { source: "r.example.com", images: "team/app" }, ""],
  ])("without a namespace it %s", (_what, inputs, path) => {
    expect(load({ destinations: "harbor.example.com,keep=2", ...inputs }).destinations[0]).toMatchObject({
      registry: "harbor.example.com",
      path,
      retention: { keep: 2, keepBy: "semver" },
    });
  });

  test("Docker Hub and TCR take a namespace as well", () => {
    const destinations = "docker.io\nacme.tencentcloudcr.com\nccr.ccs.tencentyun.com";
    const { destinations: read } = load({ destinations, source: "ghcr.io/goharbor" });
    expect(read.map(({ path }) => path)).toEqual(["goharbor", "goharbor", "goharbor"]);
  });

  test.each(["docker.io", "ccr.ccs.tencentyun.com"])(
    "%s needs a namespace where the source has none",
    (destinations) => {
      expect(mistakesOf({ destinations, source: "r.example.com", images: "team/app" })).toContain(
        `${destinations}: it needs a namespace`,
      );
    },
  );

  test("an instance of TCR as a whole takes images that have a namespace of their own", () => {
    const whole = { destinations: "acme.tencentcloudcr.com", source: "r.example.com" };
    expect(load({ ...whole, images: "team/app" }).destinations[0]).toMatchObject({ type: "tcr", path: "" });
    const all = load({ ...whole, images: "**", "versions-from": "tags" });
    expect(all.destinations[0]).toMatchObject({ type: "tcr", path: "" });
    const told = "has no namespace, and at acme.tencentcloudcr.com an image needs one";
    expect(mistakesOf({ ...whole, images: "team/app\nteam/web => web" })).toContain(`images: web ${told}`);
    expect(mistakesOf(whole)).toContain("images: Harbor's images have no namespace of their own: name one");
  });

  test("images of several namespaces give none, as nothing tells which is meant", () => {
    const several = `${images}\nregistry.example.com/c/web:1.0`;
    expect(mistakesOf({ destinations: "harbor.example.com", images: several })).toContain(
      "they are of several (b, c): name one",
    );
    expect(load({ destinations: "harbor.example.com/a", images: several }).destinations).toHaveLength(1);
  });

  test.each([
    [{ source: "r.example.com", images: "team/app => app" }, "team/app of r.example.com"],
    [{ images: "r.example.com/x/app:1 => app", destinations: "r.example.com/x" }, undefined],
    [{ source: "r.example.com/team/deep", images: "app => deep/app" }, "app of r.example.com/team/deep"],
    [{ source: "other.example.com", images: "team/app => app" }, undefined],
    [{ source: "r.example.com", images: "team/app" }, undefined],
  ])("a repository that would be its own copy is a mistake: %j", (inputs, what) => {
    const all = { destinations: "r.example.com/team", ...inputs };
    if (what === undefined) expect(load(all).destinations).toHaveLength(1);
    else expect(mistakesOf(all)).toContain(`${what} is what r.example.com/team has as`);
  });

  test("two lines that take the same are one too many", () => {
    const destinations = "harbor.example.com\nharbor.example.com/goharbor";
    expect(mistakesOf({ destinations, source: "ghcr.io/goharbor" })).toContain(
      "harbor.example.com/goharbor is given more than once",
    );
  });

  test.each([...vendorIds, "registry"] as const)("type=%s wins over what the host name tells", (type) => {
    const hosts = ["registry.example.com", "quay.io", "docker.io", "a.tencentcloudcr.com", "ghcr.io"];
    const lines = hosts.map((host) => `${host}/a,type=${type}`);
    // Some types ask for `api=` at another host, which is told beside.
    const read = parseDestinations(lines.join("\n"), { keep: 3, keepBy: "semver" }, ["a"], () => {});
    expect(read.map((destination) => destination.type)).toEqual(hosts.map(() => type));
  });

  test.each([
    ["quay.io", "quay"],
    ["ghcr.io", "ghcr"],
    ["ccr.ccs.tencentyun.com", "tcr-personal"],
    ["registry.cn-hangzhou.aliyuncs.com", "alibaba"],
    ["registry.example.com", "distribution"],
  ])("the name %s is of the type %s", (host, type) => {
    expect(load({ destinations: `${host}/a` }).destinations[0]?.type).toBe(type);
  });

  test("a plain registry at a host of Docker Hub or TCR is not what the host name alone says", () => {
    const lines = ["docker.io", "a.tencentcloudcr.com", "ccr.ccs.tencentyun.com"].map((host) => `${host}/a`);
    const types = (text: string) => load({ destinations: text }).destinations.map(({ type }) => type);
    expect(types(lines.join("\n"))).toEqual(["docker-hub", "tcr", "tcr-personal"]);
    const plain = lines.map((line) => `${line},type=registry`);
    expect(types(plain.join("\n"))).toEqual(["registry", "registry", "registry"]);
    for (const line of plain)
      expect(mistakeLines(mistakesOf({ destinations: `${line},api=https://api.example.com` }))).toEqual([
        expect.stringContaining("api means nothing for this registry"),
      ]);
  });

  test("Docker Hub keeps all as a plain registry, too", () => {
    const { destinations } = load({
      destinations: "docker.io/a,type=registry\ndocker.io/b,type=registry,keep=2",
    });
    expect(destinations.map(({ retention }) => retention.keep)).toEqual(["all", 2]);
  });

  test("an API of its own can be named for a registry that has one elsewhere", () => {
    const api = "https://api.example.com";
    const [ghcr, ecr] = load({
      destinations: `ghcr.io/a,api=${api}\nregistry.example.com/a,type=ecr,api=${api}`,
    }).destinations;
    expect([ghcr?.api?.href, ecr?.api?.href]).toEqual([`${api}/`, `${api}/`]);
  });

  test("the same path on two registries, and two paths on one, are different places", () => {
    expect(load({ destinations: "docker.io/a\nquay.io/a\nquay.io/b" }).destinations).toHaveLength(3);
  });

  test.each([
    ["", "is empty"],
    ["# nothing", "is empty"],
    ["goharbor", "not of the form"],
    ["https://docker.io/goharbor", "not of the form"],
    ["docker.io/GoHarbor", "not of the form"],
    ["docker.io/a/b", "no namespaces inside"],
    ["docker.io/a\nindex.docker.io/a,keep=3", "more than once"],
    ["docker.io/a\ndocker.io:443/a", "docker.io/a is given more than once"],
    ["r.example.com/a\nr.example.com:443/a", "r.example.com/a is given more than once"],
    ["localhost/a\nlocalhost:80/a", "localhost/a is given more than once"],
    [
      "hub.example.com/a,type=docker-hub",
      "type=docker-hub for another host needs api=, the API that may have the login of hub.example.com",
    ],
    ["github.example.com/a,type=ghcr", "type=ghcr for another host needs api="],
    ["quay.io/a,keep", "name=value"],
    ["quay.io/a,", "name=value"],
    ["quay.io/a,keep=", "name=value"],
    ["quay.io/a,kep=3", "no attribute"],
    ["quay.io/a,__proto__=3", "no attribute"],
    ["quay.io/a,keep=3,keep=4", "more than once"],
    ["quay.io/a,keep=0", "whole number"],
    ["quay.io/a,keep-by=age", "none of"],
    ["quay.io/a,type=quai", "none of"],
    ["quay.io/a,public=true", "means nothing for a destination of type quay, only for tcr"],
    ["a.tencentcloudcr.com/a,type=registry,public=true", "means nothing for a destination of type registry"],
    ["a.tencentcloudcr.com/a,type=harbor,region=ap-guangzhou", "only for tcr and tcr-personal"],
    ["quay.io/a,api=https://quay.io", "means nothing"],
    ["docker.io/a,region=ap-guangzhou", "means nothing"],
    ["a.tencentcloudcr.com/x,public=yes", "neither true nor false"],
    ["quay.io/a,attestations=no", "neither true nor false"],
    ["quay.io/a,filled-by=replication", "none of sync"],
    ["quay.io/a,filled-by=sync,keep=3", "quay.io/a: keep means nothing with filled-by=sync"],
    ["quay.io/a,keep-by=minor,filled-by=sync", "keep-by means nothing with filled-by=sync"],
    ["a.tencentcloudcr.com/x,filled-by=sync,public=true", "public means nothing with filled-by=sync"],
    [
      "quay.io/a,token-server=http://auth.example.com",
      "quay.io/a: token-server would get the login over http://",
    ],
    ["quay.io/a,token-server=ftp://auth.example.com", "over ftp://"],
    ["quay.io/a,token-server=https://auth.example.com/token", "without a user, a path or a query"],
    ["quay.io/a,token-server=https://auth.example.com?x", "without a user, a path or a query"],
    ["quay.io/a,token-server=*.example.com", "not the name of a host"],
    ["quay.io/a,token-server=auth example", "not the name of a host"],
    ["quay.io/a,token-server=a,token-server=b", "more than once"],
    ["a.tencentcloudcr.com/x,api=http://tcr.tencentcloudapi.com", "needs https://"],
    ["a.tencentcloudcr.com/x,api=tcr.tencentcloudapi.com", "https://"],
    ["a.tencentcloudcr.com/x,region=ap/../x", "small letters"],
    ["a.tencentcloudcr.com/x,registry-id=a.b", "small letters"],
  ])("%j is a mistake: %s", (line, problem) => {
    const lines = mistakeLines(mistakesOf({ destinations: line }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(problem);
    expect(lines[0]).toMatch(/^- destinations: .*Example: .*tencentcloudcr\.com/);
  });

  test("a password in the address of a token server is not repeated", () => {
    const line = "quay.io/a,token-server=https://bot:hunter2@auth.example.com";
    expect(mistakesOf({ destinations: line })).not.toContain("hunter2");
  });
});
