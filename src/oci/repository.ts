import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import * as v from "valibot";
import { OperationError } from "../errors.ts";
import { BodyError, discard, type HttpResponse, readBytes, readJson } from "../http/http.ts";
import { isTemporaryStatus } from "../http/retry.ts";
import { mannersOf } from "../vendors/vendors.ts";
import { BlobUpload } from "./blob-upload.ts";
import { type Digest, digestOf, parseDigest } from "./digest.ts";
import { type Descriptor, isAttestation, type Manifest, manifestLimit, parseManifest } from "./manifest.ts";
import { acceptedManifests, ociIndex } from "./media-types.ts";
import { nextPage } from "./pages.ts";
import { isTag } from "./reference.ts";
import { type Registry, type RegistryRequest, smallTransfer } from "./registry.ts";
import type { Scope } from "./scope.ts";

/** What a tag or digest stands for at a registry. */
export interface ResolvedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest itself; undefined where the registry did not say. */
  readonly size: number | undefined;
}

/** A part of a blob. */
export interface ByteRange {
  /** First byte. */
  readonly from: number;
  /** The byte after the last one. */
  readonly to: number;
}

const tagListSchema = v.object({ tags: v.optional(v.nullable(v.array(v.nullable(v.string())))) });

/** What a manifest is to an image: it itself or a part of it, BuildKit's attestations in its index, or what points at it. */
export type ManifestRole = "image" | "attestation" | "referrer";

/** How a manifest that is put is called in messages. */
const puttingOperations: Readonly<Record<ManifestRole, string>> = {
  image: "writing the manifest",
  attestation: "writing the attestation manifest",
  referrer: "writing the referrer",
};

/** What to do where a registry refuses a manifest that not every registry takes: Alibaba's says "unknown manifest class". */
const attestationAdvice =
  "The image has attestations of BuildKit (provenance, SBOM), which not every registry takes. With `attestations=false` on the line " +
  "of this destination it goes there without them, as an index of another digest.";
const referrerAdvice =
  "It is a signature, an attestation or an SBOM of the image, and not every registry takes its type. With `referrers: false` " +
  "images go without them.";

/**
 * Refused mounts after which none is tried any more at a registry that has not mounted anything: one may be refused for what
 * it is about, a right or a blob, and a mount that is not tried costs the bytes of the blob.
 */
const mountTries = 3;

/** Statuses by which a registry says that it does not know HEAD. */
const noHead: readonly number[] = [400, 405, 501];

/** Tags on a page. Most registries with a limit of their own have this one. */
const tagPageSize = 1000;
/** Largest page of tags, in bytes: 1000 tags of 128 characters are 130 kB; some registries send all tags as one page. */
const tagPageLimit = 8 * 1024 * 1024;
/** Most pages of one list: a hundred thousand tags. A list that goes on is broken. */
const pageLimit = 100;
/** Most entries of one list, however large its pages are: the list has to fit in memory. */
const entryLimit = 100_000;

/** One repository of a registry, with the operations of the distribution specification that a mirror needs. */
export class Repository {
  readonly registry: Registry;
  readonly name: string;

  constructor(registry: Registry, name: string) {
    this.registry = registry;
    this.name = name;
  }

  /** `registry/repository`, for messages. */
  get reference(): string {
    return `${this.registry.registry}/${this.name}`;
  }

  /**
   * What a tag or digest stands for, by HEAD; undefined if it does not exist. If the registry leaves the digest out of its
   * answer, or HEAD has proved useless there, the manifest itself is read.
   * @throws OperationError
   */
  async resolve(reference: string, signal?: AbortSignal): Promise<ResolvedManifest | undefined> {
    const { unsupported } = this.registry;
    const byHead = unsupported.manifestHead ? "unsupported" : await this.#resolveByHead(reference, signal);
    if (byHead !== "unsupported") return byHead;
    const byGet = await this.#resolveByGet(reference, signal);
    unsupported.manifestHead = true;
    return byGet;
  }

