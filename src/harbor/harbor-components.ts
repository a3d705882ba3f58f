import semver from "semver";
import { InputError } from "../errors.ts";
import type { RepositoryId } from "../github/repository-id.ts";
import { printable } from "../log/log.ts";
import type { Component } from "../plan/component.ts";
import type { Version } from "../plan/version.ts";

/** The default repository, and the only one with a built-in list of images. */
export const harbor: RepositoryId = { owner: "goharbor", name: "harbor" };

/** Whether two names are of the same repository. GitHub ignores case. */
export function sameRepository(one: RepositoryId, other: RepositoryId): boolean {
  return `${one.owner}/${one.name}`.toLowerCase() === `${other.owner}/${other.name}`.toLowerCase();
}

interface HarborImage {
  readonly image: string;
  /** First `major.minor.patch` that has the image. */
  readonly since: string;
  /** Last one that has it; absent while it goes on. */
  readonly until?: string;
}

/**
 * The images that make up a Harbor release, from what the offline installer saves: DOCKERSAVE_PARA of
 * https://github.com/goharbor/harbor/blob/main/Makefile, at every tag from v1.6.0 to v2.15.2. Before 1.6.0 images were
 * in the namespace `vmware`. `harbor-migrator` is left out: it was not released with every version (goharbor/harbor#12441).
 */
const harborImages: readonly HarborImage[] = [
  { image: "prepare", since: "1.8.0" },
  { image: "harbor-core", since: "1.7.0" },
  { image: "harbor-portal", since: "1.7.0" },
  { image: "harbor-jobservice", since: "1.6.0" },
  { image: "harbor-log", since: "1.6.0" },
  { image: "harbor-db", since: "1.6.0" },
  { image: "harbor-registryctl", since: "1.7.0" },
  { image: "harbor-exporter", since: "2.2.0" },
  { image: "nginx-photon", since: "1.6.0" },
  { image: "registry-photon", since: "1.6.0" },
  { image: "redis-photon", since: "1.6.0", until: "2.15.1" },
  { image: "valkey-photon", since: "2.15.2" },
  { image: "trivy-adapter-photon", since: "2.0.0" },
  { image: "chartmuseum-photon", since: "1.6.0", until: "2.7.4" },
  { image: "notary-server-photon", since: "1.6.0", until: "2.8.6" },
  { image: "notary-signer-photon", since: "1.6.0", until: "2.8.6" },
  { image: "clair-photon", since: "1.6.0", until: "2.1.6" },
  { image: "clair-adapter-photon", since: "1.10.0", until: "2.1.6" },
  { image: "harbor-adminserver", since: "1.6.0", until: "1.7.8" },
  { image: "harbor-ui", since: "1.6.0", until: "1.6.3" },
];

/** The names of all images that were ever part of a Harbor release: where tags of old versions may be found. */
export const everyHarborImage: readonly string[] = harborImages.map(({ image }) => image);

/** Up to 1.10.1 the Makefile put the upstream's version in front of the tags of these images, by these variables. */
const upstreamVariables: ReadonlyMap<string, string> = new Map([
  ["registry-photon", "REGISTRYVERSION"],
  ["notary-server-photon", "NOTARYVERSION"],
  ["notary-signer-photon", "NOTARYVERSION"],
  ["clair-photon", "CLAIRVERSION"],
  ["clair-adapter-photon", "CLAIRADAPTERVERSION"],
  ["chartmuseum-photon", "CHARTMUSEUMVERSION"],
]);

/**
 * The values of these variables in the Makefile up to v1.10.1, each with the first `major.minor.patch` that has it.
 * Ascending.
 */
