import { writeFile } from "node:fs/promises";
import * as core from "@actions/core";
import { systemClock } from "./clock.ts";
import { InputError } from "./errors.ts";
import { readProxies } from "./http/proxy.ts";
import { createTransport, type NetworkTransport } from "./http/transport.ts";
import {
  givenSecrets,
  type Inputs,
  loadInputs,
  loadIssueReporting,
  readGivenFiles,
  readRunnerPaths,
  wantsSummary,
} from "./inputs/inputs.ts";
import { isPostStep, loadState } from "./inputs/state.ts";
import { actionsLog } from "./log/actions-log.ts";
import type { Log } from "./log/log.ts";
import { paintFor } from "./log/paint.ts";
import { withoutSecrets } from "./log/secrets.ts";
import { terminalLog } from "./log/terminal-log.ts";
import type { RunContext } from "./run/context.ts";
import { run as carryOut, cleanUp, explain, reportStop } from "./run/run.ts";
import { restoreSystem } from "./run/tune.ts";

/** Longest life of the post step, in milliseconds: a few calls, some of them repeated. */
const postTime = 5 * 60_000;

/**
 * What the outputs say until a report is written. A step that ends before leaves them so: an output that is not set is an empty
 * text, which `fromJSON` in a later job refuses. https://docs.github.com/en/actions/reference/workflows-and-actions/expressions#fromjson
 */
const outputsOfNothing = {
  versions: "[]",
  copied: 0,
  skipped: 0,
  pruned: 0,
  failed: 0,
  images: "[]",
} as const;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Variables that are taken out of this process before anything else runs. Credential helpers must not see the inputs (P7).
 * `@actions/github` would read the others by itself once it is imported, and throw where one is malformed.
 */
const takenOut = /^(INPUT_.*|GITHUB_EVENT_PATH|GITHUB_API_URL|https?_proxy)$/i;

/** With these, the parser of YAML would print every piece of a text, logins among them, before anything is hidden. */
const tellingVariables = /^LOG_(?:TOKENS|STREAM)$/;

/** What the environment was at the start. From then on, the process is without the variables of these names. */
export function takeEnvironment(names = takenOut): Environment {
  const environment = { ...process.env };
  for (const name of Object.keys(environment))
    if (names.test(name) || tellingVariables.test(name)) delete process.env[name];
  return environment;
}

/** The log for a runner, which sets `GITHUB_ACTIONS`, or for a person at a terminal. */
function logOf(environment: Environment): Log {
  return environment.GITHUB_ACTIONS === "true"
    ? actionsLog({ debug: core.isDebug(), paint: paintFor(environment, false), clock: systemClock })
    : logForPeople(process.stdout, environment);
}

/** A log for people, on a terminal or in a file. */
export function logForPeople(stream: NodeJS.WriteStream, environment: Environment): Log {
  // A dumb terminal understands no codes, neither for colours nor for moving the cursor.
  const live = stream.isTTY && environment.TERM !== "dumb";
  const paint = paintFor(environment, live);
  return terminalLog(stream, { debug: core.isDebug(), paint, clock: systemClock, live });
}

/** The transport of the run; undefined, with an error in the log, where a variable names a proxy that cannot be used. */
function openNetwork(environment: Environment, log: Log): NetworkTransport | undefined {
  try {
    return createTransport(log, systemClock, { proxies: readProxies(environment, log.mask) });
  } catch (error) {
    log.error(explain(error));
    return undefined;
  }
}

/**
 * The process of the Action: signals in, exit status out. `@github/local-action`, GitHub's own program for trying out an
 * Action, calls it by this name. https://github.com/github/local-action#action-structure
 */
export async function run(): Promise<void> {
  const environment = takeEnvironment();
  const log = logOf(environment);
  // The runner sends SIGINT when a job is cancelled, and SIGTERM seconds later.
  const signal = cancellation();
  const ending = isPostStep(environment)
    ? await postStep(environment, log)
    : await mainStep(environment, log, { signal, saveState: core.saveState, sink: runnersSink() });
  if (ending !== "done") process.exitCode = 1;
}

