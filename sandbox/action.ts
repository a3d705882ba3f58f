/**
 * Runs the built Action as a runner does: `dist/index.js` as a child process, with the environment that GitHub documents
 * (https://docs.github.com/actions/reference/workflows-and-actions/variables) and nothing else of this machine.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { Sandbox } from "./sandbox.ts";

export interface ActionEvent {
  /** `release`, `schedule`, `push` … */
  readonly name: string;
  readonly payload: unknown;
  /** Default: `main`. */
  readonly refName?: string;
  /** Default: `branch`. */
  readonly refType?: "branch" | "tag";
}

export interface ActionOptions {
  readonly event: ActionEvent;
  /** Inputs by their names in `action.yml`; for all others, the defaults hold. */
  readonly inputs: Readonly<Record<string, string>>;
  /** An empty folder for the files of this run. */
  readonly folder: string;
  /** `owner/name` of the repository that the workflow runs in. Default: the sandbox's. */
  readonly repository?: string;
  /** More variables, as a workflow's `env:` gives them. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ActionResult {
  /** Undefined when a signal ended the process. */
  readonly exitCode: number | undefined;
  /** Everything that was printed, in order. */
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** The job summary, as Markdown. */
  readonly summary: string;
  /** Content of the file that the output `report` names; undefined without one. */
  readonly report: unknown;
  /** Contents of the files that the output `checksums` names. */
  readonly checksums: readonly string[];
}

const root = fileURLToPath(new URL("..", import.meta.url));

/** The event that GitHub sends when a release is published. */
export function releaseEvent(sandbox: Pick<Sandbox, "github">, tag: string): ActionEvent {
  const { github } = sandbox;
  const [owner, name] = github.repository.split("/");
  const payload = {
    action: "published",
    release: github.release(tag),
    repository: { name, full_name: github.repository, owner: { login: owner } },
  };
  return { name: "release", payload, refName: tag, refType: "tag" };
}

/** Writes the files that a runner prepares, and returns the whole environment of the Action's process. */
export function actionEnvironment(
  sandbox: Pick<Sandbox, "github">,
  options: ActionOptions,
): Record<string, string> {
  const { event, folder, repository = sandbox.github.repository } = options;
  const { refName = "main", refType = "branch" } = event;
  for (const name of ["home", "temp", "workspace"]) mkdirSync(join(folder, name), { recursive: true });
  const file = (name: string, content = "") => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  return {
    CI: "true",
    GITHUB_ACTIONS: "true",
    GITHUB_API_URL: sandbox.github.origin,
    GITHUB_EVENT_NAME: event.name,
    GITHUB_EVENT_PATH: file("event.json", JSON.stringify(event.payload)),
    GITHUB_OUTPUT: file("output"),
    GITHUB_REF: `refs/${refType === "tag" ? "tags" : "heads"}/${refName}`,
    GITHUB_REF_NAME: refName,
    GITHUB_REF_TYPE: refType,
    GITHUB_REPOSITORY: repository,
    GITHUB_RUN_ATTEMPT: "1",
    GITHUB_RUN_ID: "1",
    GITHUB_RUN_NUMBER: "1",
    GITHUB_SERVER_URL: "https://github.com",
    GITHUB_STATE: file("state"),
    GITHUB_STEP_SUMMARY: file("summary.md"),
    GITHUB_WORKFLOW: "Mirror",
    GITHUB_WORKFLOW_REF: `${repository}/.github/workflows/mirror.yml@refs/heads/main`,
    GITHUB_WORKSPACE: join(folder, "workspace"),
    HOME: join(folder, "home"),
    // Whoever reads the log here looks for words, and for codes that a server has put there.
    NO_COLOR: "1",
    PATH: [dirname(process.execPath), "/usr/local/bin", "/usr/bin", "/bin"].join(":"),
    RUNNER_OS: "Linux",
    RUNNER_TEMP: join(folder, "temp"),
    ...inputVariables(sandbox, options.inputs),
    ...options.env,
  };
}

/** `INPUT_<NAME>`: upper case, spaces to underscores, hyphens kept, as the runner does. */
function inputVariables(
  sandbox: Pick<Sandbox, "github">,
  inputs: Readonly<Record<string, string>>,
): Record<string, string> {
  const all: Record<string, string> = { ...defaultInputs(sandbox), ...inputs };
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [`INPUT_${name.replaceAll(" ", "_").toUpperCase()}`, value]),
  );
}

