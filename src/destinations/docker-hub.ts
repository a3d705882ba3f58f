import type { Clock } from "../clock.ts";
import { InputError, messageOf } from "../errors.ts";
import type { DestinationInput, Login } from "../inputs.ts";
import { type Log, printable } from "../log.ts";
import type { Credential, Credentials } from "../oci/credentials.ts";
import type { Transport } from "../oci/http.ts";
import { printNamespace } from "../oci/reference.ts";
import type { Destination, TagDeletion } from "./destination.ts";
import { createHubApi, type HubApi } from "./docker-hub-api.ts";

export interface DockerHubOptions {
  readonly input: DestinationInput;
  /** The `dockerhub-username` and `dockerhub-token` inputs. */
  readonly login: Login | undefined;
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
export async function createDockerHubDestination(options: DockerHubOptions): Promise<Destination> {
  const { input, login, transport, clock, log } = options;
  const name = printNamespace(input);
  if (input.path.includes("/")) {
    throw new InputError(`${name}: a Docker Hub namespace has one part, as in docker.io/goharbor`);
  }
  const credentials: Credentials =
    login === undefined ? options.dockerCredentials : () => Promise.resolve(login);
  const place = { registry: input.registry, path: input.path, name, credentials };
  // Repositories are made by the first push, so there is nothing to prepare.
  const prepare = () => Promise.resolve();
  const usable = await hubCredential(credentials);
  if (typeof usable === "string") {
    return {
      ...place,
      prepare,
      deletion: "unavailable",
      deletionUnavailable: usable,
      deleteTags: async (_repository, tags) => tags.map(({ tag }) => ({ tag, failure: usable })),
    };
  }
  const api = createHubApi({ transport, clock, log, url: input.api ?? hubApi, credential: usable });
  return {
    ...place,
    prepare,
    deletion: "by-tag",
    deleteTags: (repository, tags, signal) =>
      deleteTags(
        api,
        repository,
        tags.map(({ tag }) => tag),
        signal,
      ),
  };
}

/** The login for the Hub API, or the reason why there is none. */
async function hubCredential(credentials: Credentials): Promise<Credential | string> {
  const advice = "set `dockerhub-username` and `dockerhub-token`.";
  try {
    const credential = await credentials();
    if (credential === undefined) return `Deleting tags on Docker Hub needs a login: ${advice}`;
    if (credential.identityToken === undefined) return credential;
    return `The Docker configuration holds an identity token, which the Docker Hub API does not take: ${advice}`;
  } catch (error) {
    // The same error meets the first push; here it must not take other destinations along.
    return `The login for Docker Hub could not be read (${printable(messageOf(error))}): ${advice}`;
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
      deletions.push({ tag, failure: messageOf(error) });
    }
  }
  return deletions;
}
