import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { type ActionResult, checksumsIn, parseOutputs, type RunOptions } from "../../sandbox/action.ts";
import { root } from "../support/documents.ts";

/**
 * Runs the Action with `@github/local-action` (https://github.com/github/local-action), GitHub's own program for trying out
 * an Action: it takes the environment from a file `.env`, puts an `@actions/core` of its own in the place of ours and calls
 * `run` of the entry, which is `src/main.ts` unless another is given.
 * @param environment of a runner, from which the file is made: with those inputs alone that are not the default, as a person
 * writes it.
 */
export async function runLocally(
  environment: Readonly<Record<string, string>>,
  options: RunOptions = {},
): Promise<ActionResult> {
  const { GITHUB_OUTPUT = "", GITHUB_STEP_SUMMARY = "", HOME = "" } = environment;
  const file = join(dirname(GITHUB_OUTPUT), ".env");
  writeFileSync(file, dotenv(environment));
  // `npm ls`, with which it finds our `@actions/core`, goes by the folder it is started in.
  const child = spawn("local-action", [".", options.entry ?? "src/main.ts", file], {
    cwd: root,
    env: {
      HOME,
      PATH: [dirname(process.execPath), process.env.PATH].join(":"),
      // It starts `tsx` with `npm exec`, which looks beside the program itself and would else ask a server for it.
      NPM_CONFIG_PREFIX: resolve(whereIs("local-action"), "../.."),
      NPM_CONFIG_OFFLINE: "true",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pieces: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      pieces.push(text);
      options.onOutput?.(text);
    });
  }
  const ended = new Promise<number | undefined>((done, failed) => {
    child.once("error", failed).once("close", (code) => done(code ?? undefined));
  });
  options.onStart?.(child);
  const exitCode = await ended;
  const log = pieces.join("");
  const outputs = { ...parseOutputs(readFileSync(GITHUB_OUTPUT, "utf8")), ...outputsIn(log) };
  return {
    exitCode,
    log,
    outputs,
    summary: readFileSync(GITHUB_STEP_SUMMARY, "utf8"),
    report: outputs.report ? (JSON.parse(readFileSync(outputs.report, "utf8")) as unknown) : undefined,
    checksums: checksumsIn(outputs),
  };
}

function whereIs(program: string): string {
  return execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
}

/** What its `setOutput` prints, and writes to no file: one line each, since no output of ours has several. */
function outputsIn(log: string): Record<string, string> {
  const lines = log.matchAll(/^::set-output name=([^:]+)::(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name = "", value = ""]) => [name, value]));
}

/** A file as `dotenv` reads it: what is between backticks is taken as it is, over several lines. */
function dotenv(environment: Readonly<Record<string, string>>): string {
  const { inputs } = parse(readFileSync(join(root, "action.yml"), "utf8")) as {
    readonly inputs: Readonly<Record<string, { readonly default?: string }>>;
  };
  const byDefault = new Set(
    Object.entries(inputs).map(([name, input]) => `INPUT_${name.toUpperCase()}=${input.default ?? ""}`),
  );
  return Object.entries(environment)
    .filter(([name, value]) => !["HOME", "PATH"].includes(name) && !byDefault.has(`${name}=${value}`))
    .map(([name, value]) => `${name}=\`${value}\`\n`)
    .join("");
}
