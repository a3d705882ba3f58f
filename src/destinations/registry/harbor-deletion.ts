import { randomBytes } from "node:crypto";
import * as v from "valibot";
import { type Failure, messageOf, OperationError } from "../../errors.ts";
import { discard, type HttpRequest, type HttpResponse, type Transport } from "../../http/http.ts";
import { type Log, printable } from "../../log/log.ts";
import { basicHeader, type Credentials } from "../../oci/credentials.ts";
import { type Finding, noDeletion } from "../destination.ts";
import {
  apiUrl,
  checkAnswer,
  readAnswer,
  sendToVendor,
  type VendorOperation,
  vendorRefusal,
} from "../vendor-api.ts";
import { apiCredential, oneByOne, type TagDeletionRoute } from "./deletion-route.ts";

export interface HarborOptions {
  /** Base URL of the Harbor: the registry's own. */
  readonly url: URL;
  readonly credentials: Credentials;
  readonly transport: Transport;
  readonly log: Log;
}

const artifactSchema = v.object({
  digest: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/)),
  tags: v.nullish(v.array(v.object({ name: v.string(), immutable: v.nullish(v.boolean()) }))),
});

type Artifact = v.InferOutput<typeof artifactSchema>;

const advice = 'The robot needs "Delete Tag", "Read Artifact" and "Delete Artifact" on this project.';

/**
 * Tag deletion by Harbor's API, with the registry's login as Basic authentication: the API does not accept registry tokens
 * (https://github.com/goharbor/harbor/issues/20738). By the registry API, Harbor deletes by digest only, with all tags.
 * https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml
 */
export async function harborRoute(options: HarborOptions): Promise<TagDeletionRoute> {
  const usable = await apiCredential(options.credentials, "Deleting tags by Harbor's API");
  if (typeof usable === "string") return noDeletion(usable);
  return {
    deletion: "last-tag-takes-manifest",
    tryDeletion: (signal, repository) => tryDeletion(options, repository, signal),
    whyProtected: (signal, repository, tag) => whyProtected(options, repository, tag, signal),
    deleteTags: oneByOne((repository, { tag }, signal) => deleteTag(options, repository, tag, signal)),
    deleteUntagged: oneByOne((repository, { tag }, signal) =>
      deleteArtifact(options, repository, tag, signal),
    ),
  };
}

/** Deletes an artifact, unless it has a tag after all: Harbor would delete that, too. */
async function deleteArtifact(
  options: HarborOptions,
  repository: string,
  digest: string,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const path = `${artifactsPath(repository)}/${digest}`;
  const call = harborCalls(options, repository, signal);
  const artifact = await call.artifact(path, "looking up", digest);
  const [tag] = artifact?.tags ?? [];
  if (tag !== undefined) return { kind: "obstacle", problem: `the tag ${printable(tag.name)} has it` };
  if (artifact !== undefined) await call.remove(path, "deleting", digest);
  return undefined;
}

/** Deletes the tag, and then its artifact if no tag is left on it: else its space would never be freed. */
async function deleteTag(
  options: HarborOptions,
  repository: string,
  tag: string,
  signal: AbortSignal,
): Promise<undefined> {
  const artifacts = artifactsPath(repository);
  const call = harborCalls(options, repository, signal);
  const artifact = await call.artifact(`${artifacts}/${tag}`, "looking up the tag", tag);
  if (artifact === undefined) return undefined;
  await call.remove(`${artifacts}/${tag}/tags/${tag}`, "deleting the tag", tag);
  try {
    const left = await call.artifact(`${artifacts}/${artifact.digest}`, "looking up", artifact.digest);
    if (left !== undefined && (left.tags ?? []).length === 0)
      await call.remove(`${artifacts}/${artifact.digest}`, "deleting", artifact.digest);
  } catch (error) {
    signal.throwIfAborted();
    // The tag is gone, as was asked for. Its artifact may have to stay, for instance because an index holds it.
    options.log.warning(
      `The tag ${repository}:${tag} is gone, but what it pointed to stays: ${messageOf(error)}`,
    );
  }
  return undefined;
}

