/**
 * Azure's deletion of a tag: `DELETE /acr/v1/{name}/_tags/{tag}` with a token that may delete. The tag goes alone, 202; one
 * that is not there is 404.
 * https://learn.microsoft.com/dotnet/api/azure.containers.containerregistry.registryartifact.deletetag
 */
import { errorAnswer } from "../registry/errors.ts";
import type { VendorApi } from "../registry/manners.ts";

const tagPath = /^\/acr\/v1\/(.+)\/_tags\/([^/]+)$/;

export const azureApi: VendorApi = (request, registry, check) => {
  const [, repository = "", tag = ""] = tagPath.exec(request.url.pathname) ?? [];
  if (tag === "" || request.method !== "DELETE") return errorAnswer(404, "NOT_FOUND", "the route is unknown");
  check([{ repository, action: "delete" }]);
  return registry.untag(repository, tag)
    ? { status: 202 }
    : errorAnswer(404, "TAG_UNKNOWN", "the specified tag does not exist");
};
