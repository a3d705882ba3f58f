/**
 * Releases of the shape of Harbor's: the real tags and dates, component sets, tag forms, layer counts and proportions
 * of sizes, read from https://github.com/goharbor/harbor (tags, `Makefile`, `make/photon/prepare/templates`). The bytes
 * are random, and fewer.
 */
import { readFileSync } from "node:fs";
import type { GitHubRelease } from "./github.ts";
import {
  type Artifact,
  buildImage,
  buildIndex,
  type LayerOptions,
  type PushTarget,
  pushTo,
} from "./images.ts";

/** Moments of publication that differ from the date of the commit, from the GitHub API. Others are not known. */
const publishedAt: ReadonlyMap<string, string> = new Map([
  ["v2.14.3", "2026-03-10T02:52:00Z"],
  ["v2.13.5", "2026-03-10T04:59:00Z"],
  ["v2.15.0", "2026-03-20T04:36:00Z"],
  ["v2.15.1", "2026-05-06T08:48:00Z"],
  ["v2.14.4", "2026-05-11T04:08:00Z"],
]);

/** All tags of Harbor that are versions, odd spellings included, as releases; oldest first. */
export function harborReleases(): readonly (GitHubRelease & { readonly createdAt: number })[] {
  return readData<{ tag: string; date: string }[]>("harbor-tags.json").map(({ tag, date }) => ({
    tag,
    prerelease: tag.includes("-"),
    publishedAt: Date.parse(publishedAt.get(tag) ?? date),
    createdAt: Date.parse(date),
  }));
}

/** The images of a Harbor version (`v2.15.2`), in the order of the table. */
export function componentsOf(version: string): readonly string[] {
  const components =
    readData<{ image: string; since: string; until: string | null }[]>("harbor-components.json");
  return components
    .filter(
      ({ since, until }) => compare(since, version) <= 0 && (until === null || compare(version, until) <= 0),
    )
    .map(({ image }) => image);
}

/** Up to 1.10.1 these images carry the version of what is inside, then Harbor's own. */
const upstreamVariables: ReadonlyMap<string, string> = new Map([
  ["registry-photon", "REGISTRYVERSION"],
  ["notary-server-photon", "NOTARYVERSION"],
  ["notary-signer-photon", "NOTARYVERSION"],
  ["clair-photon", "CLAIRVERSION"],
  ["clair-adapter-photon", "CLAIRADAPTERVERSION"],
  ["chartmuseum-photon", "CHARTMUSEUMVERSION"],
]);

/** The tag of a component in a version: the version itself, but for some images up to 1.10.1. */
export function tagOf(image: string, version: string): string {
  const variable = upstreamVariables.get(image);
  if (variable === undefined || compare(version, "1.10.1") > 0) return version;
  return `${upstreamVersions(version).get(variable)}-${version}`;
}

/** The values in the Makefile at v1.10.1, and for older versions those at v1.8.0. */
function upstreamVersions(version: string): ReadonlyMap<string, string> {
  const old = compare(version, "1.10.0") < 0;
  return new Map([
    ["REGISTRYVERSION", old ? "v2.7.1-patch-2819" : "v2.7.1-patch-2819-2553"],
    ["NOTARYVERSION", "v0.6.1"],
    ["CLAIRVERSION", old ? "v2.0.8" : "v2.1.1"],
    ["CLAIRADAPTERVERSION", "v1.0.1"],
    ["CHARTMUSEUMVERSION", old ? "v0.8.1" : "v0.9.0"],
  ]);
}

/** The part of Harbor's Makefile at a version that tells the upstream versions. */
export function makefile(version: string): string {
  const variables = [...upstreamVersions(version)].map(([name, value]) => `${name}=${value}`);
  return [
    "# version of the components",
    "VERSIONTAG=dev",
    ...variables,
    "",
    "install: compile build",
    "",
  ].join("\n");
}

const templatePath = "make/photon/prepare/templates/docker_compose/docker-compose.yml.jinja";

/** Files of Harbor's repository at a tag, as far as they are needed to tell the components of a version. */
export function harborFiles(path: string, ref: string): string | undefined {
  if (!/^v[0-9]+\.[0-9]+\.[0-9]+/.test(ref)) return undefined;
  if (path === "Makefile") return makefile(ref);
  return path === templatePath && compare(ref, "1.8.0") >= 0 ? composeTemplate(ref) : undefined;
}

/** Images that the template puts below a condition, and the condition. */
const conditions: ReadonlyMap<string, string> = new Map([
  ["harbor-db", "external_database == False"],
  ["redis-photon", "external_redis == False"],
  ["valkey-photon", "external_redis == False"],
  ["trivy-adapter-photon", "with_trivy"],
  ["harbor-exporter", "metric.enabled"],
  ["notary-server-photon", "with_notary"],
  ["notary-signer-photon", "with_notary"],
  ["clair-photon", "with_clair"],
  ["clair-adapter-photon", "with_clair"],
  ["chartmuseum-photon", "with_chartmuseum"],
]);

/** A `docker-compose.yml.jinja` of the form of Harbor's at a version. `prepare`, which renders it, is not in it. */
export function composeTemplate(version: string): string {
  const services = componentsOf(version)
    .filter((image) => image !== "prepare")
    .map((image) => {
      const lines = [
        `  ${image.replace(/^harbor-|-photon$/g, "")}:`,
        `    image: goharbor/${image}:{{${versionVariable(image)}}}`,
        "    restart: always",
        "    cap_drop:",
        "      - ALL",
      ];
      const condition = conditions.get(image);
      return (condition === undefined ? lines : [`{% if ${condition} %}`, ...lines, "{% endif %}"]).join(
        "\n",
      );
    });
  return ["services:", ...services, "networks:", "  harbor:", "    external: false", ""].join("\n");
}

