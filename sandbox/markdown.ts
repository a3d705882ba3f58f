/**
 * Markdown for the terminal, as far as job summaries use it: headings, emphasis, code, links, tables in Markdown or
 * HTML, block quotes, `<details>`, which stay folded, and HTML entities.
 */
import { stripVTControlCharacters, styleText } from "node:util";

/** Renders a job summary. Colours only where the terminal of standard output has them. */
export function renderMarkdown(markdown: string): string {
  const lines = tablesToMarkdown(folded(markdown)).split("\n");
  const rendered: string[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    if (/^\s*```/.test(line)) {
      const end = lines.findIndex((other, index) => index > at && /^\s*```/.test(other));
      const last = end < 0 ? lines.length : end;
      const code = lines.slice(at + 1, last).map((text) => `    ${decodeEntities(text)}`);
      // A terminal draws no chart, and its source tells nobody anything.
      rendered.push(...(line.trim() === "```mermaid" ? ["    (a chart, which GitHub draws)"] : code));
      at = last;
    } else if (line.trim().startsWith("|")) {
      const end = lines.findIndex((other, index) => index > at && !other.trim().startsWith("|"));
      const last = end < 0 ? lines.length : end;
      rendered.push(...renderTable(lines.slice(at, last).map(cellsOf)));
      at = last - 1;
    } else {
      rendered.push(renderLine(line));
    }
  }
  return rendered
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

/** What can be unfolded is a line of its title alone. */
function folded(markdown: string): string {
  let depth = 0;
  const parts = markdown.split(/(<\/?details>)/).flatMap((part) => {
    if (part === "</details>") depth -= 1;
    else if (part === "<details>") depth += 1;
    else if (depth === 0) return [part];
    else if (depth === 1) return (/<summary>.*<\/summary>/.exec(part) ?? []).map((title) => `▸ ${title}`);
    return [];
  });
  return parts.join("");
}

/** Lines of a table with aligned columns; the first row is the head. */
export function renderTable(rows: readonly (readonly string[])[]): readonly string[] {
  const content = rows.filter((row) => !row.every((cell) => /^:?-+:?$/.test(cell)));
  const cells = content.map((row) => row.map(renderInline));
  const columns = Math.max(0, ...cells.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_none, column) =>
    Math.max(...cells.map((row) => widthOf(row[column] ?? ""))),
  );
  const print = (row: readonly string[]) =>
    widths
      .map((width, column) => pad(row[column] ?? "", width))
      .join("  ")
      .trimEnd();
  const [head = [], ...body] = cells;
  return [
    print(head.map((cell) => styleText("bold", cell))),
    widths.map((width) => "─".repeat(width)).join("  "),
    ...body.map(print),
  ];
}

function renderLine(line: string): string {
  const heading = /^(#{1,6})\s+(.*)$/.exec(line) ?? /^\s*<h([1-6])[^>]*>(.*)<\/h[1-6]>\s*$/.exec(line);
  if (heading !== null) return `\n${styleText(["bold", "underline"], renderInline(heading[2] ?? ""))}\n`;
  const quote = /^>\s?(?:\[!(\w+)\])?(.*)$/.exec(line);
  if (quote !== null) return `│ ${quote[1] ?? ""}${renderInline(quote[2] ?? "")}`;
  return renderInline(line.replace(/^(\s*)[-*]\s/, "$1• "));
}

function renderInline(text: string): string {
  const plain = text
    .replace(/<br\s*\/?>/gi, " ")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\*\*(.+?)\*\*/g, (_all, inner: string) => styleText("bold", inner))
    .replace(/`+([^`]+)`+/g, (_all, inner: string) => styleText("cyan", inner))
    .replace(/<\/?[a-z][^>]*>/gi, "");
  return decodeEntities(plain.replace(/\\([\\`*_{}[\]()#+.!|<>-])/g, "$1")).trimEnd();
}

const entities: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
  ["nbsp", " "],
]);

function decodeEntities(text: string): string {
  return text.replace(/&(#x[0-9a-f]+|#[0-9]+|[a-z]+);/gi, (all, name: string) => {
    if (!name.startsWith("#")) return entities.get(name) ?? all;
    const hex = name[1]?.toLowerCase() === "x";
    return String.fromCodePoint(Number.parseInt(name.slice(hex ? 2 : 1), hex ? 16 : 10));
  });
}

/** HTML tables, which `@actions/core` writes, become Markdown tables. */
function tablesToMarkdown(text: string): string {
  return text.replace(/<table[^>]*>([\s\S]*?)<\/table>/gi, (_all, body: string) => {
    const rows = [...body.matchAll(/<tr[^>]*>([\s\S]*?)<\/tr>/gi)].map(([, row = ""]) =>
      [...row.matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/gi)].map(([, cell = ""]) =>
        cell.trim().replaceAll("|", "&#124;"),
      ),
    );
    return `\n${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}\n`;
  });
}

function cellsOf(line: string): readonly string[] {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim());
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

/** Columns on the screen: emoji and East Asian characters take two. */
function widthOf(text: string): number {
  const plain = stripVTControlCharacters(text).replace(/\ufe0f/g, "");
  const wide = plain.match(
    /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]/gu,
  );
  return [...plain].length + (wide?.length ?? 0);
}
