import { InputError } from "../errors.ts";
import type { Credentials } from "../oci/credentials.ts";
import type { DockerLogins } from "../oci/docker-config.ts";
import type { Namespace } from "../oci/reference.ts";
import type { DestinationInput } from "./destination-input.ts";
import { mainlandApi } from "./tencent/tcr.ts";
import { isTcrHost } from "./tencent/tcr-source.ts";
import type { TencentCloud } from "./tencent/tencent-cloud.ts";

/** What is known of a run's sources and destinations before anything is sent. */
export interface LoginPlaces {
  /** Every line of the inputs, those of other jobs included: a password is for the same host in all jobs. */
  readonly destinations: readonly DestinationInput[];
  readonly sources: readonly Namespace[];
  readonly dockerConfiguration: DockerLogins;
  readonly tencentCloud: TencentCloud;
}

/**
 * The one host that `tcr-username` and `tcr-password` are for. A key makes the logins of Enterprise instances.
 * @returns undefined where no host needs it.
 * @throws InputError when more than one host is left, as nothing tells whose password it is.
 */
export function tcrLoginHost(places: LoginPlaces): Promise<string | undefined> {
  const lines = places.destinations.filter(({ type }) => type === "tcr" || type === "tcr-personal");
  const byKey = lines.filter(
    (line) => line.type === "tcr" && places.tencentCloud(line.api ?? mainlandApi, line) !== undefined,
  );
  const sources = places.sources.filter(({ registry }) => isTcrHost(registry));
  return oneHost(["tcr-username", "tcr-password"], lines, sources, places.dockerConfiguration, byKey);
}

/**
 * The one host that the login of the `dockerhub-` inputs is for: Docker Hub, or what a line says to be one.
 * @returns undefined where no host needs it.
 * @throws InputError when more than one host is left, as nothing tells whose password it is.
 */
export function hubLoginHost(places: Omit<LoginPlaces, "tencentCloud">): Promise<string | undefined> {
  const lines = places.destinations.filter(({ type }) => type === "docker-hub");
  const sources = places.sources.filter(({ registry }) => registry === "docker.io");
  return oneHost(["dockerhub-username", "dockerhub-token"], lines, sources, places.dockerConfiguration);
}

/**
 * If the run has one host that the login could be for, it is that one. If it has several, hosts with a login in the Docker
 * configuration need no other. Of the rest, destinations come before sources, and a key makes the logins of some. A password
 * goes to no second host (P7).
 */
async function oneHost(
  [username, password]: readonly [username: string, password: string],
  lines: readonly Namespace[],
  sources: readonly Namespace[],
  dockerConfiguration: DockerLogins,
  byKey: readonly Namespace[] = [],
): Promise<string | undefined> {
  const all = hostsOf([...lines, ...sources]);
  if (all.length < 2) return all[0];
  const open = new Set<string>();
  for (const { registry, path } of [...lines, ...sources])
    if (!(await hasLogin(dockerConfiguration(registry, path)))) open.add(registry);
  const written = hostsOf(lines).filter((host) => open.has(host));
  const candidates = written.length > 0 ? written : hostsOf(sources).filter((host) => open.has(host));
  if (candidates.length < 2) return candidates[0];
  const rest = candidates.filter((host) => !hostsOf(byKey).includes(host));
  if (rest.length === 1) return rest[0];
  throw new InputError(
    `${username}: nothing tells which of ${candidates.join(", ")} this login is for, and a password goes to one host only. ` +
      `Give each of them its login in the input \`logins\`, or log in with docker/login-action in an earlier step, and leave \`${username}\` and \`${password}\` away.`,
  );
}

function hostsOf(places: readonly Namespace[]): readonly string[] {
  return [...new Set(places.map(({ registry }) => registry))];
}

/** A login that cannot be read counts as well: the failure is reported where the login is needed. */
function hasLogin(credentials: Credentials): Promise<boolean> {
  return credentials().then(
    (credential) => credential !== undefined,
    () => true,
  );
}
