/**
 * Page size for lists of the TCR API. The default of every action; a larger one is documented for some of them only.
 * https://www.tencentcloud.com/document/product/1051/41098
 */
export const pageSize = 20;

/** Most pages that are read of one list: 10,000 entries, and an end to a server that invents new ones for ever. */
const pageLimit = 500;

/**
 * The entries of a TCR list, page by page, as far as the caller reads.
 *
 * In these lists `Offset` is the number of a page and starts at 1. Neither `TotalCount`, which changes while others write,
 * nor a short page is taken for the end, but a page that brings nothing new. Harbor's adapter compares with `TotalCount`.
 * @param read gets the page of that number.
 * @param nameOf tells entries apart.
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
