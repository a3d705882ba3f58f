import type { Destination } from "../destinations/destination.ts";
import { keylessHubCredentials } from "../destinations/docker-hub/docker-hub-identity.ts";
import { withPlaceLogins } from "../destinations/place-logins.ts";
import { createTencentCloud } from "../destinations/tencent/tencent-cloud.ts";
import { createGitHubClient, type GitHubClient } from "../github/client.ts";
import { followingFetch, retryingFetch } from "../github/fetch.ts";
import { createIdTokens } from "../github/id-token.ts";
import { retrying } from "../http/retry.ts";
import { userAgent } from "../http/transport.ts";
import type { Inputs, RouteInputs } from "../inputs/inputs.ts";
import type { StepState } from "../inputs/state.ts";
import { AttachmentFinder } from "../inventory/attachments.ts";
import { credentialHelpers, dockerConfiguration } from "../oci/docker-config.ts";
import { printNamespace, sameNamespace } from "../oci/reference.ts";
import type { Places, RunContext, StepContext } from "./context.ts";
import { closeAccess, openAccess } from "./open-access.ts";
import {
  inputLogins,
  openDestinations,
  openSources,
  type RegistryContext,
  tellUnusedLogins,
} from "./registries.ts";

/** How a run gets to the registries and to GitHub. */

/**
 * Makes the clients of all registries.
 * @param named every destination that the inputs name, where `inputs` has those of one job.
 * @throws InputError that lists all destinations that cannot be used.
 */
export async function openPlaces(
  inputs: Inputs,
  context: RunContext,
  named: Inputs["destinations"] = inputs.destinations,
): Promise<Places> {
  const { log, network, signal } = context;
  const registries = registryContext(inputs, context);
  const { dockerConfigFolder, helperEnvironment } = inputs.runner;
  const docker = dockerConfiguration(dockerConfigFolder, credentialHelpers(helperEnvironment, context.clock));
  const logins = withPlaceLogins(inputs.logins, docker);
  tellUnusedLogins({ ...inputs, destinations: named }, log);
  const loginsOf = await inputLogins(inputs, named, logins, registries);
  const opened = await openDestinations(inputs, logins, loginsOf, registries);
  const access = { ...registries, network, github: await githubClient(inputs, context) };
  const shut = await openAccess(inputs, access, context.saveState, signal, context.ended);
  const destinations = opened.map((destination) => unlessShut(destination, shut.get(destination.registry)));
  const sources = openSources(inputs, destinations, logins, loginsOf, registries);
  // The greeting of a far registry takes round trips. Meanwhile GitHub is asked for releases.
  const greeting = AbortSignal.any([signal, context.ended]);
  // Of the sources, the first mostly has everything.
  for (const { client } of [...destinations, ...sources.slice(0, 1)]) void client.greet(greeting);
  return { destinations, sources, attachments: new AttachmentFinder(log) };
}

/** The places of one route, as the route says how it uses them. Those that this job has not opened are left out. */
export function placesOf(route: RouteInputs, opened: Places): Places {
  const destinations = new Map(opened.destinations.map((each) => [printNamespace(each), each]));
  return {
    destinations: route.destinations.flatMap(({ retention, attestations, ...namespace }) => {
      const destination = destinations.get(printNamespace(namespace));
      return destination === undefined ? [] : [{ ...destination, retention, attestations }];
    }),
    sources: route.sources.flatMap(({ onlyNamed, ...namespace }) => {
      const source = opened.sources.find((each) => sameNamespace(each, namespace));
      return source === undefined ? [] : [{ ...source, onlyNamed: onlyNamed === true }];
    }),
    attachments: route.referrers ? opened.attachments : undefined,
  };
}

/** What the clients of registries and their vendors are made with. Sends nothing. */
export function registryContext(inputs: Inputs, { network, clock, log }: StepContext): RegistryContext {
  const transport = retrying(network, { clock, log });
  const idTokens = createIdTokens({ request: inputs.idTokenRequest, transport, clock, log });
  const { dockerHubConnection: connection } = inputs;
  return {
    transport,
    clock,
    log,
    keylessHub: connection && keylessHubCredentials({ connection, idTokens, transport, clock, log }),
    tencentCloud: createTencentCloud({ ...inputs, idTokens, transport, clock, log }),
  };
}

/** A client of GitHub, with the inputs' token. Sends nothing. */
export async function githubClient(
  inputs: Pick<Inputs, "githubApiUrl" | "githubToken">,
  { network, clock, log, signal }: StepContext,
): Promise<GitHubClient> {
  return createGitHubClient({
    fetch: followingFetch(network.dispatcher, { clock, log }),
    repeating: retryingFetch({ clock, log }),
    apiUrl: inputs.githubApiUrl,
    token: inputs.githubToken,
    userAgent,
    log,
    signal,
  });
}

/** A destination that the runner was not let into: every request to it fails for that reason. */
function unlessShut(destination: Destination, failure: Error | undefined): Destination {
  if (failure === undefined) return destination;
  const repository = (): never => {
    throw failure;
  };
  return { ...destination, repository };
}

/**
 * The post step: takes away what the main step of this job has opened.
 * @returns whether nothing is left behind.
 */
export async function closeOpened(inputs: Inputs, state: StepState, context: StepContext): Promise<boolean> {
  const { network, signal } = context;
  const access = {
    ...registryContext(inputs, context),
    network,
    github: await githubClient(inputs, context),
  };
  return closeAccess(inputs, state, access, signal);
}
