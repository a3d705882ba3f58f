import type { Clock } from "../../clock.ts";
import { messageOf } from "../../errors.ts";
import type { Log } from "../../log/log.ts";
import type { Credentials, Login } from "../../oci/credentials.ts";
import type { Namespace } from "../../oci/reference.ts";
import { hostParts, vendorOf } from "../../vendors/vendors.ts";
import { mainlandApi } from "./tcr.ts";
import { createTcrInstance } from "./tcr-instance.ts";
import { temporaryLogin } from "./tcr-login.ts";
import type { TencentCloud } from "./tencent-cloud.ts";

/** Whether a registry is one of TCR, by a host name of Tencent's own. */
export function isTcrHost(registry: string): boolean {
  const { id } = vendorOf(registry);
  return id === "tcr" || id === "tcr-personal";
}

/**
 * The login for a TCR registry that images are read from and that is no destination. It is the `tcr-` login if that is for this
 * registry. For an Enterprise instance under its default domain, it is a temporary one made with the API. Else, and for every
 * other registry, it is the Docker configuration's.
 * @param tcrLogin undefined where it is for another host, or not given.
 */
export function tcrSource(
  place: Namespace,
  tcrLogin: Login | undefined,
  dockerCredentials: Credentials,
  {
    tencentCloud,
    clock,
    log,
  }: { readonly tencentCloud: TencentCloud; readonly clock: Clock; readonly log: Log },
): Credentials {
  const { registry } = place;
  if (!isTcrHost(registry)) return dockerCredentials;
  if (tcrLogin !== undefined) return () => Promise.resolve(tcrLogin);
  const { instance } = hostParts(registry);
  const api = instance === undefined ? undefined : tencentCloud(mainlandApi, place);
  if (instance === undefined || api === undefined) return dockerCredentials;
  const login = temporaryLogin(createTcrInstance(api, { kind: "named", name: instance }, clock), clock, log);
  return async (signal) => {
    try {
      return await login.get(signal);
    } catch (error) {
      signal?.throwIfAborted();
      // The key may be of another account, while the images are public.
      log.debug(`${registry}: ${messageOf(error)}`);
      return dockerCredentials(signal);
    }
  };
}
