/**
 * A registry in memory, as strict as the OCI distribution specification 1.1
 * (https://github.com/opencontainers/distribution-spec/blob/main/spec.md) and, where that leaves a choice, as the
 * distribution project (https://github.com/distribution/distribution): names and digests are checked, a manifest is
 * refused while a blob or child is missing, uploads go on only at their newest Location, Accept is honoured, tokens are
 * bound to scopes. A client without User-Agent is answered by 403, as Docker Hub has done.
 *
 * The conformance suite of the specification passes but for one test: an empty blob by a PUT in chunks, without the
 * Content-Length that the specification asks of the client, is refused by 411 (`__tests__/sandbox/conformance.test.ts`). For the
 * suite, the query of a Location may come back with other escapes (`exactQuery: false`).
 */
import { type AccessControl, basicAccess, bearerAccess, openAccess } from "./registry/access.ts";
import { type ContentServer, getBlob, startContentServer } from "./registry/blobs.ts";
import { hasDigest, isRepository } from "./registry/content.ts";
import { errorAnswer, Refusal, refusal } from "./registry/errors.ts";
import {
  type Deletion,
  deleteManifest,
  getManifest,
  listCatalog,
  listReferrers,
  listTags,
  type ManifestOptions,
  putManifest,
} from "./registry/manifests.ts";
import { checkPlace, type Deletions, hideAbsent, type Manners, needsOf } from "./registry/manners.ts";
import {
  type RegistryEvent,
  type RegistryState,
  type RegistryStore,
  registryStore,
} from "./registry/store.ts";
import { type UploadOptions, type Uploads, uploads, usualUploads } from "./registry/uploads.ts";
import {
  type Answer,
  ConnectionCut,
  extend,
  json,
  readBody,
  type SandboxRequest,
  type SandboxServer,
  startServer,
} from "./server.ts";
import { catalogResource, startTokenServer, type TokenServer, type User } from "./token-server.ts";

export type { RegistryEvent, RegistryState, StoredManifest, TagWrite } from "./registry/store.ts";
export { type Action, fullAccess, startTokenServer, type TokenServer, type User } from "./token-server.ts";

export type Authentication =
  | { readonly kind: "none" }
  | { readonly kind: "basic"; readonly users: readonly User[] }
  | {
      readonly kind: "bearer";
      readonly users: readonly User[];
      /** Life of a token. Default: 300. */
      readonly tokenSeconds?: number;
      readonly service?: string;
      readonly vocabulary?: readonly string[];
      readonly readable?: boolean;
      readonly takesAnyLogin?: boolean;
      /** Whether asking for a token for pushing makes the repository, as at Quay. */
      readonly makesRepositories?: boolean;
    };

