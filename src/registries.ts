import type { Clock } from "./clock.ts";
import type { Destination } from "./destinations/destination.ts";
import type { TagDeleter } from "./destinations/registry.ts";
import type { Inputs } from "./inputs.ts";
import type { Source } from "./inventory/sources.ts";
import type { Log } from "./log.ts";
import type { Credentials } from "./oci/credentials.ts";
import type { Transport } from "./oci/http.ts";
import type { Namespace } from "./oci/reference.ts";
import { Registry } from "./oci/registry.ts";
import { Repository } from "./oci/repository.ts";

export interface RegistryContext {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** A source with its client. */
export interface OpenSource extends Source {
  readonly client: Registry;
}

/** The sources of a run, one client for each registry among them. */
export function openSources(
  inputs: Pick<Inputs, "sources" | "dockerHubLogin">,
  destinations: readonly Destination[],
  dockerConfiguration: (registry: string) => Credentials,
  context: RegistryContext,
): readonly OpenSource[] {
  const clients = new Map<string, Registry>();
  const repositories = new Map<string, Repository>();
  return inputs.sources.map((namespace) => {
    const { registry } = namespace;
    const credentials = sourceCredentials(registry, inputs, destinations, dockerConfiguration);
    const client =
      clients.get(registry) ?? new Registry({ registry, side: "source", credentials, ...context });
    clients.set(registry, client);
    return {
      ...namespace,
      client,
      repository: (name) => {
        const known = repositories.get(`${registry}/${name}`) ?? new Repository(client, name);
        repositories.set(`${registry}/${name}`, known);
        return known;
      },
    };
  });
}

/** A login that is there for a destination also serves reading from its registry: anonymous pulls are the most limited. */
function sourceCredentials(
  registry: string,
  { dockerHubLogin }: Pick<Inputs, "dockerHubLogin">,
  destinations: readonly Destination[],
  dockerConfiguration: (registry: string) => Credentials,
): Credentials {
  const destination = destinations.find((candidate) => candidate.registry === registry);
  if (destination !== undefined) return destination.credentials;
  if (registry === "docker.io" && dockerHubLogin !== undefined) return () => Promise.resolve(dockerHubLogin);
  return dockerConfiguration(registry);
}

/** Deletion by the registry's own API, for destinations that have no better one. */
export function openTagDeleter(
  namespace: Namespace,
  credentials: Credentials,
  context: RegistryContext,
): TagDeleter {
  const client = new Registry({ registry: namespace.registry, side: "destination", credentials, ...context });
  return {
    deleteManifest: (repository, reference, signal) =>
      new Repository(client, repository).deleteManifest(reference, signal),
    resolve: async (repository, tag, signal) =>
      (await new Repository(client, repository).resolve(tag, signal))?.digest,
  };
}
