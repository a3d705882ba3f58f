/**
 * Tencent Container Registry, Personal edition: its registry and the actions `…Personal` of the TCR API. Kept
 * (https://www.tencentcloud.com/document/product/1051/41098, and the vendor's SDKs):
 * - no action makes a login: the account's number and the password that was set for this edition;
 * - results lie inside `Data`; `Offset` is a true offset, not a page number as with the Enterprise edition;
 * - a namespace is made beforehand and belongs to one account of all; an account may have so many; a push makes repositories;
 * - tags go by `BatchDeleteImagePersonal`; deleting one by the registry is refused.
 * Not documented, and taken the inconvenient way: a tag that is not there makes the whole batch fail, and the filter by tag
 * finds tags that contain the text.
 */
import { type RegistryOptions, type RegistryServer, startRegistry } from "./registry.ts";
import { type SandboxServer, startServer } from "./server.ts";
import { tcrKey } from "./tcr.ts";
import {
  type ApiAction,
  ApiError,
  gateway,
  type Parameters,
  type TencentCloudKey,
  tcrVersion,
} from "./tcr-api.ts";
import { fullAccess } from "./token-server.ts";

export interface TcrPersonalOptions {
  /** Default: `tcrKey`. */
  readonly keys?: readonly TencentCloudKey[];
  /** Default: `ap-guangzhou`. */
  readonly region?: string;
  /** Namespaces of this account. Default: none. */
  readonly namespaces?: readonly string[];
  /** Namespaces of other accounts. */
  readonly taken?: readonly string[];
  /** Most namespaces of an account. Default: 10. */
  readonly namespaceLimit?: number;
  readonly registry?: RegistryOptions;
  readonly now?: () => number;
}

export interface TcrPersonal extends AsyncDisposable {
  readonly registry: RegistryServer;
  readonly api: SandboxServer;
  readonly namespaces: ReadonlySet<string>;
}

/** The login of the registry. */
export const personalLogin = { username: "100012345678", password: "sandbox-personal-password" } as const;

interface State {
  readonly registry: RegistryServer;
  readonly region: string;
  readonly namespaces: Set<string>;
  readonly taken: ReadonlySet<string>;
  readonly namespaceLimit: number;
}

/** Starts the registry, its token server and the API. */
export async function startTcrPersonal(options: TcrPersonalOptions = {}): Promise<TcrPersonal> {
  const { now = Date.now, keys = [tcrKey] } = options;
  const namespaces = new Set(options.namespaces ?? []);
  const registry = await startRegistry({
    authentication: {
      kind: "bearer",
      users: [fullAccess(personalLogin.username, personalLogin.password)],
      service: "token-service",
    },
    anonymousPull: true,
    deletion: "disabled",
    catalog: false,
    namespaces,
    now,
    ...options.registry,
  });
  const state: State = {
    registry,
    region: options.region ?? "ap-guangzhou",
    namespaces,
    taken: new Set(options.taken ?? []),
    namespaceLimit: options.namespaceLimit ?? 10,
  };
  const products = new Map([[tcrVersion, personalActions(state)]]);
  const api = await startServer(gateway({ keys, products, callsPerSecond: 10, now }));
  return {
    registry,
    api,
    namespaces,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([registry.close(), api.close()]);
    },
  };
}

