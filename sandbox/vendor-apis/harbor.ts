/**
 * Harbor's API 2.0 for artifacts, projects with their quota, and the system (https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml). Kept: Basic only, the
 * tokens of the registry are 401; the repository's slashes encoded twice; an artifact by tag or digest with its tags (`null`
 * without any); repositories by pages of at most 100 with `Link`, of a public project for everybody; rights before existence
 * (src/server/v2.0/handler/artifact.go); a tag goes alone; whether a tag is immutable is
 * told only with `with_immutable_status`, and its deletion, like that of its artifact, is 412
 * (src/controller/tag/controller.go); an artifact that an index holds is 412; errors as `{"errors":[{"code","message"}]}`.
 */
import { mediaTypes, parseManifest } from "../registry/content.ts";
import { errorAnswer } from "../registry/errors.ts";
import type { Deletions, VendorApi } from "../registry/manners.ts";
import type { RegistryState } from "../registry/store.ts";
import { type Answer, basicLogin, json } from "../server.ts";
import type { User } from "../token-server.ts";

const listPath = /^\/api\/v2\.0(?:\/projects\/([^/]+))?\/repositories$/;
const artifactPath =
  /^\/api\/v2\.0\/projects\/([^/]+)\/repositories\/([^/]+)\/artifacts\/([^/]+)(?:\/tags\/([^/]+))?$/;

export interface HarborApiOptions {
  readonly user: User;
  /** `repository:tag` of the tags that a rule makes immutable. */
  readonly immutable?: ReadonlySet<string>;
  /** Whether the robot may read artifacts. Default: true. */
  readonly mayReadArtifacts?: boolean;
  /** Whether the robot may delete tags. Default: true. */
  readonly mayDeleteTags?: boolean;
  /** Whether the robot may delete artifacts, as well as tags. Default: true. */
  readonly mayDeleteArtifacts?: boolean;
  /** Metadata of every project, as texts. Undefined: the login may not read projects, as a robot without that right. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly readOnly?: boolean;
  /** Projects that everybody may read. Default: none. */
  readonly publicProjects?: Pick<ReadonlySet<string>, "has">;
  /** Storage of every project in bytes; a limit of -1 is none. Undefined: the login may not read quotas. */
  readonly quota?: { readonly hard: number; readonly used: number };
}

export function harborApi(options: HarborApiOptions): VendorApi {
  const { user } = options;
  return (request, registry) => {
    const login = basicLogin(request.headers);
    const list = listPath.exec(request.url.pathname);
    if (list !== null && login === undefined) {
      const isOpen = (project: string): boolean => options.publicProjects?.has(project) ?? false;
      const [, project] = list;
      return project === undefined || isOpen(project)
        ? listRepositories(registry, request, project, isOpen)
        : errorAnswer(401, "UNAUTHORIZED", "unauthorized");
    }
    if (login?.username !== user.username || login.password !== user.password)
      return errorAnswer(401, "UNAUTHORIZED", "unauthorized");
    const { pathname } = request.url;
    if (list !== null) return listRepositories(registry, request, list[1], () => true);
    if (pathname === "/api/v2.0/systeminfo") return json(200, { read_only: options.readOnly ?? false });
    const [, ofProject] = /^\/api\/v2\.0\/projects\/([^/]+)$/.exec(pathname) ?? [];
    if (ofProject !== undefined)
      return options.metadata === undefined
        ? errorAnswer(403, "FORBIDDEN", "forbidden")
        : json(200, { name: ofProject, project_id: 1, metadata: options.metadata });
    if (/^\/api\/v2\.0\/projects\/[^/]+\/summary$/.test(pathname)) return summaryOf(options);
    const [, project = "", name = "", reference = "", tag] = artifactPath.exec(request.url.pathname) ?? [];
    const repository = `${project}/${decodeURIComponent(decodeURIComponent(name))}`;
    // Encoded once, the slashes are the route's own.
    if (decodeURIComponent(name).includes("/")) return errorAnswer(404, "NOT_FOUND", "no such path");
    if (!isAllowed(options, request.method, tag)) return errorAnswer(403, "FORBIDDEN", "forbidden");
    const manifest = registry.manifest(repository, reference);
    if (manifest === undefined) return errorAnswer(404, "NOT_FOUND", `artifact ${reference} not found`);
    if (request.method === "GET") {
      const tellsRules = request.url.searchParams.get("with_immutable_status") === "true";
      return json(200, artifactOf(tellsRules ? options : {}, registry, repository, manifest.digest));
    }
    if (request.method !== "DELETE") return errorAnswer(405, "METHOD_NOT_ALLOWED", "method not allowed");
    return tag === undefined
      ? deleteArtifact(options, registry, repository, manifest.digest)
      : deleteTag(options, registry, repository, tag);
  };
}

