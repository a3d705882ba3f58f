import type { Digest } from "../../oci/digest.ts";
import type { TagToDelete } from "../destination.ts";
import { oneByOne, type TagDeletionRoute } from "./route.ts";

/** What deleting by the distribution specification needs of a registry client. */
export interface TagDeleter {
  /**
   * Deletes a manifest by tag or digest. `unsupported`: the registry does not delete by this kind of reference.
   * @throws OperationError
   */
  deleteManifest(
    repository: string,
    reference: string,
    signal: AbortSignal,
  ): Promise<"deleted" | "not-found" | "unsupported">;
  /**
   * What a tag points to now; undefined where there is no such tag.
   * @throws OperationError
   */
  resolve(repository: string, tag: string, signal: AbortSignal): Promise<Digest | undefined>;
}

/**
 * The registry's own API. Where a registry does not delete by tag, it is done by digest, which takes every tag of that
 * digest along.
 * @param alone whether the registry is known to delete a tag by its name, and no other with it. Then no digests are looked up
 * for the plan, and where it turns out not to, nothing is deleted.
 */
export function registryRoute(deleter: TagDeleter, alone = false): TagDeletionRoute {
  return {
    deletion: alone ? "by-tag" : "shared-digest-unsafe",
    deleteTags: oneByOne((repository, tag, signal) => deleteTag(deleter, repository, tag, signal)),
  };
}

/**
 * Deletes a tag by its name, or else by its digest.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-tags
 * @returns why the tag is still there, or undefined when it is gone.
 */
async function deleteTag(
  deleter: TagDeleter,
  repository: string,
  { tag, digest }: TagToDelete,
  signal: AbortSignal,
): Promise<string | undefined> {
  if ((await deleter.deleteManifest(repository, tag, signal)) !== "unsupported") return undefined;
  const current = await deleter.resolve(repository, tag, signal);
  if (current === undefined) return undefined;
  if (digest === undefined) {
    return `The registry does not delete ${repository}:${tag} by its tag, and its digest was not looked up for the plan.`;
  }
  if (current !== digest) {
    return (
      `The tag ${repository}:${tag} has moved to ${current} since the plan was made, and the registry deletes by digest ` +
      "only: it was left alone. Run again."
    );
  }
  if ((await deleter.deleteManifest(repository, digest, signal)) !== "unsupported") return undefined;
  return (
    `The registry deletes ${repository}:${tag} neither by tag nor by digest. Allow deletion in its settings ` +
    "(distribution: `storage.delete.enabled: true`), or set `keep=all` for this destination."
  );
}
