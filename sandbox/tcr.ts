/**
 * Tencent Container Registry, Enterprise: a registry of Harbor's kind and the TCR API. Kept:
 * - registry: Bearer tokens of its own token server; a namespace must exist before a push, a repository need not;
 *   400 for deleting a tag, as Harbor answers (https://github.com/goharbor/harbor, src/server/registry/manifest.go);
 * - API (https://www.tencentcloud.com/document/product/1051/41098): instance lookup by name, over all regions or in
 *   one; temporary registry logins that run out (`ExpTime` in milliseconds); namespaces with a fuzzy name filter;
 *   `Offset` is a page number, but a true offset for DescribeInstances; at most 20 tags in a DeleteRepositoryTags;
 *   another region does not know the instance.
 * Not documented by Tencent, and taken the inconvenient way here: a tag that is not there makes DeleteRepositoryTags
 * fail after the tags before it are gone.
 */
import { randomUUID } from "node:crypto";
import {
  fullAccess,
  type RegistryOptions,
  type RegistryServer,
  startRegistry,
  type User,
} from "./registry.ts";
import { type SandboxServer, startServer } from "./server.ts";
import { type ApiAction, ApiError, gateway, type Parameters, type TencentCloudKey } from "./tcr-api.ts";

export type { TencentCloudKey } from "./tcr-api.ts";

export interface TcrOptions {
  /** Default: `tcrKey`. */
  readonly keys?: readonly TencentCloudKey[];
  /** Default: `tcrInstance`. */
  readonly instance?: TcrInstance;
  /** Namespaces that exist, and whether they are public. Default: none. */
  readonly namespaces?: Readonly<Record<string, boolean>>;
  /** Registry logins that do not come from the API: `tcr-username` and `tcr-password`. */
  readonly users?: readonly User[];
  /** Whether deleting a tag takes its digest and every other tag of it along: Tencent does not say. Default: false. */
  readonly deleteRemovesDigest?: boolean;
  /** Life of a temporary login. Default: 3600, as documented. */
  readonly loginSeconds?: number;
  /** API calls per second before RequestLimitExceeded. Default: 20. */
  readonly callsPerSecond?: number;
  /** Whatever is to differ from TCR's own ways. */
  readonly registry?: RegistryOptions;
  readonly now?: () => number;
}

export interface TcrInstance {
  readonly registryId: string;
  readonly name: string;
  readonly region: string;
}

