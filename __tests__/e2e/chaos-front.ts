/**
 * A front of a registry that lets one request through at a time and writes down all of them. So each answer belongs to one
 * known state of the registry, and what was sent can be judged afterwards by what could be seen before it.
 */
import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { type Artifact, blobsOf, mediaTypes } from "../../sandbox/images.ts";
import { digestOf, type ManifestContent, parseManifest } from "../../sandbox/registry/content.ts";

/** What a registry holds, as `repository:tag` to digest and as `repository@digest`. */
export interface State {
  readonly tags: ReadonlyMap<string, string>;
  readonly manifests: ReadonlySet<string>;
  readonly blobs: ReadonlySet<string>;
}

/** A request with its answer. */
export interface Request {
  readonly by: "action" | "intruder";
  readonly method: string;
  readonly kind: "tags" | "manifests" | "blobs" | "other";
  readonly repository: string;
  /** Tag or digest; empty for a list and for an upload. */
  readonly reference: string;
  readonly status: number;
  /** What the answer says, or for a manifest that is put, what it is. */
  readonly digest: string | undefined;
  /** Milliseconds since the epoch, when it was passed on. */
  readonly at: number;
  readonly before: State;
  readonly after: State;
}

export type Send = (
  method: string,
  path: string,
  body?: Buffer,
  headers?: Readonly<Record<string, string>>,
) => Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer }>;

/** A registry's front in one run. */
export interface Front extends AsyncDisposable {
  readonly host: string;
  /** In the order in which the registry has answered. */
  readonly requests: readonly Request[];
  readonly state: State;
  /** What is known of each manifest that was ever put. */
  readonly contents: ReadonlyMap<string, ManifestContent>;
  /** Sends something past the Action. Only before a run, after it, and by `intrude`. */
  readonly send: Send;
}

/**
 * Starts a front.
 * @param intrude called before each request of the Action is passed on, with the request.
 */
