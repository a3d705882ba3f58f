/**
 * GitHub's packages API for containers (https://docs.github.com/rest/packages/packages). Kept: a version is a manifest, named by
 * its digest, with all tags that point to it; pages of at most 100; deleting a version takes all its tags, 204; an owner that
 * is no organisation is 404 below `/orgs`; 403 for a token that may not delete; 401 for an unknown one.
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

export interface PackagesOptions {
  readonly registry: Pick<RegistryServer, "repositories" | "manifest" | "tags" | "events" | "deleteManifest">;
  readonly token: string;
  /** Default: true. */
  readonly mayDelete?: boolean;
  /** Names of the owners that are organisations. */
  readonly organisations: ReadonlySet<string>;
  /** All digests of a repository, tagged or not, oldest first. */
  readonly digests: (repository: string) => readonly string[];
}

const versionsPath = /^\/(orgs|users)\/([^/]+)\/packages\/container\/([^/]+)\/versions(?:\/([0-9]+))?$/;

export function startPackagesApi(options: PackagesOptions): Promise<SandboxServer> {
  return startServer((request) => answerTo(options, request));
}

function answerTo(options: PackagesOptions, request: SandboxRequest): Answer {
  const { registry, token, mayDelete = true, organisations, digests } = options;
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

function versionOf(
  registry: PackagesOptions["registry"],
  repository: string,
  { id, digest }: { readonly id: number; readonly digest: string },
): unknown {
  const tags = [...registry.tags(repository)].filter(([, target]) => target === digest).map(([tag]) => tag);
  return { id, name: digest, metadata: { package_type: "container", container: { tags } } };
}
