import { noBytes } from "../copy/outcome.ts";
import type { ImageStep } from "../plan/plan.ts";
import { countOf, formatBytes } from "../wording.ts";
import { groupsOf } from "./grouping.ts";
import { codeBlock, details } from "./markdown.ts";
import { type Reported, reportedImages } from "./reported-step.ts";
import type { RunResult } from "./result.ts";
import type { Section } from "./summary-section.ts";

/** Most bars of the chart: on one screen, and far below what Mermaid draws at all. */
const barLimit = 30;

/** Most bars that stand open: beside the rest on one screen. */
const openBars = 8;

/** Most characters of a label: what stands beside a bar without leaving the picture. */
const labelLimit = 60;

/** Width of a character of a destination's name in pixels, at Mermaid's 11 pixels for names of sections. */
const characterWidth = 6;

/** Room at the left of and behind a destination's name, in pixels. */
const namePadding = 24;

/** Least width of a bar as a part of the whole time: one that took no time would not be seen. */
const leastWidth = 1 / 200;

/** What moved to one destination within a span of time; times in milliseconds since the start of the copy. */
interface Bar {
  readonly destination: string;
  readonly label: string;
  /** By which the largest are chosen. */
  readonly bytes: number;
  readonly begin: number;
  readonly end: number;
  readonly failed: boolean;
}

type MovedImage = Reported<ImageStep> & { readonly moved: NonNullable<Reported["moved"]> };

/**
 * A picture of the copy, as a Gantt chart that GitHub draws: for each destination one bar for each version, from its first byte
 * until its tags were set. None where there is only one bar, or nothing was sent. Folded where it would fill the screen.
 */
export function timelineSection(result: RunResult): readonly Section[] {
  const bars = versionBars(reportedImages(result).filter(hasMoved)).filter(({ bytes }) => bytes > 0);
  if (bars.length < 2) return [];
  const shown = largest(bars);
  const which =
    shown.length < bars.length ? ` The ${shown.length} with the most bytes, of ${bars.length}.` : "";
  const red = shown.some(({ failed }) => failed) ? " What failed is red." : "";
  const caption = `From the first byte until the tags were set. Time since the copy began.${which}${red}`;
  const chart = `${codeBlock("mermaid", chartLines(shown))}\n\n<sub>${caption}</sub>`;
  const markdown = shown.length <= openBars ? chart : details("<strong>What moved when</strong>", chart);
  return [{ name: "what moved when", rank: 5, markdown }];
}

function hasMoved(image: Reported<ImageStep>): image is MovedImage {
  return image.moved !== undefined;
}

function versionBars(images: readonly MovedImage[]): readonly Bar[] {
  return groupsOf(images, ({ step }) => [step.destination, step.route, step.version]).map(
    ({ first, all }) => {
      const { destination, version, route = version } = first.step;
      const bytes = all.reduce((sum, image) => sum + bytesOf(image), 0);
      return {
        destination,
        label: `${formatBytes(bytes)} ${route}, ${countOf(all.length, "image")}`,
        bytes,
        begin: all.reduce((earliest, { moved }) => Math.min(earliest, moved.begin), first.moved.begin),
        end: all.reduce((latest, image) => Math.max(latest, endOf(image)), 0),
        failed: all.some(({ outcome }) => outcome === "failed"),
      };
    },
  );
}

/** When the tag was set; of an image that failed, or whose tag another job sets, when its content had moved. */
function endOf({ outcome, moved, milliseconds = 0 }: MovedImage): number {
  return outcome === "copied" ? Math.max(moved.end, milliseconds) : moved.end;
}

/** What was sent for an image; what other images had brought already is their own. */
function bytesOf({ bytes = noBytes }: MovedImage): number {
  return bytes.uploaded;
}

/** What failed and the largest of each destination, in the order in which they began; all destinations have the same room. */
function largest(bars: readonly Bar[]): readonly Bar[] {
  const groups = groupsOf(bars, ({ destination }) => [destination]).slice(0, barLimit);
  const room = Math.floor(barLimit / groups.length);
  return groups.flatMap(({ all }) =>
    [...all]
      .sort((one, other) => Number(other.failed) - Number(one.failed) || other.bytes - one.bytes)
      .slice(0, room)
      .sort((one, other) => one.begin - other.begin || one.end - other.end),
  );
}

/**
 * Times are dates without a time zone, read and printed as local time: so the axis begins at zero wherever the reader is,
 * also where the time zone is off by half an hour. https://mermaid.js.org/syntax/gantt.html
 */
function chartLines(bars: readonly Bar[]): readonly string[] {
  const last = Math.max(1, ...bars.map(({ end }) => end));
  const least = Math.ceil(last * leastWidth);
  const longest = Math.max(...bars.map(({ destination }) => labelText(destination).length));
  const leftPadding = longest * characterWidth + namePadding;
  return [
    // Else bars begin 75 pixels from the left, on top of the names. https://mermaid.js.org/config/schema-docs/config-defs-gantt-diagram-config.html
    `%%{init: {"gantt": {"leftPadding": ${leftPadding}}}}%%`,
    "gantt",
    "  dateFormat YYYY-MM-DD HH:mm:ss.SSS",
    `  axisFormat ${axisFormat(last)}`,
    "  todayMarker off",
    ...groupsOf(bars, ({ destination }) => [destination]).flatMap(({ first: { destination }, all }) => [
      `  section ${labelText(destination)}`,
      ...all.map(({ label, begin, end, failed }) => {
        const span = `${momentText(begin)}, ${momentText(Math.max(end, begin + least))}`;
        return `  ${labelText(label)} :${failed ? "crit, " : ""}${span}`;
      }),
    ]),
  ];
}

/** Marks of the axis: tenths of a second, seconds or minutes and hours, by how long it took in milliseconds. */
function axisFormat(last: number): string {
  if (last < 10_000) return "%S.%L s";
  return last < 3_600_000 ? "%M:%S" : "%H:%M:%S";
}

function momentText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace("T", " ").replace("Z", "");
}

/**
 * A label as the chart takes it. A colon ends a label, a semicolon or a line feed ends the line, `#` and `%%` begin a
 * comment or a directive; and so that no image is taken for a keyword of the chart (`click`, `section`), every label begins
 * with a number or a word of ours. The colon of a port becomes the sign for a ratio, which looks like it.
 * https://github.com/mermaid-js/mermaid/blob/develop/packages/mermaid/src/diagrams/gantt/parser/gantt.jison
 */
function labelText(text: string): string {
  const safe = text.replaceAll(":", "\u2236").replace(/[^\w./,+@[\]\u2236 -]/g, "_");
  return safe.length <= labelLimit ? safe : `${safe.slice(0, labelLimit - 1)}…`;
}
