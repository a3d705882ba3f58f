/**
 * Quay's own API, as far as a mirror reads it: `GET /api/v1/repository`
 * (https://github.com/quay/quay/blob/master/endpoints/api/repository.py). Kept: the public repositories for everybody, with a Bearer
 * OAuth token the private ones as well; Basic, which robots have, is refused; without `namespace` or `public` 400; of one
 * namespace all at once, of all namespaces pages of 100 with the token `next_page`.
 */
import type { VendorApi } from "../registry/manners.ts";
import { bearerToken, json } from "../server.ts";

export interface QuayApiOptions {
  readonly token: string;
  /** `namespace/name` of those that only the token sees. Default: none. */
  readonly privateRepositories?: Pick<ReadonlySet<string>, "has">;
}

const pageSize = 100;

export function quayApi({ token, privateRepositories }: QuayApiOptions): VendorApi {
  return (request, registry) => {
    const { pathname, searchParams: query } = request.url;
    if (pathname !== "/api/v1/repository" || request.method !== "GET")
      return json(404, { error_message: "Not Found" });
    const bearer = bearerToken(request.headers);
    if (request.headers.authorization !== undefined && bearer !== token)
      return json(401, { error_message: "Invalid auth" });
    const namespace = query.get("namespace") ?? "";
    if (namespace === "" && query.get("public") !== "true")
      return json(400, { error_message: "namespace, starred or public are required for this API call" });
    const all = registry
      .repositories()
      .filter((name) => namespace === "" || name.startsWith(`${namespace}/`))
      .filter((name) => bearer === token || privateRepositories?.has(name) !== true)
      .map((path) => ({
        namespace: path.split("/")[0],
        name: path.split("/").slice(1).join("/"),
        kind: "image",
      }));
    if (namespace !== "") return json(200, { repositories: all });
    const start = Number(query.get("next_page") ?? 0);
    const end = start + pageSize;
    const rest = end < all.length ? { next_page: String(end) } : {};
    return json(200, { repositories: all.slice(start, end), ...rest });
  };
}
