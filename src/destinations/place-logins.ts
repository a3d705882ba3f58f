import type { Login } from "../oci/credentials.ts";
import type { DockerLogins } from "../oci/docker-config.ts";
import type { Namespace } from "../oci/reference.ts";
import type { TencentCloudKey } from "./tencent/tencent-keys.ts";

/**
 * What the user gave for one place: a registry, or a path on it, and all that is below. Of several, the longest path that fits wins,
 * of logins and of keys each for itself.
 */
export interface PlaceLogin extends Namespace {
  /** Canonical host; or `*.` and the end of several, for a key: it goes to the vendor's API, where a password goes to the host. */
  readonly registry: string;
  /** Login of the registry. */
  readonly login: Login | undefined;
  /** Key for the API of Tencent Cloud. */
  readonly key: TencentCloudKey | undefined;
  /** Where the user gave it, for messages. */
  readonly from: string;
}

/** The login that was given for a place; undefined: none was. */
export function loginFor(logins: readonly PlaceLogin[], place: Namespace): Login | undefined {
  return nearest(
    logins.filter(({ login }) => login !== undefined),
    place,
  )?.login;
}

/** The key of Tencent Cloud that was given for a place; undefined: none was. */
export function keyFor(logins: readonly PlaceLogin[], place: Namespace): TencentCloudKey | undefined {
  return nearest(
    logins.filter(({ key }) => key !== undefined),
    place,
  )?.key;
}

/** The logins of the Docker configuration, before which those that were given for a place come. */
export function withPlaceLogins(logins: readonly PlaceLogin[], docker: DockerLogins): DockerLogins {
  return (registry, path) => {
    const login = loginFor(logins, { registry, path: path ?? "" });
    return login === undefined ? docker(registry, path) : () => Promise.resolve(login);
  };
}

/**
 * The login of each repository at a registry, where it is not the one of a place there: a path below may have its own, and a
 * neighbour may.
 */
export function loginsBeside(
  logins: readonly PlaceLogin[],
  place: Namespace,
): (repository: string) => Login | undefined {
  const own = loginFor(logins, place);
  return (repository) => {
    const login = loginFor(logins, { registry: place.registry, path: repository });
    return login?.username === own?.username && login?.password === own?.password ? undefined : login;
  };
}

/** Those that are for none of these places, nor for anything below one. */
export function unusedLogins(
  logins: readonly PlaceLogin[],
  places: readonly Namespace[],
): readonly PlaceLogin[] {
  return logins.filter(
    (login) =>
      !places.some((place) => fits(login, place) || (login.login !== undefined && fits(place, login))),
  );
}

function nearest(logins: readonly PlaceLogin[], place: Namespace): PlaceLogin | undefined {
  let best: PlaceLogin | undefined;
  for (const login of logins)
    if (fits(login, place) && (best === undefined || lengthOf(login) > lengthOf(best))) best = login;
  return best;
}

/** A host comes before an end of hosts, whatever the paths. */
function lengthOf({ registry, path }: Namespace): number {
  return registry.startsWith("*") ? -1 : path.length;
}

function fits(outer: Namespace, { registry, path }: Namespace): boolean {
  const isHost = outer.registry.startsWith("*")
    ? registry.endsWith(outer.registry.slice(1))
    : registry === outer.registry;
  return isHost && (outer.path === "" || `${path}/`.startsWith(`${outer.path}/`));
}