function versionVariable(image: string): string {
  const names = new Map([
    ["registry-photon", "reg_version"],
    ["redis-photon", "redis_version"],
    ["valkey-photon", "redis_version"],
    ["trivy-adapter-photon", "trivy_adapter_version"],
    ["notary-server-photon", "notary_version"],
    ["notary-signer-photon", "notary_version"],
    ["clair-photon", "clair_version"],
    ["clair-adapter-photon", "clair_adapter_version"],
    ["chartmuseum-photon", "chartmuseum_version"],
  ]);
  return names.get(image) ?? "version";
}

/**
 * Layers of each image (`docker load` of v2.4.2), and its size in MB without the shared base (`docker images` of
 * v2.10.1; for images that were gone by then, that of their like).
 */
const shapes: ReadonlyMap<string, { readonly layers: number; readonly megabytes: number }> = new Map([
  ["prepare", { layers: 8, megabytes: 167 }],
  ["harbor-core", { layers: 10, megabytes: 129 }],
  ["harbor-portal", { layers: 4, megabytes: 122 }],
  ["harbor-jobservice", { layers: 6, megabytes: 100 }],
  ["harbor-log", { layers: 8, megabytes: 123 }],
  ["harbor-db", { layers: 13, megabytes: 229 }],
  ["harbor-registryctl", { layers: 7, megabytes: 109 }],
  ["harbor-exporter", { layers: 5, megabytes: 66 }],
  ["nginx-photon", { layers: 2, megabytes: 113 }],
  ["registry-photon", { layers: 6, megabytes: 43 }],
  ["redis-photon", { layers: 5, megabytes: 124 }],
  ["valkey-photon", { layers: 5, megabytes: 124 }],
  ["trivy-adapter-photon", { layers: 7, megabytes: 462 }],
]);

const otherShape = { layers: 6, megabytes: 60 };

/** Bytes here for each MB there: a release of 1.8 GB unpacked becomes about 6 MB. */
const bytesPerMegabyte = 3000;

/** Size in MB of the layer that all images of a minor version share: the `photon` base image. */
const baseMegabytes = 41;

export interface ReleaseOptions {
  /** Default: `goharbor`. */
  readonly namespace?: string;
  /** Multiplies all sizes. Default: 1, which makes a release of about 6 MB. */
  readonly scale?: number;
  /** Images that are an index of amd64 and arm64: a Docker list for the first, an OCI index for others. Default: none. */
  readonly multiArchitecture?: readonly string[];
  /** Default: all of the version. */
  readonly images?: readonly string[];
}

/** One component image of a version. */
export function harborImage(image: string, version: string, options: ReleaseOptions = {}): Artifact {
  const { scale = 1, multiArchitecture = [] } = options;
  const position = multiArchitecture.indexOf(image);
  if (position < 0) return componentImage(image, version, "linux/amd64", "docker", scale);
  const format = position === 0 ? "docker" : "oci";
  const platforms = ["linux/amd64", "linux/arm64"];
  return buildIndex(
    platforms.map((platform) => componentImage(image, version, platform, format, scale)),
    { format },
  );
}

function componentImage(
  image: string,
  version: string,
  platform: string,
  format: "docker" | "oci",
  scale: number,
): Artifact {
  const { layers, megabytes } = shapes.get(image) ?? otherShape;
  const seed = `${image}:${version}:${platform}`;
  const minor = version.split(".").slice(0, 2).join(".");
  const unit = bytesPerMegabyte * scale;
  const base = { seed: `photon:${minor}:${platform}`, size: Math.round(baseMegabytes * unit) };
  return buildImage({ seed, platform, format, layers: [base, ...ownLayers(layers - 1, megabytes * unit)] });
}

/** The first layer has most of the bytes, the rest little, as a package installation and a few scripts do. */
function ownLayers(count: number, total: number): readonly LayerOptions[] {
  const small = Math.max(64, Math.round((total * 0.1) / count));
  const large = Math.round(total) - small * (count - 1);
  return Array.from({ length: count }, (_none, index) => ({ size: index === 0 ? large : small }));
}

/** Stores all images of a version below a namespace, past HTTP. Returns the digest of each by its image. */
export function seedRelease(
  registry: PushTarget,
  version: string,
  options: ReleaseOptions = {},
): ReadonlyMap<string, string> {
  const { namespace = "goharbor", images = componentsOf(version) } = options;
  return new Map(
    images.map((image) => {
      const artifact = harborImage(image, version, options);
      return [image, pushTo(registry, `${namespace}/${image}`, artifact, tagOf(image, version))];
    }),
  );
}

/** Compares the three numbers of two versions, whatever stands before or after them. */
function compare(one: string, other: string): number {
  const [a, b] = [numbersOf(one), numbersOf(other)];
  return a.map((number, index) => number - (b[index] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

function numbersOf(version: string): readonly number[] {
  return (/[0-9]+\.[0-9]+\.[0-9]+/.exec(version)?.[0] ?? "0.0.0").split(".").map(Number);
}

function readData<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`data/${file}`, import.meta.url), "utf8")) as T;
}
