/**
 * `npm run mirror -- --version v2.15.2 --destinations registry.example.com/harbor`: runs the Action on this machine, against
 * real registries, with the logins that `docker login` has left. A dry run unless `--apply` is given.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { helpText, readCommand } from "./mirror-command.ts";
import { parseAction } from "./readme-sections.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
/** Variables that a runner sets: left over from elsewhere, they would tell the Action of an event that is not there. */
const runnersOwn = /^(GITHUB|RUNNER|ACTIONS|INPUT)_(?!DEBUG$)/;

/** Runs the Action to its end. @returns its exit status; 1 when a signal ended it. */
async function mirror(given: Readonly<Record<string, string>>, apply: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "harbor-release-mirror-"));
  const summary = join(folder, "summary.md");
  const child = spawn(process.execPath, [join(root, "dist/index.js")], {
    env: environment({ ...given, "dry-run": String(!apply) }, folder, summary),
    stdio: "inherit",
  });
  // A terminal sends Ctrl+C to both processes; the Action then ends in good order, and this one waits for it.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  const status = await new Promise<number>((resolve, reject) => {
    child.once("error", reject).once("close", (code) => resolve(code ?? 1));
  });
  if (readFileSync(summary, "utf8") !== "") print(`Summary and report: ${folder}`);
  if (!apply && status === 0 && given.check === undefined)
    print("This was a dry run: nothing was written. Add --apply to carry it out.");
  return status;
}

/** This process's environment, with the inputs as a runner hands them on. */
function environment(
  given: Readonly<Record<string, string>>,
  folder: string,
  summary: string,
): Readonly<Record<string, string | undefined>> {
  const output = join(folder, "outputs");
  const state = join(folder, "state");
  for (const path of [summary, output, state]) writeFileSync(path, "");
  const own = Object.entries(process.env).filter(([name]) => !runnersOwn.test(name));
  const asInputs = Object.entries(given).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]);
  return {
    ...Object.fromEntries([...own, ...asInputs]),
    GITHUB_OUTPUT: output,
    GITHUB_STATE: state,
    GITHUB_STEP_SUMMARY: summary,
    RUNNER_TEMP: folder,
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const { inputs } = parseAction(readFileSync(join(root, "action.yml"), "utf8"));
const args = process.argv.slice(2);
// Who gives nothing wants to know what there is to give.
const command = readCommand(args.length === 0 ? ["--help"] : args, process.env, inputs);
switch (command.kind) {
  case "help":
    print(helpText(inputs, process.stdout.columns ?? 80));
    break;
  case "mistake":
    process.stderr.write(`${command.message}\nWhat there is: npm run mirror -- --help\n`);
    process.exitCode = 2;
    break;
  case "run":
    process.exitCode = await mirror(command.inputs, command.apply);
}
