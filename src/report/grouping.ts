/** Items that are reported as one; never without any. */
export interface Group<T> {
  readonly first: T;
  readonly all: readonly T[];
}

/**
 * Items of the same key together, groups and items in the order in which they come.
 * @param keyOf the parts that are equal within a group.
 */
export function groupsOf<T>(
  items: readonly T[],
  keyOf: (item: T) => readonly (string | undefined)[],
): readonly Group<T>[] {
  const groups = Map.groupBy(items, (item) => JSON.stringify(keyOf(item)));
  return [...groups.values()].flatMap((all) => {
    const [first] = all;
    return first === undefined ? [] : [{ first, all }];
  });
}
