import type { Clock } from "../clock.ts";
import type { Transport } from "../http/http.ts";
import type { Log } from "../log/log.ts";
import type { Credentials, Login } from "../oci/credentials.ts";
import type { DockerLogins } from "../oci/docker-config.ts";
import type { Registry } from "../oci/registry.ts";
import type { DestinationAbilities } from "./destination.ts";
import type { DestinationInput } from "./destination-input.ts";
import { createDockerHubDestination } from "./docker-hub/docker-hub.ts";
import type { AwsKey } from "./registry/aws-signature.ts";
import { createRegistryDestination } from "./registry/registry-destination.ts";
import { createTcrDestination, mainlandApi, tcrWithoutApi } from "./tencent/tcr.ts";
import { createTcrPersonalDestination } from "./tencent/tcr-personal.ts";
import type { TencentCloud } from "./tencent/tencent-cloud.ts";

/** The logins that the user gave by inputs or in the environment, one for each vendor. */
export interface VendorLogins {
  readonly dockerHubLogin: Login | undefined;
  readonly tcrLogin: Login | undefined;
  readonly awsKey: AwsKey | undefined;
}

/** What destinations are made with. */
export interface DestinationContext {
  /** For vendor APIs. Repeats broken connections and temporary statuses by itself. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  /** Login that the Docker configuration holds for a namespace of a registry. */
  readonly dockerConfiguration: DockerLogins;
  /** The keyless login for Docker Hub; undefined where no OIDC connection was given. */
  readonly keylessHub?: Credentials | undefined;
  readonly tencentCloud: TencentCloud;
  /** Opens a client of a destination's registry, for requests beside the copy. */
  readonly openRegistry: (input: DestinationInput, credentials: Credentials) => Registry;
}

/**
 * The abilities of the destination that one line of the `destinations` input describes. Sends nothing.
 * @throws InputError when the line cannot be used as it is.
 */
export async function createDestination(
  input: DestinationInput,
  logins: VendorLogins,
  context: DestinationContext,
): Promise<DestinationAbilities> {
  const { transport, clock, log } = context;
  const dockerCredentials = context.dockerConfiguration(input.registry, input.path);
  switch (input.type) {
    case "docker-hub": {
      const login = logins.dockerHubLogin;
      const keyless = context.keylessHub;
      return createDockerHubDestination({ input, login, keyless, dockerCredentials, transport, clock, log });
    }
    case "tcr": {
      const { tcrLogin: login } = logins;
      const api = context.tencentCloud(input.api ?? mainlandApi, input);
      if (api !== undefined)
        return createTcrDestination({ input, api, login, dockerCredentials, clock, log });
      return tcrWithoutApi(input, tcrCredentials(logins, dockerCredentials), clock, log);
    }
    case "tcr-personal": {
      const api = context.tencentCloud(input.api ?? mainlandApi, input);
      const credentials = tcrCredentials(logins, dockerCredentials);
      return createTcrPersonalDestination({ input, api, credentials, log, clock });
    }
    default: {
      const client = context.openRegistry(input, dockerCredentials);
      return createRegistryDestination({
        input,
        credentials: dockerCredentials,
        awsKey: logins.awsKey,
        client,
        transport,
        clock,
        log,
      });
    }
  }
}

/** The login for the registry that the user gave by inputs, else by the Docker configuration. */
function tcrCredentials(
  { tcrLogin }: Pick<VendorLogins, "tcrLogin">,
  dockerCredentials: Credentials,
): Credentials {
  return tcrLogin === undefined ? dockerCredentials : () => Promise.resolve(tcrLogin);
}
