/**
 * What registries have of their own, beside the specification: which rights a request needs, how they hide what is not
 * there, and what they answer beside `/v2/`. Each is named where a profile uses it (`sandbox/profiles.ts`).
 */
import type { Answer, SandboxRequest } from "../server.ts";
import type { Action } from "../token-server.ts";
import type { AccessControl, Need } from "./access.ts";
import { errorAnswer, Refusal, refusal } from "./errors.ts";
import type { RegistryState, RegistryStore } from "./store.ts";

/** Deletion as a vendor's API does it. */
export interface Deletions {
  /** Removes one tag: with an event. */
  untag(repository: string, tag: string): boolean;
  /** Removes a manifest and all its tags: with events. */
  deleteManifest(repository: string, digest: string): boolean;
}

/**
 * A vendor's API on the registry's own host.
 * @param check refuses the request unless its token or login has these rights.
 */
export type VendorApi = (
  request: SandboxRequest,
  registry: RegistryState & Deletions,
  check: (needs: readonly Need[]) => void,
) => Answer | Promise<Answer>;

export interface Manners {
  /** First path components that exist; a push below another is 404. Looked up on every request. */
  readonly namespaces?: Pick<ReadonlySet<string>, "has">;
  /** Whether a repository was made; a request to another is 404. Default: the first push makes it. */
  readonly repositoryExists?: (name: string) => boolean;
  /** Status for reading what is not there. 401: only for a repository that is not there. Default: 404. */
  readonly absent?: 401 | 403;
  /** The action that listing tags needs. Default: `pull`. */
  readonly listing?: Action;
  /** The action that deleting needs. Default: `delete`. */
  readonly deleting?: Action;
  /**
   * Why nobody may pull an image that is there, in Harbor's words: content trust, or the prevention of vulnerable images.
   * HEAD and GET of its manifests are answered by 412. https://github.com/goharbor/harbor, src/server/middleware/contenttrust
   * and src/server/middleware/vulnerable.
   */
  readonly withheld?: (repository: string) => string | undefined;
  /**
   * Media types of configs that are refused, in the words of Alibaba's registry of August 2026, which does not take the empty
   * one of artifacts, and so no attestations of BuildKit: https://github.com/koordinator-sh/koordinator/pull/3194
   */
  readonly unknownConfigs?: readonly string[];
  /** Whether tags can be listed. Default: true. */
  readonly lists?: boolean;
  /** Whether the registry has the list of all repositories, for those with the right to it. Default: true. */
  readonly catalog?: boolean;
  /** What is answered outside `/v2/`, on the registry's own host: a vendor's API. */
  readonly api?: VendorApi;
}

/** What a request needs, as the distribution project asks for it: a mount also needs `pull` on the other repository. */
export function needsOf(request: SandboxRequest, repository: string, manners: Manners): readonly Need[] {
  const lists = request.url.pathname.endsWith("/tags/list");
  if (isRead(request)) return [{ repository, action: lists ? (manners.listing ?? "pull") : "pull" }];
  if (request.method === "DELETE") return [{ repository, action: manners.deleting ?? "delete" }];
  const from = request.url.searchParams.get("mount") === null ? null : request.url.searchParams.get("from");
  const push: Need[] = [
    { repository, action: "pull" },
    { repository, action: "push" },
  ];
  return from === null || from === repository ? push : [...push, { repository: from, action: "pull" }];
}

/**
 * Harbor makes repositories on the first push, but not projects; Amazon makes neither.
 * @throws Refusal
 */
export function checkPlace(
  { namespaces, repositoryExists }: Manners,
  request: SandboxRequest,
  name: string,
): void {
  if (repositoryExists !== undefined && !repositoryExists(name)) {
    throw refusal(404, "NAME_UNKNOWN", `The repository with name '${name}' does not exist in the registry`);
  }
  const [namespace = ""] = name.split("/");
  if (namespaces === undefined || namespaces.has(namespace)) return;
  throw isRead(request)
    ? refusal(404, "NAME_UNKNOWN", "repository name not known to registry", { name })
    : refusal(404, "NAME_UNKNOWN", `project ${namespace} not found`, { name });
}

/** The answer to a read, as a registry gives it that hides what is not there behind another status. */
export async function hideAbsent(
  { absent }: Manners,
  place: { readonly store: RegistryStore; readonly access: AccessControl; readonly name: string },
  request: SandboxRequest,
  answer: () => Answer | Promise<Answer>,
): Promise<Answer> {
  if (absent === undefined || !isRead(request)) return answer();
  const given = await Promise.resolve()
    .then(answer)
    .catch((thrown: unknown) => {
      if (thrown instanceof Refusal) return thrown.answer;
      throw thrown;
    });
  if (given.status !== 404) return given;
  if (absent === 403) return errorAnswer(403, "DENIED", "Forbidden");
  const { store, access, name } = place;
  const { authorization: _login, ...headers } = request.headers;
  if (store.find(name) === undefined)
    access.check({ ...request, headers }, [{ repository: name, action: "pull" }]);
  return given;
}

function isRead({ method }: SandboxRequest): boolean {
  return method === "GET" || method === "HEAD";
}