export async function startFront(
  registry: string,
  intrude: (front: Front, next: Pick<Request, "method" | "kind">) => Promise<void>,
): Promise<Front> {
  const requests: Request[] = [];
  const contents = new Map<string, ManifestContent>();
  let state: State = { tags: new Map(), manifests: new Set(), blobs: new Set() };
  let queue: Promise<unknown> = Promise.resolve();

  const pass = async (by: Request["by"], ...[method, path, body, headers]: Parameters<Send>) => {
    const at = Date.now();
    const answer = await forward(registry, method, path, body, headers);
    const place = placeOf(path);
    const type = headers?.["content-type"] ?? "";
    const isPut = method === "PUT" && place.kind === "manifests";
    if (isPut && answer.status === 201 && body !== undefined)
      contents.set(digestOf(body), parseManifest(body, type));
    const named = answer.headers["docker-content-digest"];
    const digest = isPut && body !== undefined ? digestOf(body) : named?.toString();
    const before = state;
    state = changed(before, method, path, answer.status, digest);
    requests.push({ by, method, ...place, status: answer.status, digest, at, before, after: state });
    return answer;
  };

  const server = createServer((incoming, response) => {
    const pieces: Buffer[] = [];
    incoming.on("data", (piece: Buffer) => pieces.push(piece));
    incoming.once("end", () => {
      const { method = "", url = "", headers } = incoming;
      const body = Buffer.concat(pieces);
      queue = queue.then(async () => {
        await intrude(front, { method, kind: placeOf(url).kind });
        const sent = Object.fromEntries(
          Object.entries(headers).flatMap(([name, value]) =>
            value === undefined || perConnection.has(name) ? [] : [[name, value.toString()]],
          ),
        );
        const hasBody = body.length > 0 || headers["content-length"] !== undefined;
        const answer = await pass("action", method, url, hasBody ? body : undefined, sent);
        response.writeHead(answer.status, answer.headers).end(answer.body);
      });
      queue = queue.catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const front: Front = {
    host,
    requests,
    contents,
    get state() {
      return state;
    },
    send: (...request) => pass("intruder", ...request),
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return front;
}

const perConnection = new Set(["connection", "keep-alive", "transfer-encoding", "content-length"]);

async function forward(
  registry: string,
  method: string,
  path: string,
  body: Buffer | undefined,
  headers: Readonly<Record<string, string>> = {},
): ReturnType<Send> {
  const [hostname, port] = registry.split(":");
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": body.length };
    const options = { hostname, port, method, path, headers: { ...headers, ...length }, agent: false };
    const request = httpRequest(options, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.once("end", () => {
        const named = Object.entries(answer.headers).filter(
          ([name]) => !perConnection.has(name) || name === "content-length",
        );
        resolve({
          status: answer.statusCode ?? 0,
          headers: Object.fromEntries(named),
          body: Buffer.concat(pieces),
        });
      });
    });
    request.once("error", reject).end(body);
  });
}

function placeOf(path: string): Pick<Request, "kind" | "repository" | "reference"> {
  const [, repository = "", kind = "", reference = ""] =
    /^\/v2\/(.+?)\/(tags|manifests|blobs)\/([^?]*)/.exec(path) ?? [];
  if (kind === "tags") return { kind, repository, reference: "" };
  if (kind === "manifests") return { kind, repository, reference };
  if (kind !== "blobs") return { kind: "other", repository, reference: "" };
  return { kind, repository, reference: reference.startsWith("uploads/") ? "" : reference };
}

/** What a registry of the distribution project holds after a request. A deletion by digest takes the tags along. */
function changed(
  state: State,
  method: string,
  path: string,
  status: number,
  digest: string | undefined,
): State {
  const { kind, repository, reference } = placeOf(path);
  const parameters = new URL(path, "http://registry").searchParams;
  if (kind === "blobs" && status === 201) {
    const blob = parameters.get("digest") ?? parameters.get("mount");
    return { ...state, blobs: new Set([...state.blobs, `${repository}@${blob}`]) };
  }
  if (kind === "blobs" && method === "DELETE" && status === 202)
    return { ...state, blobs: without(state.blobs, `${repository}@${reference}`) };
  if (kind !== "manifests") return state;
  if (method === "PUT" && status === 201) {
    const manifests = new Set([...state.manifests, `${repository}@${digest}`]);
    if (isDigest(reference)) return { ...state, manifests };
    return {
      ...state,
      manifests,
      tags: new Map([...state.tags, [`${repository}:${reference}`, digest ?? ""]]),
    };
  }
  if (method !== "DELETE" || status !== 202) return state;
  const isGone = ([name, held]: readonly [string, string]) =>
    isDigest(reference)
      ? name.startsWith(`${repository}:`) && held === reference
      : name === `${repository}:${reference}`;
  const tags = new Map([...state.tags].filter((entry) => !isGone(entry)));
  if (!isDigest(reference)) return { ...state, tags };
  return { ...state, tags, manifests: without(state.manifests, `${repository}@${reference}`) };
}

export function isDigest(reference: string): boolean {
  return reference.startsWith("sha256:");
}

function without(names: ReadonlySet<string>, name: string): ReadonlySet<string> {
  return new Set([...names].filter((each) => each !== name));
}

/** Pushes an artifact with everything below it. */
export async function push(
  front: Front,
  repository: string,
  artifact: Artifact,
  tag?: string,
): Promise<void> {
  const { send } = front;
  for (const child of artifact.children) await push(front, repository, child);
  for (const { bytes, digest } of blobsOf(artifact)) {
    if (bytes === undefined || front.state.blobs.has(`${repository}@${digest}`)) continue;
    const { headers } = await send("POST", `/v2/${repository}/blobs/uploads/`);
    const location = new URL(headers.location ?? "", "http://registry");
    location.searchParams.set("digest", digest);
    await send("PUT", `${location.pathname}${location.search}`, bytes, {
      "content-type": "application/octet-stream",
    });
  }
  await send("PUT", `/v2/${repository}/manifests/${tag ?? artifact.digest}`, artifact.bytes, {
    "content-type": artifact.mediaType,
  });
}

/** All types of manifests, for a request that looks one up. */
export const acceptAll = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
].join(", ");
