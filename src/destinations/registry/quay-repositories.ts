import * as v from "valibot";
import type { Transport } from "../../http/http.ts";
import type { Credentials } from "../../oci/credentials.ts";
import { apiUrl, readRepositories, sendToVendor } from "../vendor-api.ts";

const repositoriesSchema = v.object({
  repositories: v.array(v.object({ namespace: v.string(), name: v.string() })),
  next_page: v.nullish(v.string()),
});

/** The user name with which Quay takes an OAuth token for a password; its API takes such tokens, and no robot's. */
const tokenUser = "$oauthtoken";

/**
 * The repositories of a namespace of Quay, by their paths on the registry: the public ones, and with an OAuth token those that
 * it may see. All of a namespace come as one page, a list of all namespaces by pages.
 * https://github.com/quay/quay/blob/master/endpoints/api/repository.py (`listRepos`)
 * @param namespace undefined: all namespaces.
 * @throws OperationError (from the iteration)
 */
export async function* quayRepositories(
  options: { readonly url: URL; readonly credentials: Credentials; readonly transport: Transport },
  namespace: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<readonly string[], void, undefined> {
  const { url, credentials, transport } = options;
  const operation = { host: url.host, operation: "listing the repositories" };
  const credential = await credentials(signal);
  const headers =
    credential?.username === tokenUser ? { authorization: `Bearer ${credential.password}` } : {};
  const query = new URLSearchParams({ public: "true", ...(namespace === undefined ? {} : { namespace }) });
  for (;;) {
    const target = apiUrl(url, `/api/v1/repository?${query}`);
    const response = await sendToVendor(
      transport,
      { method: "GET", url: target, headers, signal },
      operation,
    );
    const answer = await readRepositories(response, repositoriesSchema, operation, signal);
    yield answer.repositories.map((found) => `${found.namespace}/${found.name}`);
    if (answer.next_page == null || answer.next_page === "") return;
    query.set("next_page", answer.next_page);
  }
}