const upstreamVersions: ReadonlyMap<string, readonly (readonly [since: string, value: string])[]> = new Map([
  [
    "REGISTRYVERSION",
    [
      ["1.6.0", "v2.6.2"],
      ["1.8.0", "v2.7.1-patch-2819"],
      ["1.9.1", "v2.7.1-patch-2819-2553"],
    ],
  ],
  [
    "NOTARYVERSION",
    [
      ["1.6.0", "v0.5.1"],
      ["1.7.0", "v0.6.1"],
    ],
  ],
  [
    "CLAIRVERSION",
    [
      ["1.6.0", "v2.0.5"],
      ["1.6.1", "v2.0.6"],
      ["1.7.0", "v2.0.7"],
      ["1.7.5", "v2.0.8"],
      ["1.8.6", "v2.1.0"],
      ["1.9.0", "v2.0.9"],
      ["1.9.3", "v2.1.0"],
      ["1.10.0", "v2.1.1"],
    ],
  ],
  ["CLAIRADAPTERVERSION", [["1.10.0", "v1.0.1"]]],
  [
    "CHARTMUSEUMVERSION",
    [
      ["1.6.0", "v0.7.1"],
      ["1.7.4", "v0.8.1"],
      ["1.8.2", "v0.9.0"],
    ],
  ],
]);

/** The names of the images of a version by the built-in list. Prereleases have those of the version they lead to. */
export function harborTableImages(version: Version): readonly string[] {
  const number = releaseNumber(version);
  return harborImages
    .filter(
      ({ since, until }) => semver.gte(number, since) && (until === undefined || semver.lte(number, until)),
    )
    .map(({ image }) => image);
}

/** The components of a version by the built-in list alone; none before 1.6.0, where it begins. */
export function harborTableComponents(version: Version): readonly Component[] {
  return harborTableImages(version).flatMap((image) => {
    const component = componentOf(image, version, (variable) => knownUpstreamVersion(variable, version));
    return component === undefined ? [] : [component];
  });
}

/** Whether the tags of some of these images begin with an upstream version, which the Makefile tells. */
export function needsMakefile(images: readonly string[], version: Version): boolean {
  return hasUpstreamTags(version) && images.some((image) => upstreamVariables.has(image));
}

/**
 * Images and their tags in that version.
 * @param makefile the Makefile of that version, where it was needed and found; else the built-in list serves.
 * @throws InputError when there is no image, or an upstream version in a tag is known from neither.
 */
export function componentsOf(
  images: readonly string[],
  version: Version,
  makefile = "",
): readonly Component[] {
  if (images.length === 0) {
    throw new InputError(
      `The images of Harbor ${printable(version.tag)} are not known; list them in the input "images", ` +
        "for example harbor-core:{{tag}}",
    );
  }
  return images.map((image) => {
    const component = componentOf(image, version, (variable) => upstreamVersion(variable, version, makefile));
    if (component !== undefined) return component;
    throw new InputError(
      `The tag of ${image} in Harbor ${printable(version.tag)} begins with an upstream version, and the Makefile ` +
        'there could not be read for it; list the images with their tags in the input "images"',
    );
  });
}

/** An image of a version with its tag; undefined when that needs an upstream version that is not known. */
function componentOf(
  image: string,
  version: Version,
  upstream: (variable: string) => string | undefined,
): Component | undefined {
  const variable = hasUpstreamTags(version) ? upstreamVariables.get(image) : undefined;
  const prefix = variable === undefined ? "" : upstream(variable);
  if (prefix === undefined) return undefined;
  const tag = prefix === "" ? version.tag : `${prefix}-${version.tag}`;
  return { from: image, fromTag: tag, to: image, toTag: tag };
}

/** By the Makefile; else, for releases only, by the built-in list: release candidates had other values at times. */
function upstreamVersion(variable: string, version: Version, makefile: string): string | undefined {
  const written = new RegExp(`^${variable}\\s*[:?]?=\\s*(\\w[\\w.-]*)\\s*$`, "m").exec(makefile)?.[1];
  return written ?? (version.prerelease ? undefined : knownUpstreamVersion(variable, version));
}

function knownUpstreamVersion(variable: string, version: Version): string | undefined {
  const number = releaseNumber(version);
  return upstreamVersions.get(variable)?.findLast(([since]) => semver.gte(number, since))?.[1];
}

/** From 1.10.2, its release candidates included, every image has the plain tag of the release. */
function hasUpstreamTags(version: Version): boolean {
  return semver.lt(releaseNumber(version), "1.10.2");
}

function releaseNumber(version: Version): string {
  return `${version.major}.${version.minor}.${version.patch}`;
}
