import * as v from "valibot";
import type { Clock } from "../../clock.ts";
import { InputError, OperationError } from "../../errors.ts";
import { leased } from "../../http/lease.ts";
import { printable } from "../../log/log.ts";
import { printNamespace } from "../../oci/reference.ts";
import { hostParts } from "../../vendors/vendors.ts";
import type { DestinationInput } from "../destination-input.ts";
import type { TencentApi } from "./tencent-api.ts";
import type { TencentCall } from "./tencent-call.ts";

/** How a TCR instance is identified: by the user, or by the first label of its host name. */
export type InstanceIdentity =
  | { readonly kind: "identified"; readonly registryId: string; readonly region: string }
  | { readonly kind: "named"; readonly name: string };

/** The account of the key has no instance of that name: the instance belongs to another account, or does not exist. */
export class MissingInstanceError extends OperationError {}

/** A TCR instance whose id and region are found out when first needed. */
export interface TcrInstance {
  /** Host of the API, for messages. */
  readonly host: string;
  /**
   * Looks the instance up, unless that was done before or the user has given its id.
   * @throws MissingInstanceError when the account of the key does not have it; OperationError when the lookup fails.
   */
  find(signal: AbortSignal | undefined): Promise<void>;
  /**
   * Calls an action on this instance, with its `RegistryId` and in its region.
   * @throws OperationError, also when the instance does not exist.
   */
  call<T>(call: Omit<TencentCall, "region">, schema: v.GenericSchema<unknown, T>): Promise<T>;
}

/**
 * Region that the lookup is sent to. With `AllRegion`, any region answers for all; Harbor's TCR adapter asks this one.
 * https://github.com/goharbor/harbor/blob/main/src/pkg/reg/adapter/tencentcr/adapter.go
 */
const lookupRegion = "ap-guangzhou";

/** Largest page of `DescribeInstances`. The filter leaves one instance, or the few whose names contain it. */
const instancePage = 100;

const instancesSchema = v.object({
  Registries: v.nullish(
    v.array(v.object({ RegistryId: v.string(), RegistryName: v.string(), RegionName: v.string() })),
    [],
  ),
});

/**
 * The instance of a destination, by its attributes or its host name: `<instance>.tencentcloudcr.com`, or
 * `<instance>-vpc.tencentcloudcr.com` inside a private network.
 * @throws InputError when neither tells it.
 */
export function instanceIdentity(
  input: Pick<DestinationInput, "registry" | "path" | "registryId" | "region">,
): InstanceIdentity {
  const { registryId, region } = input;
  if (registryId !== undefined && region !== undefined) return { kind: "identified", registryId, region };
  const place = printNamespace(input);
  if (registryId !== undefined || region !== undefined) {
    throw new InputError(`${place}: \`registry-id\` and \`region\` go together: give both or neither`);
  }
  const { instance: name } = hostParts(input.registry);
  if (name !== undefined) return { kind: "named", name };
  throw new InputError(
    `${place}: the host name does not tell the TCR instance: add its id and region, ` +
      `for example \`${place},registry-id=tcr-xxxxxxxx,region=ap-guangzhou\``,
  );
}

/** A TCR instance, reached by an API client. Sends nothing before the first call. */
export function createTcrInstance(
  api: TencentApi,
  given: InstanceIdentity,
  clock: Pick<Clock, "now">,
): TcrInstance {
  const identity = leased(clock, async (signal) => {
    const value = given.kind === "identified" ? given : await findInstance(api, given.name, signal);
    return { value, until: Number.POSITIVE_INFINITY };
  });
  return {
    host: api.url.host,
    async find(signal) {
      await identity.get(signal);
    },
    async call(call, schema) {
      const { registryId, region } = await identity.get(call.signal);
      const parameters = { RegistryId: registryId, ...call.parameters };
      return api.call({ ...call, region, parameters }, schema);
    },
  };
}

async function findInstance(
  api: TencentApi,
  name: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly registryId: string; readonly region: string }> {
  const operation = `looking for the TCR instance ${name}`;
  const answer = await api.call(
    {
      action: "DescribeInstances",
      operation,
      region: lookupRegion,
      parameters: {
        AllRegion: true,
        Limit: instancePage,
        Filters: [{ Name: "RegistryName", Values: [name] }],
      },
      signal,
    },
    instancesSchema,
  );
  // The filter is not documented to be exact: `harbor` must not end up in the instance `harbor-test`.
  const found = answer.Registries.find((registry) => registry.RegistryName === name);
  if (found !== undefined) return { registryId: found.RegistryId, region: found.RegionName };
  const others = answer.Registries.map((registry) => printable(registry.RegistryName));
  throw new MissingInstanceError({
    side: "destination",
    host: api.url.host,
    operation,
    problem: `the account of this key has no instance of that name${others.length === 0 ? "" : ` (but ${others.join(", ")})`}`,
    advice:
      "Check the host name of the destination and the account of the key, or name the instance by the attributes " +
      "`registry-id=` and `region=`. For an instance of the international site add " +
      "`api=https://tcr.intl.tencentcloudapi.com`.",
  });
}
