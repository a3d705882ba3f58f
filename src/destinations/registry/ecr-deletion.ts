import { failedDeletion, type TagDeletion, type TagToDelete } from "../destination.ts";
import type { TagDeletionRoute } from "./deletion-route.ts";
import { deletionLimit, type EcrApi } from "./ecr-api.ts";

/** Tag deletion by the API of Amazon ECR. A tag is deleted alone; the last tag of an image takes the image along. */
export function ecrRoute(api: Pick<EcrApi, "deleteTags">): TagDeletionRoute {
  return {
    deletion: "last-tag-takes-manifest",
    deleteTags: async (repository, tags, signal) => {
      const deletions: TagDeletion[] = [];
      for (let start = 0; start < tags.length; start += deletionLimit) {
        const some = tags.slice(start, start + deletionLimit);
        deletions.push(...(await deleteSome(api, repository, some, signal)));
      }
      return deletions;
    },
  };
}

async function deleteSome(
  api: Pick<EcrApi, "deleteTags">,
  repository: string,
  tags: readonly TagToDelete[],
  signal: AbortSignal,
): Promise<readonly TagDeletion[]> {
  const names = tags.map(({ tag }) => tag);
  try {
    const left = await api.deleteTags(repository, names, signal);
    return names.map((tag) => ({ tag, failure: left.get(tag) }));
  } catch (error) {
    signal.throwIfAborted();
    return names.map((tag) => failedDeletion(tag, error));
  }
}
