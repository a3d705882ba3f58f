import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ActionEvent, actionEnvironment } from "../../sandbox/action.ts";
import { type GitHub, startGitHub } from "../../sandbox/github.ts";
import { type RegistryOptions, type RegistryServer, startRegistry } from "../../sandbox/registry.ts";
import type { Clock } from "../../src/clock.ts";
import { systemClock } from "../../src/clock.ts";
import { loadInputs } from "../../src/inputs/inputs.ts";
import { type Log, silentLog } from "../../src/log/log.ts";
import { explain, run } from "../../src/run/run.ts";
import { openNetwork } from "./clients.ts";
import { frontOf, type Tamper } from "./front.ts";
import type { HostileServer } from "./servers.ts";

/** The versions that exist, newest first. */
export const versions = ["v1.2.0", "v1.1.0", "v1.0.0"] as const;

/** A small world of one source and one destination, each behind a front that may lie. */
export interface Mirror extends AsyncDisposable {
  readonly github: GitHub;
  readonly source: RegistryServer;
  readonly destination: RegistryServer;
  /** What the run speaks to in their places. */
  readonly sourceFront: HostileServer;
  readonly destinationFront: HostileServer;
  /** Runs the whole Action in this process: all images of one version, and pruning by `keep`. */
  run(inputs?: Readonly<Record<string, string>>, event?: ActionEvent): Promise<MirrorResult>;
}

export interface MirrorOptions {
  readonly source?: RegistryOptions;
  readonly destination?: RegistryOptions;
  readonly tamperSource?: Tamper;
  readonly tamperDestination?: Tamper;
}

export interface MirrorResult {
  /** Whether all went well. */
  readonly done: boolean;
  /** Every line of the log, in order, whatever its level. */
  readonly lines: readonly string[];
  readonly summary: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly report: string;
  /** Pauses that were asked for, in milliseconds. */
  readonly slept: readonly number[];
}

const unharmed: Tamper = () => undefined;

export async function startMirror(options: MirrorOptions = {}): Promise<Mirror> {
  const releases = versions.map((tag, index) => ({
    tag,
    prerelease: false,
    publishedAt: Date.UTC(2026, 5, 9 - index),
  }));
  const [github, source, destination] = await Promise.all([
    startGitHub({ repository: "acme/app", releases, files: () => undefined }),
    startRegistry(options.source ?? {}),
    startRegistry(options.destination ?? {}),
  ]);
  const sourceFront = await frontOf(source, options.tamperSource ?? unharmed);
  const destinationFront = await frontOf(destination, options.tamperDestination ?? unharmed);
  const folder = await mkdtemp(join(tmpdir(), "hostile-"));
  return {
    github,
    source,
    destination,
    sourceFront,
    destinationFront,
    run: (inputs = {}, event = { name: "workflow_dispatch", payload: { inputs: { version: "v1.2.0" } } }) => {
      const all = {
        destinations: `${destinationFront.host}/mirror`,
        source: `${sourceFront.host}/goharbor`,
        repository: "acme/app",
        images: "app",
        wait: "0",
        ...inputs,
      };
      return runHere(actionEnvironment({ github }, { event, inputs: all, folder }));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([github, source, destination].map((server) => server.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Runs the Action in this process, with a clock that takes a hundredth of each pause, and none longer than a second. */
async function runHere(environment: Readonly<Record<string, string>>): Promise<MirrorResult> {
  const lines: string[] = [];
  const outputs = new Map<string, string>();
  const slept: number[] = [];
  let summary = "";
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, signal) => {
      slept.push(ms);
      return systemClock.sleep(Math.min(ms / 100, 1000), signal);
    },
  };
  const log = lineLog(lines);
  const sink = {
    setOutput: (name: string, value: string | number) => void outputs.set(name, String(value)),
    appendSummary: async (markdown: string) => {
      summary += markdown;
    },
    writeFile: (path: string, text: string) => writeFile(path, text),
  };
  const signal = new AbortController().signal;
  const network = openNetwork({}, log);
  const context = { network, clock, log, signal, sink, ended: signal, saveState: () => undefined };
  const done = await run(loadInputs(environment), context).catch((error: unknown) => {
    lines.push(explain(error));
    return false;
  });
  const report = outputs.get("report");
  return {
    done,
    lines,
    summary,
    outputs: Object.fromEntries(outputs),
    report: report === undefined ? "" : await readFile(report, "utf8"),
    slept,
  };
}

function lineLog(lines: string[]): Log {
  const keep = (line: string): void => void lines.push(line);
  const group = <T>(title: string, work: () => Promise<T>): Promise<T> => {
    keep(title);
    return work();
  };
  return { ...silentLog, info: keep, debug: keep, warning: keep, error: keep, group };
}