/** Those of one project, or of all that may be seen. */
function listRepositories(
  registry: RegistryState,
  { url }: Parameters<VendorApi>[0],
  project: string | undefined,
  isSeen: (project: string) => boolean,
): Answer {
  const size = Number(url.searchParams.get("page_size") ?? 10);
  const page = Number(url.searchParams.get("page") ?? 1);
  if (size > 100)
    return errorAnswer(422, "UNPROCESSABLE_ENTITY", "page_size in query should be less than 100");
  const all = registry.repositories().filter((name) => {
    const [own = ""] = name.split("/");
    return project === undefined ? isSeen(own) : own === project;
  });
  const shown = all.slice((page - 1) * size, page * size).map((name, index) => ({ id: index, name }));
  const link = `<${url.pathname}?page=${page + 1}&page_size=${size}>; rel="next"`;
  return json(200, shown.length === 0 ? null : shown, page * size < all.length ? { link } : {});
}

/** A login that may read the project, but not its quota, gets a summary without (src/server/v2.0/handler/project.go). */
function summaryOf({ quota, metadata }: HarborApiOptions): Answer {
  if (quota === undefined && metadata === undefined) return errorAnswer(403, "FORBIDDEN", "forbidden");
  return json(200, {
    repo_count: 2,
    ...(quota && { quota: { hard: { storage: quota.hard }, used: { storage: quota.used } } }),
  });
}

function isAllowed(options: HarborApiOptions, method: string, tag: string | undefined): boolean {
  const { mayReadArtifacts = true, mayDeleteTags = true, mayDeleteArtifacts = true } = options;
  if (method !== "DELETE") return mayReadArtifacts;
  return tag === undefined ? mayDeleteArtifacts : mayDeleteTags;
}

function artifactOf(
  { immutable }: Pick<HarborApiOptions, "immutable">,
  registry: RegistryState,
  repository: string,
  digest: string,
): unknown {
  const tags = [...registry.tags(repository)]
    .filter(([, target]) => target === digest)
    .map(([name]) => ({ name, immutable: immutable?.has(`${repository}:${name}`) ?? false }));
  return { digest, tags: tags.length === 0 ? null : tags };
}

function deleteTag(
  { immutable }: HarborApiOptions,
  registry: Deletions,
  repository: string,
  tag: string,
): Answer {
  if (immutable?.has(`${repository}:${tag}`) === true)
    return errorAnswer(412, "PRECONDITION", `the tag ${tag} configured as immutable, cannot be deleted`);
  return registry.untag(repository, tag)
    ? json(200, {})
    : errorAnswer(404, "NOT_FOUND", `tag ${tag} not found`);
}

function deleteArtifact(
  { immutable }: HarborApiOptions,
  registry: RegistryState & Deletions,
  repository: string,
  digest: string,
): Answer {
  for (const [tag, target] of registry.tags(repository)) {
    if (target === digest && immutable?.has(`${repository}:${tag}`) === true)
      return errorAnswer(412, "PRECONDITION", `the tag ${tag} configured as immutable, cannot be deleted`);
  }
  if (isChild(registry, repository, digest))
    return errorAnswer(412, "PRECONDITION", "the deleting artifact is referenced by others");
  registry.deleteManifest(repository, digest);
  return json(200, {});
}

/** Whether an index of the repository that has a tag holds a manifest. */
function isChild(registry: RegistryState, repository: string, digest: string): boolean {
  return [...registry.tags(repository).values()].some((root) => {
    const manifest = registry.manifest(repository, root);
    if (manifest === undefined || manifest.mediaType === mediaTypes.dockerSchema1) return false;
    const { children } = parseManifest(manifest.bytes, manifest.mediaType);
    return children.some((child) => child.digest === digest);
  });
}
