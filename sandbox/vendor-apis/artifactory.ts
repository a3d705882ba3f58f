/**
 * Artifactory's items: `DELETE /artifactory/{repository}/{image}/{tag}` with Basic. A tag is a folder; it goes alone, 204;
 * what is not there is 404.
 * https://jfrog.com/help/r/jfrog-artifactory-documentation/deletion-and-cleanup-of-docker-tags-and-repositories
 */
import type { VendorApi } from "../registry/manners.ts";
import { basicLogin, json } from "../server.ts";
import type { User } from "../token-server.ts";

const itemPath = /^\/artifactory\/(.+)\/([^/]+)$/;

export function artifactoryApi(user: User): VendorApi {
  return (request, registry) => {
    const login = basicLogin(request.headers);
    if (login?.username !== user.username || login.password !== user.password)
      return json(401, { errors: [{ status: 401, message: "Bad credentials" }] });
    const [, repository = "", tag = ""] = itemPath.exec(request.url.pathname) ?? [];
    if (request.method !== "DELETE") return json(405, { errors: [{ status: 405 }] });
    if (!user.access(repository, "delete"))
      return json(403, { errors: [{ status: 403, message: "Not enough permissions to delete artifact" }] });
    return registry.untag(repository, tag)
      ? { status: 204 }
      : json(404, { errors: [{ status: 404, message: "Could not locate artifact" }] });
  };
}
