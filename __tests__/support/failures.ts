import { type Failure, sentenceOf } from "../../src/errors.ts";

/** A failure of which a test knows no more than its words. */
export function obstacle(problem: string): Failure {
  return { kind: "obstacle", problem };
}

/** A failure that another one brings about. */
export function heldBack(problem: string): Failure {
  return { kind: "held-back", problem };
}

/** A failure in words; none without one. */
export function wordsOf(failure: Failure | undefined): string | undefined {
  return failure && sentenceOf(failure);
}