export interface RegistryOptions extends Manners, Partial<UploadOptions> {
  /** Default: none. */
  readonly authentication?: Authentication;
  readonly anonymousPull?: boolean;
  /** Default: `by-tag`. */
  readonly deletion?: Deletion;
  /** Whether blob downloads are redirected to another origin. */
  readonly blobRedirect?: boolean;
  /** Announced on manifests; GET counts down, and at zero answers 429. */
  readonly rateLimitHeaders?: { readonly limit: number; readonly remaining: number };
  /** `repository:tag` of the tags that cannot be set to another digest: 403, or 412 where it deletes as Harbor. */
  readonly immutableTags?: Pick<ReadonlySet<string>, "has">;
  /**
   * Requests of all kinds in a window of time before a bare 429 without a body of the specification, as Docker Hub's abuse
   * limit is described (https://docs.docker.com/docker-hub/usage/). Default: no limit.
   */
  readonly requestLimit?: { readonly requests: number; readonly windowMs: number };
  /** Default: true. */
  readonly referrers?: boolean;
  /** Most tags on one page. Default: 1000, as the distribution project. */
  readonly pageSize?: number;
  /** The largest page of tags that may be asked for. Default: any. */
  readonly largestPage?: number;
  /** Whether a request gets an answer at all; else its connection is cut. Default: all do. */
  readonly admits?: () => boolean;
  /** Told of every change that came by HTTP, as it happens. */
  readonly onChange?: (event: RegistryEvent) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface RegistryServer extends SandboxServer, RegistryState, Deletions {
  readonly tokenServer: TokenServer | undefined;
  /** Where blob redirects lead. */
  readonly contentServer: ContentServer | undefined;
  /** Manifest downloads that are left before 429. */
  readonly pullsRemaining: number;
  uploadsOpen(): number;
}

interface Registry {
  readonly store: RegistryStore;
  readonly uploads: Uploads;
  readonly access: AccessControl;
  readonly content: ContentServer | undefined;
  readonly manifests: ManifestOptions;
  readonly manners: Manners;
  readonly pulls: { readonly limit: number | undefined; remaining: number };
  readonly immutableTags: Pick<ReadonlySet<string>, "has">;
  /** Whether one more request is let in now. */
  readonly admit: () => boolean;
}

/** Starts a registry, with a token server and a content server of its own where the options ask for them. */
export async function startRegistry(options: RegistryOptions = {}): Promise<RegistryServer> {
  const { authentication = { kind: "none" }, anonymousPull = false, now = Date.now } = options;
  const store = registryStore(options.onChange);
  const onScope = (name: string, actions: readonly string[]): void => {
    const makes = authentication.kind === "bearer" && authentication.makesRepositories === true;
    if (makes && actions.includes("push")) store.findOrCreate(name);
  };
  const tokenServer =
    authentication.kind === "bearer"
      ? await startTokenServer({ ...authentication, anonymousPull, now, onScope })
      : undefined;
  const contentServer = options.blobRedirect ? await startContentServer() : undefined;
  const { limit, remaining = Number.POSITIVE_INFINITY } = options.rateLimitHeaders ?? {};
  const registry: Registry = {
    store,
    uploads: uploads(store, { ...usualUploads, ...options }),
    access: accessControl(authentication, tokenServer, anonymousPull, now),
    content: contentServer,
    manifests: {
      deletion: options.deletion ?? "by-tag",
      referrers: options.referrers ?? true,
      pageSize: options.pageSize ?? 1000,
      largestPage: options.largestPage ?? Number.POSITIVE_INFINITY,
      unknownConfigs: options.unknownConfigs ?? [],
    },
    manners: options,
    pulls: { limit, remaining },
    immutableTags: options.immutableTags ?? new Set(),
    admit: requestLimiter(options.requestLimit, now),
  };
  const server = await startServer((request) => {
    if (options.admits?.() === false) throw new ConnectionCut();
    return answerTo(registry, request);
  });
  const close = async () => {
    await Promise.all([registryClose(), tokenServer?.close(), contentServer?.close()]);
  };
  const registryClose = server.close;
  const { findOrCreate: _create, find: _find, record: _record, ...state } = store;
  return extend(extend(server, state), {
    get tagWrites() {
      return store.tagWrites;
    },
    get pullsRemaining() {
      return registry.pulls.remaining;
    },
    tokenServer,
    contentServer,
    uploadsOpen: registry.uploads.open,
    close,
    [Symbol.asyncDispose]: close,
  });
}

function accessControl(
  authentication: Authentication,
  tokenServer: TokenServer | undefined,
  anonymousPull: boolean,
  now: () => number,
): AccessControl {
  if (tokenServer !== undefined) return bearerAccess(tokenServer);
  return authentication.kind === "basic" ? basicAccess(authentication.users, anonymousPull, now) : openAccess;
}

function requestLimiter(limit: RegistryOptions["requestLimit"], now: () => number): () => boolean {
  if (limit === undefined) return () => true;
  const window = { endsAt: 0, requests: 0 };
  return () => {
    if (now() >= window.endsAt) Object.assign(window, { endsAt: now() + limit.windowMs, requests: 0 });
    window.requests += 1;
    return window.requests <= limit.requests;
  };
}

async function answerTo(registry: Registry, request: SandboxRequest): Promise<Answer> {
  if (!registry.admit()) {
    return { status: 429, headers: { "content-type": "text/plain" }, body: "429 Too Many Requests" };
  }
  const answer = await route(registry, request).catch((thrown: unknown) => {
    if (thrown instanceof Refusal) return thrown.answer;
    throw thrown;
  });
  return { ...answer, headers: { "docker-distribution-api-version": "registry/2.0", ...answer.headers } };
}

/** A request's place: what kind of thing, in which repository, and its name there. */
const places =
  /^\/v2\/(.+)\/(?:(manifests|blobs|referrers)\/([^/]+)|(tags)\/list|blobs\/(uploads)\/([^/]*))$/;

async function route(registry: Registry, request: SandboxRequest): Promise<Answer> {
  if (!request.headers["user-agent"]) {
    return { status: 403, headers: { "content-type": "text/html" }, body: "<html>Request forbidden</html>" };
  }
  if (request.url.pathname === "/v2/") {
    registry.access.check(request, []);
    return json(200, {});
  }
  const { manners, store, access } = registry;
  const { pathname } = request.url;
  if (manners.api !== undefined && !pathname.startsWith("/v2/"))
    return manners.api(request, store, (needs) => access.check(request, needs));
  if (pathname === "/v2/_catalog" && manners.catalog !== false) {
    access.check(request, [{ repository: catalogResource, action: "*" }]);
    return listCatalog(store, registry.manifests, request);
  }
  const match = places.exec(pathname);
  if (match === null || (manners.lists === false && pathname.endsWith("/tags/list")))
    return { status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found\n" };
  const [, name = "", item, itemName, tags, upload, uploadId] = match;
  if (!isRepository(name)) throw refusal(400, "NAME_INVALID", "invalid repository name", { name });
  access.check(request, needsOf(request, name, manners));
  checkPlace(manners, request, name);
  const kind = item ?? tags ?? upload ?? "";
  const handler = handlers.get(`${request.method === "HEAD" ? "GET" : request.method} ${kind}`);
  if (handler === undefined) return errorAnswer(405, "UNSUPPORTED", "The operation is unsupported.");
  const answer = (): Answer | Promise<Answer> => handler(registry, request, name, itemName ?? uploadId ?? "");
  return hideAbsent(manners, { store, access, name }, request, answer);
}

type Endpoint = (
  registry: Registry,
  request: SandboxRequest,
  name: string,
  item: string,
) => Answer | Promise<Answer>;

const handlers: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ["GET manifests", pullManifest],
  ["PUT manifests", pushManifest],
  [
    "DELETE manifests",
    ({ store, manifests }, _request, name, item) => deleteManifest(store, manifests.deletion, name, item),
  ],
  ["GET tags", ({ store, manifests }, request, name) => listTags(store, manifests, request, name)],
  [
    "GET referrers",
    ({ store, manifests }, request, name, item) => listReferrers(store, manifests, request, name, item),
  ],
  ["GET blobs", ({ store, content }, request, name, item) => getBlob(store, content, request, name, item)],
  ["POST uploads", ({ uploads: all }, request, name) => all.start(request, name)],
  ["GET uploads", ({ uploads: all }, request, name, item) => all.proceed(request, name, item)],
  ["PATCH uploads", ({ uploads: all }, request, name, item) => all.proceed(request, name, item)],
  ["PUT uploads", ({ uploads: all }, request, name, item) => all.proceed(request, name, item)],
  ["DELETE uploads", ({ uploads: all }, request, name, item) => all.proceed(request, name, item)],
]);

