import type { Alias, CST, Document, ErrorCode, Node, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml";
import { InputError } from "../errors.ts";
import { formatBytes } from "../wording.ts";
import { quoted } from "./suggestions.ts";

/**
 * YAML and JSON as the user gave them. What comes out knows the line of everything, so that a mistake can name it. Messages hold no
 * values, which may be secrets.
 */

export type YamlNode = YamlMap | YamlList | YamlText;

export interface YamlMap {
  readonly kind: "map";
  /** Counted from 1. */
  readonly line: number;
  readonly entries: readonly YamlEntry[];
}

export interface YamlEntry {
  readonly key: string;
  readonly line: number;
  readonly value: YamlNode;
}

export interface YamlList {
  readonly kind: "list";
  readonly line: number;
  readonly items: readonly YamlNode[];
}

export interface YamlText {
  readonly kind: "text";
  readonly line: number;
  /** As written, also where it looks like a number: the tag `1.10` is not 1.1. Empty where the value is left out, or `null`. */
  readonly text: string;
  /** Whether a value is left out, or is `null`. */
  readonly empty: boolean;
}

export interface YamlReading {
  /** How messages name the text: the input, or its file. */
  readonly what: string;
  /** Longest text, in bytes. */
  readonly limit: number;
  /** What is done about a key that stands twice in a map, where the last one is to count. Default: it is a mistake. */
  readonly onRepeatedKey?: (mistake: InputError) => void;
}

/** Most values of a document, those that aliases stand for counted each time: 1,000 routes have some 20,000. */
const nodeLimit = 100_000;

/** Most tokens, spaces and line ends included: six a line of a usual file. Each costs the parser some 10 µs, whatever it is worth. */
const tokenLimit = 300_000;

/** Deepest nesting, by brackets or by dashes on a line: files of rules have four levels. The parser's stack holds thousands. */
const depthLimit = 50;

/** Deepest indentation, in columns: each may be a level or two. */
const indentationLimit = 200;

type Yaml = typeof import("yaml");

/** Makes a failure at a line. */
type Fail = (line: number, problem: string) => InputError;

/**
 * Reads one document of YAML, or JSON, which is a part of it. All values are texts.
 * @throws InputError that names the line: for a text that is too long, is not YAML, has a key twice, or grows by its aliases.
 */
export async function readYaml(given: string, reading: YamlReading): Promise<YamlNode> {
  const text = given.replace(/^\ufeff/, "");
  const { onRepeatedKey = thrown } = reading;
  const size = Buffer.byteLength(text);
  if (size > reading.limit)
    throw new InputError(
      `${reading.what} has ${formatBytes(size)}: it may have ${formatBytes(reading.limit)} at the most`,
    );
  // Only a run with such a text pays for the parser.
  const yaml = await import(/* webpackMode: "eager" */ "yaml");
  const lines = new yaml.LineCounter();
  const lineOf = (position: number): number => Math.max(lines.linePos(position).line, 1);
  const fail: Fail = (line, problem) => new InputError(`${reading.what}, line ${line}: ${problem}`);
  const [document, second] = compose(yaml, text, lines.addNewLine, fail);
  const [error] = document?.errors ?? [];
  if (error !== undefined) {
    const line = lineOf(error.pos[0]);
    const isTab = /^ *\t/.test(text.slice(lines.lineStarts[line - 1]));
    throw fail(line, problems[isTab ? "TAB_AS_INDENT" : error.code] ?? anyProblem);
  }
  if (second !== undefined) throw fail(lineOf(second.range[0]), "a second document begins: give one");
  const sizes = new Map<YamlNode, number>();
  const anchors = new Map<string, YamlNode | undefined>();
  return nodeOf(document?.contents, 1);

  function nodeOf(node: unknown, line: number): YamlNode {
    if (!yaml.isNode(node)) return { kind: "text", line, text: "", empty: true };
    const at = node.range === null || node.range === undefined ? line : lineOf(node.range[0]);
    if (yaml.isAlias(node)) return targetOf(node, at);
    const anchor = (node as Scalar | YAMLMap | YAMLSeq).anchor;
    // Until it is read as a whole, an alias to it would be a part of itself.
    if (anchor !== undefined) anchors.set(anchor, undefined);
    const made = contentOf(node, at);
    const total = partsOf(made).reduce((sum, part) => sum + (sizes.get(part) ?? 1), 1);
    if (total > nodeLimit)
      throw fail(at, `it has more than ${nodeLimit} values from here on, those of aliases counted`);
    sizes.set(made, total);
    if (anchor !== undefined) anchors.set(anchor, made);
    return made;
  }

  function targetOf({ source }: Alias, line: number): YamlNode {
    const target = anchors.get(source);
    // What begins with an asterisk may be a password without quotation marks: it is not repeated.
    if (target === undefined) throw fail(line, "no anchor ends before its alias");
    return target;
  }

  function contentOf(node: Node, line: number): YamlNode {
    if (yaml.isMap(node)) return { kind: "map", line, entries: entriesOf(node, line) };
    if (yaml.isSeq(node)) return { kind: "list", line, items: node.items.map((item) => nodeOf(item, line)) };
    const { value, type } = node as Scalar;
    const text = typeof value === "string" ? value : "";
    const empty = type === "PLAIN" && /^(?:|~|null|Null|NULL)$/.test(text);
    return { kind: "text", line, text: empty ? "" : text, empty };
  }

  function entriesOf(map: YAMLMap, line: number): readonly YamlEntry[] {
    const merged: YamlEntry[] = [];
    const own: YamlEntry[] = [];
    for (const { key, value } of map.items as readonly Pair[]) {
      const name = nodeOf(key, line);
      if (name.kind !== "text") throw fail(name.line, "a key is a text, not a list or a map");
      const content = nodeOf(value, name.line);
      // https://yaml.org/type/merge.html
      if (name.text === "<<") merged.push(...mergedOf(content));
      else own.push({ key: name.text, line: name.line, value: content });
    }
    const known = new Map<string, YamlEntry>();
    for (const entry of own) {
      const first = known.get(entry.key);
      if (first !== undefined)
        onRepeatedKey(fail(entry.line, `the key ${quoted(entry.key)} is in line ${first.line} already`));
      known.set(entry.key, entry);
    }
    for (const entry of merged) if (!known.has(entry.key)) known.set(entry.key, entry);
    return [...known.values()];
  }

  function mergedOf(node: YamlNode): readonly YamlEntry[] {
    if (node.kind === "map") return node.entries;
    if (node.kind === "list") return node.items.flatMap(mergedOf);
    throw fail(node.line, "<< takes a map, or a list of maps");
  }
}

function thrown(mistake: InputError): never {
  throw mistake;
}

/** Why a parser gave up, where more can be said than that. Its own messages repeat pieces of the text, which may be secrets. */
const problems: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_DQ_ESCAPE: "a text in double quotes has a \\ that begins no escape: single quotes take it as it is",
  BAD_INDENT: "the indentation does not fit the lines above",
  BAD_SCALAR_START: "a text begins with a sign that needs quotes around it",
  BLOCK_AS_IMPLICIT_KEY: "a text holds a colon and a blank: put it in quotes",
  KEY_OVER_1024_CHARS: "a key is longer than 1,024 characters",
  MISSING_CHAR: "a sign is missing, such as a colon after a key, a closing quote or a bracket",
  MULTILINE_IMPLICIT_KEY: "a key goes over several lines: is a colon missing?",
  TAB_AS_INDENT: "a tab indents it: YAML takes blanks only",
};

