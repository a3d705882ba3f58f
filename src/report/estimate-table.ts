import type { PullBudget } from "../http/pull-limit.ts";
import type { Estimate, Need } from "../plan/estimate.ts";
import { countOf, formatBytes } from "../wording.ts";
import { code, table } from "./markdown.ts";
import type { RunResult } from "./result.ts";
import type { Section } from "./summary-section.ts";

type NeedOfPulls = Need["pulls"][number];

/**
 * What a plan needs, as lines for the log, below the plan; none where nothing is copied.
 * @param budgetOf pulls that a source registry has told to be left.
 */
export function estimateLines(
  { destinations, sources }: Estimate,
  budgetOf: (registry: string) => PullBudget | undefined,
): readonly string[] {
  if (destinations.length === 0) return [];
  const width = Math.max(...destinations.map(({ destination }) => destination.length));
  return [
    "To carry out this plan, a run needs:",
    ...destinations.map(
      (need) =>
        `  ${need.destination.padEnd(width)}  ${countOf(need.images, "image")}, ${bytesOf(need)} to upload`,
    ),
    `  From the sources, each blob once for all destinations: ${bytesOf(sources)}`,
    ...sources.pulls.map(
      (pulls) => `  Pulls at ${pulls.registry}: ${pullsOf(pulls)}${left(budgetOf(pulls.registry))}`,
    ),
  ];
}

function left(budget: PullBudget | undefined): string {
  return budget === undefined ? "" : `, with ${budget.remaining} of ${budget.limit} left`;
}

function bytesOf({ images, unsizedImages, mostBytes }: Need): string {
  if (images > 0 && unsizedImages === images) return "an unknown number of bytes";
  const known = `at most ${formatBytes(mostBytes)}`;
  return unsizedImages === 0 ? known : `${known} and ${countOf(unsizedImages, "image")} of unknown size`;
}

function pullsOf({ pulls, atLeast }: NeedOfPulls): string {
  return `${atLeast ? "at least " : ""}${pulls}`;
}

/** What the plan needs, for the summary of a dry run; nothing where it was not estimated, or nothing is copied. */
export function estimateSection({ estimate }: RunResult): readonly Section[] {
  if (estimate === undefined || estimate.destinations.length === 0) return [];
  const { destinations, sources } = estimate;
  const registries = sources.pulls.map(({ registry }) => registry);
  const row = (name: string, need: Need): readonly string[] => [
    name,
    String(need.images),
    bytesOf(need),
    ...registries.map((registry) => {
      const pulls = need.pulls.find((one) => one.registry === registry);
      return pulls === undefined ? "0" : pullsOf(pulls);
    }),
  ];
  const rows = [
    ...destinations.map((need) => row(code(need.destination), need)),
    row("read from the sources, once for all", sources),
  ];
  const columns = ["Images", "Bytes", ...registries.map((registry) => `Pulls at ${code(registry)}`)];
  const numbers = columns.map((title) => ({ title, align: "right" as const }));
  const markdown = [
    "### What a run needs",
    table([{ title: "Destination" }, ...numbers], rows),
    footnote(sources),
  ];
  return [{ name: "what a run needs", rank: 3, markdown: markdown.join("\n\n") }];
}

function footnote({ unsizedImages }: Need): string {
  const bound =
    "Bytes are those of all layers, each counted once; what a destination already holds of them is not moved again.";
  const unknown =
    " The size of an image is unknown where its manifest could not be read, or where reading it would have cost a pull.";
  return unsizedImages === 0 ? bound : bound + unknown;
}
