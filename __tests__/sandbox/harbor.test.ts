import { expect, it } from "vitest";
import {
  componentsOf,
  composeTemplate,
  harborFiles,
  harborReleases,
  seedRelease,
  tagOf,
} from "../../sandbox/harbor.ts";
import { blobsOf, buildImage, digestOf, pushTo, randomBytes } from "../../sandbox/images.ts";
import { startRegistry } from "../../sandbox/registry.ts";

it.each([
  { version: "v1.9.4", count: 14, has: "clair-photon", lacks: "clair-adapter-photon" },
  { version: "v1.10.19", count: 15, has: "clair-adapter-photon", lacks: "trivy-adapter-photon" },
  { version: "v2.1.6", count: 16, has: "trivy-adapter-photon", lacks: "harbor-exporter" },
  { version: "v2.7.4", count: 15, has: "chartmuseum-photon", lacks: "clair-photon" },
  { version: "v2.8.6", count: 14, has: "notary-signer-photon", lacks: "chartmuseum-photon" },
  { version: "v2.14.4", count: 12, has: "redis-photon", lacks: "valkey-photon" },
  { version: "v2.15.2", count: 12, has: "valkey-photon", lacks: "redis-photon" },
])("$version has $count components, with $has, without $lacks", ({ version, count, has, lacks }) => {
  const components = componentsOf(version);
  expect(components).toHaveLength(count);
  expect(components).toContain(has);
  expect(components).not.toContain(lacks);
  const template = composeTemplate(version);
  const images = [...template.matchAll(/image: goharbor\/([^:]+):/g)].map(([, image]) => image);
  expect(["prepare", ...images].sort()).toEqual([...components].sort());
});

it.each([
  ["registry-photon", "v1.8.0", "v2.7.1-patch-2819-v1.8.0"],
  ["clair-adapter-photon", "v1.10.1", "v1.0.1-v1.10.1"],
  ["chartmuseum-photon", "v1.10.1", "v0.9.0-v1.10.1"],
  ["nginx-photon", "v1.10.1", "v1.10.1"],
  ["registry-photon", "v1.10.2", "v1.10.2"],
  ["registry-photon", "v2.15.2", "v2.15.2"],
])("%s of %s has the tag %s", (image, version, tag) => {
  expect(tagOf(image, version)).toBe(tag);
});

it("tells the upstream versions in the Makefile, and has no file at a ref that is no version", () => {
  expect(harborFiles("Makefile", "v1.10.1")).toMatch(/^REGISTRYVERSION=v2\.7\.1-patch-2819-2553$/m);
  expect(harborFiles("Makefile", "main")).toBeUndefined();
  expect(harborFiles("README.md", "v2.15.2")).toBeUndefined();
});

it("knows when releases were published, where that is not when they were made", () => {
  const releases = new Map(harborReleases().map((release) => [release.tag, release]));
  const at = (tag: string) => releases.get(tag)?.publishedAt ?? Number.NaN;
  expect(at("v2.15.2")).toBeGreaterThan(at("v2.14.4"));
  expect(at("v2.14.4")).toBeGreaterThan(at("v2.15.1"));
  expect(releases.get("v2.15.2-rc3")?.prerelease).toBe(true);
});

it("seeds whole releases that share a base layer, and always the same bytes", async () => {
  await using one = await startRegistry();
  await using other = await startRegistry();
  const options = { multiArchitecture: ["nginx-photon", "harbor-exporter"], scale: 0.1 };
  const digests = seedRelease(one, "v2.15.2", options);
  seedRelease(other, "v2.15.2", options);
  expect(one.state()).toEqual(other.state());
  expect(digests.size).toBe(12);
  const problems = one.repositories().flatMap((repository) => one.completeness(repository, "v2.15.2"));
  expect(problems).toEqual([]);
  const core = JSON.parse(String(one.manifest("goharbor/harbor-core", "v2.15.2")?.bytes)) as {
    layers: { digest: string }[];
  };
  expect(core.layers).toHaveLength(10);
  expect(one.hasBlob("goharbor/harbor-db", core.layers[0]?.digest ?? "")).toBe(true);
  const types = ["nginx-photon", "harbor-exporter", "prepare"].map((image) =>
    one.manifest(`goharbor/${image}`, "v2.15.2")?.mediaType.split(".").slice(1, 4).join("."),
  );
  expect(types).toEqual(["docker.distribution.manifest", "oci.image.index", "docker.distribution.manifest"]);
});

it("makes images whose bytes and digests belong together", async () => {
  expect(randomBytes("a", 10)).not.toEqual(randomBytes("b", 10));
  const image = buildImage({
    seed: "x",
    layers: [
      { size: 5, seed: "shared" },
      { size: 7, foreign: true },
    ],
  });
  expect(image.layers[0]?.digest).toBe(digestOf(randomBytes("shared", 5)));
  expect(blobsOf(image).map(({ bytes }) => bytes === undefined)).toEqual([false, false, true]);
  await using registry = await startRegistry();
  expect(pushTo(registry, "a/b", image, "v1")).toBe(image.digest);
  expect(registry.completeness("a/b", "v1")).toEqual([]);
});
