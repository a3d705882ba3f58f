import { OperationError } from "../../src/errors.ts";
import type { SourceToList } from "../../src/inventory/source-tags.ts";
import type { Namespace } from "../../src/oci/reference.ts";

/** A source in memory: the tags of each image, or undefined where it lists none. Every list that was asked for is in `asked`. */
export interface TagSource extends SourceToList {
  readonly asked: readonly string[];
}

/** @param tags may be changed between two looks. */
export function tagSource(
  place: Namespace & { readonly onlyNamed?: boolean },
  tags: Readonly<Record<string, readonly string[]>> | undefined,
): TagSource {
  const asked: string[] = [];
  return {
    ...place,
    asked,
    client: { foresee: () => undefined, pullBudget: {} as never },
    repository: (name) => ({
      reference: `${place.registry}/${name}`,
      tags: (signal) => {
        signal?.throwIfAborted();
        asked.push(name);
        if (tags !== undefined) return Promise.resolve(tags[name.slice(place.path.length + 1)] ?? []);
        const refusal = new OperationError({
          side: "source",
          host: place.registry,
          repository: name,
          operation: "list tags",
          status: 403,
          problem: "no list for you",
        });
        return Promise.reject(refusal);
      },
    }),
  };
}
