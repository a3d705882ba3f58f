import type { RetentionStep } from "../plan/plan.ts";
import { imagesOf } from "./failures.ts";
import { causesOf } from "./grouping.ts";
import { code, escapeMarkdown, table } from "./markdown.ts";
import { type Reported, reportedRetention } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import type { Section } from "./summary-section.ts";

const columns = [
  { title: "" },
  { title: "Destination" },
  { title: "Version" },
  { title: "Images" },
  { title: "Why" },
] as const;

/** What each destination keeps, what was pruned there, what was left alone, and why. */
export function retentionSection(result: RunResult): readonly Section[] {
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
  return [{ name: "retention", rank: 4, markdown: `### Kept and pruned\n\n${table(columns, rows)}` }];
}

function wordsOf({ outcome }: Reported<RetentionStep>): string {
  switch (outcome) {
    case "kept":
      return "✅&nbsp;kept";
    case "missing":
      return "❌&nbsp;not&nbsp;there";
    case "pruned":
      return "🧹&nbsp;pruned";
    case "planned":
      return "🔎&nbsp;to&nbsp;prune";
    case "not-tried":
      return "⏸️&nbsp;not&nbsp;pruned";
    case "left":
      return "⚠️&nbsp;left";
    default:
      return "❌&nbsp;failed";
  }
}
