/**
 * Expressions of workflows, `${{ … }}`: literals, contexts, operators and the functions that this repository's documents use
 * (https://docs.github.com/en/actions/reference/workflows-and-actions/expressions). Anything else is an error here, where
 * GitHub would at times say nothing and give an empty text: a misspelt context must show.
 */

/** What names stand for, by the first of them: `github`, `secrets`, `steps` … */
export type Contexts = Readonly<Record<string, unknown>>;

/** The state of a job, for `success()` and its like. */
export interface JobStatus {
  readonly failed: boolean;
}

interface Evaluation {
  readonly tokens: readonly string[];
  readonly contexts: Contexts;
  readonly status: JobStatus;
  at: number;
}

/**
 * A text with every expression replaced by its value, as a text.
 * @throws Error when an expression cannot be read, or names something that is not there.
 */
export function interpolate(text: string, contexts: Contexts, status: JobStatus = { failed: false }): string {
  return text.replace(/\$\{\{(.*?)\}\}/gs, (_all, expression: string) =>
    printed(evaluate(expression, contexts, status)),
  );
}

/**
 * The value of one expression, with or without its braces.
 * @throws Error as `interpolate`.
 */
export function evaluate(text: string, contexts: Contexts, status: JobStatus = { failed: false }): unknown {
  const expression = text.trim().replace(/^\$\{\{(.*)\}\}$/s, "$1");
  const evaluation: Evaluation = { tokens: tokensOf(expression), contexts, status, at: 0 };
  const value = either(evaluation);
  if (evaluation.at < evaluation.tokens.length) throw new Error(`${expression}: what follows is not clear`);
  return value;
}

/** Text, numbers, names (with hyphens), operators. */
const tokenPattern = /\s*('(?:[^']|'')*'|\d+(?:\.\d+)?|[A-Za-z_][\w-]*|&&|\|\||==|!=|[!()[\].,])/y;

function tokensOf(expression: string): readonly string[] {
  const tokens: string[] = [];
  tokenPattern.lastIndex = 0;
  for (let at = 0; expression.slice(at).trim() !== ""; at = tokenPattern.lastIndex) {
    const [, token] = tokenPattern.exec(expression) ?? [];
    if (token === undefined) throw new Error(`${expression}: "${expression.slice(at)}" is not understood`);
    tokens.push(token);
  }
  return tokens;
}

/** Takes the next token if it is this one. */
function takes(evaluation: Evaluation, token: string): boolean {
  if (evaluation.tokens[evaluation.at] !== token) return false;
  evaluation.at += 1;
  return true;
}

function expects(evaluation: Evaluation, token: string): void {
  if (!takes(evaluation, token)) throw new Error(`"${token}" is missing in ${evaluation.tokens.join(" ")}`);
}

/** `||` and `&&` give one of their sides, not a boolean: `inputs.x || 'default'` is a common way to say a default. */
function either(evaluation: Evaluation): unknown {
  let value = both(evaluation);
  while (takes(evaluation, "||")) {
    const other = both(evaluation);
    if (!isTrue(value)) value = other;
  }
  return value;
}

function both(evaluation: Evaluation): unknown {
  let value = comparison(evaluation);
  while (takes(evaluation, "&&")) {
    const other = comparison(evaluation);
    if (isTrue(value)) value = other;
  }
  return value;
}

function comparison(evaluation: Evaluation): unknown {
  const value = negation(evaluation);
  if (takes(evaluation, "==")) return isEqual(value, negation(evaluation));
  if (takes(evaluation, "!=")) return !isEqual(value, negation(evaluation));
  return value;
}

function negation(evaluation: Evaluation): unknown {
  return takes(evaluation, "!") ? !isTrue(negation(evaluation)) : property(evaluation);
}

function property(evaluation: Evaluation): unknown {
  // What a function made has no known members; asking it for one is a way to say "if there".
  const isMade = evaluation.tokens[evaluation.at + 1] === "(";
  const member = (of: unknown, name: unknown): unknown =>
    isMade && !Object.hasOwn(Object(of), String(name)) ? null : memberOf(of, name);
  let value = primary(evaluation);
  for (;;) {
    if (takes(evaluation, ".")) value = member(value, next(evaluation));
    else if (takes(evaluation, "[")) {
      value = member(value, either(evaluation));
      expects(evaluation, "]");
    } else return value;
  }
}

function next(evaluation: Evaluation): string {
  const token = evaluation.tokens[evaluation.at];
  if (token === undefined) throw new Error(`${evaluation.tokens.join(" ")}: it ends too early`);
  evaluation.at += 1;
  return token;
}

function primary(evaluation: Evaluation): unknown {
  if (takes(evaluation, "(")) {
    const value = either(evaluation);
    expects(evaluation, ")");
    return value;
  }
  const token = next(evaluation);
  if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
  if (/^\d/.test(token)) return Number(token);
  if (token === "true" || token === "false") return token === "true";
  if (token === "null") return null;
  if (takes(evaluation, "(")) return call(evaluation, token);
  return memberOf(evaluation.contexts, token);
}

function call(evaluation: Evaluation, name: string): unknown {
  const values: unknown[] = [];
  while (!takes(evaluation, ")")) {
    if (values.length > 0) expects(evaluation, ",");
    values.push(either(evaluation));
  }
  const called = functions[name];
  if (called === undefined) throw new Error(`there is no function ${name}`);
  return called(values, evaluation.status);
}

type Called = (values: readonly unknown[], status: JobStatus) => unknown;

const functions: Readonly<Record<string, Called>> = {
  always: () => true,
  cancelled: () => false,
  success: (_values, { failed }) => !failed,
  failure: (_values, { failed }) => failed,
  fromJSON: ([text]) => JSON.parse(String(text)) as unknown,
  toJSON: ([value]) => JSON.stringify(value, undefined, 2),
  contains: ([place, item]) =>
    Array.isArray(place) ? place.some((one) => isEqual(one, item)) : String(place).includes(String(item)),
  join: ([list, between = ","]) => (list as readonly unknown[]).map(printed).join(String(between)),
  format: ([text, ...values]) =>
    String(text).replace(/\{(\d+)\}/g, (_all, at: string) => printed(values[Number(at)])),
};

function memberOf(value: unknown, name: unknown): unknown {
  const key = String(name);
  if (typeof value !== "object" || value === null || !(key in value)) {
    throw new Error(`an expression asks for "${key}", which is not there`);
  }
  return (value as Readonly<Record<string, unknown>>)[key];
}

function isTrue(value: unknown): boolean {
  return value !== "" && Boolean(value);
}

/** Texts are compared without regard to case; values of two types as numbers. */
function isEqual(one: unknown, other: unknown): boolean {
  if (typeof one === "string" && typeof other === "string") return one.toLowerCase() === other.toLowerCase();
  return typeof one === typeof other ? one === other : Number(one) === Number(other);
}

function printed(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
