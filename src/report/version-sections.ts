import { noBytes } from "../copy/outcome.ts";
import { shortDigest } from "../oci/digest.ts";
import { digestOfStep, hasRoutes, type ImageStep, isUncompared, subjectOf } from "../plan/plan.ts";
import { countOf, formatBytes, formatDuration } from "../wording.ts";
import { imagesOf } from "./failures.ts";
import { causesOf, groupsOf } from "./grouping.ts";
import { code, codeBlock, details, escapeMarkdown, table } from "./markdown.ts";
import { isInPlace, type Reported, reportedImages } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import { foldedTogether, type Section } from "./summary-section.ts";

/** Most destinations that have a column each. */
const wideLimit = 3;

/** Most rows of the overview that stand open: what fits one screen beside the rest. */
const openRows = 10;

/** Most lines of notes below a table; their reasons are in the JSON report, every one. */
const noteLimit = 20;

/** Most digests that are given in full: more than any Harbor release has images. */
const digestLimit = 100;

/** The images of a version, or where a run has several routes of one of them; those of each destination apart. */
interface VersionImages {
  readonly version: string;
  readonly images: readonly Reported<ImageStep>[];
  /** Where the version was to go, in the order of the run. */
  readonly destinations: readonly string[];
}

/** An image of a version at all destinations. */
interface ImageRow {
  readonly name: string;
  readonly all: readonly Reported<ImageStep>[];
  /** As the first destination that is to have it has it. */
  readonly digest: string | undefined;
  /** Bytes; 0 where this run has not learned it. */
  readonly size: number;
}

/** How every version stands at every destination, one row each. Only where there are several. Of routes, those that had work. */
export function overviewSection(result: RunResult): readonly Section[] {
  const { versions, quiet } = withWork(versionsOf(result), result);
  const rest = quiet === 0 ? "" : `Nothing had to be done for ${countOf(quiet, "repository")}.`;
  if (versions.length < 2 && rest === "") return [];
  const title = hasRoutes(result.plan) ? "Repositories" : "Versions";
  const names = result.destinations.map(({ name }) => name);
  const isWide = names.length > wideLimit;
  const columns = [
    hasRoutes(result.plan) ? "Repository" : "Version",
    ...(isWide ? ["Destination", ""] : names.map(code)),
  ];
  const rowsOf = (some: readonly VersionImages[]) =>
    isWide ? some.flatMap(placeRows) : some.map((version) => wholeRow(version, names));
  const tableOf = (rows: readonly (readonly string[])[]) =>
    rows.length === 0
      ? ""
      : table(
          columns.map((heading) => ({ title: heading })),
          rows,
        );
  const rows = rowsOf(versions);
  const failed = rowsOf(versions.filter(({ images }) => hasFailed(images))).slice(0, openRows);
  const folded = details(`<strong>${title}</strong> · all ${versions.length}`, tableOf(rows));
  const tables = rows.length <= openRows ? [tableOf(rows)] : [tableOf(failed), folded];
  const markdown = [...tables, rest].filter((block) => block !== "").join("\n\n");
  return [{ name: title.toLowerCase(), rank: 1, markdown }];
}

/** A version at all destinations. */
function wholeRow({ version, images }: VersionImages, names: readonly string[]): readonly string[] {
  const stands = names.map((name) => standOf(images.filter(({ step }) => step.destination === name)));
  return [escapeMarkdown(version), ...stands];
}

/** A version at each of the destinations that it was to go to, a row each. */
function placeRows({ version, images, destinations }: VersionImages): readonly (readonly string[])[] {
  return destinations.map((name) => [
    escapeMarkdown(version),
    code(name),
    standOf(images.filter(({ step }) => step.destination === name)),
  ]);
}

function hasFailed(images: readonly Reported<ImageStep>[]): boolean {
  return images.some(({ outcome }) => outcome === "failed");
}

/**
 * For each version a table with one row per image and a column per destination, folded. Of many versions, those in which nothing
 * failed are folded together once more.
 */
export function versionSections(result: RunResult): readonly Section[] {
  const { versions } = withWork(versionsOf(result), result);
  const failed = versions.filter(({ images }) => hasFailed(images));
  const rest = versions.filter((version) => !failed.includes(version));
  const title = `<strong>Images</strong> · of ${countOf(rest.length, hasRoutes(result.plan) ? "repository" : "version")}`;
  return [...failed.map(versionSection), ...foldedTogether(title, rest.map(versionSection))];
}

