import { discard } from "../../http/http.ts";
import type { Registry } from "../../oci/registry.ts";
import { mannersOf } from "../../vendors/vendors.ts";
import { oneByOne, type TagDeletionRoute } from "./deletion-route.ts";
import { deletionByDigest, type TagDeleter } from "./registry-deletion.ts";

/**
 * Azure's own deletion of a tag, on the registry's host and with its tokens. Only the tag is deleted; its manifest stays. A
 * manifest is deleted by the registry API.
 * https://learn.microsoft.com/dotnet/api/azure.containers.containerregistry.registryartifact.deletetag
 * https://learn.microsoft.com/rest/api/containerregistry/manifests/delete
 */
export function azureRoute(
  client: Pick<Registry, "expect" | "vendor">,
  deleter: Pick<TagDeleter, "deleteManifest">,
): TagDeletionRoute {
  return {
    deleteUntagged: oneByOne(deletionByDigest(deleter)),
    deletion: "by-tag",
    deleteTags: oneByOne(async (repository, { tag }, signal) => {
      const response = await client.expect(
        {
          method: "DELETE",
          target: `/acr/v1/${repository}/_tags/${tag}`,
          scopes: [{ repository, actions: mannersOf(client.vendor).deleting }],
          operation: "deleting the tag",
          subject: tag,
          signal,
        },
        200,
        202,
        404,
      );
      await discard(response);
      return undefined;
    }),
  };
}
