import type { Clock } from "../clock.ts";
import type { DestinationInput, Inputs } from "../inputs.ts";
import type { Log } from "../log.ts";
import type { Credentials } from "../oci/credentials.ts";
import type { Transport } from "../oci/http.ts";
import type { Registry } from "../oci/registry.ts";
import type { Destination } from "./destination.ts";
import { createDockerHubDestination } from "./docker-hub.ts";
import { createRegistryDestination } from "./registry.ts";
import { createTcrDestination, mainlandApi, tcrWithoutApi } from "./tcr.ts";
import { createTcrPersonalDestination } from "./tcr-personal.ts";
import type { TencentCloud } from "./tencent-cloud.ts";

/** What destinations are made with. */
export interface DestinationContext {
  /** For vendor APIs. Repeats broken connections and temporary statuses by itself. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  /** Login that the Docker configuration holds for a registry. */
  readonly dockerConfiguration: (registry: string) => Credentials;
  /** The keyless login for Docker Hub; undefined where no OIDC connection was given. */
  readonly keylessHub?: Credentials | undefined;
  readonly tencentCloud: TencentCloud;
  /** A client of a destination's registry, for what is asked of it beside the copy. */
  readonly openRegistry: (input: DestinationInput, credentials: Credentials) => Registry;
}

/**
 * The destination that one line of the `destinations` input describes. Sends nothing.
 * @throws InputError when the line cannot be used as it is.
 */
export async function createDestination(
  input: DestinationInput,
  inputs: Pick<Inputs, "dockerHubLogin" | "tcrLogin" | "awsKey">,
  context: DestinationContext,
): Promise<Destination> {
  const { transport, clock, log } = context;
  const dockerCredentials = context.dockerConfiguration(input.registry);
  switch (input.type) {
    case "docker-hub": {
      const login = inputs.dockerHubLogin;
      const keyless = context.keylessHub;
      return createDockerHubDestination({ input, login, keyless, dockerCredentials, transport, clock, log });
    }
    case "tcr": {
      const { tcrLogin: login } = inputs;
      const api = context.tencentCloud(input.api ?? mainlandApi);
      if (api !== undefined) return createTcrDestination({ input, api, login, clock, log });
      return tcrWithoutApi(input, tcrCredentials(inputs, dockerCredentials), clock, log);
    }
    case "tcr-personal": {
      const api = context.tencentCloud(input.api ?? mainlandApi);
      const credentials = tcrCredentials(inputs, dockerCredentials);
      return createTcrPersonalDestination({ input, api, credentials, log, clock });
    }
    case "registry": {
      const client = context.openRegistry(input, dockerCredentials);
      const { awsKey } = inputs;
      return createRegistryDestination({
        input,
        credentials: dockerCredentials,
        awsKey,
        client,
        transport,
        clock,
        log,
      });
    }
  }
}

/** The login for the registry that the user gave by inputs, else by the Docker configuration. */
function tcrCredentials({ tcrLogin }: Pick<Inputs, "tcrLogin">, dockerCredentials: Credentials): Credentials {
  return tcrLogin === undefined ? dockerCredentials : () => Promise.resolve(tcrLogin);
}
