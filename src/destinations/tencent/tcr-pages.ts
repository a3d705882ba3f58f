/**
 * Page size for lists of the TCR API. The default of every action; a larger one is documented for some of them only.
 * https://www.tencentcloud.com/document/product/1051/41098
 */
export const pageSize = 20;

/** Most pages that are read of one list: 10,000 entries. It also bounds a server that invents new ones for ever. */
const pageLimit = 500;

/**
 * The entries of a TCR list, page by page, as far as the caller reads.
 *
 * In these lists `Offset` is the number of a page and starts at 1. A page without anything new is the end. A short page is not,
 * nor is `TotalCount`, which changes while others write; Harbor's adapter compares with that.
 * @param read gets the page of that number.
 * @param nameOf what tells entries apart.
 */
export async function* entries<T>(
  read: (page: number) => Promise<readonly T[]>,
  nameOf: (entry: T) => string,
): AsyncGenerator<T, void, undefined> {
  const seen = new Set<string>();
  for (let page = 1; page <= pageLimit; page++) {
    const fresh = (await read(page)).filter((entry) => !seen.has(nameOf(entry)));
    if (fresh.length === 0) return;
    for (const entry of fresh) seen.add(nameOf(entry));
    yield* fresh;
  }
}
