/**
 * Manifests, tags and referrers by the distribution specification, "Pulling manifests", "Pushing Manifests", "Listing
 * Tags", "Listing Referrers", "Deleting". Accept is honoured as the distribution project does: a stored type that the
 * client does not name is answered by 404.
 */
import { type Answer, BodyTooLarge, json, readBody, type SandboxRequest } from "../server.ts";
import {
  digestOf,
  hasDigest,
  isDigest,
  isTag,
  type ManifestContent,
  ManifestError,
  mediaTypes,
  parseManifest,
} from "./content.ts";
import { refusal } from "./errors.ts";
import type { RegistryStore, Repository, StoredManifest } from "./store.ts";

export interface ManifestOptions {
  readonly deletion: Deletion;
  readonly referrers: boolean;
  /** Most tags (and referrers) on one page. */
  readonly pageSize: number;
  /** The largest page of tags that may be asked for; more is 400. */
  readonly largestPage: number;
  /** Media types of configs that are refused. */
  readonly unknownConfigs: readonly string[];
}

/**
 * What DELETE does. `by-tag`: a tag or a manifest. `by-digest`: 405 for a tag. `docker-hub`: 405 for a tag, 403 for a
 * manifest that has a tag. `harbor`: 400 for a tag, and a digest goes with all its tags. `disabled`: 405. `artifactory`:
 * 406.
 */
export type Deletion = "by-tag" | "by-digest" | "docker-hub" | "harbor" | "disabled" | "artifactory";

/** 4 MiB: what a registry must take at least, and what most take at most (distribution-spec, "Pushing Manifests"). */
const manifestLimit = 4 * 1024 * 1024;

export function getManifest(
  store: RegistryStore,
  request: SandboxRequest,
  name: string,
  reference: string,
): Answer {
  checkReference(reference);
  known(store, name);
  const manifest = store.manifest(name, reference);
  const accepted = (request.headers.accept ?? "").split(",").map((type) => type.split(";")[0]?.trim());
  if (manifest === undefined) throw refusal(404, "MANIFEST_UNKNOWN", `manifest unknown: ${reference}`);
  if (!accepted.includes(manifest.mediaType)) {
    throw refusal(
      404,
      "MANIFEST_UNKNOWN",
      `the manifest is ${manifest.mediaType}, which the client does not accept`,
    );
  }
  return {
    status: 200,
    headers: {
      "content-type": manifest.mediaType,
      "docker-content-digest": manifest.digest,
      etag: `"${manifest.digest}"`,
    },
    body: manifest.bytes,
  };
}

export async function putManifest(
  store: RegistryStore,
  options: ManifestOptions,
  request: SandboxRequest,
  name: string,
  reference: string,
): Promise<Answer> {
  checkReference(reference);
  const bytes = await readManifest(request);
  const mediaType = request.headers["content-type"] ?? "";
  const content = parse(bytes, mediaType);
  const { configType = "" } = content;
  if (options.unknownConfigs.includes(configType))
    throw refusal(403, "DENIED", `unknown manifest class for ${configType}`);
  checkComplete(store.find(name), content);
  const digest = isDigest(reference) ? reference : digestOf(bytes);
  if (!hasDigest([bytes], digest)) {
    throw refusal(400, "DIGEST_INVALID", "the manifest has another digest than its reference");
  }
  const repository = store.findOrCreate(name);
  repository.manifests.set(digest, { bytes, mediaType, digest });
  store.record({ kind: "manifest", repository: name, digest });
  if (!isDigest(reference)) {
    repository.tags.set(reference, digest);
    store.record({ kind: "tag", repository: name, digest, tag: reference });
  }
  const subject =
    options.referrers && content.subject !== undefined ? { "oci-subject": content.subject } : {};
  return {
    status: 201,
    headers: { location: `/v2/${name}/manifests/${digest}`, "docker-content-digest": digest, ...subject },
  };
}

function checkReference(reference: string): void {
  if (isDigest(reference) || isTag(reference)) return;
  throw refusal(400, "MANIFEST_INVALID", "no tag and no digest");
}

async function readManifest(request: SandboxRequest): Promise<Buffer> {
  try {
    return await readBody(request, manifestLimit);
  } catch (thrown) {
    if (thrown instanceof BodyTooLarge)
      throw refusal(413, "SIZE_INVALID", "the manifest is larger than 4 MiB");
    throw thrown;
  }
}

function parse(bytes: Buffer, mediaType: string): ManifestContent {
  try {
    return parseManifest(bytes, mediaType);
  } catch (thrown) {
    if (thrown instanceof ManifestError) throw refusal(400, "MANIFEST_INVALID", thrown.message);
    throw thrown;
  }
}

