import type { Clock } from "../../clock.ts";
import { messageOf } from "../../errors.ts";
import type { Log } from "../../log/log.ts";
import type { Credentials, Login } from "../../oci/credentials.ts";
import type { DestinationInput } from "../destination-input.ts";
import { mainlandApi } from "./tcr.ts";
import { createTcrInstance, instanceNameOf } from "./tcr-instance.ts";
import { temporaryLogin } from "./tcr-login.ts";
import type { TencentCloud } from "./tencent-cloud.ts";

/**
 * The login for a TCR registry that images are read from and that is no destination: the `tcr-` login, unless it belongs to
 * a destination; for an Enterprise instance under its default domain, a temporary one made with the API. Else, and for
 * every other registry, the Docker configuration's.
 */
export function tcrSource(
  registry: string,
  {
    tcrLogin,
    destinations,
  }: {
    readonly tcrLogin: Login | undefined;
    readonly destinations: readonly Pick<DestinationInput, "type">[];
  },
  dockerCredentials: Credentials,
  {
    tencentCloud,
    clock,
    log,
  }: { readonly tencentCloud: TencentCloud; readonly clock: Clock; readonly log: Log },
): Credentials {
  const instance = instanceNameOf(registry);
  if (instance === undefined && !/\.ccs\.tencentyun\.com(?::[0-9]+)?$/.test(registry))
    return dockerCredentials;
  // A password goes to one place only (P7): to the destinations of TCR, if there are any.
  const isFree = !destinations.some(({ type }) => type === "tcr" || type === "tcr-personal");
  if (tcrLogin !== undefined && isFree) return () => Promise.resolve(tcrLogin);
  const api = instance === undefined ? undefined : tencentCloud(mainlandApi);
  if (instance === undefined || api === undefined) return dockerCredentials;
  const login = temporaryLogin(createTcrInstance(api, { kind: "named", name: instance }, clock), clock, log);
  return async (signal) => {
    try {
      return await login.get(signal);
    } catch (error) {
      signal?.throwIfAborted();
      // The key may be of another account, and the images public all the same.
      log.debug(`${registry}: ${messageOf(error)}`);
      return dockerCredentials(signal);
    }
  };
}
