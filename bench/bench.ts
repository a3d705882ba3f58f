/** `npm run bench`: compares the built Action with other tools on the same job. See bench/README.md. */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { type GitHub, startGitHub } from "../sandbox/github.ts";
import { harborFiles, harborReleases } from "../sandbox/harbor.ts";
import { type Bound, linkBound, missingBytes } from "./bounds.ts";
import { storeImages } from "./content.ts";
import { measureCurlBound } from "./curl-bound.ts";
import { cacheFolder } from "./folders.ts";
import { type Options, parseOptions, usage } from "./options.ts";
import { plot } from "./plot.ts";
import { profiles } from "./profiles.ts";
import { type PlottedResult, type Result, readResults, summarise, writeResult } from "./results.ts";
import { type RunRecord, runTool, type Setup } from "./run.ts";
import { seededStorage } from "./seed.ts";
import { spreadOf } from "./statistics.ts";
import { printResult } from "./table.ts";
import { type Tool, tools } from "./tools.ts";
import { type Variant, variantOf } from "./workload.ts";

const names = tools.map(({ name }) => name);
const options = parseOptions(process.argv.slice(2), names);
if (options === undefined) {
  print(`${usage}\nTools: ${names.join(", ")}`);
  process.exitCode = 2;
} else {
  await bench(options);
}

async function bench(options: Options): Promise<void> {
  const date = new Date().toISOString();
  const variant = variantOf(options.variant, options.scale);
  await using github = await startGitHub({
    repository: "goharbor/harbor",
    releases: harborReleases(),
    files: harborFiles,
  });
  const setup = await prepare(options, variant, github);
  const { profile } = setup;
  const missing = missingBytes(setup.wanted, setup.held);
  print(`${profile.name}: ${profile.title}\n${variant.name}: ${variant.title}`);
  print(`${(missing.bytes / 1e6).toFixed(1)} MB are missing at each destination`);
  const chosen = tools.filter(({ name }) => options.tools?.includes(name) ?? true);
  const versions = new Map(chosen.map((tool) => [tool, tool.version()]));
  const present = chosen.filter((tool) => versions.get(tool) !== undefined);
  const { records, bound } = await alternate(setup, present, options.runs);
  const runs = present.map((tool) => ({
    tool: tool.name,
    ours: tool.ours,
    version: versions.get(tool) ?? "",
    records: records.filter((record) => record.tool === tool.name),
  }));
  keep(options.resultsFolder, {
    date,
    profile: profile.name,
    profileTitle: profile.title,
    variant: variant.name,
    variantTitle: variant.title,
    scale: options.scale,
    machine: machine(),
    missingTools: chosen.filter((tool) => !present.includes(tool)).map(({ name }) => name),
    missing,
    boundTitle: boundTitle(setup),
    bound,
    tools: summarise(runs, bound, missing),
    records,
  });
}

/** Makes the bytes and the storages, unless the cache has them. */
async function prepare(options: Options, variant: Variant, github: GitHub): Promise<Setup> {
  const wanted = await storeImages(cacheFolder, variant.releases);
  const held = await storeImages(cacheFolder, variant.held);
  mkdirSync(options.workFolder, { recursive: true });
  return {
    profile: profiles[options.profile],
    wanted,
    held,
    sourceStorage: await seededStorage(cacheFolder, wanted),
    heldStorage: held.length === 0 ? undefined : await seededStorage(cacheFolder, held),
    github,
    workFolder: options.workFolder,
    limitSeconds: options.limitSeconds,
  };
}

/** Runs every tool once, then all again: what changes on the machine meanwhile meets all of them. */
async function alternate(
  setup: Setup,
  present: readonly Tool[],
  runs: number,
): Promise<Pick<Result, "records" | "bound">> {
  const fixed = linkBound(setup.profile, missingBytes(setup.wanted, setup.held));
  const records: RunRecord[] = [];
  const bounds: Bound[] = [];
  for (let run = 1; run <= runs; run += 1) {
    const bound = fixed ?? (await measureCurlBound(setup));
    bounds.push(bound);
    print(`run ${run}: bound ${bound.wallSeconds.toFixed(2)} s`);
    for (const tool of present) {
      const record = await runTool(setup, tool);
      records.push(record);
      const outcome = record.problems.length === 0 ? "" : `, failed: ${record.problems[0]}`;
      print(`run ${run}: ${tool.name} ${record.wallSeconds.toFixed(2)} s${outcome}`);
    }
  }
  const spread = (figure: keyof Bound) => spreadOf(bounds.map((bound) => bound[figure]));
  return {
    records,
    bound: {
      wallSeconds: spread("wallSeconds"),
      nearSeconds: spread("nearSeconds"),
      farSeconds: spread("farSeconds"),
    },
  };
}

function boundTitle({ profile }: Setup): string {
  return profile.links.source.totalRate === undefined
    ? "curl uploads the missing blobs from files and reads them from the source"
    : "bytes over the rate of the link, or the largest blob over that of a connection, and three round trips at each end";
}

function machine(): Result["machine"] {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: String(availableParallelism()),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
    node: process.version,
  };
}

function keep(folder: string, result: Result): void {
  print(`\n${printResult(result)}`);
  if (result.missingTools.length > 0) print(`not installed here: ${result.missingTools.join(", ")}`);
  print(writeResult(folder, result));
  const results = readResults(folder);
  writeFileSync(join(folder, "overview.svg"), plot(results));
  writeFileSync(join(folder, "near-far-cold.svg"), plot(results.filter(isNearFarCold)));
}

/** The work that the README shows alone: a new release, to a registry nearby and to one far away. */
function isNearFarCold({ profile, variant }: PlottedResult): boolean {
  return profile === "near-far" && variant === "cold";
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