/** Of many routes, those with nothing to do are only counted. */
function withWork(
  all: readonly VersionImages[],
  { plan }: Pick<RunResult, "plan">,
): { readonly versions: readonly VersionImages[]; readonly quiet: number } {
  const versions = hasRoutes(plan) ? all.filter(({ images }) => !isQuiet(images)) : all;
  return { versions, quiet: all.length - versions.length };
}

function isQuiet(images: readonly Reported<ImageStep>[]): boolean {
  return images.every(({ outcome, step }) => outcome === "skipped" && !isUncompared(step));
}

function versionsOf(result: RunResult): readonly VersionImages[] {
  const images = reportedImages(result);
  const unitOf = ({ step }: Reported<ImageStep>) => step.route ?? step.version;
  const units = Map.groupBy(images, unitOf);
  const order = hasRoutes(result.plan) ? [...units.keys()] : result.plan.versions;
  return order.flatMap((version) => {
    const ofVersion = units.get(version) ?? [];
    const named = new Set(ofVersion.map(({ step }) => step.destination));
    const destinations = result.destinations.map(({ name }) => name).filter((name) => named.has(name));
    return ofVersion.length === 0 ? [] : [{ version, images: ofVersion, destinations }];
  });
}

function versionSection({ version, images, destinations }: VersionImages): Section {
  const rows = groupsOf(images, ({ step }) => [step.image, step.tag]).map(({ all }) => imageRow(all));
  const blocks = [imageTable(rows, images, destinations), ...notesOf(images), ...digestBlock(rows)].join(
    "\n\n",
  );
  const summary = summaryLine(rows, images, destinations);
  const heading = `${iconOf(images)} ${escapeMarkdown(version)}`;
  return {
    name: version,
    rank: isQuiet(images) ? 6 : 3,
    markdown: details(`<strong>${heading}</strong> · ${summary}`, blocks),
  };
}

function imageRow(all: readonly Reported<ImageStep>[]): ImageRow {
  const step = all[0]?.step;
  return {
    name: step === undefined ? "" : subjectOf(step),
    all,
    digest: all.map((image) => digestOfStep(image.step)).find((digest) => digest !== undefined),
    size: all.reduce((size, image) => Math.max(size, sizeOf(image)), 0),
  };
}

/** All bytes of an image that was brought. What a failed one moved is not its size. */
function sizeOf(image: Reported<ImageStep>): number {
  const { uploaded, mounted, present } = isCopied(image) ? (image.bytes ?? noBytes) : noBytes;
  return uploaded + mounted + present;
}

function totalSize(rows: readonly ImageRow[]): number {
  return rows.reduce((sum, row) => sum + row.size, 0);
}

/** A size that stays on one line in a narrow column; nothing where it is not known. */
function sizeCell(size: number): string {
  return size === 0 ? "" : formatBytes(size).replace(" ", "&nbsp;");
}

/** `12 images of 641.0 MB at 2 destinations: 12 copied, 12 in place`. */
function summaryLine(
  rows: readonly ImageRow[],
  images: readonly Reported<ImageStep>[],
  destinations: readonly string[],
): string {
  const size = totalSize(rows);
  const counts = groupsOf(images, (image) => [wordOf(image)])
    .map(({ first, all }) => `${all.length} ${wordOf(first)}`)
    .join(", ");
  const head = `${countOf(rows.length, "image")}${size === 0 ? "" : ` of ${formatBytes(size)}`}`;
  return `${head} at ${countOf(destinations.length, "destination")}: ${counts}`;
}

function imageTable(
  rows: readonly ImageRow[],
  images: readonly Reported<ImageStep>[],
  destinations: readonly string[],
): string {
  const columns = [
    { title: "Image" },
    { title: "Size", align: "right" as const },
    { title: "Digest" },
    ...destinations.map((name) => ({ title: code(name) })),
  ];
  const cells = rows.map((row) => [
    code(row.name),
    sizeCell(row.size),
    row.digest === undefined ? "" : code(shortDigest(row.digest)),
    ...destinations.map((name) => destinationCell(row, name)),
  ]);
  const totals = destinations.map((name) => standOf(images.filter(({ step }) => step.destination === name)));
  return table(columns, [...cells, ["**In all**", sizeCell(totalSize(rows)), "", ...totals]]);
}

function destinationCell(row: ImageRow, destination: string): string {
  const image = row.all.find(({ step }) => step.destination === destination);
  if (image === undefined) return "";
  const { step } = image;
  const words = isCopied(image) ? movedWords(image) : wordOf(image);
  const digest = digestOfStep(step);
  const other = digest === undefined || digest === row.digest ? [] : [`holds ${code(shortDigest(digest))}`];
  return `${iconOf([image])} ${[words, ...other, ...noteOf(image)].join("; ")}`;
}

