/** From runs to figures, and to the file that keeps them. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { Bound, Missing } from "./bounds.ts";
import { type Place, places } from "./profiles.ts";
import type { RunRecord } from "./run.ts";
import { leastOf, ratioOf, type Spread, spreadOf } from "./statistics.ts";

/** What one tool came to in all its runs. Of runs that failed only their number and their problems count. */
export interface ToolSummary {
  readonly tool: string;
  readonly ours: boolean;
  readonly version: string;
  readonly runs: number;
  readonly failed: number;
  /** Of the failed runs, each once. */
  readonly problems: readonly string[];
  readonly wallSeconds: Spread | undefined;
  readonly nearSeconds: Spread | undefined;
  readonly farSeconds: Spread | undefined;
  readonly cpuSeconds: Spread | undefined;
  readonly peakMemory: Spread | undefined;
  readonly firstRequestSeconds: Spread | undefined;
  /** Requests, all methods together. */
  readonly requests: Readonly<Record<Place, Spread | undefined>>;
  /** Bytes that came from the source, and those of request bodies that went to each destination. */
  readonly bytes: Readonly<Record<Place, Spread | undefined>>;
  /** Bytes of request bodies to each destination beyond what was missing there: sent twice, or sent again. */
  readonly surplus: Readonly<Record<"near" | "far", Spread | undefined>>;
  readonly ratios: Ratios;
}

/** Medians over those of the bound and of the best peer that did all its runs. */
export interface Ratios {
  readonly wallToBound: number | undefined;
  readonly nearToBound: number | undefined;
  readonly wallToPeer: number | undefined;
  readonly nearToPeer: number | undefined;
  readonly cpuToPeer: number | undefined;
  /** Bytes read from the source over those of unique blobs and manifests that are missing somewhere. */
  readonly sourceToUnique: number | undefined;
}

export interface Result {
  /** ISO 8601, the start of the benchmark. */
  readonly date: string;
  readonly profile: string;
  readonly profileTitle: string;
  readonly variant: string;
  readonly variantTitle: string;
  /** 1, unless it was only tried out. */
  readonly scale: number;
  readonly machine: Readonly<Record<string, string>>;
  /** Tools that are not installed here. */
  readonly missingTools: readonly string[];
  /** Bytes that each destination lacks before a run. */
  readonly missing: Missing;
  /** What the bound is, in words. */
  readonly boundTitle: string;
  readonly bound: Readonly<Record<keyof Bound, Spread | undefined>>;
  readonly tools: readonly ToolSummary[];
  readonly records: readonly RunRecord[];
}

export interface ToolRuns {
  readonly tool: string;
  readonly ours: boolean;
  readonly version: string;
  readonly records: readonly RunRecord[];
}

/** Summarises all tools of one benchmark. */
export function summarise(
  all: readonly ToolRuns[],
  bound: Result["bound"],
  missing: Missing,
): readonly ToolSummary[] {
  const plain = all.map((runs) => summaryOf(runs, missing));
  const peers = plain.filter(({ ours, failed }) => !ours && failed === 0);
  const best = (figure: (summary: (typeof plain)[number]) => Spread | undefined) =>
    leastOf(peers.map(figure));
  return plain.map((summary) => ({
    ...summary,
    ratios: {
      wallToBound: ratioOf(summary.wallSeconds, bound.wallSeconds),
      nearToBound: ratioOf(summary.nearSeconds, bound.nearSeconds),
      wallToPeer: ratioOf(
        summary.wallSeconds,
        best((peer) => peer.wallSeconds),
      ),
      nearToPeer: ratioOf(
        summary.nearSeconds,
        best((peer) => peer.nearSeconds),
      ),
      cpuToPeer: ratioOf(
        summary.cpuSeconds,
        best((peer) => peer.cpuSeconds),
      ),
      sourceToUnique: ratioOf(summary.bytes.source, spreadOf([missing.bytes])),
    },
  }));
}

function summaryOf(runs: ToolRuns, missing: Missing): Omit<ToolSummary, "ratios"> {
  const { records, ...named } = runs;
  const good = records.filter(({ problems }) => problems.length === 0);
  const spread = (figure: (record: RunRecord) => number | undefined) =>
    spreadOf(good.flatMap((record) => figure(record) ?? []));
  const byPlace = <P extends Place>(of: readonly P[], figure: (record: RunRecord, place: P) => number) =>
    Object.fromEntries(of.map((place) => [place, spread((record) => figure(record, place))])) as Record<
      P,
      Spread | undefined
    >;
  return {
    ...named,
    runs: records.length,
    failed: records.length - good.length,
    problems: [...new Set(records.flatMap(({ problems }) => problems))],
    wallSeconds: spread((record) => record.wallSeconds),
    nearSeconds: spread((record) => record.nearSeconds),
    farSeconds: spread((record) => record.farSeconds),
    cpuSeconds: spread((record) => record.cpuSeconds),
    peakMemory: spread((record) => record.peakMemory),
    firstRequestSeconds: spread((record) => record.firstRequestSeconds),
    requests: byPlace(places, (record, place) => requestsOf(record, place)),
    bytes: byPlace(places, (record, place) =>
      place === "source" ? record.links.source.bytesDown : bodyBytes(record, place),
    ),
    surplus: byPlace(["near", "far"] as const, (record, place) =>
      Math.max(0, bodyBytes(record, place) - missing.bytes),
    ),
  };
}

function requestsOf(record: RunRecord, place: Place): number {
  return Object.values(record.links[place].methods).reduce((sum, { requests }) => sum + requests, 0);
}

function bodyBytes(record: RunRecord, place: Place): number {
  return Object.values(record.links[place].methods).reduce((sum, { bodyBytes: bytes }) => sum + bytes, 0);
}

/** Writes a result as `<date>-<profile>-<variant>.json`. Returns the path. */
export function writeResult(folder: string, result: Result): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${result.date.slice(0, 10)}-${result.profile}-${result.variant}.json`);
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
  return path;
}

const spreadSchema = v.optional(v.object({ median: v.number(), least: v.number(), most: v.number() }));

/** The part of a kept result that the plot needs. */
const plottedSchema = v.object({
  date: v.string(),
  profile: v.string(),
  profileTitle: v.string(),
  variant: v.string(),
  variantTitle: v.string(),
  bound: v.object({ wallSeconds: spreadSchema }),
  tools: v.array(
    v.object({
      tool: v.string(),
      ours: v.boolean(),
      failed: v.number(),
      wallSeconds: spreadSchema,
      nearSeconds: spreadSchema,
      farSeconds: spreadSchema,
    }),
  ),
});

export type PlottedResult = v.InferOutput<typeof plottedSchema>;

/**
 * Reads the newest kept result of each profile and variant, from files that `writeResult` made.
 * @throws v.ValiError when a file is not of that form.
 */
export function readResults(folder: string): readonly PlottedResult[] {
  const newest = new Map<string, PlottedResult>();
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()) {
    const result = v.parse(plottedSchema, JSON.parse(readFileSync(join(folder, file), "utf8")));
    newest.set(`${result.profile} ${result.variant}`, result);
  }
  return [...newest.values()];
}
