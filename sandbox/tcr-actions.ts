/** The actions of the TCR API; `tcr.ts` tells which documented behaviour they keep. */
import { randomUUID } from "node:crypto";
import type { RegistryServer } from "./registry.ts";
import type { Network } from "./tcr-access.ts";
import { type ApiAction, ApiError, type Parameters } from "./tcr-api.ts";
import { fullAccess, type User } from "./token-server.ts";

export interface TcrInstance {
  readonly registryId: string;
  readonly name: string;
  readonly region: string;
}

/** What the actions work on. */
export interface TcrState {
  readonly registry: RegistryServer;
  readonly instance: TcrInstance;
  readonly namespaces: Map<string, { public: boolean }>;
  /** Namespaces with the policy against vulnerable images. */
  readonly preventing: Pick<ReadonlySet<string>, "has">;
  readonly addLogin: (user: User) => void;
  readonly now: () => number;
  /** Life of a temporary login. */
  readonly loginSeconds: number;
  readonly deleteRemovesDigest: boolean;
  /** Number of the first page of a list. */
  readonly firstPage: 0 | 1;
  /** `namespace/repository:tag` of the tags that a rule protects. */
  readonly immutableTags: Pick<ReadonlySet<string>, "has">;
  /** Undefined: everybody may come in. */
  readonly network: Network | undefined;
}

/** The actions of the TCR API that a mirror needs, by name. */
export function tcrActions(state: TcrState): ReadonlyMap<string, ApiAction> {
  const access = state.network?.actions((given, region) => checkInstance(state.instance, given, region));
  return new Map([
    ...instanceActions(state),
    ...namespaceActions(state),
    ...imageActions(state),
    ...(access ?? []),
  ]);
}

type Actions = readonly (readonly [string, ApiAction])[];

function instanceActions({ registry, instance, addLogin, loginSeconds, now }: TcrState): Actions {
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
      const ExpTime = now() + loginSeconds * 1000;
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

function namespaceActions(state: TcrState): Actions {
  return [
    ["DescribeNamespaces", describeNamespaces(state)],
    ["CreateNamespace", createNamespace(state)],
  ];
}

function describeNamespaces({ instance, namespaces, preventing, firstPage }: TcrState): ApiAction {
  return {
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
      const shown = given.flag("All") ? found : page(found, given, firstPage);
      const list = shown.map(([Name, { public: Public }], index) => ({
        Name,
        Public,
        NamespaceId: index + 1,
        PreventVUL: preventing.has(Name),
        CreationTime: "2026-01-01 00:00:00 +0000 UTC",
      }));
      return { TotalCount: found.length, NamespaceList: list };
    },
  };
}

function createNamespace({ instance, namespaces }: TcrState): ApiAction {
  return {
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
}

/** Most tags in one DeleteRepositoryTags. */
const tagLimit = 20;

const imageNames = { RegistryId: "string", NamespaceName: "string", RepositoryName: "string" } as const;

function imageActions(state: TcrState): Actions {
  return [
    ["DescribeRepositories", describeRepositories(state)],
    ["DescribeImages", describeImages(state)],
    ["DeleteRepositoryTags", deleteRepositoryTags(state)],
  ];
}

/** `Name` has the namespace in front, as in the example of https://cloud.tencent.com/document/api/1141/42722. */
function describeRepositories({ registry, instance, namespaces, firstPage }: TcrState): ApiAction {
  return {
    parameters: {
      RegistryId: "string",
      "NamespaceName?": "string",
      "RepositoryName?": "string",
      "Offset?": "number",
      "Limit?": "number",
      "SortBy?": "string",
    },
    run: (given, region) => {
      checkInstance(instance, given, region);
      const namespace = given.optionalText("NamespaceName");
      if (namespace !== undefined && !namespaces.has(namespace)) throw notFound(`the namespace ${namespace}`);
      const found = registry
        .repositories()
        .filter((name) => namespace === undefined || name.startsWith(`${namespace}/`));
      const RepositoryList = page(found, given, firstPage).map((Name) => ({
        Name,
        Namespace: Name.split("/")[0],
        Public: false,
        CreationTime: "2026-01-01 00:00:00 +0000 UTC",
      }));
      return { TotalCount: found.length, RepositoryList };
    },
  };
}

function describeImages({ registry, instance, firstPage }: TcrState): ApiAction {
  return {
    parameters: {
      ...imageNames,
      "ImageVersion?": "string",
      "Digest?": "string",
      "Limit?": "number",
      "Offset?": "number",
      "ExactMatch?": "boolean",
    },
    run: (given, region) => {
      checkInstance(instance, given, region);
      const repository = repositoryOf(registry, given);
      const wanted = given.optionalText("ImageVersion") ?? "";
      const matches = (tag: string) => (given.flag("ExactMatch") ? tag === wanted : tag.includes(wanted));
      const found = [...registry.tags(repository)]
        .filter(([tag, digest]) => matches(tag) && (given.optionalText("Digest") ?? digest) === digest)
        .sort(([one], [other]) => (one < other ? -1 : 1));
      const list = page(found, given, firstPage).map(([tag, digest]) =>
        imageJson(registry, repository, tag, digest),
      );
      return { TotalCount: found.length, ImageInfoList: list };
    },
  };
}

function deleteRepositoryTags({
  registry,
  instance,
  deleteRemovesDigest,
  immutableTags,
}: TcrState): ApiAction {
  return {
    parameters: { ...imageNames, Tags: "strings" },
    run: (given, region) => {
      checkInstance(instance, given, region);
      const repository = repositoryOf(registry, given);
      const tags = given.texts("Tags");
      if (tags.length === 0 || tags.length > tagLimit) {
        throw new ApiError("InvalidParameter", `Tags: 1 to ${tagLimit}`);
      }
      for (const tag of tags) {
        const digest = registry.tags(repository).get(tag);
        if (digest === undefined) throw notFound(`the tag ${tag}`);
        if (immutableTags.has(`${repository}:${tag}`)) {
          throw new ApiError("FailedOperation.PreconditionFailed", `${tag} is configured as immutable`);
        }
        if (deleteRemovesDigest) registry.deleteManifest(repository, digest);
        else registry.untag(repository, tag);
      }
      return {};
    },
  };
}

function repositoryOf(registry: RegistryServer, given: Parameters): string {
  const repository = `${given.text("NamespaceName")}/${given.text("RepositoryName")}`;
  if (!registry.repositories().includes(repository)) throw notFound(`the repository ${repository}`);
  return repository;
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

/** `Offset` is the number of a page. One before the first is refused, one past the last is empty. */
function page<T>(all: readonly T[], given: Parameters, firstPage: 0 | 1): readonly T[] {
  const size = Math.min(100, given.number("Limit", 20));
  const index = given.number("Offset", firstPage) - firstPage;
  if (index < 0) throw new ApiError("InvalidParameter.ErrorTcrInvalidParameter", "Offset is not valid");
  return all.slice(index * size, (index + 1) * size);
}

function checkInstance(
  { registryId, region: home }: TcrInstance,
  given: Pick<Parameters, "text">,
  region: string,
): void {
  if (given.text("RegistryId") !== registryId || region !== home) {
    throw notFound(`the instance ${given.text("RegistryId")} in ${region}`);
  }
}

function notFound(what: string): ApiError {
  return new ApiError("ResourceNotFound.TcrResourceNotFound", `${what} does not exist`);
}
