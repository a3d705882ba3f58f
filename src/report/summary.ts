import { shortDigest } from "../oci/digest.ts";
import { hasRoutes, unknownVersion } from "../plan/plan.ts";
import { countOf, formatBytes, formatDuration, listOf } from "../wording.ts";
import { estimateSection } from "./estimate-table.ts";
import { failureGroups, imagesOf, refusedGroups } from "./failures.ts";
import { alert, code, details, escapeMarkdown, table, withCode } from "./markdown.ts";
import { pullSections } from "./pull-sections.ts";
import { type Reported, reportedSteps } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import { reasonsSection, retentionSection } from "./retention-section.ts";
import { standingSentences } from "./standing.ts";
import { statusOf } from "./status.ts";
import { joinSections, type Section } from "./summary-section.ts";
import { movedBytes, plannedOf, tallySteps } from "./tally.ts";
import { timelineSection } from "./timeline-section.ts";
import { overviewSection, versionSections } from "./version-sections.ts";

/** Most versions that the title names: it is to stay one line. */
const titleVersions = 3;

/** Most images that a line of the box names: more than any Harbor release has. */
const namedImages = 30;

/** Most lines of a highlighted box; what there is beyond stands in the tables. */
const boxLimit = 20;

/**
 * The job summary: GitHub Markdown of at most 1 MiB. The first screen has what a reader needs first: how it ended, what failed
 * and what is true now, numbers, what moved when, what was pruned. The rest is folded. What does not fit is left out from the
 * least important on, and named.
 */
export function summaryOf(result: RunResult): string {
  return joinSections([
    headSection(result),
    ...failureSection(result),
    destinationSection(result),
    ...replacedSection(result),
    ...refusedSection(result),
    ...estimateSection(result),
    ...overviewSection(result),
    ...timelineSection(result),
    ...retentionSection(result),
    ...versionSections(result),
    ...reasonsSection(result),
    ...pullSections(result),
    ...trafficSection(result),
  ]);
}

function headSection(result: RunResult): Section {
  const { repository, versions } = result.plan;
  const { icon, sentence } = statusOf(result);
  const title = `${repository} ${hasRoutes(result.plan) ? "" : listOf(versions, titleVersions)}`.trim();
  return {
    name: "status",
    rank: 0,
    markdown: `## ⚓ ${escapeMarkdown(title)}\n\n${icon} ${sentence}`,
  };
}

/** A column of numbers about one destination's steps. */
interface NumberColumn {
  readonly title: string;
  readonly cell: (steps: readonly Reported[]) => string;
}

const countColumns: readonly NumberColumn[] = [
  { title: "Copied", cell: (steps) => String(tallySteps(steps).copied) },
  { title: "Skipped", cell: (steps) => String(tallySteps(steps).skipped) },
  { title: "Pruned", cell: (steps) => String(tallySteps(steps).pruned) },
  { title: "Failed", cell: (steps) => String(tallySteps(steps).failed) },
];

/** Only where something moved. */
const trafficColumns: readonly NumberColumn[] = [
  { title: "Uploaded", cell: (steps) => formatBytes(movedBytes(steps).uploaded) },
  { title: "Reused", cell: (steps) => formatBytes(reusedBytes(steps)) },
  { title: "Time", cell: (steps) => timeOf(steps) },
];

const dryRunColumns: readonly NumberColumn[] = [
  { title: "To copy", cell: (steps) => String(plannedOf(steps, "copy") + plannedOf(steps, "await")) },
  { title: "To skip", cell: (steps) => String(tallySteps(steps).skipped) },
  { title: "To prune", cell: (steps) => String(plannedOf(steps, "prune")) },
  { title: "Cannot be mirrored", cell: (steps) => String(tallySteps(steps).failed) },
];

function destinationSection(result: RunResult): Section {
  const steps = reportedSteps(result);
  const hasMoved = movedBytes(steps).uploaded + reusedBytes(steps) > 0;
  const runColumns = [...countColumns, ...(hasMoved ? trafficColumns : [])];
  const columns = result.dryRun ? dryRunColumns : runColumns;
  const rows = result.destinations.map(({ name }) => {
    const own = steps.filter(({ step }) => step.destination === name);
    return [code(name), ...columns.map(({ cell }) => cell(own))];
  });
  const numbers = columns.map(({ title }) => ({ title, align: "right" as const }));
  return { name: "destinations", rank: 0, markdown: table([{ title: "Destination" }, ...numbers], rows) };
}

/** Bytes of images that were copied, and that the registry had: in this repository or in another, from which they are mounted. */
function reusedBytes(steps: readonly Reported[]): number {
  const { mounted, present } = movedBytes(steps);
  return mounted + present;
}

/** From the start of the copy until the last tag was set here, or the last image failed; nothing where none was copied. */
function timeOf(steps: readonly Reported[]): string {
  const last = steps.reduce((latest, { milliseconds = 0 }) => Math.max(latest, milliseconds), 0);
  return last === 0 ? "" : formatDuration(last).replaceAll(" ", "&nbsp;");
}