function personalActions(state: State): ReadonlyMap<string, ApiAction> {
  const { registry, namespaces, taken, namespaceLimit } = state;
  const inRegion = (run: (given: Parameters) => Record<string, unknown>): ApiAction["run"] => {
    return (given, region) => {
      if (region !== state.region)
        throw new ApiError("UnsupportedOperation.ErrNoUserInitialized", `not in ${region}`);
      return run(given);
    };
  };
  const describeNamespaces = (given: Parameters) => {
    const found = [...namespaces].filter((name) => name.includes(given.text("Namespace")));
    const NamespaceInfo = page(found, given).map((Namespace) => ({
      Namespace,
      CreationTime: "",
      RepoCount: 0,
    }));
    return { Data: { NamespaceCount: found.length, NamespaceInfo } };
  };
  const createNamespace = (given: Parameters) => {
    const name = given.text("Namespace");
    if (namespaces.has(name) || taken.has(name))
      throw new ApiError("InvalidParameter.ErrNamespaceExist", name);
    if (namespaces.size >= namespaceLimit)
      throw new ApiError("LimitExceeded.ErrNamespaceMaxLimit", "no more");
    namespaces.add(name);
    return {};
  };
  const describeRepositories = (given: Parameters) => {
    const namespace = given.optionalText("Namespace");
    const found = registry
      .repositories()
      .filter((name) => namespace === undefined || name.startsWith(`${namespace}/`))
      .filter((name) => name.includes(given.optionalText("RepoName") ?? ""));
    const RepoInfo = page(found, given).map((RepoName) => ({ RepoName, RepoType: "QCLOUD HUB", Public: 0 }));
    return { Data: { TotalCount: found.length, RepoInfo, Server: registry.host } };
  };
  const repositoryParameters = { "RepoName?": "string", "Offset?": "number", "Limit?": "number" } as const;
  const describeImages = (given: Parameters) => {
    const repository = known(registry, given.text("RepoName"));
    const tags = [...registry.tags(repository).keys()].sort();
    const found = tags.filter((tag) => tag.includes(given.optionalText("Tag") ?? ""));
    // Docker's own id of the image, which is not the digest of its manifest.
    const ImageId = `sha256:${"d0".repeat(32)}`;
    const TagInfo = page(found, given).map((TagName) => ({ TagName, ImageId, Author: "", Size: "1B" }));
    return { Data: { RepoName: repository, Server: registry.host, TagCount: found.length, TagInfo } };
  };
  const deleteImages = (given: Parameters) => {
    const repository = known(registry, given.text("RepoName"));
    const tags = given.texts("Tags");
    if (tags.length === 0 || tags.length > 20) throw new ApiError("InvalidParameter.ErrTooLarge", "Tags");
    const missing = tags.find((tag) => !registry.tags(repository).has(tag));
    if (missing !== undefined) throw new ApiError("ResourceNotFound.ErrNoTag", missing);
    for (const tag of tags) registry.untag(repository, tag);
    return {};
  };
  return new Map<string, ApiAction>([
    [
      "DescribeNamespacePersonal",
      {
        parameters: { Namespace: "string", Limit: "number", Offset: "number" },
        run: inRegion(describeNamespaces),
      },
    ],
    ["CreateNamespacePersonal", { parameters: { Namespace: "string" }, run: inRegion(createNamespace) }],
    [
      "DescribeRepositoryOwnerPersonal",
      { parameters: repositoryParameters, run: inRegion(describeRepositories) },
    ],
    [
      "DescribeRepositoryFilterPersonal",
      {
        parameters: { ...repositoryParameters, "Namespace?": "string", "Public?": "number" },
        run: inRegion(describeRepositories),
      },
    ],
    [
      "DescribeImagePersonal",
      {
        parameters: { RepoName: "string", "Offset?": "number", "Limit?": "number", "Tag?": "string" },
        run: inRegion(describeImages),
      },
    ],
    [
      "BatchDeleteImagePersonal",
      { parameters: { RepoName: "string", Tags: "strings" }, run: inRegion(deleteImages) },
    ],
  ]);
}

function known(registry: RegistryServer, repository: string): string {
  if (registry.repositories().includes(repository)) return repository;
  throw new ApiError("ResourceNotFound.ErrNoRepo", repository);
}

function page<T>(all: readonly T[], given: Parameters): readonly T[] {
  const start = given.number("Offset", 0);
  return all.slice(start, start + Math.min(100, given.number("Limit", 20)));
}
