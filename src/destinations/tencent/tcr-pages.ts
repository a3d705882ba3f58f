import { hasCode } from "./tencent-api.ts";

/**
 * Page size for lists of the TCR API. The default of every action; a larger one is documented for some of them only.
 * https://www.tencentcloud.com/document/product/1051/41098
 */
export const pageSize = 20;

/** Most pages that are read of one list: 10,000 entries. It also bounds a server that invents new ones for ever. */
const pageLimit = 500;

/** One page of a TCR list. */
export interface Page<T> {
  readonly entries: readonly T[];
  /** `TotalCount`: how many entries all pages have. */
  readonly total: number | null | undefined;
}

/**
 * The entries of a TCR list, page by page, as far as the caller reads.
 *
 * In these lists `Offset` is the number of a page. Tencent does not say of every list whether the first is 1 or 0, and Harbor's
 * adapter begins with 0 for namespaces and with 1 for images (https://github.com/goharbor/harbor, src/pkg/reg/adapter/tencentcr).
 * So pages are read from 1, and page 0 comes last, unless `TotalCount` says that nothing is missing.
 *
 * A page without anything new is the end. A short page is not, nor is `TotalCount`, which changes while others write.
 * @param read gets the page of that number.
 * @param nameOf what tells entries apart.
 */
export async function* entries<T>(
  read: (page: number) => Promise<Page<T>>,
  nameOf: (entry: T) => string,
): AsyncGenerator<T, void, undefined> {
  for await (const page of pages(read, nameOf)) yield* page;
}

/** The same, page by page, each with what is new on it. */
export async function* pages<T>(
  read: (page: number) => Promise<Page<T>>,
  nameOf: (entry: T) => string,
): AsyncGenerator<readonly T[], void, undefined> {
  const seen = new Set<string>();
  const fresh = (page: Page<T>) => page.entries.filter((entry) => !seen.has(nameOf(entry)));
  let total: number | null | undefined;
  for (let number = 1; number <= pageLimit; number++) {
    const page = await read(number);
    total = page.total;
    const found = fresh(page);
    if (found.length === 0) break;
    for (const entry of found) seen.add(nameOf(entry));
    yield found;
  }
  if (total == null || total > seen.size) yield fresh(await zerothPage(read));
}

/** Page 0, which a list that counts from 1 may refuse. */
async function zerothPage<T>(read: (page: number) => Promise<Page<T>>): Promise<Page<T>> {
  try {
    return await read(0);
  } catch (error) {
    if (!hasCode(error, "InvalidParameter")) throw error;
    return { entries: [], total: undefined };
  }
}