/** Aborts when the process is told to end. */
export function cancellation(): AbortSignal {
  const cancelled = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => cancelled.abort(new Error(`the run was cancelled (${signal})`)));
  }
  return cancelled.signal;
}

/** Takes outputs and the summary as the runner wants them. */
function runnersSink(): RunContext["sink"] {
  for (const [name, value] of Object.entries(outputsOfNothing)) core.setOutput(name, value);
  return {
    setOutput: (name, value) => core.setOutput(name, withoutSecrets(String(value))),
    appendSummary: async (markdown) => {
      await core.summary.addRaw(withoutSecrets(markdown)).write();
    },
    writeFile: (path, text) => writeFile(path, withoutSecrets(text)),
  };
}

/** The same, without a job summary: for who has asked for none. */
function withoutSummary(sink: RunContext["sink"]): RunContext["sink"] {
  return { ...sink, appendSummary: () => Promise.resolve() };
}

/** How a step ended. After a mistake in the inputs nothing was written anywhere. */
export type Ending = "done" | "failed" | "mistake";

/** The run itself, from the inputs on. Throws nothing: the log has what failed. */
export async function mainStep(
  environment: Environment,
  log: Log,
  given: Pick<RunContext, "signal" | "saveState" | "sink">,
): Promise<Ending> {
  const step = { clock: systemClock, log, signal: given.signal };
  const stop = {
    appendSummary: wantsSummary(environment) ? given.sink.appendSummary : undefined,
    issue: loadIssueReporting(environment),
  };
  const work = async (inputs: Inputs, network: NetworkTransport): Promise<boolean> => {
    const ended = new AbortController();
    try {
      const sink = inputs.summary ? given.sink : withoutSummary(given.sink);
      return await carryOut(inputs, { ...given, ...step, sink, network, ended: ended.signal });
    } finally {
      ended.abort();
    }
  };
  return withInputs(environment, log, work, (error, network) =>
    reportStop(error, stop, { ...step, network }),
  );
}

/** Takes away what the main step of the job has left behind. Throws nothing: the log has what failed. */
async function postStep(environment: Environment, log: Log): Promise<Ending> {
  const state = loadState(environment);
  // Before the inputs are read: nothing that is wrong with them keeps the system from being as it was.
  await restoreSystem(state, readRunnerPaths(environment), { clock: systemClock, log });
  // Without an access id there is nothing else to clean up. Mistakes in the inputs were reported by the main step.
  if (state.accessId === undefined) return "done";
  return withInputs(environment, log, (inputs, network) => {
    // The post step of a cancelled job has to clean up as well, so a time limit ends it, not a signal.
    const signal = systemClock.timeout(postTime);
    return cleanUp(inputs, state, { network, clock: systemClock, log, signal });
  });
}

/** Works with network and inputs, whatever becomes of it. @param afterFailure is done before the network is closed. */
async function withInputs(
  environment: Environment,
  log: Log,
  work: (inputs: Inputs, network: NetworkTransport) => Promise<boolean>,
  afterFailure = (_error: unknown, _network: NetworkTransport): Promise<void> => Promise.resolve(),
): Promise<Ending> {
  const network = openNetwork(environment, log);
  if (network === undefined) return "mistake";
  try {
    // Before anything is logged, mistakes in the inputs included.
    const files = await readGivenFiles(environment);
    for (const secret of givenSecrets(environment, files)) log.mask(secret);
    return (await work(loadInputs(environment, files), network)) ? "done" : "failed";
  } catch (error) {
    log.error(explain(error));
    await afterFailure(error, network);
    return error instanceof InputError ? "mistake" : "failed";
  } finally {
    await network.close();
  }
}
