import { type Context, createContext, Script } from "node:vm";
import { InputError } from "./errors.ts";

/** A pattern that is a mistake wherever it is used: it takes too long, or fits too much. */
export class PatternError extends InputError {}

/** A glob or a regular expression over names that a registry lists. */
export interface Pattern {
  /** As the user wrote it. */
  readonly text: string;
  readonly expression: RegExp;
}

/** One of several patterns that choose together. */
export interface ChoosingPattern extends Pattern {
  /** Whether it leaves out what it fits. */
  readonly except?: true;
}

/** Longest pattern, in characters: more than any tag has. */
const lengthLimit = 1000;

/**
 * Longest time for a pattern to look at all names, in milliseconds. Thousands of names take a few milliseconds; one that
 * takes longer goes back and forth without an end, as `(a+)+` can.
 */
const matchTime = 1000;

/**
 * A regular expression that has to fit a whole name.
 * @throws InputError when it is none.
 */
export function parseExpression(text: string, source: string): Pattern {
  if (source.length > lengthLimit)
    throw new InputError(`${JSON.stringify(text)} is longer than ${lengthLimit} characters`);
  try {
    return { text, expression: new RegExp(`^(?:${source})$`) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new InputError(`${JSON.stringify(text)} is not a regular expression of JavaScript`, {
      cause: error,
    });
  }
}

/**
 * A glob that has to fit a whole name: `*` for any characters but a slash, `**` for any, `?` for one, `{a,b}` for either.
 * @throws InputError when its braces do not go in pairs.
 */
export function parseGlob(text: string, glob: string = text): Pattern {
  let depth = 0;
  const source = glob.replace(/\*\*\/?|[*?{},]|[^\w*?{},]/g, (sign) => {
    if (sign === "**/") return "(?:[^]*/)?";
    if (sign === "**") return "[^]*";
    if (sign === "*") return "[^/]*";
    if (sign === "?") return "[^/]";
    if (sign === "{") {
      depth += 1;
      return "(?:";
    }
    if (sign === "}" && depth > 0) {
      depth -= 1;
      return ")";
    }
    if (sign === "," && depth > 0) return "|";
    return `\\${sign}`;
  });
  if (depth > 0) throw new InputError(`${JSON.stringify(text)} has a { without its }`);
  return parseExpression(text, source);
}

/**
 * Which of the names a pattern fits.
 * @throws PatternError when it takes too long to tell.
 */
export function matching(pattern: Pattern, names: readonly string[]): readonly string[] {
  const { text, expression } = pattern;
  context ??= createContext({});
  Object.assign(context, { fits: (name: string) => expression.test(name), names });
  try {
    matcher.runInContext(context, { timeout: matchTime });
  } catch (error) {
    // It comes from the other context, so it is no Error of this one.
    if (!(typeof error === "object" && error !== null && "code" in error) || error.code !== timeoutCode)
      throw error;
    throw new PatternError(
      `${JSON.stringify(text)} takes more than a second for ${names.length} names: write it without repetitions of repetitions`,
    );
  }
  return context.found as readonly string[];
}

/**
 * Which of the names several patterns choose: those that one fits, or all where every pattern leaves out, and none leaves out.
 * @throws PatternError when it takes too long to tell.
 */
export function choosing(patterns: readonly ChoosingPattern[], names: readonly string[]): readonly string[] {
  const within = patterns.filter(({ except }) => except !== true);
  const out = patterns.filter(({ except }) => except === true);
  const chosen = within.length === 0 ? names : within.flatMap((pattern) => matching(pattern, names));
  const left = new Set(out.flatMap((pattern) => matching(pattern, names)));
  return chosen.filter((name) => !left.has(name));
}

/** https://nodejs.org/api/errors.html#err_script_execution_timeout */
const timeoutCode = "ERR_SCRIPT_EXECUTION_TIMEOUT";

/** Made once, as it takes milliseconds, and each of many repositories has its tags looked at. */
let context: Context | undefined;

/** Run as a script of its own, because only such a one can be stopped. */
const matcher = new Script("found=names.filter(fits)");
