import type { Clock } from "../clock.ts";
import type { Destination, DestinationAbilities } from "../destinations/destination.ts";
import type { DestinationInput } from "../destinations/destination-input.ts";
import { createDestination } from "../destinations/select.ts";
import { tcrLoginHost } from "../destinations/tencent/tcr-login-host.ts";
import { tcrSource } from "../destinations/tencent/tcr-source.ts";
import type { TencentCloud } from "../destinations/tencent/tencent-cloud.ts";
import { InputError } from "../errors.ts";
import type { Transport } from "../http/http.ts";
import type { Inputs } from "../inputs/inputs.ts";
import type { Source } from "../inventory/sources.ts";
import type { Log } from "../log/log.ts";
import type { Credentials, Login } from "../oci/credentials.ts";
import type { DockerLogins } from "../oci/docker-config.ts";
import { type Namespace, printNamespace, repositoryOf, sameNamespace } from "../oci/reference.ts";
import { Registry } from "../oci/registry.ts";
import { Repository } from "../oci/repository.ts";
import type { SourceImage } from "../plan/snapshot.ts";
import { vendorOf } from "../vendors/vendors.ts";

export interface RegistryContext {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  /** Logins without stored secrets; absent where no input asks for one. */
  readonly keylessHub?: Credentials | undefined;
  readonly tencentCloud: TencentCloud;
}

/** A source with its client. */
export interface OpenSource extends Source {
  readonly client: Registry;
  readonly repository: (name: string) => Repository;
}

/** The login of the `tcr-` inputs for a registry; undefined where it is not for that one. */
export type TcrLogins = (registry: string) => Login | undefined;

/**
 * For which registry the login of the `tcr-` inputs is.
 * @param named every line of the inputs, where `inputs` has those of one job.
 * @throws InputError when nothing tells which host it is for.
 */
export async function tcrLoginsByHost(
  inputs: Pick<Inputs, "tcrLogin" | "sources">,
  named: readonly DestinationInput[],
  dockerConfiguration: DockerLogins,
  { tencentCloud }: Pick<RegistryContext, "tencentCloud">,
): Promise<TcrLogins> {
  const { tcrLogin, sources } = inputs;
  if (tcrLogin === undefined) return () => undefined;
  const host = await tcrLoginHost({ destinations: named, sources, dockerConfiguration, tencentCloud });
  return (registry) => (registry === host ? tcrLogin : undefined);
}

/**
 * The destinations of a run. Sends nothing.
 * @throws InputError that lists all lines that cannot be used.
 */
export async function openDestinations(
  inputs: Inputs,
  fromDocker: DockerLogins,
  tcrLogins: TcrLogins,
  context: RegistryContext,
): Promise<readonly Destination[]> {
  const openRegistry = (input: DestinationInput, credentials: Credentials): Registry =>
    openClient(input, credentials, context);
  const mistakes: string[] = [];
  const opened: Destination[] = [];
  for (const input of inputs.destinations) {
    try {
      const logins = { ...inputs, tcrLogin: tcrLogins(input.registry) };
      const abilities = await createDestination(input, logins, {
        ...context,
        dockerConfiguration: fromDocker,
        openRegistry,
      });
      opened.push(openDestination(abilities, input, context));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      mistakes.push(`destinations: ${printNamespace(input)}: ${error.message}`);
    }
  }
  if (mistakes.length > 0) throw new InputError(mistakes.join("\n"));
  return opened;
}

function openDestination(
  abilities: DestinationAbilities,
  input: DestinationInput,
  context: RegistryContext,
): Destination {
  const client = openClient(input, abilities.credentials, context);
  const repository = (name: string): Repository => new Repository(client, name);
  return { ...abilities, retention: input.retention, client, repository };
}

/** The sources of a run, a client for each: namespaces of one registry may have logins of their own. */
export function openSources(
  inputs: Pick<Inputs, "sources" | "dockerHubLogin" | "destinations">,
  destinations: readonly Destination[],
  dockerConfiguration: DockerLogins,
  tcrLogins: TcrLogins,
  context: RegistryContext,
): readonly OpenSource[] {
  const clients = new Map<string, Registry>();
  const repositories = new Map<string, Repository>();
  return inputs.sources.map((namespace) => {
    const { registry } = namespace;
    const place = printNamespace(namespace);
    const credentials = sourceCredentials(
      namespace,
      inputs,
      destinations,
      dockerConfiguration,
      tcrLogins,
      context,
    );
    const vendor = destinations.find((destination) => destination.registry === registry)?.client.vendor;
    const client =
      clients.get(place) ?? new Registry({ registry, vendor, side: "source", credentials, ...context });
    clients.set(place, client);
    return {
      ...namespace,
      client,
      repository: (name) => {
        const known = repositories.get(`${place} ${name}`) ?? new Repository(client, name);
        repositories.set(`${place} ${name}`, known);
        return known;
      },
    };
  });
}

/**
 * The repositories that an image can be read from: where it was found, then those of the same name at the other sources,
 * in their order.
 */
export function repositoriesOf(
  image: SourceImage,
  sources: readonly Pick<OpenSource, "registry" | "path" | "repository">[],
): readonly [Repository, ...Repository[]] {
  const first = sources.find((source) => sameNamespace(source, image.source));
  if (first === undefined) throw new Error(`${printNamespace(image.source)} is not a source of this run`);
  const name = image.repository.slice(image.source.path.length + 1);
  const others = sources.filter((source) => source !== first);
  return [
    first.repository(image.repository),
    ...others.map((source) => source.repository(repositoryOf(source, name))),
  ];
}

/** A login that is there for a destination also serves reading from its registry: anonymous pulls are the most limited. */
function sourceCredentials(
  { registry, path }: Namespace,
  inputs: Pick<Inputs, "dockerHubLogin" | "destinations">,
  destinations: readonly Destination[],
  dockerConfiguration: DockerLogins,
  tcrLogins: TcrLogins,
  context: RegistryContext,
): Credentials {
  const destination = destinations.find((candidate) => candidate.registry === registry);
  const line = inputs.destinations.find((candidate) => candidate.registry === registry);
  // The Docker configuration may have another login for another namespace of the same registry.
  if (line?.type === "registry") return dockerConfiguration(registry, path);
  if (destination !== undefined) return destination.credentials;
  const { dockerHubLogin } = inputs;
  if (registry === "docker.io" && dockerHubLogin !== undefined) return () => Promise.resolve(dockerHubLogin);
  if (registry === "docker.io" && context.keylessHub !== undefined) return context.keylessHub;
  return tcrSource(registry, tcrLogins(registry), dockerConfiguration(registry, path), context);
}

function openClient(
  { registry, vendor }: DestinationInput,
  credentials: Credentials,
  context: RegistryContext,
): Registry {
  return new Registry({
    registry,
    vendor: vendorOf(registry, vendor),
    side: "destination",
    credentials,
    ...context,
  });
}
