import { expect, test } from "vitest";
import { parse } from "yaml";
import { pullSections } from "../../src/report/pull-sections.ts";
import type { RunResult } from "../../src/report/result.ts";
import { copyStep, dockerHub, harborImages, run, skipStep, tcr } from "./result-builder.ts";

function pulls(result: RunResult): readonly string[] {
  return pullSections(result).flatMap(({ markdown }) => markdown.match(/^docker pull .*$/gm) ?? []);
}

function helmValues(result: RunResult): unknown {
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(pullSections(result)[0]?.markdown ?? "") ?? [];
  return yaml === undefined ? undefined : parse(yaml);
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
