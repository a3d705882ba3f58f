import { failedDeletion, type TagDeletion, type TagToDelete } from "../destination.ts";
import type { TagDeletionRoute } from "./deletion-route.ts";
import { deletionLimit, type EcrApi, type ImageName } from "./ecr-api.ts";

/**
 * Tag deletion by the API of Amazon ECR. A tag is deleted alone; the last tag of an image takes the image along. An image is
 * deleted by its digest, too, unless an index lists it (`ImageReferencedByManifestList`).
 */
export function ecrRoute(api: Pick<EcrApi, "deleteImages">): TagDeletionRoute {
  return {
    deletion: "last-tag-takes-manifest",
    deleteTags: inParts(api, "imageTag"),
    deleteUntagged: inParts(api, "imageDigest"),
  };
}

function inParts(api: Pick<EcrApi, "deleteImages">, by: ImageName): TagDeletionRoute["deleteTags"] {
  return async (repository, tags, signal) => {
    const deletions: TagDeletion[] = [];
    for (let start = 0; start < tags.length; start += deletionLimit) {
      const some = tags.slice(start, start + deletionLimit);
      deletions.push(...(await deleteSome(api, repository, some, by, signal)));
    }
    return deletions;
  };
}

async function deleteSome(
  api: Pick<EcrApi, "deleteImages">,
  repository: string,
  tags: readonly TagToDelete[],
  by: ImageName,
  signal: AbortSignal,
): Promise<readonly TagDeletion[]> {
  const names = tags.map(({ tag }) => tag);
  try {
    const left = await api.deleteImages(repository, names, by, signal);
    return names.map((tag) => ({ tag, failure: left.get(tag) }));
  } catch (error) {
    signal.throwIfAborted();
    return names.map((tag) => failedDeletion(tag, error));
  }
}
