/**
 * Blob uploads by the distribution specification, "Pushing blobs": single POST, POST and PUT, chunks, mounts, status,
 * cancellation. As in the distribution project, the Location carries a `_state` that names the position, so only the
 * newest Location goes on with an upload, and bytes that arrived before a connection broke are kept.
 */
import { randomUUID } from "node:crypto";
import type { Answer, SandboxRequest } from "../server.ts";
import { hasDigest, isDigest, mediaTypes, parseManifest } from "./content.ts";
import { errorAnswer, refusal } from "./errors.ts";
import type { RegistryStore } from "./store.ts";

export interface UploadOptions {
  /** Form of the Location header. */
  readonly location: "relative" | "absolute";
  /**
   * Whether a blob is mounted; `referenced`: once a manifest of the other repository holds it; `refuse` answers 401, as
   * registries do that cannot see the other repository.
   */
  readonly mount: "always" | "referenced" | "never" | "refuse";
  /** What becomes of a second PATCH: added to the first, in its place, or refused. */
  readonly chunks: "joined" | "last-wins" | "refused";
  /** Most bytes of one body; more is 413. */
  readonly bodyLimit: number;
  /** Whether the PUT at the end may bring bytes. */
  readonly bytesInPut: boolean;
  /** Whether the query of a Location has to come back with the very escapes that it was given with. */
  readonly exactQuery: boolean;
  /** Bytes that every chunk but the last must have; announced by `OCI-Chunk-Min-Length`. */
  readonly chunkMinLength?: number;
}

/** The uploads of the specification. */
export const usualUploads: UploadOptions = {
  location: "relative",
  mount: "always",
  chunks: "joined",
  bodyLimit: Number.POSITIVE_INFINITY,
  bytesInPut: true,
  exactQuery: true,
};

interface Upload {
  readonly id: string;
  readonly repository: string;
  readonly chunks: Buffer[];
  size: number;
  /** Every `_state` that was handed out; the last one is the newest. */
  readonly states: string[];
  busy: boolean;
}

export interface Uploads {
  /** Sessions that were opened and neither finished nor cancelled. */
  open(): number;
  start(request: SandboxRequest, repository: string): Promise<Answer>;
  /** Requests to the Location of a session. */
  proceed(request: SandboxRequest, repository: string, id: string): Promise<Answer>;
}

/** The uploads of a registry. */
export function uploads(store: RegistryStore, options: UploadOptions): Uploads {
  const context: Context = { store, options, sessions: new Map() };
  return {
    open: () => context.sessions.size,
    start: (request, repository) => start(context, request, repository),
    proceed: (request, repository, id) => proceed(context, request, repository, id),
  };
}

interface Context {
  readonly store: RegistryStore;
  readonly options: UploadOptions;
  readonly sessions: Map<string, Upload>;
}

async function start(context: Context, request: SandboxRequest, repository: string): Promise<Answer> {
  const { store, options } = context;
  const query = request.url.searchParams;
  const mounted = query.get("mount");
  if (mounted !== null) {
    const answer = mount(store, options, repository, mounted, query.get("from"));
    return answer ?? begin(context, request, repository);
  }
  const digest = query.get("digest");
  if (digest === null) return begin(context, request, repository);
  checkContentType(request);
  const chunks: Buffer[] = [];
  for await (const chunk of request.body) chunks.push(chunk);
  return commit(store, repository, chunks, digest);
}

function begin({ options, sessions }: Context, request: SandboxRequest, repository: string): Answer {
  const id = randomUUID();
  const upload: Upload = { id, repository, chunks: [], size: 0, states: [newState()], busy: false };
  sessions.set(id, upload);
  const minimum = options.chunkMinLength;
  const headers = minimum === undefined ? {} : { "oci-chunk-min-length": String(minimum) };
  return { status: 202, headers: { ...progress(upload, request, options), ...headers } };
}

