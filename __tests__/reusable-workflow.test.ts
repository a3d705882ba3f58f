/** How `.github/workflows/mirror.yml` puts the modes of the Action together, and how others call it. */
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { evaluate, interpolate } from "../sandbox/expressions.ts";
import { matrixOf } from "../src/fan-out/matrix.ts";
import { refuseOtherInputs } from "../src/fan-out/same-inputs.ts";
import { parseAction } from "../src/terminal/action-metadata.ts";
import { digest } from "./report/result-builder.ts";
import { codeBlocks, documents, expressionsIn, filesIn, parseWorkflow, textOf } from "./support/documents.ts";

const path = ".github/workflows/mirror.yml";
const action = parseAction(textOf("action.yml"));
const { jobs, on } = parseWorkflow(textOf(path));
const call = on.workflow_call;
if (call === undefined || call === null || Array.isArray(call)) throw new Error("nobody can call it");
const { inputs = {}, secrets, outputs } = call;

/** What each mode of the Action is given. */
const given = Object.fromEntries(
  Object.values(jobs)
    .flatMap(({ steps }) => steps)
    .filter(({ uses }) => uses === "./")
    .map((step) => [String(step.with.mode), step.with]),
);

/** Inputs of the Action that belong to the wiring. */
const wiring = ["mode", "plan", "share"];
/**
 * Inputs of the Action that are always right in a called workflow: the job's own token, GitHub's own address; and a check, which
 * is of a whole configuration, and refused in a job that has a part of a run.
 */
const notHandedOn = ["github-token", "github-api-url", "dockerhub-identity-url", "check"];
/** The input that is the workflow's own. */
const own = "concurrency-group";

/** The names of the inputs that a mode takes from inputs of the workflow. */
function takenInputs(mode: string): readonly string[] {
  return Object.entries(given[mode] ?? {})
    .filter(([, value]) => String(value).includes("inputs."))
    .map(([name]) => name);
}

test("has the three modes as jobs, one after the other", () => {
  expect(Object.keys(given)).toEqual(["plan", "copy", "publish"]);
  expect(Object.entries(jobs).map(([name, { needs }]) => [name, needs])).toEqual([
    ["plan", undefined],
    ["copy", "plan"],
    ["publish", ["plan", "copy"]],
  ]);
});

test("runs the Action of its own commit, which is in the workspace then, and of no other", () => {
  const own = { workflow_repository: "acme/fork", workflow_sha: "0123456789012345678901234567890123456789" };
  for (const { steps } of Object.values(jobs)) {
    const action = steps.findIndex(({ uses }) => uses === "./");
    const { uses, with: given } = steps[action - 1] ?? {};
    expect(uses).toMatch(/^actions\/checkout@[0-9a-f]{40}$/);
    expect(Object.keys(given ?? {})).toEqual(["repository", "ref", "persist-credentials"]);
    const of = (job: object) =>
      [given?.repository, given?.ref].map((text) => interpolate(String(text), { job }));
    expect(of(own)).toEqual([own.workflow_repository, own.workflow_sha]);
    // A server that knows neither.
    expect(of({ workflow_repository: "", workflow_sha: "" })).toEqual([
      "goharbor/harbor-release-mirror",
      "v1",
    ]);
    expect(steps.filter((step) => step.uses?.startsWith("goharbor/"))).toEqual([]);
  }
});

test("takes inputs of the Action only, and those with the Action's default", () => {
  expect(Object.keys(inputs).filter((name) => action.inputs[name] === undefined)).toEqual([own]);
  const { "runs-on": runsOn, ...others } = inputs;
  expect(runsOn).toMatchObject({ type: "string", default: action.inputs["runs-on"]?.default });
  // What is empty counts as absent, so the Action's own default holds.
  for (const input of Object.values(others)) expect(input).toMatchObject({ type: "string", default: "" });
});

test("hands on every input of the Action, but for those that are listed", () => {
  const handedOn = new Set(Object.values(given).flatMap((names) => Object.keys(names)));
  const missing = Object.keys(action.inputs).filter((name) => !handedOn.has(name));
  expect(missing.toSorted()).toEqual(notHandedOn.toSorted());
  const unused = Object.keys(inputs).filter((name) => !handedOn.has(name));
  expect(unused).toEqual([own]);
});

test("hands on each input by its own name, and the same secrets to all jobs", () => {
  const logins = Object.values(given).map((names) => {
    const values = Object.entries(names).filter(([name]) => !wiring.includes(name));
    for (const [name, value] of values) {
      expect(value).toMatch(/^\$\{\{ (inputs\.[a-z-]+|secrets\.[A-Z_]+) \}\}$/);
      if (String(value).includes("inputs.")) expect(value).toBe(`\${{ inputs.${name} }}`);
    }
    return values.filter(([, value]) => String(value).includes("secrets."));
  });
  expect(logins[1]).toEqual(logins[0]);
  expect(logins[2]).toEqual(logins[0]);
  const used = expressionsIn(textOf(path)).flatMap((text) => /^secrets\.(\w+)$/.exec(text)?.[1] ?? []);
  expect([...new Set(used)].toSorted()).toEqual(Object.keys(secrets).toSorted());
  expect(Object.values(secrets).map(({ required }) => required)).toEqual(
    Object.keys(secrets).map(() => false),
  );
});

