import { BlockList } from "node:net";
import * as v from "valibot";
import type { Clock } from "../clock.ts";
import type { TcrInstance } from "../destinations/tencent/tcr-instance.ts";
import { vendorFailure } from "../destinations/vendor-api.ts";

/** An entry of the allowlist of an instance's public endpoint. */
export interface AllowlistEntry {
  /** An address or a network, as it was entered. */
  readonly block: string;
  readonly description: string;
  /** Its place in the list, which changes when another entry is removed. */
  readonly index: number;
  readonly version: string;
}

/** https://cloud.tencent.com/document/product/1141/53906 */
const policiesSchema = v.object({
  SecurityPolicySet: v.nullish(
    v.array(
      v.object({
        PolicyIndex: v.number(),
        CidrBlock: v.nullish(v.string(), ""),
        Description: v.nullish(v.string(), ""),
        PolicyVersion: v.nullish(v.string(), ""),
      }),
    ),
    [],
  ),
});

/** Tries of one change. Others may change the list at the same time; it settles in the pause between two tries. */
const attempts = 3;

/** Pause between two tries, in milliseconds. */
const pause = 2000;

/** The allowlist of a TCR instance's public endpoint. Every change is read back. */
export interface Allowlist {
  list(signal: AbortSignal): Promise<readonly AllowlistEntry[]>;
  /** @throws OperationError when the entry is not there afterwards. */
  add(block: string, description: string, signal: AbortSignal): Promise<void>;
  /**
   * Removes all entries with a matching description.
   * @returns the entries that were there.
   * @throws OperationError when one of them is still there afterwards.
   */
  removeAll(
    matches: (description: string) => boolean,
    signal: AbortSignal,
  ): Promise<readonly AllowlistEntry[]>;
}

/** The allowlist of the public endpoint of an instance. Sends nothing yet. */
export function createAllowlist(instance: TcrInstance, clock: Clock): Allowlist {
  async function list(signal: AbortSignal): Promise<readonly AllowlistEntry[]> {
    const operation = "reading the allowlist of the public endpoint";
    const call = { action: "DescribeSecurityPolicies", operation, parameters: {}, signal };
    const { SecurityPolicySet } = await instance.call(call, policiesSchema);
    return SecurityPolicySet.map((policy) => ({
      block: policy.CidrBlock,
      description: policy.Description,
      index: policy.PolicyIndex,
      version: policy.PolicyVersion,
    }));
  }

  async function add(block: string, description: string, signal: AbortSignal): Promise<void> {
    const operation = `putting ${block} on the allowlist of the public endpoint`;
    const parameters = { CidrBlock: block, Description: description };
    const call = { action: "CreateSecurityPolicy", operation, parameters, signal };
    await settle(operation, signal, async () => {
      const isThere = async () =>
        (await list(signal)).some((entry) => entry.block === block && entry.description === description);
      // A call whose answer was lost may have worked. A second one would make a second entry, or fail because of the first.
      if (await isThere()) return true;
      await instance.call(call, v.object({}));
      return isThere();
    });
  }

  async function removeAll(
    matches: (description: string) => boolean,
    signal: AbortSignal,
  ): Promise<readonly AllowlistEntry[]> {
    const operation = "taking an entry off the allowlist of the public endpoint";
    let found: readonly AllowlistEntry[] | undefined;
    await settle(operation, signal, async () => {
      const all = await list(signal);
      const meant = all.filter(({ description }) => matches(description));
      found ??= meant;
      // From the last one on, so that the places of the others do not change.
      for (const entry of meant.toReversed()) await remove(entry, all, operation, signal);
      return meant.length === 0 || !(await list(signal)).some(({ description }) => matches(description));
    });
    return found ?? [];
  }

  /**
   * Removes an entry by its address, because places change; the vendor's page says that `CidrBlock` has precedence. If another
   * entry has the same address, which would not say whose is meant, it is removed by its place and version.
   * https://www.tencentcloud.com/document/product/1051/50737
   */
  async function remove(
    entry: AllowlistEntry,
    all: readonly AllowlistEntry[],
    operation: string,
    signal: AbortSignal,
  ): Promise<void> {
    const isAlone = all.filter(({ block }) => block === entry.block).length === 1;
    const parameters = isAlone
      ? { CidrBlock: entry.block }
      : { PolicyIndex: entry.index, PolicyVersion: entry.version };
    await instance.call({ action: "DeleteSecurityPolicy", operation, parameters, signal }, v.object({}));
  }

  async function settle(
    operation: string,
    signal: AbortSignal,
    change: () => Promise<boolean>,
  ): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        if (await change()) return;
      } catch (error) {
        signal.throwIfAborted();
        // A change that somebody else makes in between lets this one fail, and no error code tells that from other failures.
        if (attempt === attempts) throw error;
      }
      if (attempt === attempts) break;
      await clock.sleep(pause, signal);
    }
    throw vendorFailure(
      { host: instance.host, operation },
      { problem: "TCR took the request, but its allowlist does not show the change", advice: "Run again." },
    );
  }

  return { list, add, removeAll };
}

/** Whether one of these entries lets every address of a network in. */
export function isCovered(block: string, entries: readonly Pick<AllowlistEntry, "block">[]): boolean {
  const [address = "", bits = 32] = parts(block);
  return entries.some((entry) => {
    const [network = "", prefix = 32] = parts(entry.block);
    if (prefix > bits) return false;
    const list = new BlockList();
    try {
      list.addSubnet(network, prefix, "ipv4");
      return list.check(address, "ipv4");
    } catch {
      // Not an IPv4 network: nothing that could cover one.
      return false;
    }
  });
}

function parts(block: string): readonly [address: string, bits: number] {
  const [address = "", bits = "32"] = block.split("/");
  return [address, Number(bits)];
}
