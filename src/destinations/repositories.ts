import type { Clock } from "../clock.ts";
import type { Transport } from "../http/http.ts";
import type { Log } from "../log/log.ts";
import { catalogOf } from "../oci/catalog.ts";
import type { Namespace } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import { hostParts } from "../vendors/vendors.ts";
import type { DestinationInput } from "./destination-input.ts";
import { hubRepositories } from "./docker-hub/docker-hub.ts";
import type { AwsKey } from "./registry/aws-signature.ts";
import { createEcrApi, ecrRegistry } from "./registry/ecr-api.ts";
import { harborRepositories } from "./registry/harbor-repositories.ts";
import { packagesRepositories } from "./registry/packages-repositories.ts";
import { quayRepositories } from "./registry/quay-repositories.ts";
import { githubApi } from "./registry/registry-destination.ts";
import { mainlandApi } from "./tencent/tcr.ts";
import { createTcrInstance, instanceIdentity, MissingInstanceError } from "./tencent/tcr-instance.ts";
import { personalRegion } from "./tencent/tcr-personal.ts";
import { personalRepositories, tcrRepositories } from "./tencent/tcr-repositories.ts";
import type { TencentCloud } from "./tencent/tencent-cloud.ts";

/** A place whose repositories are listed. */
export interface ListedPlace extends Namespace {
  /** Client of its registry, with its login. */
  readonly client: Registry;
}

/** What the vendors' APIs are asked with. */
export interface ListingContext {
  /** Repeats broken connections and temporary statuses by itself. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  readonly tencentCloud: TencentCloud;
  readonly awsKey: AwsKey | undefined;
  readonly githubToken: string | undefined;
  /** The API that `githubToken` is for. */
  readonly githubApiUrl: URL;
  /** The lines of the destinations: one of the same registry says where its vendor's API is. */
  readonly destinations: readonly Pick<
    DestinationInput,
    "registry" | "path" | "api" | "registryId" | "region"
  >[];
}

/** Paths on the registry, page by page, as the registry or its vendor gives them: unchecked, and it may be without end. */
export type RepositoryPages = AsyncGenerator<readonly string[], void, undefined>;

/**
 * Lists the repositories of a namespace, or of its whole registry where the path is empty: by the vendor's API where there is one
 * that these logins can use, else by the list of the distribution project. What comes may be of other namespaces, too.
 * @throws OperationError (from the iteration)
 */
export async function* repositoryPages(
  place: ListedPlace,
  context: ListingContext,
  signal: AbortSignal,
): RepositoryPages {
  const { client } = place;
  yield* (await vendorPages(place, context, signal)) ?? catalogOf(client, signal);
}

/** Undefined: there is no API, or no login for it. */
async function vendorPages(
  place: ListedPlace,
  context: ListingContext,
  signal: AbortSignal,
): Promise<RepositoryPages | undefined> {
  const { client, path } = place;
  const { origin: url, credentials, vendor } = client;
  const { transport } = context;
  // The first part of a path is what vendors call namespace, project, organisation or owner.
  const [first = ""] = path.split("/");
  const namespace = first === "" ? undefined : first;
  const line = context.destinations.find(({ registry }) => registry === place.registry);
  switch (vendor.listing.route) {
    case "docker-hub":
      if (namespace === undefined) return undefined;
      return hubRepositories({ ...context, api: line?.api, credentials }, namespace, signal);
    case "packages": {
      if (namespace === undefined) return undefined;
      const api = line?.api ?? githubApi;
      const token = api.origin === context.githubApiUrl.origin ? context.githubToken : undefined;
      return packagesRepositories({ url: api, credentials, token, transport }, namespace, signal);
    }
    case "quay":
      return quayRepositories({ url, credentials, transport }, namespace, signal);
    case "ecr":
      return ecrPages(place, line?.api, context, signal);
    case "tcr":
      return tcrPages(place, namespace, line, context, signal);
    case "tcr-personal": {
      const api = context.tencentCloud(line?.api ?? mainlandApi, place);
      if (api === undefined) return undefined;
      const region = personalRegion({ ...place, region: line?.region });
      return personalRepositories({ api, region }, namespace, signal);
    }
    case "harbor":
      return harborRepositories({ url, credentials, transport }, namespace, signal);
    case "catalog":
      // A Harbor runs under any name, and shows its own list to administrators only.
      return (await client.isHarbor(signal))
        ? harborRepositories({ url, credentials, transport }, namespace, signal)
        : undefined;
  }
}

function ecrPages(
  { registry }: ListedPlace,
  api: URL | undefined,
  { awsKey: key, transport, clock }: ListingContext,
  signal: AbortSignal,
): RepositoryPages | undefined {
  const found = ecrRegistry(registry);
  const url = api ?? found?.url;
  if (key === undefined || url === undefined) return undefined;
  const { account, region = "us-east-1" } = found ?? {};
  return createEcrApi({ key, account, region, url, transport, clock }).repositories(signal);
}

/** By a key of the instance's own account, as far as the host or a line tells which instance it is. */
async function tcrPages(
  place: ListedPlace,
  namespace: string | undefined,
  line: ListingContext["destinations"][number] | undefined,
  { tencentCloud, clock, log }: ListingContext,
  signal: AbortSignal,
): Promise<RepositoryPages | undefined> {
  const api = tencentCloud(line?.api ?? mainlandApi, place);
  const { registryId, region } = line ?? {};
  const isNamed = hostParts(place.registry).instance !== undefined;
  if (api === undefined || (!isNamed && registryId === undefined)) return undefined;
  const instance = createTcrInstance(api, instanceIdentity({ ...place, registryId, region }), clock);
  try {
    await instance.find(signal);
  } catch (error) {
    if (!(error instanceof MissingInstanceError)) throw error;
    log.debug(`${place.registry}: ${error.message}`);
    return undefined;
  }
  return tcrRepositories(instance, namespace, signal);
}
