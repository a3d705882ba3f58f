import type { RetentionStep } from "../plan/plan.ts";
import { listOf } from "../wording.ts";
import { imagesOf } from "./failures.ts";
import { causesOf, groupsOf } from "./grouping.ts";
import { code, details, escapeMarkdown, table } from "./markdown.ts";
import { type Outcome, type Reported, reportedRetention } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import type { Section } from "./summary-section.ts";

/** Most versions that a cell names: it is to stay a line or two. */
const namedLimit = 8;

/** What became of versions, in the order of the columns; of other outcomes there are none here. */
const fates = [
  { outcome: "pruned", icon: "🧹", word: "pruned" },
  { outcome: "planned", icon: "🔎", word: "to prune" },
  { outcome: "failed", icon: "❌", word: "failed" },
  { outcome: "not-tried", icon: "⏸️", word: "not pruned" },
  { outcome: "left", icon: "⚠️", word: "left" },
  { outcome: "missing", icon: "❌", word: "not whole" },
  { outcome: "kept", icon: "✅", word: "kept" },
] as const satisfies readonly { readonly outcome: Outcome; readonly icon: string; readonly word: string }[];

/** Which versions were pruned at each destination, left alone, and kept: a row each. Nothing where all is kept. */
export function retentionSection(result: RunResult): readonly Section[] {
  const steps = reportedRetention(result);
  const columns = fates.filter((fate) => steps.some(({ outcome }) => outcome === fate.outcome));
  if (columns.every(({ outcome }) => outcome === "kept")) return [];
  const rows = groupsOf(steps, ({ step }) => [step.destination]).map(({ first, all }) => [
    code(first.step.destination),
    ...columns.map((fate) => versionsOf(all.filter(({ outcome }) => outcome === fate.outcome))),
  ]);
  const titles = columns.map(({ icon, word }) => ({ title: `${icon}&nbsp;${word.replace(" ", "&nbsp;")}` }));
  return [{ name: "pruned versions", rank: 1, markdown: table([{ title: "Destination" }, ...titles], rows) }];
}

function versionsOf(steps: readonly Reported<RetentionStep>[]): string {
  const versions = [...new Set(steps.map(({ step }) => step.version))];
  return listOf(versions.map(escapeMarkdown), namedLimit);
}

/** What each destination keeps, what was pruned there, what was left alone, and why: folded. */
export function reasonsSection(result: RunResult): readonly Section[] {
  const steps = reportedRetention(result);
  if (steps.length === 0) return [];
  const groups = causesOf(steps, ({ step, outcome }) => [step.destination, step.version, outcome]);
  const rows = groups.map(({ first, all, reason }) => [
    wordsOf(first),
    code(first.step.destination),
    escapeMarkdown(first.step.version),
    imagesOf(all, code) || "all",
    escapeMarkdown(reason),
  ]);
  const columns = ["", "Destination", "Version", "Images", "Why"].map((title) => ({ title }));
  const markdown = details("<strong>Kept and pruned</strong> · and why", table(columns, rows));
  return [{ name: "retention", rank: 4, markdown }];
}

function wordsOf({ outcome }: Reported<RetentionStep>): string {
  const { icon, word } = fates.find((fate) => fate.outcome === outcome) ?? fates[2];
  return `${icon}&nbsp;${word.replaceAll(" ", "&nbsp;")}`;
}
