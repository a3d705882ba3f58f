/**
 * A runner of workflows, as far as this repository's documents go: jobs in the order of their `needs`, a matrix, steps with
 * `if`, `env` and outputs, scripts in bash, the built Action as a child process. Every other action is given by the caller.
 * A key or an expression that it does not know is an error, so nothing in an example is passed over. Real runners are
 * tried too, where they are installed.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { parse } from "yaml";
import { type ActionEvent, type ActionResult, actionEnvironment, parseOutputs, runAction } from "./action.ts";
import { type Contexts, evaluate, interpolate } from "./expressions.ts";
import type { GitHub } from "./github.ts";

const scalar = v.union([v.string(), v.number(), v.boolean()]);
const texts = v.optional(v.record(v.string(), scalar), {});

const stepSchema = v.strictObject({
  id: v.optional(v.string()),
  name: v.optional(v.string()),
  if: v.optional(scalar),
  uses: v.optional(v.string()),
  with: texts,
  env: texts,
  run: v.optional(v.string()),
  shell: v.optional(v.literal("bash")),
});

const jobSchema = v.strictObject({
  name: v.optional(v.string()),
  needs: v.optional(v.union([v.string(), v.array(v.string())]), []),
  if: v.optional(scalar),
  "runs-on": v.unknown(),
  environment: v.optional(v.string()),
  "timeout-minutes": v.optional(v.number()),
  permissions: v.optional(v.record(v.string(), v.string())),
  concurrency: v.optional(v.unknown()),
  strategy: v.optional(
    v.strictObject({
      matrix: v.union([v.string(), v.record(v.string(), v.union([v.string(), v.array(v.unknown())]))]),
      "fail-fast": v.optional(v.boolean()),
      "max-parallel": v.optional(v.number()),
    }),
  ),
  env: texts,
  outputs: texts,
  steps: v.array(stepSchema),
});

/** A job that is another workflow: https://docs.github.com/en/actions/how-tos/reuse-automations/reuse-workflows. */
const callSchema = v.strictObject({
  name: v.optional(v.string()),
  needs: v.optional(v.union([v.string(), v.array(v.string())]), []),
  if: v.optional(scalar),
  permissions: v.optional(v.record(v.string(), v.string())),
  uses: v.string(),
  with: texts,
  secrets: v.optional(v.union([v.literal("inherit"), v.record(v.string(), v.string())]), {}),
});

/** What a workflow that is called declares. */
const declarationSchema = v.object({
  inputs: v.optional(v.record(v.string(), v.object({ default: v.optional(scalar, "") })), {}),
  secrets: v.optional(v.record(v.string(), v.unknown()), {}),
});

const workflowSchema = v.strictObject({
  name: v.string(),
  "run-name": v.optional(v.string()),
  on: v.record(v.string(), v.unknown()),
  permissions: v.optional(v.record(v.string(), v.string())),
  concurrency: v.optional(v.unknown()),
  env: texts,
  jobs: v.record(v.string(), v.union([jobSchema, callSchema])),
});

type Step = v.InferOutput<typeof stepSchema>;
type Job = v.InferOutput<typeof jobSchema>;
type Call = v.InferOutput<typeof callSchema>;

/** One step as it went. */
export interface StepResult {
  readonly name: string;
  readonly failed: boolean;
  /** Left out by its `if`. */
  readonly skipped: boolean;
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** Only of steps that run the Action. */
  readonly action?: ActionResult;
}

export interface JobResult {
  readonly id: string;
  readonly failed: boolean;
  readonly skipped: boolean;
  readonly steps: readonly StepResult[];
  readonly outputs: Readonly<Record<string, string>>;
}

/** What an action of somebody else is given. */
export interface StandInContext {
  /** Its `with:`, evaluated. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Home folder of the job's user, where logins lie. */
  readonly home: string;
}

/** Does what an action of somebody else leaves behind: files below the home folder, and variables for later steps. */
export type StandIn = (context: StandInContext) => Readonly<Record<string, string>>;

export interface WorkflowOptions {
  readonly github: GitHub;
  readonly event: ActionEvent;
  readonly secrets: Readonly<Record<string, string>>;
  /** `inputs` of a workflow that is started by hand. */
  readonly inputs?: Readonly<Record<string, unknown>>;
  /** An empty folder for all files. */
  readonly folder: string;
  /** `owner/name` of the repository that the workflow is in. */
  readonly repository: string;
  /** Variables that every process gets: the way to the internet. */
  readonly env: Readonly<Record<string, string>>;
  /** The actions that are not this one, by `owner/name`. */
  readonly actions: Readonly<Record<string, StandIn>>;
  /** Variables of a job with `permissions: id-token: write`, and of no other. */
  readonly idTokens?: Readonly<Record<string, string>>;
  /** Where the workflow that is called comes from; undefined: it is of the repository that it runs in. */
  readonly workflow?: { readonly repository: string; readonly commit: string };
  /** `github.token` of every job. */
  readonly token: string;
}

