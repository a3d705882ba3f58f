/**
 * `npm run mirror -- --version v2.15.2 --destinations registry.example.com/harbor`, or the program of the package: runs the
 * Action on this machine, against real registries, with the logins that `docker login` has left. A dry run unless `--apply`
 * is given.
 */
import { mkdtempSync, readFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { quietLog } from "../log/log.ts";
import { withoutSecrets } from "../log/secrets.ts";
import { cancellation, type Ending, logForPeople, mainStep, takeEnvironment } from "../main.ts";
import { parseAction } from "./action-metadata.ts";
import { type Command, readCommand } from "./command.ts";
import { helpText } from "./help.ts";

/** The folder of the package or of the clone. */
const root = join(import.meta.dirname, "../..");

/** Variables that a runner sets: left over from elsewhere, they would tell the Action of an event that is not there. */
const runnersOwn = /^(GITHUB|RUNNER|ACTIONS|INPUT)_(?!DEBUG$)/;

/** Those, and the proxies, which are taken out on a runner as well. */
const takenOut = /^((GITHUB|RUNNER|ACTIONS|INPUT)_(?!DEBUG$).*|https?_proxy)$/i;

const exitStatusOf = { done: 0, failed: 1, mistake: 2 } as const satisfies Record<Ending, number>;
/** 128 and the number of SIGINT, as shells have it. */
const interrupted = 130;

type Environment = ReturnType<typeof takeEnvironment>;

/** Runs the Action to its end. @returns the exit status. */
async function mirror(
  { inputs, apply, json, quiet }: Extract<Command, { kind: "run" }>,
  given: Environment,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "harbor-release-mirror-"));
  const environment = asOnRunner({ ...inputs, "dry-run": String(!apply) }, folder, given);
  const spoken = logForPeople(json ? process.stderr : process.stdout, environment);
  const log = quiet ? quietLog(spoken) : spoken;
  let reported = false;
  const signal = cancellation();
  let wasInterrupted = false;
  process.once("SIGINT", () => {
    wasInterrupted = true;
  });
  const sink: Parameters<typeof mainStep>[2]["sink"] = {
    // The report has all that the outputs have.
    setOutput: () => undefined,
    appendSummary: (markdown) => appendFile(join(folder, "summary.md"), withoutSecrets(markdown)),
    writeFile: (path, text) => {
      reported = true;
      const clean = withoutSecrets(text);
      // Lists of checksums are files beside the report.
      if (json && path.endsWith(".json")) process.stdout.write(clean);
      return writeFile(path, clean);
    },
  };
  // Nothing that would need a post step can be asked for here, so there is nobody to hand a state on to.
  const ending = await mainStep(environment, log, { signal, saveState: () => undefined, sink });
  if (reported) log.info(`Summary and report: ${folder}`);
  if (!apply && ending === "done" && inputs.check === undefined)
    log.info("This was a dry run: nothing was written. Add --apply to carry it out.");
  return ending === "failed" && wasInterrupted ? interrupted : exitStatusOf[ending];
}

/** This process's environment, with the inputs as a runner hands them on. */
function asOnRunner(
  inputs: Readonly<Record<string, string>>,
  folder: string,
  environment: Environment,
): Environment {
  const own = Object.entries(environment).filter(([name]) => !runnersOwn.test(name));
  const asInputs = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
  return { ...Object.fromEntries([...own, ...asInputs]), RUNNER_TEMP: folder };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function textOf(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function versionOf(manifest: string): string {
  return v.parse(v.object({ version: v.string() }), JSON.parse(manifest)).version;
}

const environment = takeEnvironment(takenOut);
const program = environment.npm_lifecycle_event === "mirror" ? "npm run mirror --" : "harbor-release-mirror";
const { inputs } = parseAction(textOf("action.yml"));
const args = process.argv.slice(2);
// Who gives nothing wants to know what there is to give.
const command = readCommand(args.length === 0 ? ["--help"] : args, environment, inputs);
switch (command.kind) {
  case "help":
    print(helpText(program, inputs, process.stdout.columns ?? 80));
    break;
  case "version":
    print(`harbor-release-mirror ${versionOf(textOf("package.json"))}`);
    break;
  case "mistake":
    process.stderr.write(`${command.message}\nWhat there is: ${program} --help\n`);
    process.exitCode = exitStatusOf.mistake;
    break;
  case "run":
    process.exitCode = await mirror(command, environment);
}