/** A GET of a manifest is a pull, a HEAD is none (https://docs.docker.com/docker-hub/usage/pulls/). */
function pullManifest(
  { store, pulls, manners }: Registry,
  request: SandboxRequest,
  name: string,
  item: string,
): Answer {
  const withheld = manners.withheld?.(name);
  if (withheld !== undefined) {
    getManifest(store, request, name, item);
    return errorAnswer(412, "PROJECTPOLICYVIOLATION", withheld);
  }
  if (pulls.limit === undefined) return getManifest(store, request, name, item);
  const headers = () => ({
    "ratelimit-limit": `${pulls.limit};w=21600`,
    "ratelimit-remaining": `${pulls.remaining};w=21600`,
    "docker-ratelimit-source": "127.0.0.1",
  });
  if (request.method === "GET" && pulls.remaining <= 0) {
    const text =
      "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: " +
      "https://www.docker.com/increase-rate-limits";
    return errorAnswer(429, "TOOMANYREQUESTS", text, null, headers());
  }
  const answer = getManifest(store, request, name, item);
  if (request.method === "GET") pulls.remaining -= 1;
  return { ...answer, headers: { ...answer.headers, ...headers() } };
}

/** An immutable tag keeps what it holds, and takes that once more. */
async function pushManifest(
  { store, manifests, immutableTags }: Registry,
  request: SandboxRequest,
  name: string,
  item: string,
): Promise<Answer> {
  const before = store.tags(name).get(item);
  if (before === undefined || !immutableTags.has(`${name}:${item}`))
    return putManifest(store, manifests, request, name, item);
  const bytes = await readBody(request, 4 * 1024 * 1024);
  return hasDigest([bytes], before)
    ? {
        status: 201,
        headers: { location: `/v2/${name}/manifests/${before}`, "docker-content-digest": before },
      }
    : immutableRefusal(manifests.deletion === "harbor", name, item);
}

/** Harbor's words: https://github.com/goharbor/harbor, src/server/middleware/immutable/pushmf.go */
function immutableRefusal(isHarbor: boolean, name: string, tag: string): Answer {
  if (!isHarbor) return errorAnswer(403, "DENIED", "requested access to the resource is denied");
  const text = `Failed to process request due to '${name.split("/").at(-1)}:${tag}' configured as immutable.`;
  return errorAnswer(412, "PRECONDITION", text);
}