/** What failed and why, what to do about it, and what is true now. */
function failureSection(result: RunResult): readonly Section[] {
  const groups = failureGroups(reportedSteps(result));
  if (groups.length === 0) return [];
  const lines = groups.map(({ first, all, finding, advice }) => {
    const { destination, kind } = first.step;
    const what = kind === "prune" ? "pruning of " : "";
    // Which images another one holds back is in the table of the version.
    const images = first.failure?.kind === "held-back" ? countOf(all.length, "image") : namesOf(all);
    const todo = advice === undefined ? "" : `<br>**What to do:** ${withCode(advice)}`;
    return `- ${code(destination)}, ${what}${images}: ${withCode(finding)}${todo}`;
  });
  const standing = standingSentences(result, code).map((sentence) => `- ${sentence}`);
  const now = standing.length === 0 ? [] : ["", "**What is true now**", "", ...standing];
  return [
    {
      name: "failures",
      rank: 1,
      markdown: alert("CAUTION", [...boxLines("**What failed**", lines), ...now]),
    },
  ];
}

/** The images of some steps, in few characters: of several with the same tag, the tag once. */
function namesOf(steps: readonly Reported[]): string {
  const tags = new Set(steps.map(({ step }) => ("tag" in step ? step.tag : undefined)));
  const [tag] = tags;
  const isKnown = steps.every(({ step }) => step.version !== unknownVersion);
  if (tag === undefined || tags.size > 1 || steps.length < 2 || !isKnown) return imagesOf(steps, code);
  const names = [...new Set(steps.map(({ step }) => ("image" in step ? escapeMarkdown(step.image) : "")))];
  return `${countOf(names.length, "image")} of ${code(tag)} (${listOf(names, namedImages)})`;
}

/**
 * A tag that held another digest is somebody's surprise: said where it cannot be overlooked. What it held is named in full,
 * because only its digest leads to it then.
 */
function replacedSection(result: RunResult): readonly Section[] {
  const lines = reportedSteps(result).flatMap(({ step, outcome }) => {
    if (step.kind !== "copy" || step.replaces === undefined || outcome === "failed" || step.floating)
      return [];
    const reference = code(`${step.destination}/${step.image}:${step.tag}`);
    return [`- ${reference}: ${code(step.replaces)} → ${code(shortDigest(step.source.digest))}`];
  });
  if (lines.length === 0) return [];
  const title = result.dryRun
    ? "**Tags that hold another digest and would be replaced**"
    : "**Tags that held another digest and were replaced**";
  const left = `What they ${result.dryRun ? "hold would have no tag then" : "held has no tag now"}, unless another tag has it: it takes space until it is deleted there. Runs delete it only where the destination's own line has \`keep=N\`.`;
  const markdown = alert("WARNING", [...boxLines(title, lines), "", left]);
  return [{ name: "replaced tags", rank: 2, markdown }];
}

function refusedSection(result: RunResult): readonly Section[] {
  const lines = refusedGroups(reportedSteps(result)).map(
    ({ first, all, reason }) =>
      `- ${code(first.step.destination)}, ${imagesOf(all, code)}: ${escapeMarkdown(reason)}`,
  );
  if (lines.length === 0) return [];
  const title = "**Images that are there without signatures or the like, which the registry refuses**";
  return [{ name: "refused signatures", rank: 2, markdown: alert("WARNING", boxLines(title, lines)) }];
}

function boxLines(title: string, lines: readonly string[]): readonly string[] {
  const more = lines.length - boxLimit;
  const shown = lines.slice(0, boxLimit);
  return [title, "", ...shown, ...(more > 0 ? [`- … and ${more} more, in the JSON report.`] : [])];
}

function trafficSection(result: RunResult): readonly Section[] {
  if (result.requests.size === 0) return [];
  const rows = [...result.requests].map(([host, requests]) => [code(host), String(requests)]);
  const hosts = table([{ title: "Host" }, { title: "Requests", align: "right" }], rows);
  const all = [...result.requests.values()].reduce((sum, requests) => sum + requests, 0);
  const title = `<strong>Requests</strong> · ${all} to ${countOf(rows.length, "host")}`;
  return [{ name: "requests", rank: 6, markdown: details(title, `${readWords(result)}\n\n${hosts}`) }];
}

/** What this job read: in a run over several jobs each blob is read once in each job that needs it. */
function readWords({ dryRun, job, bytesRead }: RunResult): string {
  if (job === "plan") return "No blob was read by this job: those that copy read them.";
  if (dryRun) return "No blob was read: this was a dry run.";
  if (job === "publish") return "No blob was read by this job: those before it have copied them.";
  const bytes = `${formatBytes(bytesRead)} were read from the sources, each blob once`;
  return job === "copy" ? `${bytes} for all images of this job's share.` : `${bytes} for all destinations.`;
}
