import { writeFile } from "node:fs/promises";
import * as core from "@actions/core";
import { actionsLog } from "./actions-log.ts";
import { systemClock } from "./clock.ts";
import { loadInputs } from "./inputs.ts";
import { createTransport } from "./oci/transport.ts";
import { explain, run } from "./run.ts";

/** The process of the Action: signals in, exit status out. */
async function main(): Promise<void> {
  const log = actionsLog();
  const cancelled = new AbortController();
  // The runner sends SIGINT when a job is cancelled, and SIGTERM seconds later.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => cancelled.abort(new Error(`the run was cancelled (${signal})`)));
  }
  const network = createTransport(log);
  try {
    const inputs = loadInputs(process.env);
    // Credential helpers run with this process's environment, and have no use for its inputs (P7).
    for (const name of Object.keys(process.env)) if (name.startsWith("INPUT_")) delete process.env[name];
    const done = await run(inputs, {
      network,
      clock: systemClock,
      log,
      signal: cancelled.signal,
      sink: {
        setOutput: core.setOutput,
        appendSummary: async (markdown: string) => {
          await core.summary.addRaw(markdown).write();
        },
        writeFile,
      },
    });
    if (!done) process.exitCode = 1;
  } catch (error) {
    log.error(explain(error));
    process.exitCode = 1;
  } finally {
    await network.close();
  }
}

await main();
