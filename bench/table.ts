/** A result as an aligned table for the terminal. Pure. */
import type { Place } from "./profiles.ts";
import type { Result, ToolSummary } from "./results.ts";
import type { Spread } from "./statistics.ts";

interface Column {
  readonly title: string;
  readonly cell: (summary: ToolSummary) => string;
}

const columns: readonly Column[] = [
  { title: "tool", cell: ({ tool }) => tool },
  { title: "done", cell: ({ runs, failed }) => `${runs - failed}/${runs}` },
  { title: "all s", cell: ({ wallSeconds }) => spread(wallSeconds, seconds) },
  { title: "÷bound", cell: ({ ratios }) => ratio(ratios.wallToBound) },
  { title: "÷peer", cell: ({ ratios }) => ratio(ratios.wallToPeer) },
  { title: "near s", cell: ({ nearSeconds }) => spread(nearSeconds, seconds) },
  { title: "÷bound", cell: ({ ratios }) => ratio(ratios.nearToBound) },
  { title: "÷peer", cell: ({ ratios }) => ratio(ratios.nearToPeer) },
  { title: "far s", cell: ({ farSeconds }) => spread(farSeconds, seconds) },
  { title: "CPU s", cell: ({ cpuSeconds }) => spread(cpuSeconds, seconds) },
  { title: "÷peer", cell: ({ ratios }) => ratio(ratios.cpuToPeer) },
  { title: "peak MiB", cell: ({ peakMemory }) => one(peakMemory, (bytes) => (bytes / 2 ** 20).toFixed(0)) },
  { title: "requests", cell: ({ requests }) => perPlace(requests, String) },
  { title: "MB", cell: ({ bytes }) => perPlace(bytes, (size) => (size / 1e6).toFixed(1)) },
  { title: "÷unique", cell: ({ ratios }) => ratio(ratios.sourceToUnique) },
  {
    title: "surplus MB",
    cell: ({ surplus }) =>
      [surplus.near, surplus.far].map((each) => one(each, (size) => (size / 1e6).toFixed(1))).join(" / "),
  },
  {
    title: "first ms",
    cell: ({ firstRequestSeconds }) => one(firstRequestSeconds, (s) => (s * 1000).toFixed(0)),
  },
];

/** The table of a result, and below it what went wrong. */
export function printResult(result: Result): string {
  const rows = [
    columns.map(({ title }) => title),
    ...result.tools.map((tool) => columns.map(({ cell }) => cell(tool))),
  ];
  const bound = `bound: all ${spread(result.bound.wallSeconds, seconds)} s, near ${spread(result.bound.nearSeconds, seconds)} s (${result.boundTitle})`;
  const problems = result.tools.flatMap(({ tool, problems: found }) =>
    found.slice(0, problemLimit).map((problem) => `${tool}: ${problem}`),
  );
  return [...align(rows), bound, "requests and MB: source / near / far", ...problems].join("\n");
}

/** Most problems that are printed of a tool; all of them are in the file. */
const problemLimit = 3;

/** Pads columns: the first to the left, figures to the right. */
function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = columns.map((_column, index) => Math.max(...rows.map((row) => (row[index] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, index) =>
        index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
      )
      .join("  "),
  );
}

const none = "–";

function spread(figures: Spread | undefined, print: (figure: number) => string): string {
  if (figures === undefined) return none;
  const { median, least, most } = figures;
  return `${print(median)} (${print(least)}–${print(most)})`;
}

function one(figures: Spread | undefined, print: (figure: number) => string): string {
  return figures === undefined ? none : print(figures.median);
}

function perPlace(
  figures: Readonly<Record<Place, Spread | undefined>>,
  print: (figure: number) => string,
): string {
  return [figures.source, figures.near, figures.far].map((each) => one(each, print)).join(" / ");
}

function seconds(figure: number): string {
  return figure.toFixed(2);
}

function ratio(figure: number | undefined): string {
  return figure === undefined ? none : figure.toFixed(2);
}
