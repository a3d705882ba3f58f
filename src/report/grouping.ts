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
  /** Why, in words that are true of them all, and what to do about it. */
  readonly reason: string;
  /** The same in its two parts. */
  readonly finding: string;
  readonly advice: string | undefined;
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
  return groups.map((group) => {
    const failure = commonFailure(group);
    if (failure === undefined) {
      const { reason } = group.first;
      return { ...group, reason, finding: reason, advice: undefined };
    }
    const finding = sentenceOf({ ...failure, advice: undefined });
    return { ...group, reason: sentenceOf(failure), finding, advice: failure.advice };
  });
}

/** The failure that is true of all items: of several, without the details of the first. Undefined where nothing failed. */
function commonFailure({ all }: Group<Explained>): Failure | undefined {
  const failures = all.flatMap(({ failure }) => failure ?? []);
  const [failure] = failures;
  if (failure === undefined) return undefined;
  const subject = common(failures.map((each) => each.subject));
  if (failure.kind !== "operation") return { ...failure, subject };
  const repository = common(failures.map((each) => ("repository" in each ? each.repository : undefined)));
  const others = new Set(failures.map((each) => each.problem)).size - 1;
  const problem =
    others === 0 ? failure.problem : `${failure.problem} (and ${others} more, in the JSON report)`;
  return { ...failure, repository, subject, problem };
}

/** What all have; undefined where they differ. */
function common<T>(values: readonly T[]): T | undefined {
  return values.every((value) => value === values[0]) ? values[0] : undefined;
}
