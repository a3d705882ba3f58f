import * as v from "valibot";
import type { Transport } from "../../http/http.ts";
import { basicHeader, type Credentials } from "../../oci/credentials.ts";
import { nextPage } from "../../oci/pages.ts";
import { apiUrl, readRepositories, sendToVendor } from "../vendor-api.ts";

/** A project without repositories is written as `null`, as an empty list of Go is. */
const repositoriesSchema = v.nullable(v.array(v.object({ name: v.string() })));

/** The most that Harbor gives on a page. */
const pageSize = 100;

/**
 * The repositories of a project of Harbor, by their paths on the registry, page by page: those of a public project are shown to
 * everybody. The login is the registry's own, and so is the host.
 * https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml (`listRepositories`, `listAllRepositories`)
 * @param project undefined: all that the login may list.
 * @throws OperationError (from the iteration)
 */
export async function* harborRepositories(
  options: { readonly url: URL; readonly credentials: Credentials; readonly transport: Transport },
  project: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<readonly string[], void, undefined> {
  const { url, credentials, transport } = options;
  const operation = { host: url.host, operation: "listing the repositories" };
  const path = project === undefined ? "/repositories" : `/projects/${project}/repositories`;
  const credential = await credentials(signal);
  // Its API takes no identity token. What is public is shown without a login.
  const headers =
    credential === undefined || credential.password === "" ? {} : { authorization: basicHeader(credential) };
  for (let page = 1; ; page += 1) {
    const target = apiUrl(url, `/api/v2.0${path}?page=${page}&page_size=${pageSize}`);
    const response = await sendToVendor(
      transport,
      { method: "GET", url: target, headers, signal },
      operation,
    );
    const found = (await readRepositories(response, repositoriesSchema, operation, signal)) ?? [];
    yield found.map(({ name }) => name);
    if (nextPage(response.header("link"), target) === undefined) return;
  }
}
