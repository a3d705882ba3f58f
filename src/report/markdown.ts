import { failureTextLimit, printable } from "../log/log.ts";

/**
 * Most rows of one table, so that no table alone comes near the size of a summary: 200 rows of the longest text, each
 * character of it escaped, are about 0.8 MB.
 */
const rowLimit = 200;

/** Everything that means something in HTML or GitHub's Markdown: tags, tables, links, emphasis, code, math, emoji, mentions. */
const markup = /[&<>"'`|\\*_[\](){}#!~:@$^=+]/g;

/**
 * Foreign text as text, wherever in a line it stands: no HTML, no Markdown, one line, a bounded length. Character
 * references, because Markdown never takes their characters for markup: https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references
 */
export function escapeMarkdown(text: string): string {
  return printable(text, failureTextLimit).replace(markup, (character) => `&#${character.charCodeAt(0)};`);
}

/** A name or digest in code type. Backticks where they are safe; character references mean nothing between them. */
export function code(text: string): string {
  return /^[\w.:/@[\]-]+$/.test(text) ? `\`${text}\`` : `<code>${escapeMarkdown(text)}</code>`;
}

/** A text of ours that may quote foreign words: what stands between backticks is in code type, and the rest is text. */
export function withCode(text: string): string {
  return escapeMarkdown(text).replace(/&#96;(.+?)&#96;/g, "<code>$1</code>");
}

/** A table of finished cells, columns of numbers at the right. What does not fit is counted below it. */
export function table(
  head: readonly { readonly title: string; readonly align?: "right" }[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const shown = rows.slice(0, rowLimit).map(line);
  const more =
    rows.length <= rowLimit ? [] : ["", `… and ${rows.length - rowLimit} more rows, see the JSON report.`];
  const rule = line(head.map(({ align }) => (align === "right" ? "---:" : "---")));
  return [line(head.map(({ title }) => title)), rule, ...shown, ...more].join("\n");
}

/** A highlighted box. https://docs.github.com/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#alerts */
export function alert(kind: "NOTE" | "WARNING" | "CAUTION", lines: readonly string[]): string {
  return [`[!${kind}]`, ...lines].map((line) => `> ${line}`.trimEnd()).join("\n");
}

/** Content that is folded away until somebody asks for it. */
export function details(summary: string, content: string): string {
  return `<details><summary>${summary}</summary>\n\n${content}\n\n</details>`;
}

/** Lines to copy, as they are, or a chart that GitHub draws. Only for text whose grammar has no backticks. */
export function codeBlock(
  language: "console" | "json" | "mermaid" | "text" | "toml" | "yaml",
  lines: readonly string[],
): string {
  return ["```".concat(language), ...lines, "```"].join("\n");
}
