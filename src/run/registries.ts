import { openChartRegistry } from "../charts/chart-registry.ts";
import type { Clock } from "../clock.ts";
import { type Destination, type DestinationAbilities, withoutWriting } from "../destinations/destination.ts";
import { type DestinationInput, isPlainRegistry } from "../destinations/destination-input.ts";
import { hubLoginHost, tcrLoginHost } from "../destinations/login-host.ts";
import { loginFor, loginsBeside, unusedLogins } from "../destinations/place-logins.ts";
import { createDestination } from "../destinations/select.ts";
import { tcrSource } from "../destinations/tencent/tcr-source.ts";
import type { TencentCloud } from "../destinations/tencent/tencent-cloud.ts";
import { InputError } from "../errors.ts";
import type { Transport } from "../http/http.ts";
import type { Inputs } from "../inputs/inputs.ts";
import { type Source, sourcesOf } from "../inventory/sources.ts";
import type { Log } from "../log/log.ts";
import type { Credentials, Login } from "../oci/credentials.ts";
import type { DockerLogins } from "../oci/docker-config.ts";
import {
  imageOf,
  isChartRepository,
  type Namespace,
  printNamespace,
  repositoryOf,
  sameNamespace,
} from "../oci/reference.ts";
import { Registry } from "../oci/registry.ts";
import { Repository } from "../oci/repository.ts";
import type { SourceImage } from "../plan/snapshot.ts";
import { vendorOf } from "../vendors/vendors.ts";
import { listOf } from "../wording.ts";

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

/** The logins of the inputs that are for one place. */
export type InputLogins = (place: Namespace) => {
  readonly dockerHubLogin: Login | undefined;
  readonly keylessHub: Credentials | undefined;
  readonly tcrLogin: Login | undefined;
};

/**
 * For which places the logins of the inputs are. One that was given for a place comes first. The others are for one host at most.
 * @param named every line of the inputs, where `inputs` has those of one job.
 * @throws InputError when nothing tells which host a login is for.
 */
export async function inputLogins(
  inputs: Pick<Inputs, "logins" | "dockerHubLogin" | "tcrLogin" | "sources">,
  named: readonly DestinationInput[],
  dockerConfiguration: DockerLogins,
  { tencentCloud, keylessHub }: Pick<RegistryContext, "tencentCloud" | "keylessHub">,
): Promise<InputLogins> {
  const { dockerHubLogin, tcrLogin, sources } = inputs;
  const places = { destinations: named, sources, dockerConfiguration, tencentCloud };
  const hub =
    dockerHubLogin === undefined && keylessHub === undefined ? undefined : await hubLoginHost(places);
  const tcr = tcrLogin === undefined ? undefined : await tcrLoginHost(places);
  return (place) => {
    const { registry } = place;
    const own = loginFor(inputs.logins, place);
    if (own !== undefined) return { dockerHubLogin: own, keylessHub: undefined, tcrLogin: own };
    return {
      dockerHubLogin:
        registry === hub && dockerHubLogin !== undefined
          ? { ...dockerHubLogin, from: "the inputs dockerhub-username and dockerhub-token" }
          : undefined,
      keylessHub: registry === hub ? keylessHub : undefined,
      tcrLogin:
        registry === tcr && tcrLogin !== undefined
          ? { ...tcrLogin, from: "the inputs tcr-username and tcr-password" }
          : undefined,
    };
  };
}

/** Most unused logins that a warning names: files of logins are shared by many workflows. */
const unusedLimit = 5;

/** Warns of logins that no place of the run takes: of a slip in a name, and of a place that was forgotten. */
export function tellUnusedLogins(
  { logins, destinations, sources }: Pick<Inputs, "logins" | "destinations" | "sources">,
  log: Log,
): void {
  const unused = unusedLogins(logins, [...destinations, ...sources.map(loginPlace)]);
  if (unused.length === 0) return;
  const names = unused.map(({ from, ...place }) => `${printNamespace(place)} (${from})`);
  log.warning(
    `No source and no destination of this run takes the login for ${listOf(names, unusedLimit)}: check the name, or leave it out.`,
  );
}

/**
 * The destinations of a run. Sends nothing.
 * @throws InputError that lists all lines that cannot be used.
 */