const anyProblem = "it is not YAML from here on";

/**
 * The documents of a text, as long as its tokens stay within what the parser reads in seconds and within its stack. Beyond that the
 * process would end, with nothing to catch.
 */
function compose(
  yaml: Yaml,
  text: string,
  addNewLine: (offset: number) => void,
  fail: Fail,
): readonly (Document.Parsed | undefined)[] {
  // Texts stay as they are written. Keys are compared by the reader: the parser compares each with each.
  const composer = new yaml.Composer({ schema: "failsafe", uniqueKeys: false });
  return [...composer.compose(boundedTokens(yaml, text, addNewLine, fail), true, text.length)];
}

function* boundedTokens(
  yaml: Yaml,
  text: string,
  addNewLine: (offset: number) => void,
  fail: Fail,
): Generator<CST.Token> {
  const parser = new yaml.Parser(addNewLine);
  addNewLine(0);
  let [tokens, line, brackets, signs, isText] = [0, 1, 0, 0, false];
  for (const token of new yaml.Lexer().lex(text)) {
    tokens += 1;
    if (tokens > tokenLimit) throw fail(line, `it has more than ${nodeLimit} values up to here`);
    const type = isText ? "scalar" : yaml.CST.tokenType(token);
    if (type === "flow-map-start" || type === "flow-seq-start") brackets += 1;
    if (type === "flow-map-end" || type === "flow-seq-end") brackets -= 1;
    if (brackets < 0) throw fail(line, "a bracket closes none");
    if (brackets === 0 && /^(?:seq-item|explicit-key|map-value)-ind$/.test(type ?? "")) signs += 1;
    const isWide = type === "space" && token.length > indentationLimit;
    if (isWide || brackets > depthLimit || signs > depthLimit) throw fail(line, "it is nested too deep");
    if (type === "newline") signs = 0;
    line += token.split("\n").length - 1;
    // What follows this mark is the text of a value, whatever signs it is made of.
    isText = token === yaml.CST.SCALAR;
    yield* parser.next(token);
  }
  yield* parser.end();
}

function partsOf(node: YamlNode): readonly YamlNode[] {
  if (node.kind === "map") return node.entries.map(({ value }) => value);
  return node.kind === "list" ? node.items : [];
}