/** How this repository's own Action is named in `uses:`. */
export const ourselves = "goharbor/harbor-release-mirror";

/**
 * Runs all jobs of a workflow.
 * @throws ValiError or Error when it says something that is not known here.
 */
export async function runWorkflow(text: string, options: WorkflowOptions): Promise<readonly JobResult[]> {
  const workflow = v.parse(workflowSchema, parse(text));
  const done = new Map<string, readonly JobResult[]>();
  const waiting = new Map(Object.entries(workflow.jobs));
  while (waiting.size > 0) {
    const ready = [...waiting].filter(([, job]) => needsOf(job).every((need) => done.has(need)));
    if (ready.length === 0) throw new Error(`no job can begin: ${[...waiting.keys()].join(", ")}`);
    for (const [id, job] of ready) {
      waiting.delete(id);
      const results =
        "uses" in job
          ? await runCall(id, job, done, options)
          : await runJob(id, withDefaults(job, workflow), done, options);
      done.set(id, results);
    }
  }
  return [...done.values()].flat();
}

/** A job's own permissions take the place of the workflow's; variables are added to its. */
function withDefaults(job: Job, workflow: v.InferOutput<typeof workflowSchema>): Job {
  return {
    ...job,
    permissions: job.permissions ?? workflow.permissions,
    env: { ...workflow.env, ...job.env },
  };
}

/** Runs the steps of one job, which stand alone in a document or with the `permissions` of the job. */
export async function runSteps(text: string, options: WorkflowOptions): Promise<JobResult> {
  const given: unknown = parse(text);
  const job = v.parse(jobSchema, {
    "runs-on": "ubuntu-24.04",
    ...(Array.isArray(given) ? { steps: given as unknown } : (given as object)),
  });
  const [result] = await runJob("job", job, new Map(), options);
  if (result === undefined) throw new Error("the job was left out");
  return result;
}

/** Runs the workflow that a job calls, from this repository, with the inputs and secrets that the job hands on and no others. */
async function runCall(
  id: string,
  call: Call,
  done: ReadonlyMap<string, readonly JobResult[]>,
  options: WorkflowOptions,
): Promise<readonly JobResult[]> {
  const [, path, ref] =
    /^goharbor\/harbor-release-mirror\/(\.github\/workflows\/[\w-]+\.yml)@(.+)$/.exec(call.uses) ?? [];
  if (path === undefined || ref === undefined)
    throw new Error(`${call.uses} is not a workflow of this repository`);
  const text = readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
  const { on } = parse(text) as { readonly on: { readonly workflow_call: unknown } };
  const declared = v.parse(declarationSchema, on.workflow_call);
  const contexts = contextsOf(options);
  if (needsOf(call).some((need) => done.get(need)?.some((one) => one.failed || one.skipped))) {
    return [{ id, failed: false, skipped: true, steps: [], outputs: {} }];
  }
  const defaults = Object.fromEntries(
    Object.entries(declared.inputs).map(([name, input]) => [name, input.default]),
  );
  const given = valuesOf(call.with, contexts);
  const unknown = Object.keys(given).filter((name) => !(name in defaults));
  if (unknown.length > 0) throw new Error(`${path} has no input ${unknown.join(", ")}`);
  const none = Object.fromEntries(Object.keys(declared.secrets).map((name) => [name, ""]));
  const secrets = call.secrets === "inherit" ? options.secrets : valuesOf(call.secrets, contexts);
  return runWorkflow(text, {
    ...options,
    folder: join(options.folder, id),
    workflow: { repository: ourselves, commit: commitOf(ref) },
    inputs: { ...defaults, ...given },
    secrets: { ...none, ...secrets },
  });
}

function needsOf({ needs }: Pick<Job, "needs">): readonly string[] {
  return typeof needs === "string" ? [needs] : needs;
}

async function runJob(
  id: string,
  job: Job,
  done: ReadonlyMap<string, readonly JobResult[]>,
  options: WorkflowOptions,
): Promise<readonly JobResult[]> {
  const needed = needsOf(job).map((need) => [need, done.get(need) ?? []] as const);
  const failed = needed.some(([, results]) => results.some((one) => one.failed || one.skipped));
  const needs = Object.fromEntries(
    needed.map(([need, results]) => [
      need,
      { result: resultOf(results), outputs: results[0]?.outputs ?? {} },
    ]),
  );
  const contexts: Contexts = { ...contextsOf(options), needs };
  const skipped = { id, failed: false, skipped: true, steps: [], outputs: {} };
  if (!isWanted(job.if, contexts, { failed })) return [skipped];
  const results: JobResult[] = [];
  for (const [index, matrix] of combinations(job, contexts).entries()) {
    const folder = join(options.folder, `${id}-${index}`);
    results.push(await runOnce(id, job, { ...contexts, matrix }, { ...options, folder }));
  }
  return results;
}

