import { listOf } from "../wording.ts";
import { alert, escapeMarkdown } from "./markdown.ts";

/** A piece of the summary that is shown whole or not at all. */
export interface Section {
  /** What it is about, for the sentence that says it was left out. Not escaped. */
  readonly name: string;
  /** 0 stays whatever happens; of the others the highest goes first, of equals the last. */
  readonly rank: 0 | 1 | 2 | 3 | 4 | 5 | 6;
  readonly markdown: string;
}

/**
 * Most bytes (UTF-8) of all sections. GitHub takes 1 MiB per step and drops a larger summary whole; the rest of that is
 * room for the sentence about what was left out.
 * https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
 */
export const summaryLimit = 1_000_000;

/** Most sections of a kind that have a line of their own to unfold. */
const openFolds = 4;

/** Folded sections of a kind; many of them below one line. Each can still be left out by itself. @param title finished. */
export function foldedTogether(title: string, sections: readonly Section[]): readonly Section[] {
  if (sections.length <= openFolds) return sections;
  const edge = (markdown: string): Section => ({ name: title, rank: 0, markdown });
  return [edge(`<details><summary>${title}</summary>`), ...sections, edge("</details>")];
}

/** Most sections that the sentence names. */
const namedSections = 20;

/**
 * The sections as one text of at most `limit` bytes and a sentence about those that did not fit.
 * @param limit bytes of UTF-8.
 */
export function joinSections(sections: readonly Section[], limit = summaryLimit): string {
  const dropped = sectionsToDrop(sections, limit);
  const shown = sections.filter((section) => !dropped.has(section)).map(({ markdown }) => markdown);
  if (dropped.size === 0) return text(shown);
  const names = sections.filter((section) => dropped.has(section)).map(({ name }) => escapeMarkdown(name));
  const leftOut = alert("NOTE", [
    `GitHub shows at most 1 MiB, so this was left out here: ${listOf(names, namedSections)}. The JSON report (output <code>report</code>) has everything.`,
  ]);
  return text([...shown, leftOut]);
}

function text(blocks: readonly string[]): string {
  return `${blocks.join("\n\n")}\n`;
}

function sectionsToDrop(sections: readonly Section[], limit: number): ReadonlySet<Section> {
  // Two bytes for the empty line after each.
  const size = ({ markdown }: Section): number => Buffer.byteLength(markdown) + 2;
  let total = sections.reduce((sum, section) => sum + size(section), 0);
  const dropped = new Set<Section>();
  const leastImportantFirst = [...sections].reverse().sort((one, other) => other.rank - one.rank);
  for (const section of leastImportantFirst) {
    if (total <= limit || section.rank === 0) break;
    dropped.add(section);
    total -= size(section);
  }
  return dropped;
}
