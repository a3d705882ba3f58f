/**
 * Tencent Container Registry, Enterprise: a registry of Harbor's kind and the TCR API. Kept:
 * - registry: Bearer tokens of its own token server; a namespace must exist before a push, a repository need not;
 *   400 for deleting a tag, as Harbor answers (https://github.com/goharbor/harbor, src/server/registry/manifest.go);
 * - API (https://www.tencentcloud.com/document/product/1051/41098): instance lookup by name, over all regions or in
 *   one; repositories with their namespace in front; temporary registry logins that run out (`ExpTime` in milliseconds); namespaces with a fuzzy name filter;
 *   `Offset` is a page number, but a true offset for DescribeInstances; at most 20 tags in a DeleteRepositoryTags;
 *   another region does not know the instance.
 * - a service account (`tcr$<name>`) pushes and pulls, and has no right to delete;
 * - on the same port, for a role, the Security Token Service.
 * Not documented by Tencent, and taken the inconvenient way here: a page before the first is refused; a tag that is not there makes DeleteRepositoryTags
 * fail after the tags before it are gone.
 */
import { type RegistryOptions, type RegistryServer, startRegistry, type User } from "./registry.ts";
import { type SandboxServer, startServer } from "./server.ts";
import { createNetwork, type Network, type NetworkOptions } from "./tcr-access.ts";
import { type TcrInstance, type TcrState, tcrActions } from "./tcr-actions.ts";
import { gateway, type TencentCloudKey, tcrVersion } from "./tcr-api.ts";
import { type RoleOptions, type RoleSession, stsActions, stsVersion } from "./tencent-sts.ts";

export type { TcrInstance } from "./tcr-actions.ts";
export type { TencentCloudKey } from "./tcr-api.ts";

export interface TcrOptions {
  /** Default: `tcrKey`. */
  readonly keys?: readonly TencentCloudKey[];
  /** Default: `tcrInstance`. */
  readonly instance?: TcrInstance;
  /** Namespaces that exist, and whether they are public. Default: none. */
  readonly namespaces?: Readonly<Record<string, boolean>>;
  /** Namespaces with the policy against vulnerable images. Default: none. */
  readonly preventing?: Pick<ReadonlySet<string>, "has">;
  /** Registry logins that do not come from the API: `tcr-username` and `tcr-password`. */
  readonly users?: readonly User[];
  /** Whether deleting a tag takes its digest and every other tag of it along: Tencent does not say. Default: false. */
  readonly deleteRemovesDigest?: boolean;
  /** Number of the first page of a list: Tencent says it of images alone. Default: 1. */
  readonly firstPage?: 0 | 1;
  /** Life of a temporary login. Default: 3600, as documented. */
  readonly loginSeconds?: number;
  /** Tags, as `namespace/repository:tag`, that an immutability rule covers. */
  readonly immutableTags?: Pick<ReadonlySet<string>, "has">;
  /** Access control of the registry. Default: everybody may come in. */
  readonly network?: NetworkOptions;
  /** A role that GitHub's id tokens may assume. */
  readonly role?: RoleOptions;
  /** API calls per second before RequestLimitExceeded. Default: 10, the least that is documented. */
  readonly callsPerSecond?: number;
  /** Whatever is to differ from TCR's own ways. */
  readonly registry?: RegistryOptions;
  readonly now?: () => number;
}

export interface Tcr extends AsyncDisposable {
  readonly registry: RegistryServer;
  readonly api: SandboxServer;
  readonly instance: TcrInstance;
  /** Namespaces that exist now, and whether they are public. */
  readonly namespaces: ReadonlyMap<string, { readonly public: boolean }>;
  /** Temporary logins that the API gave out. */
  readonly logins: readonly User[];
  /** Access control, where there is any. */
  readonly network: Network | undefined;
  /** Sessions of the role, in order. */
  readonly sessions: readonly RoleSession[];
  close(): Promise<void>;
}

export const tcrKey: TencentCloudKey = {
  secretId: "AKIDsandboxSecretId0000000000000000",
  secretKey: "sandboxTencentSecretKey000000000",
};

export const tcrInstance: TcrInstance = {
  registryId: "tcr-sandbox1",
  name: "goharbor",
  region: "ap-guangzhou",
};

/** A service account: its rights are to push and to pull (the API's CreateServiceAccount). */
export function serviceAccount(name: string, password: string): User {
  return { username: `tcr$${name}`, password, access: (_repository, action) => action !== "delete" };
}

/** Starts the registry, its token server and the API. */
export async function startTcr(options: TcrOptions = {}): Promise<Tcr> {
  const { instance = tcrInstance, now = Date.now } = options;
  const users: User[] = [...(options.users ?? [])];
  const logins: User[] = [];
  const sessions: RoleSession[] = [];
  const network = options.network === undefined ? undefined : createNetwork(options.network);
  const namespaces = new Map(
    Object.entries(options.namespaces ?? {}).map(([name, open]) => [name, { public: open }]),
  );
  const registry = await startRegistry({
    authentication: { kind: "bearer", users, service: "harbor-registry", readable: true },
    deletion: "harbor",
    catalog: false,
    namespaces,
    ...(options.immutableTags === undefined ? {} : { immutableTags: options.immutableTags }),
    ...(network === undefined ? {} : { admits: network.admits }),
    now,
    ...options.registry,
  });
  const addLogin = (user: User) => {
    users.push(user);
    logins.push(user);
  };
  const state: TcrState = {
    registry,
    instance,
    namespaces,
    preventing: options.preventing ?? new Set(),
    addLogin,
    loginSeconds: options.loginSeconds ?? 3600,
    deleteRemovesDigest: options.deleteRemovesDigest ?? false,
    firstPage: options.firstPage ?? 1,
    immutableTags: options.immutableTags ?? new Set(),
    network,
    now,
  };
  const keys = [...(options.keys ?? [tcrKey])];
  const { role, callsPerSecond = 10 } = options;
  const products = new Map([[tcrVersion, tcrActions(state)]]);
  if (role !== undefined) {
    const openSession = (session: RoleSession) => {
      sessions.push(session);
      keys.push(session.key);
    };
    products.set(stsVersion, stsActions(role, now, openSession));
  }
  const api = await startServer(gateway({ keys, products, callsPerSecond, now }));
  const close = async () => {
    await Promise.all([registry.close(), api.close()]);
  };
  return {
    registry,
    api,
    instance,
    namespaces,
    logins,
    network,
    sessions,
    close,
    [Symbol.asyncDispose]: close,
  };
}
