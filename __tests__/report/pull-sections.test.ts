import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { pullSections } from "../../src/report/pull-sections.ts";
import type { RunResult } from "../../src/report/result.ts";
import { imagesInPlace } from "../../src/report/tally.ts";
import { copyStep, dockerHub, harborImages, run, skipStep, tcr } from "./result-builder.ts";

function pulls(result: RunResult): readonly string[] {
  return pullSections(result).flatMap(({ markdown }) => markdown.match(/^docker pull .*$/gm) ?? []);
}

function helmValues(result: RunResult): unknown {
  const lines = blockBelow(result, "Values of the Harbor Helm chart");
  return lines.length === 0 ? undefined : parse(lines.join("\n"));
}

test("each mirror shows the newest version that is complete there", () => {
  const result = run()
    .copied(copyStep({ destination: tcr, version: "v2.15.2" }))
    .plan(skipStep({ destination: tcr, version: "v2.15.1" }))
    .copied(copyStep({ destination: dockerHub, version: "v2.15.2", image: "harbor-core" }))
    .copyFailed(copyStep({ destination: dockerHub, version: "v2.15.2", image: "harbor-db" }), "refused")
    .plan(skipStep({ destination: dockerHub, version: "v2.15.1" }))
    .copyFailed(copyStep({ destination: "ghcr.io/mirror", version: "v2.15.2" }), "refused")
    .build();
  expect(pulls(result)).toEqual([
    "docker pull goharbor.tencentcloudcr.com/goharbor/harbor-core:v2.15.2",
    "docker pull docker.io/goharbor/harbor-core:v2.15.1",
  ]);
});

test("of several routes, each has the newest version that is complete there", () => {
  const ofRoute = (route: string, version: string) => ({ ...copyStep({ image: route, version }), route });
  const result = run("owner/name")
    .copied(ofRoute("team/web", "v2.0.0"))
    .copied(ofRoute("team/api", "v1.1.0"))
    .copied(ofRoute("team/api", "v1.0.0"))
    .build();
  expect(pulls(result)).toEqual([`docker pull ${tcr}/team/web:v2.0.0`, `docker pull ${tcr}/team/api:v1.1.0`]);
  expect(pullSections(result)[0]?.markdown).toContain("</strong> · v2.0.0, v1.1.0</summary>");
});

test("Harbor's chart gets an image for each component that it deploys", () => {
  const builder = run();
  for (const image of harborImages) builder.copied(copyStep({ image }));
  const image = (name: string) => ({ image: { repository: `${tcr}/${name}`, tag: "v2.15.2" } });
  expect(helmValues(builder.build())).toEqual({
    nginx: image("nginx-photon"),
    portal: image("harbor-portal"),
    core: image("harbor-core"),
    jobservice: image("harbor-jobservice"),
    registry: { registry: image("registry-photon"), controller: image("harbor-registryctl") },
    trivy: image("trivy-adapter-photon"),
    database: { internal: image("harbor-db") },
    redis: { internal: image("valkey-photon") },
    exporter: image("harbor-exporter"),
  });
});

test("charts of older releases have their components as well", () => {
  const builder = run();
  const images = ["chartmuseum-photon", "notary-server-photon", "notary-signer-photon", "clair-photon"];
  for (const image of [...images, "clair-adapter-photon"])
    builder.copied(copyStep({ image, version: "v2.1.0" }));
  const image = (name: string) => ({ image: { repository: `${tcr}/${name}`, tag: "v2.1.0" } });
  expect(helmValues(builder.build())).toEqual({
    chartmuseum: image("chartmuseum-photon"),
    notary: { server: image("notary-server-photon"), signer: image("notary-signer-photon") },
    clair: { clair: image("clair-photon"), adapter: image("clair-adapter-photon") },
  });
});

test("the cache of releases up to v2.15.1 has the same key, and a tag stays a text", () => {
  const values = helmValues(
    run()
      .copied(copyStep({ image: "redis-photon", tag: "2.15" }))
      .build(),
  );
  expect(values).toEqual({
    redis: { internal: { image: { repository: `${tcr}/redis-photon`, tag: "2.15" } } },
  });
});

test.each([
  ["another repository", run("owner/name").copied(copyStep())],
  ["images that the chart does not have", run().copied(copyStep({ image: "prepare" }))],
])("no Helm values for %s", (_what, builder) => {
  const result = builder.build();
  expect(pulls(result)).toHaveLength(1);
  expect(helmValues(result)).toBeUndefined();
});