function checkComplete(repository: Repository | undefined, content: ManifestContent): void {
  for (const { digest, size } of content.blobs) {
    const bytes = repository?.blobs.get(digest);
    if (bytes === undefined)
      throw refusal(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", { digest });
    if (bytes.length !== size) throw refusal(400, "SIZE_INVALID", "the blob has another size", { digest });
  }
  for (const { digest, size } of content.children) {
    const child = repository?.manifests.get(digest);
    if (child === undefined)
      throw refusal(400, "MANIFEST_BLOB_UNKNOWN", "manifest unknown to registry", { digest });
    if (child.bytes.length !== size)
      throw refusal(400, "SIZE_INVALID", "the manifest has another size", { digest });
  }
}

export function deleteManifest(
  store: RegistryStore,
  deletion: Deletion,
  name: string,
  reference: string,
): Answer {
  const repository = known(store, name);
  if (deletion === "artifactory") throw refusal(406, "UNSUPPORTED", "Not Acceptable");
  if (deletion === "disabled") throw refusal(405, "UNSUPPORTED", "The operation is unsupported.");
  if (!isDigest(reference)) {
    if (deletion === "harbor") throw refusal(400, "UNSUPPORTED", "the reference must be a digest");
    if (deletion !== "by-tag") throw refusal(405, "UNSUPPORTED", "only deletion by digest is supported");
    if (!store.untag(name, reference)) throw refusal(404, "MANIFEST_UNKNOWN", "manifest unknown");
    return { status: 202 };
  }
  const tagged = [...repository.tags.values()].includes(reference);
  if (deletion === "docker-hub" && tagged)
    throw refusal(403, "DENIED", "the manifest is referenced by a tag");
  if (!store.deleteManifest(name, reference)) throw refusal(404, "MANIFEST_UNKNOWN", "manifest unknown");
  return { status: 202 };
}

export function listTags(
  store: RegistryStore,
  options: ManifestOptions,
  request: SandboxRequest,
  name: string,
): Answer {
  const { tags } = known(store, name);
  const page = pageOf([...tags.keys()], options, request);
  return json(200, { name, tags: page.shown }, page.headers);
}

/** The list of all repositories: https://distribution.github.io/distribution/spec/api/#listing-repositories */
export function listCatalog(store: RegistryStore, options: ManifestOptions, request: SandboxRequest): Answer {
  const page = pageOf(store.repositories(), options, request);
  return json(200, { repositories: page.shown }, page.headers);
}

/** The names behind `last`, as many as `n` and the options allow, and where the next are. */
function pageOf(
  names: readonly string[],
  options: ManifestOptions,
  request: SandboxRequest,
): { shown: readonly string[]; headers: Readonly<Record<string, string>> } {
  const { pathname, searchParams: query } = request.url;
  const asked = query.get("n");
  if (asked !== null && !/^[0-9]+$/.test(asked))
    throw refusal(400, "PAGINATION_NUMBER_INVALID", "n is no number");
  if (Number(asked ?? 0) > options.largestPage)
    throw refusal(400, "PAGINATION_NUMBER_INVALID", `n is more than ${options.largestPage}`);
  const last = query.get("last") ?? "";
  const size = Math.min(options.pageSize, asked === null ? options.pageSize : Number(asked));
  const rest = names.filter((name) => name > last).sort();
  const shown = rest.slice(0, size);
  const next = new URLSearchParams({ n: String(size), last: shown.at(-1) ?? "" });
  const more = shown.length > 0 && rest.length > shown.length;
  return { shown, headers: more ? { link: `<${pathname}?${next}>; rel="next"` } : {} };
}

export function listReferrers(
  store: RegistryStore,
  options: ManifestOptions,
  request: SandboxRequest,
  name: string,
  subject: string,
): Answer {
  if (!options.referrers)
    return { status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found\n" };
  if (!isDigest(subject)) throw refusal(400, "DIGEST_INVALID", "the subject is no digest");
  const query = request.url.searchParams;
  const wanted = query.get("artifactType");
  const last = query.get("last") ?? "";
  const all = [...(store.find(name)?.manifests.values() ?? [])]
    .flatMap((manifest) => referrer(manifest, subject))
    .filter(({ artifactType, digest }) => (wanted === null || artifactType === wanted) && digest > last)
    .sort((one, other) => (one.digest < other.digest ? -1 : 1));
  const manifests = all.slice(0, options.pageSize);
  const headers: Record<string, string> = { "content-type": mediaTypes.ociIndex };
  if (wanted !== null) headers["oci-filters-applied"] = "artifactType";
  if (all.length > manifests.length) {
    const next = new URLSearchParams({ ...Object.fromEntries(query), last: manifests.at(-1)?.digest ?? "" });
    headers.link = `</v2/${name}/referrers/${subject}?${next}>; rel="next"`;
  }
  return json(200, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, headers);
}

function referrer({ bytes, mediaType, digest }: StoredManifest, subject: string) {
  if (mediaType === mediaTypes.dockerSchema1) return [];
  const content = parseManifest(bytes, mediaType);
  if (content.subject !== subject) return [];
  const { artifactType, annotations } = content;
  return [{ mediaType, digest, size: bytes.length, artifactType, annotations }];
}

function known(store: RegistryStore, name: string): Repository {
  const repository = store.find(name);
  if (repository === undefined)
    throw refusal(404, "NAME_UNKNOWN", "repository name not known to registry", { name });
  return repository;
}
