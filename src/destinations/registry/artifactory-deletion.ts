import type { Failure } from "../../errors.ts";
import { discard, type Transport } from "../../http/http.ts";
import { basicHeader, type Credentials } from "../../oci/credentials.ts";
import { noDeletion } from "../destination.ts";
import { apiUrl, sendToVendor, vendorRefusal } from "../vendor-api.ts";
import { apiCredential, oneByOne, type TagDeletionRoute } from "./deletion-route.ts";
import type { TagDeleter } from "./registry-deletion.ts";

export interface ArtifactoryOptions {
  /** Base URL of the server: the registry's own. */
  readonly url: URL;
  readonly credentials: Credentials;
  readonly transport: Transport;
  /** For looking at a tag that the API does not know. */
  readonly resolve: TagDeleter["resolve"];
}

/**
 * Tag deletion by Artifactory's API: a tag is a folder there, and deleted alone. Its registry API answers 406
 * (https://github.com/containers/image/issues/1009).
 * https://jfrog.com/help/r/jfrog-artifactory-documentation/deletion-and-cleanup-of-docker-tags-and-repositories
 */
export async function artifactoryRoute(options: ArtifactoryOptions): Promise<TagDeletionRoute> {
  const usable = await apiCredential(options.credentials, "Deleting tags by Artifactory's API");
  if (typeof usable === "string") return noDeletion(usable);
  return {
    deletion: "by-tag",
    deleteTags: oneByOne((repository, { tag }, signal) => deleteTag(options, repository, tag, signal)),
    deleteUntagged:
      "Artifactory's API deletes tags only, because a manifest is kept in the folder of its tag",
  };
}

async function deleteTag(
  { url, credentials, transport, resolve }: ArtifactoryOptions,
  repository: string,
  tag: string,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const operation = { host: url.host, repository, operation: "deleting the tag", subject: tag };
  const credential = await credentials(signal);
  const headers = credential === undefined ? {} : { authorization: basicHeader(credential) };
  const request = {
    method: "DELETE",
    url: apiUrl(url, `/artifactory/${repository}/${tag}`),
    headers,
    signal,
  } as const;
  const response = await sendToVendor(transport, request, operation);
  const { status } = response;
  if (status === 200 || status === 204) return discard(response).then(() => undefined);
  if (status !== 404) {
    const advice = "The user needs the permission Delete on this repository.";
    throw await vendorRefusal(response, operation, signal, advice);
  }
  await discard(response);
  // The API's path equals the registry's only where the Docker repository is its first part.
  if ((await resolve(repository, tag, signal)) === undefined) return undefined;
  const advice =
    "Name the destination with its Docker repository as the first part of the path, or set `keep=all` for it.";
  return {
    kind: "obstacle",
    problem: "Artifactory's API does not know it",
    subject: `${repository}/${tag}`,
    advice,
  };
}
