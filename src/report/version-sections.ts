import { formatBytes } from "../copy/format-bytes.ts";
import { formatDuration } from "../copy/format-duration.ts";
import { noBytes } from "../copy/outcome.ts";
import { shortDigest } from "../oci/digest.ts";
import { groupsOf } from "./grouping.ts";
import { code, details, escapeMarkdown, table } from "./markdown.ts";
import { digestOfStep, type ImageStep, isInPlace, type Reported, reportedImages } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import type { Section } from "./summary-section.ts";

const columns = [
  { title: "" },
  { title: "Image" },
  { title: "Digest" },
  { title: "Size", align: "right" },
  { title: "Outcome" },
  { title: "Time", align: "right" },
] as const;

/** For each version and destination a table with one row per image; folded away where nothing happened. */
export function versionSections(result: RunResult): readonly Section[] {
  const images = reportedImages(result);
  return result.plan.versions.flatMap((version) => {
    const ofVersion = images.filter(({ step }) => step.version === version);
    return groupsOf(ofVersion, ({ step }) => [step.destination]).map(({ first, all }) =>
      tableSection(version, first.step.destination, all),
    );
  });
}

function tableSection(version: string, destination: string, images: readonly Reported<ImageStep>[]): Section {
  const rows = table(columns, images.map(imageRow));
  const quiet = images.every(({ outcome }) => outcome === "skipped");
  const content = quiet
    ? details(`Nothing to do: ${countsOf(images)}`, rows)
    : `${countsOf(images)}\n\n${rows}`;
  const heading = `### ${escapeMarkdown(version)} at ${code(destination)}`;
  return {
    name: `${version} at ${destination}`,
    rank: quiet ? 6 : 3,
    markdown: `${heading}\n\n${content}`,
  };
}

/** How many images of a table became what: `10 copied, 2 in place`. */
function countsOf(images: readonly Reported<ImageStep>[]): string {
  return groupsOf(images, (image) => [wordOf(image)])
    .map(({ first, all }) => `${all.length} ${wordOf(first)}`)
    .join(", ");
}

function wordOf(image: Reported<ImageStep>): string {
  if (image.outcome === "planned") return "to copy";
  if (image.outcome !== "skipped") return image.outcome;
  return isInPlace(image) ? "in place" : "not wanted";
}

function imageRow(image: Reported<ImageStep>): readonly string[] {
  const { step, bytes, milliseconds } = image;
  const digest = digestOfStep(step);
  // What a failed image moved is not its size.
  const copied = isCopied(image) ? (bytes ?? noBytes) : noBytes;
  const size = copied.uploaded + copied.mounted + copied.present;
  return [
    iconOf(image),
    code(`${step.image}:${step.tag}`),
    digest === undefined ? "" : code(shortDigest(digest)),
    size === 0 ? "" : formatBytes(size),
    outcomeOf(image),
    milliseconds === undefined ? "" : formatDuration(milliseconds),
  ];
}

/** Whether this job has brought the image, with its tag or without. */
function isCopied({ outcome }: Reported<ImageStep>): boolean {
  return outcome === "copied" || outcome === "delivered";
}

function iconOf(image: Reported<ImageStep>): string {
  if (image.outcome === "delivered") return "📦";
  if (image.outcome === "failed") return "❌";
  if (image.outcome === "planned") return "🔎";
  return isInPlace(image) ? "✅" : "⏭️";
}

function outcomeOf(image: Reported<ImageStep>): string {
  const { step, outcome } = image;
  if (!isCopied(image)) {
    const reason = escapeMarkdown(image.reason);
    return outcome === "planned" ? `to copy: ${reason}` : reason;
  }
  return [movedWords(image), ...noteOf(step)].join("; ");
}

/** What moved, largest news first; what is zero is not news. */
function movedWords({ bytes = noBytes }: Reported<ImageStep>): string {
  const parts = [
    { size: bytes.uploaded, word: "uploaded" },
    { size: bytes.mounted, word: "mounted" },
    { size: bytes.present, word: "already there" },
  ].filter(({ size }) => size > 0);
  return parts.length === 0
    ? "tag set"
    : parts.map(({ size, word }) => `${formatBytes(size)} ${word}`).join(", ");
}

function noteOf(step: ImageStep): readonly string[] {
  if (step.kind !== "copy") return [];
  const subset = step.source.rewritten === undefined ? [] : ["new index of the chosen platforms"];
  return step.replaces === undefined ? subset : [...subset, `replaced ${code(shortDigest(step.replaces))}`];
}