/** What is folded below a title. */
function foldBelow(result: RunResult, title: string): string {
  const text = pullSections(result)
    .map(({ markdown }) => markdown)
    .join("\n");
  const [, fold = ""] = text.split(`<summary>${title}`);
  return fold.slice(0, fold.indexOf("</details>"));
}

/** The lines of the code block below a title. */
function blockBelow(result: RunResult, title: string): readonly string[] {
  const [, block] = /```[a-z]+\n([\s\S]*?)\n```/.exec(foldBelow(result, title)) ?? [];
  return block?.split("\n") ?? [];
}

const at = (destination: string): RunResult =>
  run()
    .copied(copyStep({ destination, image: "harbor-core" }))
    .copied(copyStep({ destination, image: "prepare" }))
    .build();

const settings = ["Names for the Harbor installer", "containerd: read", "Docker: read"] as const;
const conf = "Podman, CRI-O, Buildah, Skopeo: read";

test("the images get the names that Harbor's installer looks for", () => {
  expect(blockBelow(at("registry.example.com/mirror"), settings[0])).toEqual([
    "docker tag registry.example.com/mirror/harbor-core:v2.15.2 goharbor/harbor-core:v2.15.2",
    "docker tag registry.example.com/mirror/prepare:v2.15.2 goharbor/prepare:v2.15.2",
  ]);
});

test("a mirror of the same namespace stands in for Docker Hub, in containerd and Docker", () => {
  expect(blockBelow(at(tcr), settings[1])).toEqual([
    'server = "https://registry-1.docker.io"',
    "",
    '[host."https://goharbor.tencentcloudcr.com"]',
    '  capabilities = ["pull", "resolve"]',
  ]);
  expect(JSON.parse(blockBelow(at(tcr), settings[2]).join("\n"))).toEqual({
    "registry-mirrors": ["https://goharbor.tencentcloudcr.com"],
  });
  expect(blockBelow(at("localhost:5000/goharbor"), settings[1])).toContain('[host."http://localhost:5000"]');
});

test("below another path, containerd alone can be told; with another namespace, neither", () => {
  const below = at("registry.example.com/team/goharbor");
  expect(blockBelow(below, settings[1]).slice(2)).toEqual([
    '[host."https://registry.example.com/v2/team"]',
    '  capabilities = ["pull", "resolve"]',
    "  override_path = true",
  ]);
  expect(blockBelow(below, settings[2])).toEqual([]);
  expect(foldBelow(below, settings[2])).toContain("it cannot be told to look there");
  const renamed = at("registry.example.com/my-goharbor");
  for (const title of settings.slice(1)) {
    expect(blockBelow(renamed, title)).toEqual([]);
    expect(foldBelow(renamed, title)).toContain("it cannot be told to look there");
  }
});

test("registries.conf and OpenShift mirror a namespace by any other", () => {
  const renamed = at("registry.example.com/my-goharbor");
  expect(blockBelow(renamed, conf)).toEqual([
    "[[registry]]",
    'location = "docker.io/goharbor"',
    "",
    "[[registry.mirror]]",
    'location = "registry.example.com/my-goharbor"',
  ]);
  expect(blockBelow(at("localhost:5000/mirror"), conf).at(-1)).toBe("insecure = true");
  const mirrored = {
    source: "docker.io/goharbor",
    mirrors: ["registry.example.com/my-goharbor"],
    mirrorSourcePolicy: "AllowContactingSource",
  };
  const ofOpenShift = { apiVersion: "config.openshift.io/v1", metadata: { name: "docker-io-goharbor" } };
  const blocks = foldBelow(renamed, "OpenShift: read").matchAll(/```yaml\n([\s\S]*?)```/g);
  expect([...blocks].map(([, yaml = ""]) => parse(yaml))).toEqual([
    { ...ofOpenShift, kind: "ImageTagMirrorSet", spec: { imageTagMirrors: [mirrored] } },
    { ...ofOpenShift, kind: "ImageDigestMirrorSet", spec: { imageDigestMirrors: [mirrored] } },
  ]);
});

test("where Harbor's users look anyway, nothing has to be set; another namespace of Docker Hub needs the names", () => {
  for (const title of settings) expect(blockBelow(at(dockerHub), title)).toEqual([]);
  const other = at("docker.io/mirror");
  expect(blockBelow(other, settings[0])).toHaveLength(2);
  for (const title of settings.slice(1)) expect(blockBelow(other, title)).toEqual([]);
  expect(blockBelow(other, conf)).toContain('location = "docker.io/mirror"');
});

