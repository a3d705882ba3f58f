import * as v from "valibot";
import { OperationError } from "../errors.ts";
import { readJson } from "../http/http.ts";
import { nextPage } from "./pages.ts";
import type { Registry } from "./registry.ts";
import { catalogScope } from "./scope.ts";

/** Some registries write `null` for an empty list, as they do for tags. */
const catalogSchema = v.object({
  repositories: v.nullish(v.array(v.nullable(v.string())), []),
});

/** Repositories on a page: the most that the distribution project gives (`catalog.maxentries`). */
const pageSize = 1000;
/** Largest page, in bytes: 1000 names of 255 characters are 260 kB; some registries send the whole list as one page. */
const pageLimit = 8 * 1024 * 1024;

/**
 * All repositories of a registry, by the list of the distribution project, page by page as they come: the caller ends a list
 * without end. https://distribution.github.io/distribution/spec/api/#listing-repositories
 * @throws OperationError (from the iteration), also where the registry gives no such list.
 */
export async function* catalogOf(
  registry: Registry,
  signal: AbortSignal,
): AsyncGenerator<readonly string[], void, undefined> {
  let page = await firstPage(registry, signal);
  yield page.names;
  while (page.next !== undefined) {
    page = await readPage(registry, page.next, signal);
    yield page.names;
  }
}

interface CatalogPage {
  readonly names: readonly string[];
  /** On this registry; undefined: this was the last. */
  readonly next: URL | undefined;
}

async function firstPage(registry: Registry, signal: AbortSignal): Promise<CatalogPage> {
  const list = new URL("/v2/_catalog", registry.origin);
  try {
    return await readPage(registry, new URL(`?n=${pageSize}`, list), signal);
  } catch (error) {
    if (!(error instanceof OperationError) || error.status !== 400) throw error;
    // A registry may refuse more than its own maximum: https://github.com/distribution/distribution/issues/4844
    return readPage(registry, list, signal);
  }
}

function readPage(registry: Registry, page: URL, signal: AbortSignal): Promise<CatalogPage> {
  const request = {
    method: "GET",
    target: page,
    scopes: [catalogScope],
    operation: "listing the repositories",
    signal,
  } as const;
  return registry.read(
    request,
    async (response) => {
      const { repositories } = await readJson(response, catalogSchema, pageLimit);
      const names = repositories.filter((name) => name !== null);
      return { names, next: nextPage(response.headers("link").join(", "), page) };
    },
    200,
  );
}