  /**
   * Asks by GET for a manifest that HEAD does not find, where HEAD has not shown any manifest yet: some registries answer
   * every HEAD so (https://github.com/containrrr/watchtower/issues/669), but none that is known by its name. From then on such
   * a registry is asked by GET.
   * @throws OperationError
   */
  async resolveInDoubt(reference: string, signal?: AbortSignal): Promise<ResolvedManifest | undefined> {
    const { unsupported, headShows, vendor } = this.registry;
    if (unsupported.manifestHead || headShows || vendor.host !== undefined) return undefined;
    const found = await this.#resolveByGet(reference, signal);
    if (found !== undefined) unsupported.manifestHead = true;
    return found;
  }

  #resolveByGet(reference: string, signal: AbortSignal | undefined): Promise<ResolvedManifest | undefined> {
    return this.registry.read(
      this.#lookup("GET", reference, signal),
      async (response) => {
        const bytes = await readBytes(response, manifestLimit);
        if (response.status !== 200) return undefined;
        const digest = parseDigest(response.header("docker-content-digest") ?? "") ?? digestOf(bytes);
        return { digest, mediaType: mediaTypeOf(response), size: bytes.length };
      },
      200,
      404,
      ...this.#absent,
    );
  }

  /** @returns "unsupported" where the answer says nothing of the manifest. */
  async #resolveByHead(
    reference: string,
    signal: AbortSignal | undefined,
  ): Promise<ResolvedManifest | undefined | "unsupported"> {
    const request = this.#lookup("HEAD", reference, signal);
    const response = await this.registry.expect(request, 200, 404, ...noHead, ...this.#absent);
    await discard(response);
    if (noHead.includes(response.status) && !this.#absent.includes(response.status)) return "unsupported";
    if (response.status !== 200) return undefined;
    this.registry.headShows = true;
    const digest = parseDigest(response.header("docker-content-digest") ?? "");
    const size = contentLength(response);
    if (digest !== undefined) return { digest, mediaType: mediaTypeOf(response), size };
    const manifest = await this.manifest(reference, signal);
    return { digest: manifest.digest, mediaType: manifest.mediaType, size: manifest.bytes.length };
  }

  #lookup(method: "HEAD" | "GET", reference: string, signal: AbortSignal | undefined): RegistryRequest {
    return this.#request(method, `manifests/${reference}`, "looking up", signal, {
      subject: reference,
      headers: { accept: acceptedManifests },
    });
  }

  /**
   * Reads and checks a manifest. If it is asked for by digest, its bytes must have that digest.
   * @throws OperationError
   */
  async manifest(reference: string, signal?: AbortSignal): Promise<Manifest> {
    const request = this.#request("GET", `manifests/${reference}`, "reading the manifest", signal, {
      subject: reference,
      headers: { accept: acceptedManifests },
    });
    return this.registry.read(
      request,
      async (response) => {
        const bytes = await readBytes(response, manifestLimit);
        return parseManifest(bytes, response.header("content-type") ?? "", parseDigest(reference));
      },
      200,
    );
  }

  /**
   * Puts a manifest, byte for byte, under its digest or a tag.
   * @param role for messages; a referrer is not sent where the registry has refused another of its kind.
   * @returns whether the registry tracks the manifest's `subject` itself (`OCI-Subject`).
   * @throws OperationError
   */
  async putManifest(
    reference: string,
    manifest: Manifest,
    signal?: AbortSignal,
    role: ManifestRole = "image",
  ): Promise<{ tracksSubject: boolean }> {
    if (role !== "referrer") return this.#put(reference, manifest, signal, role);
    const kind = JSON.stringify([isTag(reference), manifest.mediaType, manifest.artifactType]);
    return this.registry.referrerKinds.put(
      kind,
      { repository: this.name, subject: reference },
      // The advice is given where no quota, rule or limit is the cause.
      ({ details }) => details.advice === referrerAdvice,
      () => this.#put(reference, manifest, signal, role),
    );
  }

  async #put(
    reference: string,
    manifest: Manifest,
    signal: AbortSignal | undefined,
    role: ManifestRole,
  ): Promise<{ tracksSubject: boolean }> {
    const hasAttestations = role === "attestation" || manifest.children.some(isAttestation);
    const request = this.#request("PUT", `manifests/${reference}`, puttingOperations[role], signal, {
      subject: reference,
      advice: role === "referrer" ? referrerAdvice : hasAttestations ? attestationAdvice : undefined,
      headers: { "content-type": manifest.mediaType },
      body: manifest.bytes,
      // Others set tags as well, so who sets one looks at it before it is put again.
      once: isTag(reference),
      push: true,
    });
    const response = await this.registry.expect(request, 201, 200, 202, 204);
    await discard(response);
    const stored = response.header("docker-content-digest");
    if (stored !== undefined && stored !== manifest.digest) {
      throw this.registry.failure(request, {
        problem: `the registry stored other bytes, ${parseDigest(stored) ?? "an unreadable digest"}`,
      });
    }
    return { tracksSubject: response.header("oci-subject") !== undefined };
  }

  /**
   * Whether a blob is there with the size that it is to have, by HEAD; by a GET of its first byte where HEAD has proved useless.
   * So it has where the storage that a registry redirects to refuses, as its URL is signed for GET
   * (https://github.com/moby/moby/issues/50065), and where it tells another size than GET, as behind some proxies
   * (https://github.com/yusing/godoxy/issues/169). Where both tell another size, the blob is broken, and so is not there.
   * @param priority among the small requests to this registry.
   * @throws OperationError
   */
  async hasBlob(
    { digest, size }: Pick<Descriptor, "digest" | "size">,
    signal?: AbortSignal,
    priority = 0,
  ): Promise<boolean> {
    const { registry } = this;
    const { unsupported } = registry;
    const request = this.#request("HEAD", `blobs/${digest}`, "looking up the blob", signal, {
      subject: digest,
      priority,
    });
    if (!unsupported.blobHead) {
      const response = await registry.send(request);
      const isElsewhere = response.url.origin !== registry.origin.origin;
      const { status } = response;
      const saysNothing = noHead.includes(status) || (isElsewhere && [401, 403].includes(status));
      if (!saysNothing && ![200, 404, ...this.#absent].includes(status))
        throw await registry.refused(response, request);
      await discard(response);
      if (!saysNothing && (status !== 200 || (contentLength(response) ?? size) === size))
        return status === 200;
    }
    const get: RegistryRequest = { ...request, method: "GET", headers: { range: "bytes=0-0" } };
    // 416: there, and empty.
    const response = await registry.expect(get, 200, 206, 416, 404, ...this.#absent);
    response.body.destroy();
    const isThere = [200, 206, 416].includes(response.status) && (storedSize(response) ?? size) === size;
    unsupported.blobHead ||= isThere;
    return isThere;
  }

  /**
   * Opens a blob for reading, from its storage if the registry redirects there. The caller checks the bytes, and repeats a
   * broken request itself, because it knows how far it got.
   * @param range first byte, and the byte after the last one: the whole blob, the rest after a break, or a part of it.
   * @returns the body, the byte that it starts at (0 if the registry sends the whole blob anyway), and whether the registry
   * gives parts of this blob.
   * @throws OperationError
   */
  async readBlob(
    blob: Pick<Descriptor, "digest" | "size">,
    range: ByteRange,
    signal?: AbortSignal,
  ): Promise<{ body: Readable; start: number; givesRanges: boolean }> {
    const isWhole = range.from === 0 && range.to === blob.size;
    const request = this.#request("GET", `blobs/${blob.digest}`, "reading the blob", signal, {
      subject: blob.digest,
      headers: {
        accept: "application/octet-stream, */*",
        // The digest is that of the stored bytes. A compressed transfer would have others.
        "accept-encoding": "identity",
        ...(isWhole ? {} : { range: `bytes=${range.from}-${range.to - 1}` }),
      },
      transfer: range.to - range.from > smallTransfer,
      once: true,
      answer: "blob",
    });
    const response = await this.registry.expect(request, 200, 206);
    const problem = transferProblem(response, blob.size, range);
    const isPart = response.status === 206;
    const givesRanges = isPart || response.header("accept-ranges") === "bytes";
    if (problem === undefined) return { body: response.body, start: isPart ? range.from : 0, givesRanges };
    await discard(response);
    throw this.registry.failure(request, { problem });
  }

  /**
   * Mounts a blob from another repository of the same registry. A registry that turned out not to mount is not asked again; one
   * that opens an upload instead has cost no request. From a repository with another login, nothing is mounted.
   * @param priority among the small requests to this registry.
   * @returns "mounted", or the upload that the registry opened instead; undefined if it did neither.
   * @throws OperationError when the request itself failed.
   */
  async mountBlob(
    digest: Digest,
    from: string,
    signal?: AbortSignal,
    priority = 0,
  ): Promise<"mounted" | BlobUpload | undefined> {
    const { unsupported } = this.registry;
    if (unsupported.mounts || !this.registry.sharesLogin(this.name, from)) return undefined;
    const query = new URLSearchParams({ mount: digest, from });
    const request: RegistryRequest = {
      ...this.#request("POST", `blobs/uploads/?${query}`, "mounting the blob", signal, {
        subject: `${digest} from ${from}`,
        headers: { "content-length": "0" },
        push: true,
        priority,
      }),
      scopes: [this.#scope("push"), { repository: from, actions: ["pull"] }],
    };
    const response = await this.registry.send(request).catch((error: unknown) => {
      // A token server may refuse the request because of the other repository's scope. That counts as a refused mount.
      if (error instanceof OperationError && (error.status === 401 || error.status === 403)) return undefined;
      throw error;
    });
    if (response === undefined) return this.#mountRefused();
    if (response.status === 202 && response.header("location") !== undefined)
      return this.#opened(response, request.operation);
    if (response.status === 429 || response.status === 503)
      throw await this.registry.refused(response, request);
    await discard(response);
    if (response.status === 201) {
      this.registry.refusedMounts = Number.NEGATIVE_INFINITY;
      return "mounted";
    }
    // 4xx: a registry that does not mount, or not from there; the blob is then uploaded. Trouble of its own, after all tries,
    // and a 202 without an upload say the same for every blob: https://github.com/goharbor/harbor/issues/18541
    if ([202, 405].includes(response.status) || response.status >= 500) unsupported.mounts = true;
    return this.#mountRefused();
  }

  #mountRefused(): undefined {
    this.registry.refusedMounts += 1;
    if (this.registry.refusedMounts >= mountTries) this.registry.unsupported.mounts = true;
    return undefined;
  }

  /**
   * Opens an upload.
   * @param priority among the small requests to this registry.
   * @throws OperationError
   */
  async startUpload(signal?: AbortSignal, priority = 0): Promise<BlobUpload> {
    const request = this.#request("POST", "blobs/uploads/", "starting an upload", signal, {
      headers: { "content-length": "0" },
      push: true,
      priority,
    });
    return this.#opened(await this.registry.expect(request, 202), request.operation);
  }

  /**
   * Whether this login may cancel uploads. It is found out by cancelling an upload that does not exist: a registry reports a
   * missing right before it reports a missing upload.
   * @throws OperationError when that cannot be asked.
   */
  async mayCancelUploads(signal?: AbortSignal): Promise<boolean> {
    const target = `blobs/uploads/${randomUUID()}`;
    const request: RegistryRequest = {
      ...this.#request("DELETE", target, "trying the cancellation of uploads", signal, {}),
      scopes: [{ repository: this.name, actions: mannersOf(this.registry.vendor).deleting }],
    };
    try {
      const response = await this.registry.send(request);
      await discard(response);
      return ![401, 403, 405].includes(response.status) && response.status < 500;
    } catch (error) {
      // If more is asked for than the login may do, Docker Hub gives no token at all.
      if (error instanceof OperationError && (error.status === 401 || error.status === 403)) return false;
      throw error;
    }
  }

  /**
   * All tags, each once, in the registry's order; none if the repository does not exist.
   * @throws OperationError
   */
  async tags(signal?: AbortSignal): Promise<readonly string[]> {
    const { unsupported } = this.registry;
    if (unsupported.pageSize) return this.#tagsOf("tags/list", signal);
    try {
      return await this.#tagsOf(`tags/list?n=${tagPageSize}`, signal);
    } catch (error) {
      if (!(error instanceof OperationError) || error.status !== 400) throw error;
      // A registry may refuse more than its own maximum: https://github.com/distribution/distribution/issues/4844
      const tags = await this.#tagsOf("tags/list", signal);
      unsupported.pageSize = true;
      return tags;
    }
  }

  async #tagsOf(list: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
    const tags = new Set<string>();
    const request = this.#request("GET", list, "listing the tags", signal, {});
    await this.#eachPage(request, async (response, first) => {
      if (first && (response.status === 404 || this.#absent.includes(response.status))) {
        await discard(response);
        return false;
      }
      if (response.status !== 200) throw await this.registry.refused(response, request);
      const page = (await readJson(response, tagListSchema, tagPageLimit)).tags ?? [];
      // Some lists hold `null` and digests as well. What breaks the grammar of tags cannot be requested as a tag.
      const listed = page.filter((tag): tag is string => tag !== null && isTag(tag));
      const before = tags.size;
      for (const tag of listed) tags.add(tag);
      this.#checkLength(tags, request);
      // An empty page does not end a list. One without new tags does: some registries give the same tags on every page.
      return listed.length === 0 || tags.size > before;
    });
    return [...tags];
  }

  /**
   * What refers to this manifest, by the referrers API, also of types that are not mirrored; undefined if the registry does
   * not have that API.
   * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
   * @throws OperationError
   */
  async referrers(digest: Digest, signal?: AbortSignal): Promise<readonly Descriptor[] | undefined> {
    const request = this.#request("GET", `referrers/${digest}`, "listing the referrers of", signal, {
      subject: digest,
      headers: { accept: ociIndex },
    });
    const referrers = new Map<Digest, Descriptor>();
    let supported = true;
    await this.#eachPage(request, async (response, first) => {
      if (isTemporaryStatus(response.status)) throw await this.registry.refused(response, request);
      const index = response.status === 200 ? await readReferrers(response) : undefined;
      if (index !== undefined) {
        for (const referrer of [...index.children, ...index.blobs]) referrers.set(referrer.digest, referrer);
        this.#checkLength(referrers, request);
        return true;
      }
      if (!first) throw await this.registry.refused(response, request);
      // Registries without the API answer 404, other errors, or a web page.
      await discard(response);
      supported = false;
      return false;
    });
    return supported ? [...referrers.values()] : undefined;
  }

  /**
   * Deletes a manifest by tag or digest.
   * @returns "unsupported" if the registry does not delete by this kind of reference.
   * @throws OperationError
   */
  async deleteManifest(
    reference: string,
    signal?: AbortSignal,
  ): Promise<"deleted" | "not-found" | "unsupported"> {
    const scope: Scope = { repository: this.name, actions: mannersOf(this.registry.vendor).deleting };
    const request: RegistryRequest = {
      ...this.#request("DELETE", `manifests/${reference}`, "deleting", signal, { subject: reference }),
      scopes: [scope],
    };
    // Artifactory answers 406: https://github.com/containers/image/issues/1009
    const response = await this.registry.expect(request, 200, 202, 204, 400, 404, 405, 406);
    await discard(response);
    if (response.status === 404) return "not-found";
    return response.status >= 400 ? "unsupported" : "deleted";
  }

  /**
   * Reads a list page by page: on this registry only, no page twice, and not for ever.
   * @param read reads one answer, and says whether the list may go on.
   */
  async #eachPage(
    request: RegistryRequest,
    read: (response: HttpResponse, first: boolean) => Promise<boolean>,
  ): Promise<void> {
    const visited = new Set<string>();
    let target: URL | undefined = new URL(request.target, this.registry.origin);
    while (target !== undefined && !visited.has(target.href)) {
      // This is a failure, not the end of the list: pruning must not take a part of the tags for all of them.
      if (visited.size >= pageLimit)
        throw this.registry.failure(request, { problem: `the list goes on after ${pageLimit} pages` });
      visited.add(target.href);
      const page: URL = target;
      target = await this.registry.read({ ...request, target: page }, async (response) =>
        (await read(response, visited.size === 1))
          ? nextPage(response.headers("link").join(", "), page)
          : undefined,
      );
    }
  }

  /** A failure, and not the end of the list: see `#eachPage`. */
  #checkLength(entries: { readonly size: number }, request: RegistryRequest): void {
    if (entries.size > entryLimit)
      throw this.registry.failure(request, { problem: `the list has more than ${entryLimit} entries` });
  }

  /** Statuses beside 404 that stand for what is not there. A source that refuses is told apart by who asks it. */
  get #absent(): readonly number[] {
    return this.registry.side === "destination" ? mannersOf(this.registry.vendor).absent : [];
  }

  #scope(purpose: "read" | "push"): Scope {
    const { name: repository } = this;
    return purpose === "push"
      ? { repository, actions: ["pull", "push"] }
      : this.registry.readingScope(repository);
  }

  #request(
    method: RegistryRequest["method"],
    path: string,
    operation: string,
    signal: AbortSignal | undefined,
    rest: Pick<
      RegistryRequest,
      "subject" | "advice" | "headers" | "body" | "transfer" | "once" | "answer" | "priority"
    > & {
      push?: boolean;
    },
  ): RegistryRequest {
    const { push, ...request } = rest;
    const scopes = [this.#scope(push === true ? "push" : "read")] as const;
    return { method, target: `/v2/${this.name}/${path}`, operation, scopes, signal, ...request };
  }

  async #opened(response: HttpResponse, operation: string): Promise<BlobUpload> {
    await discard(response);
    return new BlobUpload(this.registry, this.name, response, operation);
  }
}