async function proceed(
  { store, options, sessions }: Context,
  request: SandboxRequest,
  repository: string,
  id: string,
): Promise<Answer> {
  const upload = sessions.get(id);
  if (upload?.repository !== repository) throw refusal(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
  if (request.method === "DELETE") {
    sessions.delete(id);
    return { status: 204 };
  }
  const state = stateOf(request, options);
  if (!upload.states.includes(state)) {
    throw refusal(400, "BLOB_UPLOAD_INVALID", "the query of the Location did not come back as it was given");
  }
  if (request.method === "GET") return { status: 204, headers: progress(upload, request, options) };
  if (state !== upload.states.at(-1)) return outOfOrder(upload, request, options);
  if (request.method === "PATCH") return await append(upload, request, options);
  return await finish(store, sessions, upload, request, options);
}

/** The answer to a mount, or undefined when an ordinary upload has to begin. */
function mount(
  store: RegistryStore,
  options: UploadOptions,
  repository: string,
  digest: string,
  from: string | null,
): Answer | undefined {
  if (!isDigest(digest)) throw refusal(400, "DIGEST_INVALID", "the digest to mount is not one");
  if (options.mount === "refuse") throw refusal(401, "UNAUTHORIZED", "authentication required");
  const bytes = from === null || options.mount === "never" ? undefined : store.blob(from, digest);
  if (options.mount === "referenced" && !isReferenced(store, from ?? "", digest)) return undefined;
  if (bytes === undefined) return undefined;
  store.findOrCreate(repository).blobs.set(digest, bytes);
  store.record({ kind: "mount", repository, digest });
  return created(repository, digest);
}

/** Whether a manifest of a repository holds a blob. */
function isReferenced(store: RegistryStore, repository: string, digest: string): boolean {
  return [...(store.find(repository)?.manifests.values() ?? [])].some(
    ({ bytes, mediaType }) =>
      mediaType !== mediaTypes.dockerSchema1 &&
      parseManifest(bytes, mediaType).blobs.some((blob) => blob.digest === digest),
  );
}

/** Takes the body and drops it before it refuses, as nginx does: who still writes would see a broken connection instead. */
async function checkSize(request: SandboxRequest, { bodyLimit }: UploadOptions): Promise<void> {
  if (Number(request.headers["content-length"] ?? 0) <= bodyLimit) return;
  for await (const _chunk of request.body);
  throw refusal(413, "SIZE_INVALID", `the body is larger than ${bodyLimit} bytes`);
}

async function append(upload: Upload, request: SandboxRequest, options: UploadOptions): Promise<Answer> {
  checkContentType(request);
  await checkSize(request, options);
  if (upload.size > 0 && options.chunks === "refused")
    throw refusal(400, "UNSUPPORTED", "chunked uploads are not supported");
  if (!isNextRange(upload, request)) return outOfOrder(upload, request, options);
  const former = upload.chunks.length;
  await receive(upload, request);
  // The position goes on, so that nobody notices before the digest is checked.
  if (options.chunks === "last-wins") upload.chunks.splice(0, former);
  return { status: 202, headers: progress(upload, request, options) };
}

/**
 * Whether the body goes on where the upload stands; without a Content-Range it does.
 *
 * @throws Refusal for a range of another form, or of another length than the body.
 */
function isNextRange(upload: Upload, request: SandboxRequest): boolean {
  const range = request.headers["content-range"];
  if (range === undefined) return true;
  const match = /^([0-9]+)-([0-9]+)$/.exec(range);
  if (match === null) throw refusal(400, "BLOB_UPLOAD_INVALID", "Content-Range is not <start>-<end>");
  const [start, end] = [Number(match[1]), Number(match[2])];
  if (start !== upload.size) return false;
  if (request.headers["content-length"] !== String(end - start + 1)) {
    throw refusal(400, "SIZE_INVALID", "Content-Length is not that of the Content-Range");
  }
  return true;
}

async function finish(
  store: RegistryStore,
  sessions: Map<string, Upload>,
  upload: Upload,
  request: SandboxRequest,
  options: UploadOptions,
): Promise<Answer> {
  const digest = request.url.searchParams.get("digest") ?? "";
  if (!isDigest(digest)) throw refusal(400, "DIGEST_INVALID", "the digest is missing or not one");
  // A request with neither header has no body (RFC 9112, section 6.3).
  const isEmpty = (request.headers["content-length"] ?? "0") === "0";
  if (isEmpty && request.headers["transfer-encoding"] !== undefined) {
    throw refusal(411, "SIZE_INVALID", "a PUT needs a Content-Length");
  }
  if (!isEmpty) {
    if (!options.bytesInPut) throw refusal(400, "BLOB_UPLOAD_INVALID", "the bytes come by PATCH");
    checkContentType(request);
    await checkSize(request, options);
    if (!isNextRange(upload, request)) return outOfOrder(upload, request, options);
  }
  await receive(upload, request);
  sessions.delete(upload.id);
  return commit(store, upload.repository, upload.chunks, digest);
}

/** Takes what arrives, also when the client breaks off: it can ask how far it came, and go on. */
async function receive(upload: Upload, request: SandboxRequest): Promise<void> {
  if (upload.busy) throw refusal(400, "BLOB_UPLOAD_INVALID", "another request is writing to this upload");
  upload.busy = true;
  const before = upload.size;
  try {
    for await (const chunk of request.body) {
      upload.chunks.push(chunk);
      upload.size += chunk.length;
    }
  } finally {
    upload.busy = false;
    if (upload.size > before) upload.states.push(newState());
  }
}

function commit(store: RegistryStore, repository: string, chunks: readonly Buffer[], digest: string): Answer {
  if (!isDigest(digest)) throw refusal(400, "DIGEST_INVALID", "the digest is not one");
  if (!hasDigest(chunks, digest)) {
    throw refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content", { digest });
  }
  const [only] = chunks;
  const bytes = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
  store.findOrCreate(repository).blobs.set(digest, bytes);
  store.record({ kind: "blob", repository, digest });
  return created(repository, digest);
}

function created(repository: string, digest: string): Answer {
  return {
    status: 201,
    headers: { location: `/v2/${repository}/blobs/${digest}`, "docker-content-digest": digest },
  };
}

function outOfOrder(upload: Upload, request: SandboxRequest, options: UploadOptions): Answer {
  return errorAnswer(
    416,
    "BLOB_UPLOAD_INVALID",
    "not the next byte",
    null,
    progress(upload, request, options),
  );
}

function progress(upload: Upload, request: SandboxRequest, options: UploadOptions): Record<string, string> {
  const origin = options.location === "absolute" ? `http://${request.headers.host}` : "";
  return {
    location: `${origin}/v2/${upload.repository}/blobs/uploads/${upload.id}?_state=${upload.states.at(-1)}`,
    // The distribution project sends 0-0 for no byte as well as for one.
    range: `0-${Math.max(0, upload.size - 1)}`,
    "docker-upload-uuid": upload.id,
  };
}

/** The `_state` that came back, escapes included; decoded and escaped anew where the escapes do not count. */
function stateOf(request: SandboxRequest, { exactQuery }: UploadOptions): string {
  if (exactQuery) return /[?&]_state=([^&]*)/.exec(request.url.search)?.[1] ?? "";
  return escapeState(request.url.searchParams.get("_state") ?? "");
}

/** Opaque, and with escapes that must come back as they were sent: some clients decode and encode them in another way. */
function newState(): string {
  return escapeState(`${randomUUID()}=+~`);
}

function escapeState(state: string): string {
  return encodeURIComponent(state).replaceAll("~", "%7E");
}

function checkContentType(request: SandboxRequest): void {
  if (request.headers["content-type"] !== "application/octet-stream") {
    throw refusal(400, "BLOB_UPLOAD_INVALID", "Content-Type is not application/octet-stream");
  }
}