function resultOf(results: readonly JobResult[]): string {
  if (results.some(({ failed }) => failed)) return "failure";
  return results.every(({ skipped }) => skipped) ? "skipped" : "success";
}

/** A condition without a status function holds only while nothing has failed. */
function isWanted(condition: Step["if"], contexts: Contexts, status: { readonly failed: boolean }): boolean {
  if (condition === undefined) return !status.failed;
  const text = String(condition);
  const asksForStatus = /\b(always|cancelled|failure|success)\(\)/.test(text);
  return (asksForStatus || !status.failed) && Boolean(evaluate(text, contexts, status));
}

/** The matrix spread out: every combination of its lists, or the entries of `include` alone. */
function combinations({ strategy }: Job, contexts: Contexts): readonly Readonly<Record<string, unknown>>[] {
  if (strategy === undefined) return [{}];
  const { matrix } = strategy;
  const given = (typeof matrix === "string" ? evaluate(matrix, contexts) : matrix) as object;
  const lists = Object.fromEntries(
    Object.entries(given).map(([name, list]: [string, unknown]) => [
      name,
      (typeof list === "string" ? evaluate(list, contexts) : list) as readonly unknown[],
    ]),
  );
  for (const [name, list] of Object.entries(lists)) {
    // GitHub's words: a job whose matrix is empty needs an `if` that leaves it out.
    if (list.length === 0) throw new Error(`Matrix vector '${name}' does not contain any values`);
  }
  const { include, ...others } = lists;
  if (include !== undefined && Object.keys(others).length === 0) {
    return include as readonly Readonly<Record<string, unknown>>[];
  }
  if (include !== undefined) throw new Error("include beside other lists is not known here");
  return Object.entries(others).reduce<readonly Readonly<Record<string, unknown>>[]>(
    (rows, [name, values]) => rows.flatMap((row) => values.map((value) => ({ ...row, [name]: value }))),
    [{}],
  );
}

function contextsOf(options: WorkflowOptions): Contexts {
  const { event, secrets, inputs = {}, repository, token } = options;
  const { refName = "main", refType = "branch" } = event;
  const { workflow } = options;
  return {
    secrets,
    inputs,
    // https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#job-context
    job: { workflow_repository: workflow?.repository ?? repository, workflow_sha: workflow?.commit ?? "" },
    github: {
      token,
      actor: "octocat",
      repository,
      repository_owner: repository.split("/")[0],
      event_name: event.name,
      event: event.payload,
      ref: `refs/${refType === "tag" ? "tags" : "heads"}/${refName}`,
      ref_name: refName,
      api_url: "https://api.github.com",
      server_url: "https://github.com",
      run_id: "1",
    },
  };
}

async function runOnce(
  id: string,
  job: Job,
  contexts: Contexts,
  options: WorkflowOptions,
): Promise<JobResult> {
  const results: StepResult[] = [];
  const steps: Record<string, unknown> = {};
  // What earlier steps have left in the environment; a job is a machine of its own.
  const environment: Record<string, string> = {
    ...options.env,
    ...(job.permissions?.["id-token"] === "write" ? options.idTokens : {}),
    ...valuesOf(job.env, contexts),
  };
  for (const [index, step] of job.steps.entries()) {
    const failed = results.some((result) => result.failed);
    const inStep = { ...contexts, steps, env: environment, runner: { temp: join(options.folder, "temp") } };
    const folder = join(options.folder, `step-${index}`);
    const result = isWanted(step.if, inStep, { failed })
      ? await runStep(step, inStep, environment, { ...options, folder }, options.folder)
      : { name: nameOf(step), failed: false, skipped: true, log: "", outputs: {} };
    results.push(result);
    if (step.id !== undefined) {
      const outcome = result.skipped ? "skipped" : result.failed ? "failure" : "success";
      steps[step.id] = { outputs: outputsOf(step, result), outcome, conclusion: outcome };
    }
  }
  const outputs = valuesOf(job.outputs, { ...contexts, steps });
  return { id, failed: results.some(({ failed }) => failed), skipped: false, steps: results, outputs };
}

