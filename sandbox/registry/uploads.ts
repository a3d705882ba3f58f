/**
 * Blob uploads by the distribution specification, "Pushing blobs": single POST, POST and PUT, chunks, mounts, status,
 * cancellation. As in the distribution project, the Location carries a `_state` that names the position, so only the
 * newest Location goes on with an upload, and bytes that arrived before a connection broke are kept.
 */
import { randomUUID } from "node:crypto";
import type { Answer, SandboxRequest } from "../server.ts";
import { hasDigest, isDigest } from "./content.ts";
import { errorAnswer, refusal } from "./errors.ts";
import type { RegistryStore } from "./store.ts";

export interface UploadOptions {
  /** Form of the Location header. */
  readonly location: "relative" | "absolute";
  /** Whether a blob is mounted; `refuse` answers 401, as registries do that cannot see the other repository. */
  readonly mount: "always" | "never" | "refuse";
  /** Bytes that every chunk but the last must have; announced by `OCI-Chunk-Min-Length`. */
  readonly chunkMinLength: number | undefined;
}

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
  const state = /[?&]_state=([^&]*)/.exec(request.url.search)?.[1] ?? "";
  if (!upload.states.includes(state)) {
    throw refusal(400, "BLOB_UPLOAD_INVALID", "the query of the Location did not come back as it was given");
  }
  if (request.method === "GET") return { status: 204, headers: progress(upload, request, options) };
  if (state !== upload.states.at(-1)) return outOfOrder(upload, request, options);
  if (request.method === "PATCH") return await append(upload, request, options);
  return await finish(store, sessions, upload, request);
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
  if (bytes === undefined) return undefined;
  store.findOrCreate(repository).blobs.set(digest, bytes);
  store.record({ kind: "mount", repository, digest });
  return created(repository, digest);
}

async function append(upload: Upload, request: SandboxRequest, options: UploadOptions): Promise<Answer> {
  checkContentType(request);
  const range = request.headers["content-range"];
  if (range !== undefined) {
    const match = /^([0-9]+)-([0-9]+)$/.exec(range);
    if (match === null) throw refusal(400, "BLOB_UPLOAD_INVALID", "Content-Range is not <start>-<end>");
    const [start, end] = [Number(match[1]), Number(match[2])];
    if (start !== upload.size) return outOfOrder(upload, request, options);
    if (request.headers["content-length"] !== String(end - start + 1)) {
      throw refusal(400, "SIZE_INVALID", "Content-Length is not that of the Content-Range");
    }
  }
  await receive(upload, request);
  return { status: 202, headers: progress(upload, request, options) };
}

async function finish(
  store: RegistryStore,
  sessions: Map<string, Upload>,
  upload: Upload,
  request: SandboxRequest,
): Promise<Answer> {
  const digest = request.url.searchParams.get("digest") ?? "";
  if (!isDigest(digest)) throw refusal(400, "DIGEST_INVALID", "the digest is missing or not one");
  if (request.headers["content-length"] === undefined) {
    throw refusal(411, "SIZE_INVALID", "a PUT needs a Content-Length");
  }
  if (request.headers["content-length"] !== "0") checkContentType(request);
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

/** Opaque, and with escapes that must come back as they were sent: some clients decode and encode them in another way. */
function newState(): string {
  return `${randomUUID()}%3D%2B%7E`;
}

function checkContentType(request: SandboxRequest): void {
  if (request.headers["content-type"] !== "application/octet-stream") {
    throw refusal(400, "BLOB_UPLOAD_INVALID", "Content-Type is not application/octet-stream");
  }
}
