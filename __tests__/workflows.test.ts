import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseAction } from "../src/terminal/action-metadata.ts";
import { blocksIn } from "./e2e/example-cases.ts";
import {
  documents,
  expressionsIn,
  filesIn,
  parseWorkflow,
  type Step,
  stepsIn,
  textOf,
  type Workflow,
} from "./support/documents.ts";
import { mistakesOf } from "./support/given-inputs.ts";

const action = parseAction(textOf("action.yml"));
/** The repository that the workflows run in. */
const ourRepository = "goharbor/harbor";
const ourselves = "goharbor/harbor-release-mirror@v1";
/** The reusable workflow runs the Action of its own commit, which it checks out before. */
const reusable = ".github/workflows/mirror.yml";
const checkedOut = "./";

/** Every piece of YAML that somebody may run or copy. */
const pieces = [
  ...[...filesIn(".github", ".yml"), ...filesIn("docs/workflows", ".yml")].map((path) => ({
    name: path,
    text: textOf(path),
  })),
  ...documents.flatMap((path) => blocksIn(path, textOf(path))),
];
const workflows = pieces.filter(({ text }) => /^jobs:/m.test(text));
const uses = pieces.flatMap(({ name, text }) =>
  stepsIn(text)
    .filter((step) => step.uses?.includes("harbor-release-mirror") || step.uses === checkedOut)
    .map((step) => ({ name, text, step })),
);

test("there are the recipes and the quick start", () => {
  const names = uses.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining([...filesIn("docs/workflows", ".yml")]));
  expect(names).toContain("README.md, Quick start");
});

test.each(pieces)("$name is YAML", ({ text }) => {
  expect(parse(text)).toBeTypeOf("object");
});

describe.each(uses)("the step in $name", ({ name, text, step }) => {
  test("names this Action as the README does", () => {
    expect(step.uses).toBe(name === reusable ? checkedOut : ourselves);
  });

  test("gives inputs that there are", () => {
    expect(Object.keys(step.with).filter((input) => action.inputs[input] === undefined)).toEqual([]);
  });

  test("gives values that are accepted", () => {
    const given = Object.entries(step.with).map(([name, value]) => [name, evaluate(String(value), text)]);
    // What the runner gives every step.
    const byTheRunner = { "github-token": "the token of the job", ...Object.fromEntries(given) };
    // A file of routes is not there, and says the images.
    if (byTheRunner.routes) byTheRunner.images = "app";
    expect(mistakesOf(byTheRunner, { GITHUB_REPOSITORY: ourRepository })).toBe("");
  });
});