function defaultInputs(sandbox: Pick<Sandbox, "github">): Record<string, string> {
  const action = parse(readFileSync(join(root, "action.yml"), "utf8")) as {
    readonly inputs: Readonly<Record<string, { readonly default?: unknown }>>;
  };
  // Expressions that the runner evaluates; a run of the sandbox has a token only where its inputs give one.
  const contexts = new Map([
    ["token", ""],
    ["api_url", sandbox.github.origin],
  ]);
  const evaluate = (text: string) =>
    text.replace(
      /\$\{\{ *github\.(\w+) *\}\}/g,
      (expression, name: string) => contexts.get(name) ?? expression,
    );
  return Object.fromEntries(
    Object.entries(action.inputs).map(([name, input]) => [name, evaluate(String(input.default ?? ""))]),
  );
}

export interface RunOptions {
  /** Told of everything that is printed, as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Gives the process: to signal or to kill it. */
  readonly onStart?: (child: ChildProcess) => void;
  /** Default: `dist/index.js`. */
  readonly entry?: string;
}

/** Runs the post step of the Action, with what its main step saved: the runner hands that on as `STATE_<name>`. */
export function runPostStep(
  environment: Readonly<Record<string, string>>,
  options: Omit<RunOptions, "entry"> = {},
): Promise<ActionResult> {
  const saved = parseOutputs(readFileSync(environment.GITHUB_STATE ?? "", "utf8"));
  const state = Object.fromEntries(Object.entries(saved).map(([name, value]) => [`STATE_${name}`, value]));
  const action = parse(readFileSync(join(root, "action.yml"), "utf8")) as {
    readonly runs: { readonly post: string };
  };
  return runAction({ ...environment, ...state }, { ...options, entry: join(root, action.runs.post) });
}

/** Runs the Action to its end. */
export async function runAction(
  environment: Readonly<Record<string, string>>,
  options: RunOptions = {},
): Promise<ActionResult> {
  const entry = options.entry ?? join(root, "dist/index.js");
  const child = spawn(process.execPath, [entry], {
    env: { ...environment },
    cwd: environment.GITHUB_WORKSPACE,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pieces: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      pieces.push(text);
      options.onOutput?.(text);
    });
  }
  const ended = new Promise<number | undefined>((resolve, reject) => {
    child.once("error", reject).once("close", (code) => resolve(code ?? undefined));
  });
  options.onStart?.(child);
  const exitCode = await ended;
  const outputs = parseOutputs(readFileSync(environment.GITHUB_OUTPUT ?? "", "utf8"));
  return {
    exitCode,
    log: pieces.join(""),
    outputs,
    summary: readFileSync(environment.GITHUB_STEP_SUMMARY ?? "", "utf8"),
    report: outputs.report ? (JSON.parse(readFileSync(outputs.report, "utf8")) as unknown) : undefined,
    checksums: checksumsIn(outputs),
  };
}

/** Contents of the files that the output `checksums` names, which has a path on each line. */
export function checksumsIn({ checksums = "" }: ActionResult["outputs"]): readonly string[] {
  const paths = checksums.split("\n").filter((path) => path !== "");
  return paths.map((path) => readFileSync(path, "utf8"));
}

/**
 * Reads a file of workflow commands: `name=value` lines, and `name<<DELIMITER` with the value up to that delimiter
 * (https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#multiline-strings).
 */
export function parseOutputs(text: string): Record<string, string> {
  const outputs: Record<string, string> = {};
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const [, name, delimiter] = /^([^=<]+)<<(.+)$/.exec(line) ?? [];
    if (name !== undefined && delimiter !== undefined) {
      const end = lines.indexOf(delimiter, at + 1);
      if (end < 0) throw new Error(`the value of ${name} has no end`);
      outputs[name] = lines.slice(at + 1, end).join("\n");
      at = end;
    } else if (line !== "") {
      const equals = line.indexOf("=");
      if (equals < 0) throw new Error(`no name and value: ${line}`);
      outputs[line.slice(0, equals)] = line.slice(equals + 1);
    }
  }
  return outputs;
}
