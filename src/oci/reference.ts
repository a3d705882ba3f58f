/**
 * Names of registries, repositories and tags, by the grammar of the distribution specification.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
 */

import type { Digest } from "./digest.ts";

/** A place below which images live: `ghcr.io/goharbor`, `docker.io/goharbor`, `localhost:5000/team/harbor`. */
export interface Namespace {
  /** Canonical host, with the port if there is one: `docker.io`, `localhost:5000`. Of a chart repository, its address. */
  readonly registry: string;
  /** Path components without a slash at either end; empty: the registry itself, below which all its repositories are. */
  readonly path: string;
}

const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const registryPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9a-fA-F:.]+\\])(?::[0-9]{1,5})?$`);

/** Many registries limit host and repository together to 255 characters (distribution-spec, "Pulling manifests"). */
const nameLimit = 255;

/** Longest host name with a port, in characters: https://datatracker.ietf.org/doc/html/rfc1035#section-2.3.4 */
const hostLimit = 253 + ":65535".length;

/** The names under which Docker Hub is known; its canonical name is `docker.io`. */
const dockerHubAliases: ReadonlySet<string> = new Set([
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
]);

export function isRepository(text: string): boolean {
  return text.length <= nameLimit && repositoryPattern.test(text);
}

export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/**
 * The canonical form of a registry host, or undefined if the text is not one. Docker Hub's aliases become `docker.io`. A port
 * goes where a URL needs none: `r.example.com:443` and `r.example.com` are one registry.
 */
export function canonicalRegistry(text: string): string | undefined {
  if (text.length > hostLimit || !registryPattern.test(text)) return undefined;
  const given = text.toLowerCase();
  const url = originOf(given);
  if (!URL.canParse(url)) return undefined;
  const { host, hostname, port } = new URL(url);
  // What a URL reads as another host: 0x7f.1. An IPv6 address has many spellings, and one canonical form.
  if (!hostname.startsWith("[") && hostname !== given.replace(/:[0-9]+$/, "")) return undefined;
  if (port === "0") return undefined;
  return dockerHubAliases.has(host) ? "docker.io" : host;
}

/**
 * Splits `<registry>/<namespace>`, or takes a registry alone; undefined if either part breaks the grammar. A name alone is a
 * registry if it has a dot or a colon, as Docker takes it.
 */
export function parseNamespace(text: string): Namespace | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) {
    const alone = /[.:]/.test(text) || text === "localhost" ? canonicalRegistry(text) : undefined;
    return alone === undefined ? undefined : { registry: alone, path: "" };
  }
  const registry = canonicalRegistry(text.slice(0, slash));
  const path = text.slice(slash + 1);
  if (registry === undefined || !isRepository(path)) return undefined;
  return { registry, path };
}

export function printNamespace(namespace: Namespace): string {
  return namespace.path === "" ? namespace.registry : `${namespace.registry}/${namespace.path}`;
}

/** Whether two namespaces are the same place. */
export function sameNamespace(one: Namespace, other: Namespace): boolean {
  return one.registry === other.registry && one.path === other.path;
}

/** An image and its tag or digest, as references are written. */
export function printReference(image: string, reference: string): string {
  return `${image}${isTag(reference) ? ":" : "@"}${reference}`;
}

/** The repository of an image below a namespace. */
export function repositoryOf(namespace: Namespace, image: string): string {
  return namespace.path === "" ? image : `${namespace.path}/${image}`;
}

/** The image of a repository below a namespace: the other way around. */
export function imageOf(namespace: Namespace, repository: string): string {
  return repository.slice(repositoryOf(namespace, "").length);
}

/** Whether a source is a repository of Helm charts, which is named by its address: `https://helm.goharbor.io`. */
export function isChartRepository(registry: string): boolean {
  return /^https?:\/\//.test(registry);
}

/** Whether a host (with or without port) is a loopback address: the only ones spoken to over plain HTTP. */
export function isLoopback(registry: string): boolean {
  const host = registry.replace(/:[0-9]+$/, "");
  return host === "localhost" || host === "[::1]" || /^127(?:\.[0-9]{1,3}){3}$/.test(host);
}

/** Base URL of a registry's API: Docker Hub answers at another host than its name says. */
export function registryOrigin(registry: string): URL {
  if (isChartRepository(registry)) return new URL(new URL(registry).origin);
  if (registry === "docker.io") return new URL("https://registry-1.docker.io");
  return new URL(originOf(registry));
}

function originOf(registry: string): string {
  return `${isLoopback(registry) ? "http" : "https"}://${registry}`;
}

/** What cosign appends to the digest's tag form for a signature, attestations and SBOMs. */
const cosignSuffixes = [".sig", ".att", ".sbom"] as const;

/**
 * The tag form of a digest. The referrers fallback of the specification and cosign keep under it what belongs to the digest.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
 */
export function referrersTag(digest: Digest): string {
  const [algorithm = "", encoded = ""] = digest.split(":");
  return `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`;
}

/** The tags under which something may be attached to a digest, the index of referrers first. */
export function attachmentTags(digest: Digest): readonly string[] {
  return ["", ...cosignSuffixes].map((suffix) => `${referrersTag(digest)}${suffix}`);
}

/** Whether something is attached to a digest under a tag, by its form. */
export function isAttachmentTag(tag: string): boolean {
  const suffix = cosignSuffixes.find((each) => tag.endsWith(each)) ?? "";
  return /^sha(?:256|512)-[0-9a-f]{64}$/.test(tag.slice(0, tag.length - suffix.length));
}

/** Of the tags under which something is attached: whether it is the one for the index of referrers, not one of cosign. */
export function isFallbackTag(tag: string): boolean {
  return !cosignSuffixes.some((suffix) => tag.endsWith(suffix));
}