test("the shortest recipe is a screen, and numbers what is to be changed", () => {
  const lines = textOf("docs/workflows/two-mirrors.yml").split("\n");
  expect(lines.filter((line) => line.trim() !== "" && !/^\s*#/.test(line)).length).toBeLessThanOrEqual(25);
  const places = lines.flatMap((line) => (/# (\d\. .*)/.exec(line)?.[1] ?? "").match(/\d(?=\. )/g) ?? []);
  expect(places).toEqual(["1", "2", "3", "4"]);
});

/** A value as the runner hands it on, with a stand-in for each secret and each input without a default. */
function evaluate(value: string, workflow: string): string {
  const images = JSON.stringify([
    {
      destination: "a.example/b",
      image: "app",
      tag: "1.0.0",
      digest: `sha256:${"0".repeat(64)}`,
      reference: "a.example/b/app:1.0.0",
    },
  ]);
  const known = value.replace(/\$\{\{ needs\.\w+\.outputs\.images \}\}/g, images);
  return known.replace(
    /\$\{\{\s*(secrets|inputs|matrix)\.([\w-]+)\s*\}\}/g,
    (_all, context: string, name: string) => {
      if (context === "secrets") return "a secret";
      if (context === "matrix") return "1";
      const { default: text } = inputsOf(parseWorkflow(workflow))[name] ?? {};
      // Needed, but where routes name them.
      if (name === "destinations") return String(text || "registry.example/harbor");
      return String(text ?? "v2.15.2");
    },
  );
}

/** The inputs of a workflow that is started by hand or by another workflow. */
function inputsOf({ on }: Workflow): Readonly<Record<string, { default?: unknown }>> {
  const start = on.workflow_dispatch ?? on.workflow_call;
  return start === undefined || start === null || Array.isArray(start) ? {} : (start.inputs ?? {});
}

/** Jobs that need more than to read the repository: by workflow and job, what they may do. All of it is said in the job. */
const jobPermissions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ".github/workflows/codeql.yml analyze": { contents: "read", "security-events": "write" },
  ".github/workflows/scorecard.yml analyze": {
    contents: "read",
    "security-events": "write",
    "id-token": "write",
  },
  "docs/recipes.md, An issue when a mirror fails mirror": { contents: "read", issues: "write" },
  "docs/workflows/own-images.yml mirror": { contents: "read", packages: "read" },
  ".github/workflows/release.yml publish": {
    contents: "write",
    "id-token": "write",
    attestations: "write",
  },
};

/** The file to copy that a block of a document shows, if it is one. */
function fileOf(text: string): string | undefined {
  return filesIn("docs/workflows", ".yml").find((path) => textOf(path) === text);
}

test("every job that is listed with more permissions is there", () => {
  const jobs = workflows.flatMap(({ name, text }) =>
    Object.keys(parseWorkflow(text).jobs).map((job) => `${name} ${job}`),
  );
  expect(Object.keys(jobPermissions).filter((job) => !jobs.includes(job))).toEqual([]);
});

describe.each(workflows)("the workflow in $name", ({ name, text }) => {
  const workflow = parseWorkflow(text);

  test("may read the repository and no more, but for the jobs that are listed", () => {
    // A reusable workflow that names permissions demands them of every caller; without, it has what the caller grants.
    const called = workflow.on.workflow_call !== undefined;
    expect(workflow.permissions).toEqual(called ? undefined : { contents: "read" });
    for (const [job, { permissions }] of Object.entries(workflow.jobs)) {
      expect(permissions).toEqual(jobPermissions[`${fileOf(text) ?? name} ${job}`]);
    }
  });

  test("runs no package of the lock file in a job that may write", () => {
    const writing = Object.values(workflow.jobs).filter(({ permissions = {} }) =>
      Object.values(permissions).includes("write"),
    );
    const scripts = writing.flatMap(({ steps }) => steps.map(({ run = "" }) => run));
    expect(scripts.filter((script) => /\b(npm|npx|node)\b|\.ci\/run/.test(script))).toEqual([]);
  });

  test("has expressions that mean something there", () => {
    const known = knownExpressions(workflow);
    expect(
      expressionsIn(text).filter((expression) => !known.some((pattern) => pattern.test(expression))),
    ).toEqual([]);
  });

  test("puts no expression into a script, where its value could become a command", () => {
    const scripts = Object.values(workflow.jobs).flatMap(({ steps }) => steps.map(({ run = "" }) => run));
    expect(scripts.flatMap(expressionsIn)).toEqual([]);
  });
});

describe("workflows that mirror", () => {
  const mirroring = workflows.flatMap(({ name, text }) => {
    const { jobs, concurrency } = parseWorkflow(text);
    const given = Object.values(jobs).flatMap(({ steps, call }) => [
      ...steps.filter(isOurs).map((step) => step.with),
      ...(call === undefined ? [] : [call.with]),
    ]);
    const lines = given.flatMap(({ destinations = "" }) => String(destinations).split("\n"));
    const places = lines.map((line) => line.replace(/[,#].*/, "").trim()).filter((line) => line !== "");
    const calls = Object.values(jobs).some(({ call }) => call !== undefined);
    const [named = "harbor-release-mirror"] = given.flatMap((values) => values["concurrency-group"] ?? []);
    return given.length === 0 ? [] : [{ name, places, calls, concurrency, named }];
  });
  /** The reusable one is given its group by its callers. */
  const called = ".github/workflows/mirror.yml";
  const groups = mirroring
    .filter(({ name }) => name !== called)
    .map(({ name, places, concurrency, named }) => ({ name, places, group: concurrency?.group ?? named }));

  test("are several", () => expect(groups.length).toBeGreaterThan(8));

  // https://docs.github.com/en/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency
  test.each(mirroring)("$name queues in one group, and cancels nothing", ({ name, calls, concurrency }) => {
    // The called workflow queues for its caller; with one name, both would be a deadlock.
    if (calls) return expect(concurrency).toBeUndefined();
    const ofCaller = "${" + "{ inputs.concurrency-group || 'harbor-release-mirror' }}";
    const group = name === called ? ofCaller : expect.stringMatching(/^[a-z-]+$/);
    return expect(concurrency).toEqual({ group, queue: "max" });
  });

  test("share the group if they share a destination, and only then", () => {
    for (const one of groups) {
      for (const other of groups) {
        const together = one.places.some((place) => other.places.includes(place));
        expect([one.name, other.name, one.group === other.group]).toEqual([one.name, other.name, together]);
      }
    }
  });
});

/** What an entry of the output `matrix` has. */
const handedOutMatrix = ["share", "to", "part", "runs-on"];

/** https://docs.github.com/en/actions/reference/workflows-and-actions/contexts */
function knownExpressions(workflow: Workflow): readonly RegExp[] {
  const jobs = Object.values(workflow.jobs);
  const outputs = Object.keys(action.outputs);
  const ids = jobs.flatMap(({ steps }) => steps.filter(isOurs).flatMap(({ id }) => id ?? []));
  return [
    /^secrets\.[A-Z][A-Z0-9_]*$/,
    /^github\.(actor|ref|repository|token)$/,
    /^github\.event_name == '(push|pull_request)'$/,
    /^!cancelled\(\)( && needs\.plan\.outputs\.plan != '')?$/,
    /^fromJSON\(inputs\.runs-on\)\.default \|\| 'ubuntu-24\.04'$/,
    /^inputs\.concurrency-group \|\| 'harbor-release-mirror'$/,
    /^job\.workflow_repository \|\| 'goharbor\/harbor-release-mirror'$/,
    /^job\.workflow_sha \|\| 'v1'$/,
    ...Object.keys(inputsOf(workflow)).map((name) => new RegExp(`^inputs\\.${name}$`)),
    ...jobs.flatMap(({ strategy }) =>
      (typeof strategy?.matrix === "string" ? handedOutMatrix : Object.keys(strategy?.matrix ?? {})).map(
        (name) => new RegExp(`^matrix\\.${name}(\\.\\w+)*$`),
      ),
    ),
    ...Object.entries(workflow.jobs).flatMap(([job, { outputs: given = {} }]) =>
      Object.keys(given).map(
        (name) =>
          new RegExp(`^(fromJSON\\()?(needs|jobs)\\.${job}\\.outputs\\.${name}( \\|\\| '(0|\\[\\])')?\\)?$`),
      ),
    ),
    ...ids.map((id) => new RegExp(`^steps\\.${id}\\.outputs\\.(${outputs.join("|")})$`)),
  ];
}

function isOurs(step: Step): boolean {
  return step.uses === ourselves || step.uses === checkedOut;
}

test.each(filesIn(".github/workflows", ".yml"))("%s pins each action by commit, with its version", (path) => {
  const lines = textOf(path)
    .split("\n")
    .filter((line) => /\buses:/.test(line) && !line.endsWith(`uses: ${checkedOut}`));
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.filter((line) => !/uses: [\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual(
    [],
  );
});

test.each(filesIn(".github/workflows", ".yml"))("%s keeps no credentials in the checkout", (path) => {
  const checkouts = stepsIn(textOf(path)).filter(({ uses: name }) => name?.startsWith("actions/checkout@"));
  expect(checkouts.map(({ with: inputs }) => inputs["persist-credentials"])).toEqual(
    checkouts.map(() => false),
  );
});
