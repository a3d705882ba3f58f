import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

const spread = v.object({ median: v.number() });

/** The part of a kept result of the benchmark that documents show. Times in seconds, sizes in bytes. */
const resultSchema = v.object({
  date: v.string(),
  bound: v.object({ wallSeconds: spread, nearSeconds: spread }),
  missing: v.object({ bytes: v.number() }),
  tools: v.array(
    v.object({
      tool: v.string(),
      version: v.string(),
      wallSeconds: v.optional(spread),
      nearSeconds: v.optional(spread),
      cpuSeconds: v.optional(spread),
      peakMemory: v.optional(spread),
      bytes: v.object({ source: v.optional(spread) }),
    }),
  ),
});

type Result = v.InferOutput<typeof resultSchema>;

/**
 * The newest counted result of copying a release over a near and a far link, as a table.
 * @param folder that the benchmark writes its results to.
 * @throws Error when there is none; ValiError when it is not of that form.
 */
export function benchmarkTable(folder: string): string {
  return tableOf(newestResult(folder));
}

/**
 * The same result in one sentence: the time here, that of the fastest of the other tools, and the least that the links allow.
 * @throws as `benchmarkTable`.
 */
export function benchmarkSentence(folder: string): string {
  const { date, bound, missing, tools } = newestResult(folder);
  const ours = tools.find(({ tool }) => tool === "ours");
  const others = tools.flatMap(({ tool, wallSeconds }) =>
    tool.startsWith("ours") || wallSeconds === undefined ? [] : [{ tool, wallSeconds }],
  );
  const [fastest] = others.toSorted((a, b) => a.wallSeconds.median - b.wallSeconds.median);
  return `A release of Harbor's shape (${Math.round(missing.bytes / 1e6)} MB), from one registry to a near and a far one: **${seconds(ours?.wallSeconds)}**. The fastest of ${others.length} other tools, ${fastest?.tool}, takes ${seconds(fastest?.wallSeconds)}; the links alone need ${seconds(bound.wallSeconds)} (${date.slice(0, 10)}, medians of five runs).`;
}

function newestResult(folder: string): Result {
  const newest = readdirSync(folder)
    .filter((name) => name.endsWith("-near-far-cold.json"))
    .sort()
    .at(-1);
  if (newest === undefined) throw new Error("run `npm run bench` first: there is no result to show");
  return v.parse(resultSchema, JSON.parse(readFileSync(join(folder, newest), "utf8")));
}

function tableOf({ date, bound, missing, tools }: Result): string {
  const rows = tools.map(({ tool, version, wallSeconds, nearSeconds, cpuSeconds, peakMemory, bytes }) => [
    `${tool} ${version.split(",")[0]}`,
    seconds(wallSeconds),
    seconds(nearSeconds),
    bytes.source === undefined ? "–" : `${Math.round(bytes.source.median / 1e6)} MB`,
    seconds(cpuSeconds),
    peakMemory === undefined ? "–" : `${Math.round(peakMemory.median / 2 ** 20)} MiB`,
  ]);
  const head = [
    `${date.slice(0, 10)}`,
    "everything tagged",
    "near registry tagged",
    "read from the source",
    "CPU",
    "peak memory",
  ];
  const least = [
    "bound",
    seconds(bound.wallSeconds),
    seconds(bound.nearSeconds),
    `${Math.round(missing.bytes / 1e6)} MB`,
  ];
  const lines = [head, ["---", ...head.slice(1).map(() => "---:")], ...rows, [...least, "", ""]];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function seconds(figure: { readonly median: number } | undefined): string {
  return figure === undefined ? "–" : `${figure.median.toFixed(1)} s`;
}
