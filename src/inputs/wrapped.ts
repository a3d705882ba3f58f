import { printable } from "../log/log.ts";
import { didYouMean } from "../wording.ts";
import type { Mistake } from "./values.ts";

/** Values that are right but for what stands around or between them, as in the file that they were copied from. */

type Parse<T> = (text: string, mistake: Mistake) => T;

/** What comes off a value, one after the other: the brackets of a list, its dashes, quotes. */
const wrappings: readonly ((text: string) => string)[] = [
  (text) => text.replace(/^\[([^[\]]*)\]$/, (_all, items: string) => items.split(",").join("\n")),
  (text) => text.replace(/^[ \t]*- +/gm, ""),
  (text) => text.replace(/^[ \t]*(["'`])(.*)\1[ \t]*,?[ \t]*$/gm, "$2"),
  (text) => text.replace(/^[ \t]+/gm, ""),
];

/** What stands between values in place of a comma or a new line. */
const separators: readonly ((text: string) => string)[] = [
  (text) => text.replace(/[ \t]*;[ \t]*/g, ","),
  (text) => text.replace(/[ \t]*;[ \t]*/g, "\n"),
  (text) => text.replace(/[ \t,]+/g, ","),
  (text) => text.replace(/[ \t,]+/g, "\n"),
  (text) => text.toLowerCase(),
];

/** Longest value that is looked into, in characters: nobody writes more by hand. */
const longestValue = 2000;

/** Longest value that a message repeats, in characters. */
const meantLimit = 300;

/**
 * Reads a value, and notes what is wrong with it. Where it would be right without what is around it, or with other signs between,
 * that is what was meant. Only a value that is right is repeated, and a right one holds no secret.
 */
export function readValue<T>(text: string, parse: Parse<T>, mistake: Mistake): T {
  const problems: string[] = [];
  const value = parse(text, (problem) => problems.push(problem));
  for (const problem of explained(problems, text, parse)) mistake(problem);
  return value;
}

function explained(problems: readonly string[], text: string, parse: Parse<unknown>): readonly string[] {
  if (problems.length === 0 || text.length > longestValue) return problems;
  const bare = wrappings.reduce((inside, unwrap) => unwrap(inside), text);
  // What is wrong with the rest of it comes from the wrapping, too.
  if (bare !== text && isRight(bare, parse)) return [withMeaning(problems[0] ?? "", bare)];
  if (problems.some((problem) => problem.includes(meaning))) return problems;
  const meant = separators.map((mend) => mend(bare)).find((each) => each !== text && isRight(each, parse));
  const [last = "", ...before] = problems.toReversed();
  return meant === undefined ? problems : [...before.reverse(), withMeaning(last, meant)];
}

/** How a meaning begins that a message has already. */
const meaning = didYouMean("").slice(0, -1);

function withMeaning(problem: string, meant: string): string {
  const [said = ""] = problem.split(meaning);
  const lines = meant.split("\n").filter((line) => line !== "");
  const all = lines.length > 1 ? `a line each for ${lines.join(" and ")}` : lines.join("");
  return `${said}${printable(didYouMean(all), meantLimit)}`;
}

function isRight(text: string, parse: Parse<unknown>): boolean {
  let right = text.trim() !== "";
  parse(text, () => {
    right = false;
  });
  return right;
}