/**
 * A page of referrers. Some registries send it as plain JSON (https://github.com/Azure/azure-cli/issues/25069), and so do
 * others their answer to whatever they do not know; undefined: it is none.
 * @throws BodyError
 */
async function readReferrers(response: HttpResponse): Promise<Manifest | undefined> {
  const type = mediaTypeOf(response);
  if (type !== ociIndex && type !== "application/json") return undefined;
  const bytes = await readBytes(response, manifestLimit);
  try {
    return parseManifest(bytes, ociIndex, undefined);
  } catch (error) {
    if (type === ociIndex || !(error instanceof BodyError)) throw error;
    return undefined;
  }
}

function mediaTypeOf(response: HttpResponse): string {
  return response.header("content-type")?.split(";")[0]?.trim() ?? "";
}

/** What is wrong with the answer to a request for a part of a blob. RFC 9110, section 14.4. */
function transferProblem(response: HttpResponse, size: number, { from, to }: ByteRange): string | undefined {
  const encoding = response.header("content-encoding");
  if (encoding !== undefined && encoding !== "identity")
    return "the blob came compressed although it was asked for as stored";
  if (response.status === 200) return undefined;
  const [, first, last, total] =
    /^bytes ([0-9]+)-([0-9]+)\/([0-9]+|\*)$/.exec(response.header("content-range") ?? "") ?? [];
  const isAsked =
    Number(first) === from && Number(last) === to - 1 && (total === "*" || Number(total) === size);
  return isAsked ? undefined : "the registry sent another range of the blob than it was asked for";
}

/** The size of a whole blob, from the answer to a request for its first byte; undefined where it is not told. */
function storedSize(response: HttpResponse): number | undefined {
  if (response.status === 200) return contentLength(response);
  const [, total] = /\/([0-9]+)$/.exec(response.header("content-range") ?? "") ?? [];
  return total === undefined ? undefined : Number(total);
}

function contentLength(response: HttpResponse): number | undefined {
  const text = response.header("content-length");
  return text !== undefined && /^[0-9]+$/.test(text) ? Number(text) : undefined;
}