export interface Tcr extends AsyncDisposable {
  readonly registry: RegistryServer;
  readonly api: SandboxServer;
  readonly instance: TcrInstance;
  /** Namespaces that exist now, and whether they are public. */
  readonly namespaces: ReadonlyMap<string, { readonly public: boolean }>;
  /** Temporary logins that the API gave out. */
  readonly logins: readonly User[];
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

/** Starts the registry, its token server and the API. */
export async function startTcr(options: TcrOptions = {}): Promise<Tcr> {
  const { instance = tcrInstance, now = Date.now } = options;
  const users: User[] = [...(options.users ?? [])];
  const logins: User[] = [];
  const namespaces = new Map(
    Object.entries(options.namespaces ?? {}).map(([name, open]) => [name, { public: open }]),
  );
  const registry = await startRegistry({
    authentication: { kind: "bearer", users, service: "harbor-registry" },
    deletion: "harbor",
    namespaces,
    now,
    ...options.registry,
  });
  const addLogin = (user: User) => {
    users.push(user);
    logins.push(user);
  };
  const state: TcrState = { registry, instance, namespaces, addLogin, now, options };
  const actions = new Map([...instanceActions(state), ...namespaceActions(state), ...imageActions(state)]);
  const { keys = [tcrKey], callsPerSecond = 20 } = options;
  const api = await startServer(gateway({ keys, actions, callsPerSecond, now }));
  const close = async () => {
    await Promise.all([registry.close(), api.close()]);
  };
  return { registry, api, instance, namespaces, logins, close, [Symbol.asyncDispose]: close };
}

interface TcrState {
  readonly registry: RegistryServer;
  readonly instance: TcrInstance;
  readonly namespaces: Map<string, { public: boolean }>;
  readonly addLogin: (user: User) => void;
  readonly now: () => number;
  readonly options: TcrOptions;
}

type Actions = readonly (readonly [string, ApiAction])[];

function instanceActions({ registry, instance, addLogin, now, options }: TcrState): Actions {
  const describe: ApiAction = {
    parameters: {
      "Registryids?": "strings",
      "Offset?": "number",
      "Limit?": "number",
      "Filters?": "filters",
      "AllRegion?": "boolean",
    },
    run: (given, region) => {
      const ids = given.texts("Registryids");
      const names = given
        .filters("Filters")
        .flatMap(({ Name, Values }) => (Name === "RegistryName" ? Values : []));
      const found = [instance].filter(
        ({ registryId, name, region: home }) =>
          (given.flag("AllRegion") || region === home) &&
          (ids.length === 0 || ids.includes(registryId)) &&
          (names.length === 0 || names.includes(name)),
      );
      const start = given.number("Offset", 0);
      const shown = found.slice(start, start + given.number("Limit", 20));
      return { TotalCount: found.length, Registries: shown.map((one) => instanceJson(one, registry)) };
    },
  };
  const createToken: ApiAction = {
    parameters: { RegistryId: "string", "TokenType?": "string", "Desc?": "string" },
    run: (given, region) => {
      checkInstance(instance, given, region);
      const ExpTime = now() + (options.loginSeconds ?? 3600) * 1000;
      const Username = "100012345678";
      const Token = `sandbox-tcr-login-${randomUUID()}`;
      addLogin({ ...fullAccess(Username, Token), expiresAt: ExpTime });
      return { Username, Token, ExpTime };
    },
  };
  return [
    ["DescribeInstances", describe],
    ["CreateInstanceToken", createToken],
  ];
}

function instanceJson(
  { registryId, name, region }: TcrInstance,
  registry: RegistryServer,
): Record<string, unknown> {
  return {
    RegistryId: registryId,
    RegistryName: name,
    RegistryType: "premium",
    Status: "Running",
    PublicDomain: registry.host,
    InternalEndpoint: "",
    RegionName: region,
    RegionId: 1,
    EnableAnonymous: true,
    TokenValidTime: 1,
  };
}

function namespaceActions({ instance, namespaces }: TcrState): Actions {
  const describe: ApiAction = {
    parameters: {
      RegistryId: "string",
      "NamespaceName?": "string",
      "Limit?": "number",
      "Offset?": "number",
      "All?": "boolean",
    },
    run: (given, region) => {
      checkInstance(instance, given, region);
      const part = given.optionalText("NamespaceName") ?? "";
      const found = [...namespaces].filter(([name]) => name.includes(part));
      const shown = given.flag("All") ? found : page(found, given);
      const list = shown.map(([Name, { public: Public }], index) => ({
        Name,
        Public,
        NamespaceId: index + 1,
        CreationTime: "2026-01-01 00:00:00 +0000 UTC",
      }));
      return { TotalCount: found.length, NamespaceList: list };
    },
  };
  const create: ApiAction = {
    parameters: { RegistryId: "string", NamespaceName: "string", IsPublic: "boolean" },
    run: (given, region) => {
      checkInstance(instance, given, region);
      const name = given.text("NamespaceName");
      if (!/^[a-z0-9]+(?:[._-][a-z0-9]+)*$/.test(name) || name.length < 2 || name.length > 30) {
        throw new ApiError("InvalidParameter.ErrorTcrInvalidParameter", "NamespaceName is not valid");
      }
      if (namespaces.has(name)) {
        throw new ApiError("FailedOperation.ErrorTcrResourceConflict", `the namespace ${name} exists`);
      }
      namespaces.set(name, { public: given.flag("IsPublic") });
      return {};
    },
  };
  return [
    ["DescribeNamespaces", describe],
    ["CreateNamespace", create],
  ];
}

/** Most tags in one DeleteRepositoryTags. */
const tagLimit = 20;

function imageActions({ registry, instance, options }: TcrState): Actions {
  const names = { RegistryId: "string", NamespaceName: "string", RepositoryName: "string" } as const;
  const repositoryOf = (given: Parameters, region: string) => {
    checkInstance(instance, given, region);
    const repository = `${given.text("NamespaceName")}/${given.text("RepositoryName")}`;
    if (!registry.repositories().includes(repository)) throw notFound(`the repository ${repository}`);
    return repository;
  };
  const describe: ApiAction = {
    parameters: {
      ...names,
      "ImageVersion?": "string",
      "Digest?": "string",
      "Limit?": "number",
      "Offset?": "number",
      "ExactMatch?": "boolean",
    },
    run: (given, region) => {
      const repository = repositoryOf(given, region);
      const wanted = given.optionalText("ImageVersion") ?? "";
      const matches = (tag: string) => (given.flag("ExactMatch") ? tag === wanted : tag.includes(wanted));
      const found = [...registry.tags(repository)]
        .filter(([tag, digest]) => matches(tag) && (given.optionalText("Digest") ?? digest) === digest)
        .sort(([one], [other]) => (one < other ? -1 : 1));
      const list = page(found, given).map(([ImageVersion, Digest]) =>
        imageJson(registry, repository, ImageVersion, Digest),
      );
      return { TotalCount: found.length, ImageInfoList: list };
    },
  };
  const remove: ApiAction = {
    parameters: { ...names, Tags: "strings" },
    run: (given, region) => {
      const repository = repositoryOf(given, region);
      const tags = given.texts("Tags");
      if (tags.length === 0 || tags.length > tagLimit)
        throw new ApiError("InvalidParameter", `1 to ${tagLimit} tags`);
      for (const tag of tags) {
        const digest = registry.tags(repository).get(tag);
        if (digest === undefined) throw notFound(`the tag ${tag}`);
        if (options.deleteRemovesDigest) registry.deleteManifest(repository, digest);
        else registry.untag(repository, tag);
      }
      return {};
    },
  };
  return [
    ["DescribeImages", describe],
    ["DeleteRepositoryTags", remove],
  ];
}

function imageJson(
  registry: RegistryServer,
  repository: string,
  tag: string,
  digest: string,
): Record<string, unknown> {
  const Size = registry.manifest(repository, digest)?.bytes.length ?? 0;
  return {
    Digest: digest,
    Size,
    ImageVersion: tag,
    UpdateTime: "2026-01-01 00:00:00 +0000 UTC",
    Kind: "IMAGE",
    KmsSignature: "",
  };
}

/** `Offset` is the number of a page, from 1; 0 is the first page as well. */
function page<T>(all: readonly T[], given: Parameters): readonly T[] {
  const size = Math.min(100, given.number("Limit", 20));
  const number = Math.max(1, given.number("Offset", 1));
  return all.slice((number - 1) * size, number * size);
}

function checkInstance({ registryId, region: home }: TcrInstance, given: Parameters, region: string): void {
  if (given.text("RegistryId") !== registryId || region !== home) {
    throw notFound(`the instance ${given.text("RegistryId")} in ${region}`);
  }
}

function notFound(what: string): ApiError {
  return new ApiError("ResourceNotFound.TcrResourceNotFound", `${what} does not exist`);
}