/**
 * Goes through the steps of a deletion with a tag of random letters, which nobody has: Harbor looks at the rights before it
 * looks for the tag. https://github.com/goharbor/harbor/blob/main/src/server/v2.0/handler/artifact.go
 */
async function tryDeletion(
  options: HarborOptions,
  repository: string,
  signal: AbortSignal,
): Promise<Finding> {
  const tag = randomBytes(32).toString("hex");
  const path = `${artifactsPath(repository)}/${tag}`;
  const call = harborCalls(options, repository, signal);
  try {
    await call.artifact(path, "trying to look up a tag");
    await call.remove(`${path}/tags/${tag}`, "trying to delete a tag");
  } catch (error) {
    if (!(error instanceof OperationError) || (error.status !== 401 && error.status !== 403)) throw error;
    return { outcome: "missing", finding: error.message };
  }
  const finding =
    "Harbor's API lets this login read artifacts and delete tags: tried with a tag that nobody has. Whether it may delete artifacts shows only when one is deleted.";
  return { outcome: "ok", finding };
}

/** Harbor evaluates the rules of the project itself. Reading the rules would take a right that robots seldom have. */
async function whyProtected(
  options: HarborOptions,
  repository: string,
  tag: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const path = `${artifactsPath(repository)}/${tag}`;
  const artifact = await harborCalls(options, repository, signal).artifact(path, "looking up the tag", tag);
  const found = (artifact?.tags ?? []).find(({ name }) => name === tag);
  return found?.immutable === true
    ? "an immutability rule of its Harbor project protects tags of it"
    : undefined;
}

interface HarborCalls {
  /** Undefined: not there. */
  artifact(path: string, operation: string, subject?: string): Promise<Artifact | undefined>;
  remove(path: string, operation: string, subject?: string): Promise<void>;
}

function harborCalls(options: HarborOptions, repository: string, signal: AbortSignal): HarborCalls {
  const { url, transport, credentials } = options;
  const send = async (
    method: HttpRequest["method"],
    path: string,
    operation: VendorOperation,
  ): Promise<HttpResponse> => {
    const credential = await credentials(signal);
    const headers = credential === undefined ? {} : { authorization: basicHeader(credential) };
    return sendToVendor(transport, { method, url: apiUrl(url, path), headers, signal }, operation);
  };
  const naming = (operation: string, subject: string | undefined): VendorOperation => ({
    host: url.host,
    repository,
    operation,
    subject,
  });
  return {
    artifact: async (path, operation, subject) => {
      const named = naming(operation, subject);
      const response = await send("GET", `${path}?with_tag=true&with_immutable_status=true`, named);
      if (response.status === 404) return discard(response).then(() => undefined);
      if (response.status !== 200) throw await harborRefusal(response, named, signal);
      const text = await readAnswer(response, named, signal);
      return checkAnswer(text, artifactSchema, named, response.status);
    },
    remove: async (path, operation, subject) => {
      const named = naming(operation, subject);
      const response = await send("DELETE", path, named);
      if (response.status !== 200 && response.status !== 404)
        throw await harborRefusal(response, named, signal);
      await discard(response);
    },
  };
}

/** 412: an immutable tag, or an artifact that an index holds; Harbor says which. */
function harborRefusal(
  response: HttpResponse,
  operation: VendorOperation,
  signal: AbortSignal,
): Promise<OperationError> {
  const mayNot = response.status === 401 || response.status === 403;
  return vendorRefusal(response, operation, signal, mayNot ? advice : undefined);
}

/** The project is the first part of the path. The slashes of the rest are encoded twice, as the API wants them. */
function artifactsPath(path: string): string {
  const slash = path.indexOf("/");
  const repository = encodeURIComponent(encodeURIComponent(path.slice(slash + 1)));
  return `/api/v2.0/projects/${path.slice(0, slash)}/repositories/${repository}/artifacts`;
}
