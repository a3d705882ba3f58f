import { writeFile } from "node:fs/promises";
import * as core from "@actions/core";
import { systemClock } from "./clock.ts";
import { readProxies } from "./http/proxy.ts";
import { createTransport, type NetworkTransport } from "./http/transport.ts";
import { givenSecrets, loadInputs, loadIssueReporting, readRunnerPaths } from "./inputs/inputs.ts";
import { isPostStep, loadState } from "./inputs/state.ts";
import { actionsLog } from "./log/actions-log.ts";
import type { Log } from "./log/log.ts";
import { paintFor } from "./log/paint.ts";
import { withoutSecrets } from "./log/secrets.ts";
import { terminalLog } from "./log/terminal-log.ts";
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

/** What the environment was at the start. */
function takeEnvironment(): Environment {
  const environment = { ...process.env };
  for (const name of Object.keys(environment)) if (takenOut.test(name)) delete process.env[name];
  return environment;
}

/** The log for a runner, which sets `GITHUB_ACTIONS`, or for a person at a terminal. */
function logOf(environment: Environment): Log {
  // A dumb terminal understands no codes, neither for colours nor for moving the cursor.
  const isTerminal = process.stdout.isTTY && environment.TERM !== "dumb";
  const options = { debug: core.isDebug(), paint: paintFor(environment, isTerminal), clock: systemClock };
  if (environment.GITHUB_ACTIONS === "true") return actionsLog(options);
  return terminalLog(process.stdout, { ...options, live: isTerminal });
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
  const cancelled = new AbortController();
  // The runner sends SIGINT when a job is cancelled, and SIGTERM seconds later.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => cancelled.abort(new Error(`the run was cancelled (${signal})`)));
  }
  const ended = new AbortController();
  const [isPost, state] = [isPostStep(environment), loadState(environment)];
  // Before the inputs are read: nothing that is wrong with them keeps the system from being as it was.
  if (isPost) await restoreSystem(state, readRunnerPaths(environment), { clock: systemClock, log });
  // Without an access id there is nothing else to clean up. Mistakes in the inputs were reported by the main step.
  if (isPost && state.accessId === undefined) return;
  if (!isPost) for (const [name, value] of Object.entries(outputsOfNothing)) core.setOutput(name, value);
  const network = openNetwork(environment, log);
  if (network === undefined) {
    process.exitCode = 1;
    return;
  }
  const step = { network, clock: systemClock, log };
  const issueReporting = isPost ? undefined : loadIssueReporting(environment);
  try {
    // Before anything is logged, mistakes in the inputs included.
    for (const secret of givenSecrets(environment)) log.mask(secret);
    const inputs = loadInputs(environment);
    if (isPost) {
      // The post step of a cancelled job has to clean up as well, so a time limit ends it, not a signal.
      const done = await cleanUp(inputs, state, { ...step, signal: systemClock.timeout(postTime) });
      if (!done) process.exitCode = 1;
      return;
    }
    const done = await carryOut(inputs, {
      ...step,
      signal: cancelled.signal,
      ended: ended.signal,
      saveState: core.saveState,
      sink: {
        setOutput: (name, value) => core.setOutput(name, withoutSecrets(String(value))),
        appendSummary: async (markdown) => {
          await core.summary.addRaw(withoutSecrets(markdown)).write();
        },
        writeFile: (path, text) => writeFile(path, withoutSecrets(text)),
      },
    });
    if (!done) process.exitCode = 1;
  } catch (error) {
    log.error(explain(error));
    process.exitCode = 1;
    await reportStop(error, issueReporting, { ...step, signal: cancelled.signal });
  } finally {
    ended.abort();
    await network.close();
  }
}