/** GitHub gives an empty text for an output that a step did not set; only those of `action.yml` may be asked for. */
function outputsOf(step: Step, result: StepResult): Readonly<Record<string, string>> {
  if (!isOurselves(step)) return result.outputs;
  const { outputs } = parse(readFileSync(new URL("../action.yml", import.meta.url), "utf8")) as {
    readonly outputs: Readonly<Record<string, unknown>>;
  };
  return { ...Object.fromEntries(Object.keys(outputs).map((name) => [name, ""])), ...result.outputs };
}

function isOurselves({ uses }: Step): boolean {
  return uses?.startsWith(`${ourselves}@`) === true || uses === "./";
}

/** The commit that a name in `uses:` stands for; a tag stands for one that is always the same. */
function commitOf(ref: string): string {
  return /^[0-9a-f]{40}$/.test(ref) ? ref : createHash("sha1").update(ref).digest("hex");
}

/** What `actions/checkout` does as far as it is known here: the workspace is then of this repository and commit. */
function checkOut(inputs: Readonly<Record<string, string>>, options: WorkflowOptions, machine: string): void {
  const { repository = options.repository, ref = "" } = inputs;
  writeFileSync(join(machine, "workspace"), `${repository}@${ref}`);
}

/** `uses: ./` runs what is in the workspace. @throws Error where that is not the commit of the workflow that says so. */
function needOwnCommit({ uses }: Step, { workflow }: WorkflowOptions, machine: string): void {
  if (uses !== "./") return;
  const wanted = `${workflow?.repository}@${workflow?.commit}`;
  const path = join(machine, "workspace");
  const found = existsSync(path) ? readFileSync(path, "utf8") : "nothing";
  if (found !== wanted) throw new Error(`uses: ./ would run ${found}, not ${wanted}`);
}

function nameOf({ name, uses, run }: Step): string {
  return name ?? uses ?? run ?? "";
}

function valuesOf(
  given: Readonly<Record<string, string | number | boolean>>,
  contexts: Contexts,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, interpolate(String(value), contexts)]),
  );
}

async function runStep(
  step: Step,
  contexts: Contexts,
  environment: Record<string, string>,
  options: WorkflowOptions,
  machine: string,
): Promise<StepResult> {
  const { event, folder, github, repository } = options;
  const inputs = valuesOf(step.with, contexts);
  const home = join(machine, "home");
  const temp = join(machine, "temp");
  for (const path of [folder, home, temp]) mkdirSync(path, { recursive: true });
  const common = { event, folder, repository };
  const env = { ...environment, ...valuesOf(step.env, contexts), HOME: home, RUNNER_TEMP: temp };
  if (isOurselves(step)) {
    needOwnCommit(step, options, machine);
    const defaults = { "github-token": options.token, "github-api-url": "https://api.github.com" };
    const action = await runAction(
      actionEnvironment({ github }, { ...common, env, inputs: { ...defaults, ...inputs } }),
    );
    const { log, outputs } = action;
    return { name: nameOf(step), failed: action.exitCode !== 0, skipped: false, log, outputs, action };
  }
  if (step.uses !== undefined) {
    const name = step.uses.replace(/@.*$/, "");
    if (name === "actions/checkout") {
      checkOut(inputs, options, machine);
      return { name: nameOf(step), failed: false, skipped: false, log: "", outputs: {} };
    }
    const standIn = options.actions[name];
    if (standIn === undefined) throw new Error(`nothing stands in for the action ${name}`);
    Object.assign(environment, standIn({ inputs, home }));
    return { name: nameOf(step), failed: false, skipped: false, log: "", outputs: {} };
  }
  const variables = join(folder, "variables");
  writeFileSync(variables, "");
  const given = { ...common, env: { ...env, GITHUB_ENV: variables }, inputs: {} };
  const result = runScript(step, contexts, actionEnvironment({ github }, given), folder);
  Object.assign(environment, parseOutputs(readFileSync(variables, "utf8")));
  return result;
}

/** https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell */
function runScript(
  step: Step,
  contexts: Contexts,
  environment: Readonly<Record<string, string>>,
  folder: string,
): StepResult {
  const script = join(folder, "script.sh");
  writeFileSync(script, interpolate(step.run ?? "", contexts));
  const { status, stdout, stderr } = spawnSync(
    "bash",
    ["--noprofile", "--norc", "-eo", "pipefail", script],
    // Scripts read no inputs, and a file of workflow commands is theirs alone.
    { env: { ...environment }, cwd: environment.GITHUB_WORKSPACE, encoding: "utf8", timeout: 60_000 },
  );
  const outputs = parseOutputs(readFileSync(environment.GITHUB_OUTPUT ?? "", "utf8"));
  return { name: nameOf(step), failed: status !== 0, skipped: false, log: `${stdout}${stderr}`, outputs };
}