export async function openDestinations(
  inputs: Inputs,
  fromDocker: DockerLogins,
  loginsOf: InputLogins,
  context: RegistryContext,
): Promise<readonly Destination[]> {
  const openRegistry = (input: DestinationInput, credentials: Credentials): Registry =>
    openClient(input, credentials, inputs.logins, context);
  const mistakes: string[] = [];
  const opened: Destination[] = [];
  for (const input of inputs.destinations) {
    try {
      const { keylessHub, ...logins } = loginsOf(input);
      const abilities = await createDestination(
        input,
        { ...inputs, ...logins },
        {
          ...context,
          keylessHub,
          dockerConfiguration: fromDocker,
          openRegistry,
        },
      );
      opened.push(openDestination(abilities, input, inputs.logins, context));
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
  logins: Inputs["logins"],
  context: RegistryContext,
): Destination {
  const client = openClient(input, abilities.credentials, logins, context);
  const repository = (name: string): Repository => new Repository(client, name);
  const { retention, attestations, filledBySync } = input;
  const own = filledBySync === undefined ? abilities : withoutWriting(abilities);
  return { ...own, retention, attestations, filledBySync, client, repository };
}

/** The sources of a run, a client for each: namespaces of one registry may have logins of their own. */
export function openSources(
  inputs: Pick<Inputs, "sources" | "destinations" | "logins">,
  destinations: readonly Destination[],
  dockerConfiguration: DockerLogins,
  loginsOf: InputLogins,
  context: RegistryContext,
): readonly OpenSource[] {
  const clients = new Map<string, Registry>();
  const repositories = new Map<string, Repository>();
  const credentialsOf = (place: Namespace) =>
    sourceCredentials(place, inputs, destinations, dockerConfiguration, loginsOf, context);
  const open = ({ tokenServer, registry, path }: Inputs["sources"][number]): Registry => {
    if (isChartRepository(registry)) {
      const credentials = credentialsOf(loginPlace({ registry, path }));
      return openChartRegistry({ ...context, address: registry, credentials });
    }
    const vendor = destinations.find((destination) => destination.registry === registry)?.client.vendor;
    return new Registry({
      registry,
      vendor,
      tokenServer,
      side: "source",
      credentials: credentialsOf({ registry, path }),
      loginOf: loginsBeside(inputs.logins, { registry, path }),
      ...context,
    });
  };
  return inputs.sources.map(({ tokenServer, ...namespace }) => {
    const place = printNamespace(namespace);
    const client = clients.get(place) ?? open({ tokenServer, ...namespace });
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

/** The place whose login a source has. A chart repository has an address. */
function loginPlace({ registry, path }: Namespace): Namespace {
  if (!isChartRepository(registry)) return { registry, path };
  const { host, pathname } = new URL(registry);
  return { registry: host, path: pathname.slice(1) };
}

/**
 * The repositories that an image can be read from: where it was found, then those of the same name at the other sources,
 * in their order.
 */
export function repositoriesOf(
  image: SourceImage,
  sources: readonly Pick<OpenSource, "registry" | "path" | "repository" | "onlyNamed">[],
): readonly [Repository, ...Repository[]] {
  const first = sources.find((source) => sameNamespace(source, image.source));
  if (first === undefined) throw new Error(`${printNamespace(image.source)} is not a source of this run`);
  const name = imageOf(image.source, image.repository);
  const others = first.onlyNamed ? [] : sourcesOf(undefined, sources).filter((source) => source !== first);
  return [
    first.repository(image.repository),
    ...others.map((source) => source.repository(repositoryOf(source, name))),
  ];
}

/**
 * The login of a source. That of a destination at the same registry serves, unless it was given for a path of which the source is
 * not: anonymous pulls are the most limited.
 */
function sourceCredentials(
  place: Namespace,
  inputs: Pick<Inputs, "destinations" | "logins">,
  destinations: readonly Destination[],
  dockerConfiguration: DockerLogins,
  loginsOf: InputLogins,
  context: RegistryContext,
): Credentials {
  const { registry, path } = place;
  const own = loginFor(inputs.logins, place);
  if (own !== undefined) return () => Promise.resolve(own);
  const destination = destinations.find(
    (candidate) => candidate.registry === registry && loginFor(inputs.logins, candidate) === undefined,
  );
  const line = inputs.destinations.find((candidate) => candidate.registry === registry);
  // The Docker configuration may have another login for another namespace of the same registry.
  if (line !== undefined && isPlainRegistry(line)) return dockerConfiguration(registry, path);
  if (destination !== undefined) return destination.credentials;
  const { dockerHubLogin, keylessHub, tcrLogin } = loginsOf(place);
  if (dockerHubLogin !== undefined) return () => Promise.resolve(dockerHubLogin);
  return keylessHub ?? tcrSource(place, tcrLogin, dockerConfiguration(registry, path), context);
}

function openClient(
  { type, tokenServer, filledBySync, ...place }: DestinationInput,
  credentials: Credentials,
  logins: Inputs["logins"],
  context: RegistryContext,
): Registry {
  const { registry } = place;
  return new Registry({
    registry,
    vendor: vendorOf(registry, type),
    tokenServer,
    side: "destination",
    readOnly: filledBySync,
    credentials,
    loginOf: loginsBeside(logins, place),
    ...context,
  });
}
