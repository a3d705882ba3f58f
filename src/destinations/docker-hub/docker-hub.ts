import type { Clock } from "../../clock.ts";
import { InputError, messageOf, OperationError } from "../../errors.ts";
import type { Transport } from "../../http/http.ts";
import { type Log, printable } from "../../log/log.ts";
import type { Credentials, Login } from "../../oci/credentials.ts";
import { printNamespace } from "../../oci/reference.ts";
import { type DestinationAbilities, failedDeletion, noDeletion, type TagDeletion } from "../destination.ts";
import type { DestinationInput } from "../destination-input.ts";
import { createHubApi, type HubApi } from "./docker-hub-api.ts";
import { type HubLoginKind, hubLoginKind } from "./docker-hub-login.ts";

export interface DockerHubOptions {
  readonly input: DestinationInput;
  /** The `dockerhub-username` and `dockerhub-token` inputs. */
  readonly login: Login | undefined;
  /** The login of an OIDC connection, used instead of a token. */
  readonly keyless?: Credentials | undefined;
  /** Login of the Docker configuration, for when there are no inputs. */
  readonly dockerCredentials: Credentials;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

const hubApi = new URL("https://hub.docker.com");

/**
 * A namespace of Docker Hub. Asks for the login once, to tell whether tags can be deleted; sends nothing.
 * @throws InputError when the namespace has more than one part.
 */
export async function createDockerHubDestination(options: DockerHubOptions): Promise<DestinationAbilities> {
  const { input, login, transport, clock, log } = options;
  const name = printNamespace(input);
  if (input.path.includes("/")) {
    throw new InputError(`${name}: a Docker Hub namespace has one part, as in docker.io/goharbor`);
  }
  const given = login === undefined ? options.keyless : () => Promise.resolve(login);
  const credentials = given ?? options.dockerCredentials;
  const place = { registry: input.registry, path: input.path, name, credentials };
  // Repositories are made by the first push, so there is nothing to prepare.
  const prepare = () => Promise.resolve();
  // A keyless login is exchanged when it is needed, and reports its failures then.
  const kind = given !== undefined && login === undefined ? "keyless" : await hubLogin(credentials);
  if (typeof kind !== "string") {
    const { unusable } = kind;
    return {
      ...place,
      prepare,
      ...noDeletion(unusable),
    };
  }
  const url = input.api ?? hubApi;
  const api = createHubApi({ transport, clock, log, url, kind, credentials });
  return {
    ...place,
    prepare,
    deletion: "by-tag",
    whyNoDeletion: (signal) => api.whyNoDeletion(signal),
    tryDeletion: (signal) => api.tryDeletion(signal),
    deleteTags: (repository, tags, signal) =>
      deleteTags(
        api,
        repository,
        tags.map(({ tag }) => tag),
        signal,
      ),
    // The registry API deletes by digest, but what needs a manifest shows only in others, and each that is read is a pull.
    deleteUntagged: "to prove that nothing needs it, manifests would have to be read, and those are pulls",
  };
}

/**
 * The repositories of a namespace of Docker Hub, by their paths on the registry, page by page. A login that the Hub API does not
 * take is no reason to see nothing: what is public is shown without one.
 * @throws OperationError (from the iteration)
 */
export async function* hubRepositories(
  options: Pick<DockerHubOptions, "transport" | "clock" | "log"> & {
    /** Undefined: Docker Hub's own. */
    readonly api: URL | undefined;
    readonly credentials: Credentials;
  },
  namespace: string,
  signal: AbortSignal,
): AsyncGenerator<readonly string[], void, undefined> {
  const { api: url = hubApi, credentials, ...rest } = options;
  const kind = await hubLogin(credentials);
  if (typeof kind === "string") {
    try {
      yield* createHubApi({ ...rest, url, kind, credentials }).repositories(namespace, signal);
      return;
    } catch (error) {
      if (!(error instanceof OperationError) || (error.status !== 401 && error.status !== 403)) throw error;
      rest.log.info(
        `Of the namespace ${namespace} only the public repositories are listed: ${error.message}`,
      );
    }
  }
  yield* createHubApi({ ...rest, url, kind: "password", credentials: undefined }).repositories(
    namespace,
    signal,
  );
}

/** What kind of login there is for the Hub API, or why there is none that it accepts. */
async function hubLogin(credentials: Credentials): Promise<HubLoginKind | { readonly unusable: string }> {
  const advice = "set `dockerhub-username` and `dockerhub-token`.";
  try {
    const credential = await credentials();
    if (credential === undefined) return { unusable: `Deleting tags on Docker Hub needs a login: ${advice}` };
    if (credential.identityToken === undefined) return hubLoginKind(credential.password);
    const unusable = `The Docker configuration holds an identity token, which the Docker Hub API does not take: ${advice}`;
    return { unusable };
  } catch (error) {
    // The first push meets the same error. Here it must not stop other destinations.
    const why = printable(messageOf(error));
    return { unusable: `The login for Docker Hub could not be read (${why}): ${advice}` };
  }
}

async function deleteTags(
  api: HubApi,
  repository: string,
  tags: readonly string[],
  signal: AbortSignal,
): Promise<readonly TagDeletion[]> {
  const [namespace = "", name = ""] = repository.split("/");
  const deletions: TagDeletion[] = [];
  // One after the other: the Hub API counts requests per minute.
  for (const tag of tags) {
    try {
      await api.deleteTag({ namespace, name }, tag, signal);
      deletions.push({ tag, failure: undefined });
    } catch (error) {
      signal.throwIfAborted();
      deletions.push(failedDeletion(tag, error));
    }
  }
  return deletions;
}
