import { InputError } from "../../errors.ts";
import type { Credentials } from "../../oci/credentials.ts";
import type { DockerLogins } from "../../oci/docker-config.ts";
import type { Namespace } from "../../oci/reference.ts";
import type { DestinationInput } from "../destination-input.ts";
import { mainlandApi } from "./tcr.ts";
import { isTcrHost } from "./tcr-source.ts";
import type { TencentCloud } from "./tencent-cloud.ts";

/** What is known of a run's sources and destinations before anything is sent. */
export interface TcrPlaces {
  /** Every line of the inputs, those of other jobs included: a password is for the same host in all jobs. */
  readonly destinations: readonly DestinationInput[];
  readonly sources: readonly Namespace[];
  readonly dockerConfiguration: DockerLogins;
  readonly tencentCloud: TencentCloud;
}

/**
 * The one host that `tcr-username` and `tcr-password` are for. If the run has one TCR host, it is that one. If it has several,
 * hosts with a login in the Docker configuration need no other. Of the rest, destinations come before sources, and Enterprise
 * instances get their login by the key. A password goes to no second host (P7).
 * @returns undefined where no host needs it.
 * @throws InputError when more than one host is left, as nothing tells whose password it is.
 */
export async function tcrLoginHost(places: TcrPlaces): Promise<string | undefined> {
  const { destinations, sources, dockerConfiguration, tencentCloud } = places;
  const lines = destinations.filter(({ type }) => type === "tcr" || type === "tcr-personal");
  const written = new Set(lines.map(({ registry }) => registry));
  const read = new Set(sources.map(({ registry }) => registry).filter(isTcrHost));
  const all = [...new Set([...written, ...read])];
  if (all.length < 2) return all[0];
  const open = new Set<string>();
  for (const { registry, path } of [...lines, ...sources.filter((source) => isTcrHost(source.registry))])
    if (!(await hasLogin(dockerConfiguration(registry, path)))) open.add(registry);
  const openLines = lines.filter(({ registry }) => open.has(registry));
  const candidates = new Set(openLines.map(({ registry }) => registry));
  if (candidates.size === 0) for (const host of read) if (open.has(host)) candidates.add(host);
  if (candidates.size < 2) return [...candidates][0];
  const byKey = new Set(
    openLines
      .filter(({ type, api }) => type === "tcr" && tencentCloud(api ?? mainlandApi) !== undefined)
      .map(({ registry }) => registry),
  );
  const rest = [...candidates].filter((host) => !byKey.has(host));
  if (rest.length === 1) return rest[0];
  throw new InputError(
    `tcr-username: nothing tells which of ${[...candidates].join(", ")} this login is for, and a password goes to one host ` +
      "only. Log in to each of them with docker/login-action in an earlier step, and leave `tcr-username` and `tcr-password` away.",
  );
}

/** A login that cannot be read counts as well: the failure is reported where the login is needed. */
function hasLogin(credentials: Credentials): Promise<boolean> {
  return credentials().then(
    (credential) => credential !== undefined,
    () => true,
  );
}