test("gives all jobs the inputs that a plan is bound to", () => {
  const document = {
    inputs: digest("these"),
    schemaVersion: 2,
    repository: "a/b",
    versions: [],
    copies: [],
    prunes: [],
  } as const;
  let message = "";
  try {
    refuseOtherInputs({ ...document, versions: [], copies: [], prunes: [] }, digest("those"));
  } catch (error) {
    message = String(error);
  }
  const [, list = ""] = /the same (.*)\.$/.exec(message) ?? [];
  const bound = list.split(/, | and /);
  expect(bound.length).toBeGreaterThan(5);
  expect(takenInputs("publish").slice(0, bound.length)).toEqual(bound);
  expect(takenInputs("plan").slice(0, bound.length)).toEqual(bound);
  expect(takenInputs("copy").slice(0, bound.length)).toEqual(bound);
});

test("hands plan and matrix from job to job by outputs that there are", () => {
  for (const [name, { needs = [], steps }] of Object.entries(jobs)) {
    const text = JSON.stringify([jobs[name]?.if, jobs[name]?.strategy, steps]);
    const uses = [...text.matchAll(/needs\.(\w+)\.outputs\.(\w+)/g)];
    for (const [, job = "", output = ""] of uses) {
      expect([needs].flat()).toContain(job);
      expect(jobs[job]?.outputs?.[output]).toBe(`\${{ steps.mirror.outputs.${output} }}`);
      expect(Object.keys(action.outputs)).toContain(output);
    }
    expect(uses.length > 0).toBe(name !== "plan");
  }
  for (const [name, { value }] of Object.entries(outputs)) {
    expect(value).toMatch(`jobs.publish.outputs.${name} || `);
    // Of a job that was left out there is nothing, and a caller's `fromJSON` takes no empty text.
    const nothing = name === "versions" ? "[]" : "0";
    expect(evaluate(value, { jobs: { publish: { outputs: { [name]: "" } } } })).toBe(nothing);
    expect(evaluate(value, { jobs: { publish: { outputs: { [name]: "given" } } } })).toBe("given");
    expect(jobs.publish?.outputs?.[name]).toBe(`\${{ steps.mirror.outputs.${name} }}`);
  }
});

test("takes from the matrix what the plan puts into it", () => {
  const matrix = matrixOf({ copies: [{ destination: "registry.example/a", share: 1 } as never] }, [
    { name: "registry.example/a", type: "registry", runner: "small" },
  ]);
  const used = expressionsIn(textOf(path)).flatMap((text) => /^matrix\.([\w-]+)$/.exec(text)?.[1] ?? []);
  expect([...new Set(used)].toSorted()).toEqual(Object.keys(matrix?.include[0] ?? {}).toSorted());
  expect(jobs.copy?.["runs-on"]).toBe(`\${{ matrix.runs-on }}`);
});

test("lets one destination fail without another, and publishes however the copy jobs ended", () => {
  expect(jobs.copy?.strategy?.["fail-fast"]).toBe(false);
  expect(jobs.copy?.if).toBe("needs.plan.outputs.matrix != ''");
  expect(jobs.publish?.if).toBe(`\${{ !cancelled() && needs.plan.outputs.plan != '' }}`);
});

/** Every workflow in the documents that calls the reusable one. */
const callers = [
  ...documents.flatMap((document) =>
    codeBlocks(textOf(document), "yaml").map((text, index) => ({
      name: `${document}, block ${index + 1}`,
      text,
    })),
  ),
  ...filesIn("docs/workflows", ".yml").map((name) => ({ name, text: textOf(name) })),
]
  .filter(({ text }) => text.includes(".github/workflows/mirror.yml@"))
  .flatMap(({ name, text }) =>
    Object.values(parseWorkflow(text).jobs).flatMap((job) =>
      job.call === undefined ? [] : [{ name, text, call: job.call }],
    ),
  );

test("is called in the documents, once in six lines", () => {
  const lines = callers.map(({ text }) => {
    const { jobs: all } = parse(text) as { jobs: Record<string, object> };
    return Object.values(all).map((job) => JSON.stringify(job, undefined, 1).split("\n").length);
  });
  expect(callers.length).toBeGreaterThan(1);
  // In YAML: `uses`, `with`, one input, `secrets`, two of them; as indented JSON there are four lines of braces more.
  expect(lines[0]).toEqual([10]);
});

describe.each(callers)("the call in $name", ({ call: caller }) => {
  test("names the workflow as this repository has it", () => {
    expect(caller.uses).toBe(`goharbor/harbor-release-mirror/${path}@v1`);
  });

  test("gives inputs and secrets that there are, and all that are required", () => {
    expect(Object.keys(caller.with).filter((name) => inputs[name] === undefined)).toEqual([]);
    expect(Object.keys(caller.with)).toContain("destinations");
    const named = caller.secrets === undefined || caller.secrets === "inherit" ? {} : caller.secrets;
    expect(Object.keys(named).filter((name) => secrets[name] === undefined)).toEqual([]);
  });
});
