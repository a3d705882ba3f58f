import { InputError } from "../../errors.ts";
import { parseExpression } from "../../pattern.ts";
import { roughNumber } from "../../plan/version.ts";
import { quoted } from "../suggestions.ts";

/**
 * Regular expressions and ranges of tools that are written in Go, as lines of the input `version`. What cannot be said so is an
 * InputError that says what it is.
 */

/** Classes of Go that JavaScript has not. https://pkg.go.dev/regexp/syntax */
const classes: ReadonlyMap<string, string> = new Map([
  ["[:alnum:]", "0-9A-Za-z"],
  ["[:alpha:]", "A-Za-z"],
  ["[:digit:]", "0-9"],
  ["[:lower:]", "a-z"],
  ["[:upper:]", "A-Z"],
  ["[:word:]", "0-9A-Za-z_"],
]);

/** What means something else in JavaScript, or nothing: flags, other classes, quoting, code points. */
const foreign = /\(\?[imsU-]+[:)]|\[:\^?[a-z]+:\]|\\[QEpPCaz]|\\x\{|\\A(?!$)/;

/**
 * The expression, without slashes, that fits a whole name where Go's finds something in it.
 * @throws InputError when JavaScript has no such expression.
 */
export function fromGo(source: string): string {
  if (source === "") throw new InputError("an empty regular expression is no filter: leave it out");
  const plain = source
    .replace(/\[:[a-z]+:\]/g, (name) => classes.get(name) ?? name)
    .replace(/\(\?P</g, "(?<")
    .replace(/^\\A/, "^")
    .replace(/\\z$/, "$");
  const [sign] = foreign.exec(plain) ?? [];
  if (sign !== undefined)
    throw new InputError(
      `the regular expression ${quoted(source)} has ${quoted(sign)}, which JavaScript does not know: write it without`,
    );
  if (/\s/.test(plain))
    throw new InputError(`the regular expression ${quoted(source)} holds a blank, which no name has`);
  // Where there is no choice in it, its ends say where it begins and ends. The general form is right for any other.
  const whole = plain.includes("|")
    ? `.*(?:${plain}).*`
    : `${plain.startsWith("^") ? "" : ".*"}${plain.replace(/^\^/, "").replace(/(?<!\\)\$$/, "")}${/(?<!\\)\$$/.test(plain) ? "" : ".*"}`;
  parseExpression(source, whole);
  return whole;
}

/**
 * As regsync anchors what it is given: in front and behind, without brackets around.
 * @throws InputError as `fromGo` does.
 */
export function anchored(source: string): string {
  if (source === "") throw new InputError("an empty regular expression fits nothing: leave it out");
  return fromGo(`^${source}$`);
}

/** A line that leaves out all but what one of some expressions fits. */
export function allBut(expressions: readonly string[]): string {
  const [only = "", ...others] = expressions;
  return `!/(?!(?:${others.length === 0 ? only : expressions.join("|")})$).*/`;
}

/**
 * A range of regsync as a range of npm's, whose versions without their last numbers mean ranges of their own.
 * https://github.com/regclient/regclient/blob/main/internal/semver/semver.go
 * @throws InputError when it is none.
 */
export function regsyncRange(range: string): string {
  refuseLong(range);
  const parts = range.trim().split(/\s+/);
  return parts.flatMap((part) => comparators(part, range)).join(" ");
}

/** Longest range, in characters: a reader of ranges takes its time for each comparison. */
const rangeLimit = 1000;

function refuseLong(range: string): void {
  if (range.length > rangeLimit)
    throw new InputError(`the range ${quoted(range)} is longer than ${rangeLimit} characters`);
}

function comparators(part: string, range: string): readonly string[] {
  const [, operator = "", text = ""] = /^(>=|<=|>|<|=|\^|~|)(.*)$/.exec(part) ?? [];
  const number = roughNumber(text);
  if (number === undefined)
    throw new InputError(`the range ${quoted(range)} is none of regsync: ${quoted(part)}`);
  const [major = 0, minor = 0, patch = 0] = number.replace(/-.*$/, "").split(".").map(Number);
  if (operator === "~") return [`>=${number}`, `<${major}.${minor + 1}.0`];
  if (operator !== "^") return [`${operator === "" ? "=" : operator}${number}`];
  if (major > 0) return [`>=${number}`, `<${major + 1}.0.0`];
  return [`>=${number}`, minor > 0 ? `<0.${minor + 1}.0` : `<0.0.${patch + 1}`];
}

/** A version that a range of Masterminds leaves out: they have a prerelease only where the range has one. */
const prereleases = "!/v?[0-9]+(?:\\.[0-9]+){0,2}-.*/";

/**
 * A range of skopeo, as its library reads it, as lines of `version`.
 * https://github.com/Masterminds/semver/blob/v3.5.0/constraints.go
 * @throws InputError when it is none.
 */
export function mastermindsRange(range: string): readonly string[] {
  refuseLong(range);
  const unequal = [...range.matchAll(/!=\s*([^\s,|]+)/g)].map(([, version = ""]) => version);
  const choices = range.split("||").map((choice) =>
    choice
      .replace(/!=\s*[^\s,|]+/g, "")
      .replace(/=>/g, ">=")
      .replace(/=</g, "<=")
      .replace(/,/g, " ")
      .trim(),
  );
  if (unequal.length > 0 && choices.length > 1)
    throw new InputError(`the range ${quoted(range)} has != beside ||: write it as a regular expression`);
  const takesPrereleases = /[0-9xX*]-[0-9A-Za-z]/.test(range);
  return [
    ...choices.map((choice) => `semver:${choice === "" ? "*" : choice}`),
    ...unequal.map((version) => `!semver:${version}`),
    ...(takesPrereleases ? [] : [prereleases]),
  ];
}
