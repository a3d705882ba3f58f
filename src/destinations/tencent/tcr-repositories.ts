import * as v from "valibot";
import type { TcrInstance } from "./tcr-instance.ts";
import { type Page, pages } from "./tcr-pages.ts";
import type { TcrPersonal } from "./tcr-personal-tags.ts";

/** Most repositories on a page, of either edition: https://www.tencentcloud.com/document/product/1051/50720 */
const pageSize = 100;

const operation = "listing the repositories";

const enterpriseSchema = v.object({
  RepositoryList: v.nullish(v.array(v.object({ Name: v.string() })), []),
  TotalCount: v.nullish(v.number()),
});

/**
 * The repositories of a TCR instance, by their paths on the registry (`Name` has the namespace in front), page by page.
 * @param namespace undefined: all namespaces.
 * @throws OperationError (from the iteration)
 */
export async function* tcrRepositories(
  instance: TcrInstance,
  namespace: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<readonly string[], void, undefined> {
  const filter = namespace === undefined ? {} : { NamespaceName: namespace };
  const read = async (page: number) => {
    const parameters = { ...filter, Limit: pageSize, Offset: page };
    return readPage(instance, parameters, signal);
  };
  for await (const page of pages(read, ({ Name }) => Name)) yield page.map(({ Name }) => Name);
}

/**
 * The same of one namespace, if the first page has all of them; else undefined.
 * @throws OperationError
 */
export async function allTcrRepositories(
  instance: TcrInstance,
  namespace: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  const parameters = { NamespaceName: namespace, Limit: pageSize, Offset: 1 };
  const { entries, total } = await readPage(instance, parameters, signal);
  const names = new Set(entries.map(({ Name }) => Name));
  return names.size === total ? names : undefined;
}

async function readPage(
  instance: TcrInstance,
  parameters: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<Page<{ readonly Name: string }>> {
  const call = { action: "DescribeRepositories", operation, parameters, signal };
  const { RepositoryList, TotalCount } = await instance.call(call, enterpriseSchema);
  return { entries: RepositoryList, total: TotalCount };
}

const personalSchema = v.object({
  Data: v.object({
    RepoInfo: v.nullish(v.array(v.object({ RepoName: v.string() })), []),
    TotalCount: v.nullish(v.number()),
  }),
});

/**
 * The repositories of an account of the Personal edition, by their paths on the registry, page by page. Offsets count entries
 * here, not pages. https://cloud.tencent.com/document/product/1141/41583 and https://cloud.tencent.com/document/product/1141/41584
 * @param namespace undefined: all namespaces of the account.
 * @throws OperationError (from the iteration)
 */
export async function* personalRepositories(
  { api, region }: TcrPersonal,
  namespace: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<readonly string[], void, undefined> {
  const { action, filter } =
    namespace === undefined
      ? { action: "DescribeRepositoryOwnerPersonal", filter: {} }
      : { action: "DescribeRepositoryFilterPersonal", filter: { Namespace: namespace } };
  for (let offset = 0; ; ) {
    const parameters = { ...filter, Limit: pageSize, Offset: offset };
    const call = { action, operation, region, parameters, signal };
    const { RepoInfo, TotalCount } = (await api.call(call, personalSchema)).Data;
    yield RepoInfo.map(({ RepoName }) => RepoName);
    offset += RepoInfo.length;
    if (RepoInfo.length === 0 || offset >= (TotalCount ?? Number.POSITIVE_INFINITY)) return;
  }
}