describe("another repository's images get the pull lines, and the settings for where they came from", () => {
  const hosts = (result: RunResult) => blockBelow(result, "containerd: read");

  test("if all came from one namespace, under the names that they have there", () => {
    const result = run("owner/name")
      .copied(copyStep())
      .copied(copyStep({ image: "harbor-db" }))
      .build();
    expect(hosts(result)).toEqual([
      'server = "https://ghcr.io"',
      "",
      '[host."https://goharbor.tencentcloudcr.com"]',
      '  capabilities = ["pull", "resolve"]',
    ]);
    expect(foldBelow(result, "containerd: read")).toContain("/etc/containerd/certs.d/ghcr.io/hosts.toml");
    expect(foldBelow(result, "Docker: read")).toContain("images of Docker Hub alone");
    expect(foldBelow(result, "Names for the Harbor installer")).toBe("");
  });

  test.each([
    [
      "renamed",
      { ...copyStep({ image: "web" }), source: { ...copyStep().source, repository: "goharbor/site" } },
    ],
    [
      "of another source",
      {
        ...copyStep({ image: "web" }),
        source: { ...copyStep({ image: "web" }).source, source: { registry: "quay.io", path: "goharbor" } },
      },
    ],
    ["in place already, so that its source is not known", skipStep({ image: "web" })],
  ])("none where an image is %s", (_what, step) => {
    const builder = run("owner/name").copied(copyStep());
    const result = (step.kind === "copy" ? builder.copied(step) : builder.plan(step)).build();
    expect(pulls(result)).toHaveLength(2);
    expect(pullSections(result)[0]?.markdown.match(/<details>/g)).toHaveLength(1);
  });
});

describe("a chart", () => {
  const commands = (result: RunResult) => pullSections(result).map(({ markdown }) => markdown);

  test("is pulled and installed by Helm, a + in its version as it was", () => {
    const [markdown = ""] = commands(
      run("https://charts.example.com")
        .copied(copyStep({ image: "team/shop", version: "1.2.0_build.7", isChart: true }))
        .build(),
    );
    expect(markdown).toContain(`helm pull oci://${tcr}/team/shop --version 1.2.0+build.7`);
    expect(markdown).toContain(`helm install shop oci://${tcr}/team/shop --version 1.2.0+build.7`);
    expect(markdown).toContain("<code>helm registry login goharbor.tencentcloudcr.com</code> comes first");
    expect(markdown).not.toMatch(/docker pull|containerd|mirror\.yaml/);
  });

  test("that is in place is one as well", () => {
    const step = { ...skipStep({ image: "shop", version: "1.2.0" }), isChart: true } as const;
    expect(commands(run("https://charts.example.com").plan(step).build())[0]).toContain(
      `helm pull oci://${tcr}/shop --version 1.2.0`,
    );
  });

  test("of Harbor stands beside its images: the values go with it", () => {
    const [markdown = ""] = commands(
      run("images, chart")
        .copied(copyStep({ image: "harbor-core" }))
        .copied({ ...copyStep({ image: "harbor", version: "v2.15.2", tag: "1.19.2", isChart: true }) })
        .build(),
    );
    expect(markdown).toContain(
      `docker pull ${tcr}/harbor-core:v2.15.2\nhelm pull oci://${tcr}/harbor --version 1.19.2`,
    );
    expect(markdown).toContain(
      `helm upgrade --install harbor oci&#58;//${tcr}/harbor --version 1.19.2 --values mirror.yaml`,
    );
    expect(markdown).toContain("docker login");
  });

  test("of Harbor alone says where its values are", () => {
    const [markdown = ""] = commands(
      run("https://helm.goharbor.io")
        .copied(copyStep({ image: "harbor", version: "1.19.2", isChart: true }))
        .build(),
    );
    expect(markdown).toContain("the summary of the run that mirrors the images has that file");
  });

  test("is named by its type in the output images", () => {
    const result = run("https://charts.example.com")
      .copied(copyStep({ image: "shop", version: "1.2.0", isChart: true }))
      .copied(copyStep({ image: "app", version: "1.2.0" }))
      .build();
    expect(imagesInPlace(result).map(({ image, artifactType }) => [image, artifactType])).toEqual([
      ["shop", "application/vnd.cncf.helm.config.v1+json"],
      ["app", undefined],
    ]);
  });
});
