/** The results as a picture: bars of time by tool, one panel for each profile and variant. Pure. */
import type { PlottedResult } from "./results.ts";
import type { Spread } from "./statistics.ts";

type PlottedTool = PlottedResult["tools"][number];

/** Sizes in pixels of the picture's own scale. */
const width = 760;
const labelWidth = 130;
const valueWidth = 70;
const rowHeight = 30;
const barHeight = 9;
const panelHead = 50;
const panelFoot = 18;

/** Colours that keep a contrast of 3:1 to the page in light and in dark mode (WCAG 2.2, 1.4.11). */
const style = `
  text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 14px; }
  .quiet { fill: #59636e; }
  .ours { font-weight: 600; }
  .near { fill: #1a7f37; }
  .far { fill: #0969da; }
  .wall { fill: #818b98; }
  .bound { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .near { fill: #3fb950; }
    .far { fill: #4493f8; }
    .bound { stroke: #f85149; }
  }`;

/** Draws results as one SVG picture: per tool the time until near and far are complete, and until the tool ends. */
export function plot(results: readonly PlottedResult[]): string {
  let top = 0;
  const panels = results.map((result) => {
    const drawn = `<g transform="translate(0 ${top})">${panel(result)}</g>`;
    top += heightOf(result);
    return drawn;
  });
  const legendTop = top + 14;
  const height = legendTop + 12;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Time to copy a release, by tool">`,
    `<style>${style}\n</style>`,
    ...panels,
    legend(legendTop),
    "</svg>\n",
  ].join("\n");
}

function heightOf({ tools }: PlottedResult): number {
  return panelHead + tools.length * rowHeight + panelFoot;
}

function panel(result: PlottedResult): string {
  const { tools, bound } = result;
  const times = [
    ...tools.flatMap(({ wallSeconds }) => wallSeconds?.median ?? []),
    bound.wallSeconds?.median ?? 0,
  ];
  const longest = Math.max(...times, Number.MIN_VALUE);
  const x = (seconds: number) => labelWidth + (seconds / longest) * (width - labelWidth - valueWidth);
  const date = result.date.slice(0, 10);
  return [
    `<text class="title" x="0" y="18">${escaped(`${result.profile}, ${result.variant}: ${result.variantTitle} (${date})`)}</text>`,
    `<text class="quiet" x="0" y="36">${escaped(result.profileTitle)}</text>`,
    ...tools.map((tool, index) => row(tool, panelHead + index * rowHeight, x)),
    boundLine(bound.wallSeconds, tools.length, x),
  ].join("\n");
}

function row(tool: PlottedTool, top: number, x: (seconds: number) => number): string {
  const middle = top + barHeight + 4;
  const label = `<text class="${tool.ours ? "ours" : ""}" x="0" y="${middle}">${escaped(tool.tool)}</text>`;
  const { wallSeconds, nearSeconds, farSeconds, failed } = tool;
  if (wallSeconds === undefined)
    return `${label}<text class="quiet" x="${labelWidth}" y="${middle}">failed</text>`;
  const note = failed > 0 ? `, ${failed} failed` : "";
  const value = `<text x="${round(x(wallSeconds.median) + 6)}" y="${middle}">${wallSeconds.median.toFixed(1)} s${note}</text>`;
  return [
    label,
    // The thin bar behind is the time until the process ends; without the others it stands for the unchanged release.
    bar("wall", wallSeconds, top + barHeight - 1, 2, x),
    bar("near", nearSeconds, top, barHeight, x),
    bar("far", farSeconds, top + barHeight, barHeight, x),
    value,
  ].join("");
}

function bar(
  name: string,
  spread: Spread | undefined,
  top: number,
  height: number,
  x: (seconds: number) => number,
): string {
  if (spread === undefined) return "";
  const length = round(x(spread.median) - labelWidth);
  return `<rect class="${name}" x="${labelWidth}" y="${top}" width="${length}" height="${height}"/>`;
}

function boundLine(bound: Spread | undefined, rows: number, x: (seconds: number) => number): string {
  if (bound === undefined) return "";
  const at = round(x(bound.median));
  return `<line class="bound" x1="${at}" x2="${at}" y1="${panelHead - 4}" y2="${panelHead + rows * rowHeight - 6}"/>`;
}

function legend(top: number): string {
  const entries = [
    ["near", "near destination complete"],
    ["far", "far destination complete"],
    ["wall", "process ended"],
  ] as const;
  const marks = entries.map(
    ([name, text], index) =>
      `<rect class="${name}" x="${index * 200}" y="${top - 8}" width="12" height="8"/><text class="quiet" x="${index * 200 + 18}" y="${top}">${text}</text>`,
  );
  const line = `<line class="bound" x1="600" x2="612" y1="${top - 4}" y2="${top - 4}"/><text class="quiet" x="618" y="${top}">lower bound</text>`;
  return [...marks, line].join("");
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
