import { causeOf, type Failure, sentenceOf } from "../errors.ts";

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

/** Something with a reason: as data where it is a failure, and in words. */
export interface Explained {
  readonly reason: string;
  readonly failure?: Failure | undefined;
}

/** Items of one cause. */
export interface CauseGroup<T> extends Group<T> {
  /** Why, in words that are true of them all. */
  readonly reason: string;
}

/**
 * Items of the same cause together: twelve images that a registry refuses for one cause are one piece of news.
 * @param keyOf what else is equal within a group.
 */
export function causesOf<T extends Explained>(
  items: readonly T[],
  keyOf: (item: T) => readonly (string | undefined)[],
): readonly CauseGroup<T>[] {
  const groups = groupsOf(items, (item) => {
    const { reason, failure } = item;
    return [...keyOf(item), failure === undefined ? reason : causeOf(failure)];
  });
  return groups.map((group) => ({ ...group, reason: commonReason(group) }));
}

/** The reason that is true of all items: of several, without the details of the first. */
function commonReason({ first, all }: Group<Explained>): string {
  const failures = all.flatMap(({ failure }) => failure ?? []);
  const [failure] = failures;
  if (failure === undefined) return first.reason;
  const subject = common(failures.map((each) => each.subject));
  if (failure.kind !== "operation") return sentenceOf({ ...failure, subject });
  const repository = common(failures.map((each) => ("repository" in each ? each.repository : undefined)));
  const others = new Set(failures.map((each) => each.problem)).size - 1;
  const problem =
    others === 0 ? failure.problem : `${failure.problem} (and ${others} more, in the JSON report)`;
  return sentenceOf({ ...failure, repository, subject, problem });
}

/** What all have; undefined where they differ. */
function common<T>(values: readonly T[]): T | undefined {
  return values.every((value) => value === values[0]) ? values[0] : undefined;
}
