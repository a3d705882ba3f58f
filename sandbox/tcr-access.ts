/**
 * The access control of a TCR instance: its public endpoint, closed or open, and the allowlist of that. Kept:
 * - an endpoint opens some time after it was asked to (`Opening`); without one that is open there is no list
 *   (`ResourceNotFound`) and none can be made (https://github.com/tencentcloudstack/terraform-provider-tencentcloud,
 *   resource_tc_tcr_instance.go);
 * - the list of an endpoint that lets nobody in is null, not empty; each entry has a place, which changes when another
 *   goes, and all have the list's version (https://cloud.tencent.com/document/product/1141/53906);
 * - `CidrBlock` wins over `PolicyIndex` (https://www.tencentcloud.com/document/product/1051/50737).
 * Not documented, and taken the inconvenient way: a second entry with one address is refused, a deletion by place needs the
 * present version, and who may not come in is cut off without an answer.
 */
import { BlockList } from "node:net";
import { type ApiAction, ApiError } from "./tcr-api.ts";

export interface Policy {
  readonly block: string;
  readonly description: string;
}

export interface NetworkOptions {
  /** Default: `Opened`. */
  readonly endpoint?: "Opened" | "Closed";
  /** Default: none. */
  readonly allowlist?: readonly Policy[];
  /** Address that all requests to the registry are taken to come from. Looked up on every request. */
  readonly egress: () => string;
  /** How often an endpoint says that it is opening before it is open. Default: 1. */
  readonly openingLooks?: number;
  /** How many requests are still refused once an entry is made. Default: 0. */
  readonly slowEntries?: number;
}

export interface Network {
  readonly endpoint: string;
  readonly allowlist: readonly Policy[];
  /** Everything that was ever done to the list, in order. */
  readonly changes: readonly { readonly kind: "added" | "removed"; readonly policy: Policy }[];
  /** Adds an entry past the API, as the console does. */
  add(policy: Policy): void;
  /** Whether the next request to the registry comes in. */
  admits(): boolean;
  /** The actions, for the instance of this id. */
  actions(
    checkInstance: (given: { text(name: string): string }, region: string) => void,
  ): readonly (readonly [string, ApiAction])[];
}

/** The access control of one instance. */
export function createNetwork(options: NetworkOptions): Network {
  let endpoint: "Opened" | "Opening" | "Closed" = options.endpoint ?? "Opened";
  let looksLeft = 0;
  let policies: readonly Policy[] = options.allowlist ?? [];
  let version = 1;
  let refusals = 0;
  const changes: { kind: "added" | "removed"; policy: Policy }[] = [];

  function change(kind: "added" | "removed", policy: Policy, next: readonly Policy[]): void {
    policies = next;
    version += 1;
    changes.push({ kind, policy });
    if (kind === "added") refusals = options.slowEntries ?? 0;
  }

  function needOpen(): void {
    if (endpoint !== "Opened") throw new ApiError("ResourceNotFound", "the public endpoint is not open");
  }

  function admits(): boolean {
    const covered = policies.some(({ block }) => contains(block, options.egress()));
    if (endpoint !== "Opened" || !covered) return false;
    refusals -= 1;
    return refusals < 0;
  }

  const add = (policy: Policy) => change("added", policy, [...policies, policy]);

  const actions: Network["actions"] = (checkInstance) => [
    [
      "DescribeExternalEndpointStatus",
      {
        parameters: { RegistryId: "string" },
        run: (given, region) => {
          checkInstance(given, region);
          if (endpoint === "Opening" && looksLeft-- <= 0) endpoint = "Opened";
          return { Status: endpoint, Reason: "" };
        },
      },
    ],
    [
      "ManageExternalEndpoint",
      {
        parameters: { RegistryId: "string", Operation: "string" },
        run: (given, region) => {
          checkInstance(given, region);
          const create = given.text("Operation") === "Create";
          if (!create && given.text("Operation") !== "Delete")
            throw new ApiError("InvalidParameter", "Operation");
          if (create !== (endpoint === "Closed")) throw new ApiError("OperationDenied", `it is ${endpoint}`);
          endpoint = create ? "Opening" : "Closed";
          looksLeft = options.openingLooks ?? 1;
          return { RegistryId: given.text("RegistryId") };
        },
      },
    ],
    [
      "DescribeSecurityPolicies",
      {
        parameters: { RegistryId: "string" },
        run: (given, region) => {
          checkInstance(given, region);
          needOpen();
          const list = policies.map(({ block, description }, index) => ({
            PolicyIndex: index,
            CidrBlock: block,
            Description: description,
            PolicyVersion: String(version),
          }));
          return { SecurityPolicySet: list.length === 0 ? null : list };
        },
      },
    ],
    [
      "CreateSecurityPolicy",
      {
        parameters: { RegistryId: "string", CidrBlock: "string", Description: "string" },
        run: (given, region) => {
          checkInstance(given, region);
          needOpen();
          const [block, description] = [given.text("CidrBlock"), given.text("Description")];
          if (!isBlock(block)) throw new ApiError("InvalidParameter", "CidrBlock");
          if (description.length > 100) throw new ApiError("InvalidParameter", "Description is too long");
          if (policies.some((policy) => policy.block === block)) {
            throw new ApiError("InvalidParameter", `${block} is on the list`);
          }
          add({ block, description });
          return { RegistryId: given.text("RegistryId") };
        },
      },
    ],
    [
      "DeleteSecurityPolicy",
      {
        parameters: {
          RegistryId: "string",
          "PolicyIndex?": "number",
          "PolicyVersion?": "string",
          "CidrBlock?": "string",
        },
        run: (given, region) => {
          checkInstance(given, region);
          needOpen();
          const block = given.optionalText("CidrBlock");
          const fits = given.optionalText("PolicyVersion") === String(version);
          if (block === undefined && !fits)
            throw new ApiError("InvalidParameter", "PolicyVersion is not the present one");
          const index =
            block === undefined
              ? given.number("PolicyIndex", -1)
              : policies.findIndex((policy) => policy.block === block);
          const policy = policies[index];
          if (policy === undefined) throw new ApiError("ResourceNotFound", "there is no such policy");
          change("removed", policy, policies.toSpliced(index, 1));
          return { RegistryId: given.text("RegistryId") };
        },
      },
    ],
  ];
  return {
    get endpoint() {
      return endpoint;
    },
    get allowlist() {
      return policies;
    },
    changes,
    add,
    admits,
    actions,
  };
}

function isBlock(block: string): boolean {
  return /^(?:[0-9]{1,3}\.){3}[0-9]{1,3}\/[0-9]{1,2}$/.test(block);
}

function contains(block: string, address: string): boolean {
  const [network = "", bits = "32"] = block.split("/");
  const list = new BlockList();
  list.addSubnet(network, Number(bits), "ipv4");
  return list.check(address, "ipv4");
}