/** How a version stands at one destination. */
function standOf(images: readonly Reported<ImageStep>[]): string {
  if (images.length === 0) return "";
  const count = (wanted: (image: Reported<ImageStep>) => boolean): number => images.filter(wanted).length;
  const icon = iconOf(images);
  const failed = count(({ outcome }) => outcome === "failed");
  if (failed > 0) return `${icon} ${failed} of ${images.length} failed`;
  const planned = count(({ outcome }) => outcome === "planned");
  if (planned > 0) return `${icon} ${planned} ${plannedWord(images)}`;
  const delivered = count(({ outcome }) => outcome === "delivered");
  if (delivered > 0) return `${icon} ${delivered} delivered`;
  const left = count(({ outcome }) => outcome === "left");
  if (left > 0) return `${icon} ${left} of ${images.length} left alone`;
  const inPlace = count(isInPlace);
  if (inPlace === 0) return `${icon} not wanted`;
  const copied = images.filter(({ outcome }) => outcome === "copied" || outcome === "arrived");
  const after = copied.reduce((latest, { milliseconds = 0 }) => Math.max(latest, milliseconds), 0);
  return copied.length === 0
    ? `${icon} ${inPlace} in place`
    : `${icon} ${inPlace} in place after ${formatDuration(after)}`;
}

/** What was not copied, and why: all of one cause at one destination together. */
function notesOf(images: readonly Reported<ImageStep>[]): readonly string[] {
  const rest = images.filter((image) => !isCopied(image) && image.outcome !== "arrived");
  const groups = causesOf(rest, ({ step, outcome }) => [step.destination, outcome]);
  const notes = groups.map(({ first, all, reason }) => {
    const which = all.length === images.length ? "" : `, ${imagesOf(all, code)}`;
    return `- ${iconOf(all)} ${code(first.step.destination)}${which}: ${escapeMarkdown(reason)}`;
  });
  if (notes.length === 0) return [];
  const more = notes.length - noteLimit;
  const hidden = more > 0 ? [`- … and ${more} more, in the JSON report.`] : [];
  return [[...notes.slice(0, noteLimit), ...hidden].join("\n")];
}

/** The digests in full, to copy: what follows the name of a mirror in a reference that nobody can move. */
function digestBlock(rows: readonly ImageRow[]): readonly string[] {
  const lines = rows.flatMap(({ name, digest }) => (digest === undefined ? [] : [`${name}@${digest}`]));
  if (lines.length === 0) return [];
  const more = lines.length - digestLimit;
  const hidden = more > 0 ? [`and ${more} more, in the JSON report`] : [];
  return [details("Digests in full", codeBlock("text", [...lines.slice(0, digestLimit), ...hidden]))];
}

/** What is to be done; at one destination all is copied or all is awaited. */
function plannedWord(images: readonly Reported<ImageStep>[]): string {
  return images.some(({ step }) => step.kind === "await") ? "to await" : "to copy";
}

function wordOf(image: Reported<ImageStep>): string {
  if (image.outcome === "planned") return plannedWord([image]);
  if (image.outcome === "left") return "left alone";
  if (image.outcome !== "skipped") return image.outcome;
  if (isUncompared(image.step)) return "in place, not compared";
  return isInPlace(image) ? "in place" : "not wanted";
}

/** Whether this job has brought the image, with its tag or without. */
function isCopied({ outcome }: Reported<ImageStep>): boolean {
  return outcome === "copied" || outcome === "delivered";
}

/** What is worst among some images. */
function iconOf(images: readonly Reported<ImageStep>[]): string {
  const has = (wanted: Reported["outcome"]): boolean => images.some(({ outcome }) => outcome === wanted);
  if (has("failed")) return "❌";
  if (has("planned")) return "🔎";
  if (has("delivered")) return "📦";
  if (has("left") || images.some(({ step }) => isUncompared(step))) return "⚠️";
  return images.some(isInPlace) ? "✅" : "⏭️";
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

function noteOf({ step, outcome }: Reported<ImageStep>): readonly string[] {
  if (step.kind !== "copy" || outcome === "failed" || outcome === "left") return [];
  const subset = step.source.rewritten === undefined ? [] : ["new index, with the unwanted left out"];
  if (step.replaces === undefined) return subset;
  const verb = outcome === "planned" ? "would replace" : "replaced";
  return [...subset, `${verb} ${code(shortDigest(step.replaces))}`];
}
