/**
 * GitHub's packages API for containers (https://docs.github.com/rest/packages/packages). Kept: a version is a manifest, named by
 * its digest, with all tags that point to it; pages of at most 100; deleting a version takes all its tags, 204; an owner that
 * is no organisation is 404 below `/orgs`, and one that is none below `/users`; packages by pages with `Link`, never to the token of a job; 403 for a token that may not delete; 401 for an unknown one.
 */
import type { RegistryServer } from "../registry.ts";
import {
  type Answer,
  bearerToken,
  json,
  type SandboxRequest,
  type SandboxServer,
  startServer,
} from "../server.ts";

/** Who may list which packages. */
export interface PackageList {
  readonly registry: Pick<RegistryServer, "repositories">;
  /** That of a job, which may list none. */
  readonly token: string;
  /** A classic token, which may list packages. Default: none may. */
  readonly listingToken?: string;
  /** Names of the owners that are organisations. */
  readonly organisations: ReadonlySet<string>;
}

export interface PackagesOptions extends PackageList {
  readonly registry: Pick<RegistryServer, "repositories" | "manifest" | "tags" | "events" | "deleteManifest">;
  /** Default: true. */
  readonly mayDelete?: boolean;
  /** All digests of a repository, tagged or not, oldest first. */
  readonly digests: (repository: string) => readonly string[];
}

const packagesPath = /^\/(orgs|users)\/([^/]+)\/packages$/;
const versionsPath = /^\/(orgs|users)\/([^/]+)\/packages\/container\/([^/]+)\/versions(?:\/([0-9]+))?$/;

export function startPackagesApi(options: PackagesOptions): Promise<SandboxServer> {
  return startServer((request) => answerTo(options, request));
}

function answerTo(options: PackagesOptions, request: SandboxRequest): Answer {
  const { registry, token, mayDelete = true, organisations, digests } = options;
  const list = listPackages(options, request);
  if (list !== undefined) return list;
  if (bearerToken(request.headers) !== token) return json(401, { message: "Bad credentials" });
  const [, kind, owner = "", name = "", id] = versionsPath.exec(request.url.pathname) ?? [];
  const repository = `${owner}/${decodeURIComponent(name)}`;
  const isOrganisation = organisations.has(owner);
  const isThere = registry.repositories().includes(repository);
  if (!isThere || (kind === "orgs") !== isOrganisation) return json(404, { message: "Package not found." });
  const all = digests(repository).map((digest, index) => ({ id: index + 1, digest }));
  if (id === undefined) {
    const query = request.url.searchParams;
    const size = Math.min(100, Number(query.get("per_page") ?? 30));
    const start = (Number(query.get("page") ?? 1) - 1) * size;
    const present = all.filter(({ digest }) => registry.manifest(repository, digest) !== undefined);
    return json(
      200,
      present.slice(start, start + size).map((version) => versionOf(registry, repository, version)),
    );
  }
  if (request.method !== "DELETE") return json(404, { message: "Not Found" });
  if (!mayDelete) return json(403, { message: "You need admin permission on this package." });
  const found = all.find((version) => String(version.id) === id);
  if (found === undefined || !registry.deleteManifest(repository, found.digest))
    return json(404, { message: "Package version not found." });
  return { status: 204 };
}

/** Undefined: the request is for something else. */
export function listPackages(
  { registry, token, listingToken, organisations }: PackageList,
  request: SandboxRequest,
): Answer | undefined {
  const [, kind, owner = ""] = packagesPath.exec(request.url.pathname) ?? [];
  if (kind === undefined) return undefined;
  const given = bearerToken(request.headers);
  if (given === token) return json(403, { message: "Resource not accessible by integration" });
  if (given === undefined || given !== listingToken) return json(401, { message: "Bad credentials" });
  if ((kind === "orgs") !== organisations.has(owner)) return json(404, { message: "Not Found" });
  const { origin, pathname, searchParams: query } = request.url;
  if (query.get("package_type") !== "container") return json(400, { message: "Invalid argument." });
  const size = Math.min(100, Number(query.get("per_page") ?? 30));
  const page = Number(query.get("page") ?? 1);
  const all = registry.repositories().filter((name) => name.startsWith(`${owner}/`));
  const shown = all.slice((page - 1) * size, page * size).map((name) => name.slice(owner.length + 1));
  query.set("page", String(page + 1));
  // GitHub names an organisation by its number there.
  const next = `${origin}${pathname.replace(`orgs/${owner}`, "organizations/15859888")}?${query}`;
  return json(
    200,
    shown.map((name, id) => ({ id, name, package_type: "container", visibility: "public" })),
    page * size < all.length ? { link: `<${next}>; rel="next"` } : {},
  );
}

function versionOf(
  registry: PackagesOptions["registry"],
  repository: string,
  { id, digest }: { readonly id: number; readonly digest: string },
): unknown {
  const tags = [...registry.tags(repository)].filter(([, target]) => target === digest).map(([tag]) => tag);
  return { id, name: digest, metadata: { package_type: "container", container: { tags } } };
}
