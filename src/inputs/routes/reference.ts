import { isDigest } from "../../oci/digest.ts";
import {
  canonicalRegistry,
  isRepository,
  isTag,
  type Namespace,
  parseNamespace,
} from "../../oci/reference.ts";
import { quoted } from "../suggestions.ts";

/** A repository, wherever it is. */
export interface Place {
  /** Canonical host, with the port if there is one. */
  readonly registry: string;
  /** Its whole path. */
  readonly repository: string;
}

/** An image as other tools write it. */
export interface ImageName extends Place {
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** Why a text is no name; told as a text, because the caller knows the line. */
export interface NotAName {
  readonly problem: string;
}

/** A name of an image, and what follows it: tags, one of other forms, or a digest. */
export interface Split {
  readonly name: string;
  /** What follows the colon behind the last slash, unread. */
  readonly tags: string | undefined;
  readonly digest: string | undefined;
}

/** Cuts a reference where its tags and its digest begin. */
export function splitReference(text: string): Split {
  const at = text.indexOf("@");
  const before = at < 0 ? text : text.slice(0, at);
  const colon = before.indexOf(":", before.lastIndexOf("/") + 1);
  return {
    name: colon < 0 ? before : before.slice(0, colon),
    tags: colon < 0 ? undefined : before.slice(colon + 1),
    digest: at < 0 ? undefined : text.slice(at + 1),
  };
}

/**
 * The repository that a name without tag or digest means. As Docker takes it, a first part with a dot or a colon is a host, no host
 * is Docker Hub, and one name alone there is in `library`. https://github.com/distribution/reference/blob/main/normalize.go
 */
export function parsePlace(name: string): Place | NotAName {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) return { problem: `${quoted(name)} begins with a scheme` };
  const [first = "", ...rest] = name.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const registry = isHost ? canonicalRegistry(first) : "docker.io";
  if (registry === undefined) return { problem: `${quoted(first)} is not the host of a registry` };
  const path = isHost ? rest.join("/") : name;
  const repository = registry === "docker.io" && !path.includes("/") ? `library/${path}` : path;
  if (!isRepository(repository)) return { problem: notAnImage(name) };
  if (registry === "docker.io" && repository.split("/").length > 2)
    return {
      problem: `${quoted(name)} has no host in front, and Docker Hub has no namespaces inside namespaces`,
    };
  return { registry, repository };
}

/** A registry, or a place below it: `r.example.com`, `r.example.com/team`. Undefined where no host is in front. */
export function parseBelowHost(text: string): Namespace | undefined {
  const [first = ""] = text.split("/");
  return /[.:]/.test(first) || first === "localhost" ? parseNamespace(text) : undefined;
}

/** Reads `name`, `name:tag`, `name@digest` or `name:tag@digest`. */
export function parseImageName(text: string): ImageName | NotAName {
  const { name, tags: tag, digest } = splitReference(text);
  const place = parsePlace(name);
  if ("problem" in place) return place;
  if (tag !== undefined && !isTag(tag)) return { problem: notATag(tag) };
  if (digest !== undefined && !isDigest(digest)) return { problem: notADigest(digest) };
  return { ...place, tag, digest };
}

export function notATag(tag: string): string {
  return `${quoted(tag)} is not a tag (letters, digits and . _ -)`;
}

export function notADigest(digest: string): string {
  return `${quoted(digest)} is not a digest (sha256: and 64 small hexadecimal digits)`;
}

function notAnImage(name: string): string {
  return `${quoted(name)} is not the name of an image (small letters, digits and . _ - / between them)`;
}

/** The last part of a repository's path, which is the image's own name. */
export function lastPart(repository: string): string {
  return repository.slice(repository.lastIndexOf("/") + 1);
}

/** What is before the last part; empty where the repository is at the root of its registry. */
export function firstParts(repository: string): string {
  return repository.slice(0, Math.max(repository.lastIndexOf("/"), 0));
}
