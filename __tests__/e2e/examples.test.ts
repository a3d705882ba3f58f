import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ActionEvent } from "../../sandbox/action.ts";
import type { RegistryEvent } from "../../sandbox/registry.ts";
import { runSteps, runWorkflow } from "../../sandbox/workflow.ts";
import { documents, filesIn, textOf } from "../support/documents.ts";
import { blocksIn, examples } from "./example-cases.ts";
import { type ExampleWorld, optionsIn, startExampleWorld } from "./examples.ts";

const ofOpenShift =
  "an object of OpenShift: what it tells its nodes is tried in __tests__/e2e/use-the-mirror.test.ts";

const ofAnotherTool = "a file of another program, which the step below it reads";

/** Blocks that are no workflow, each with the reason why nothing runs it. */
const notRun: Readonly<Record<string, string>> = {
  "docs/registries.md, GitHub": "the same login, at ghcr.io, is in the recipe of another project",
  "docs/registries.md, Amazon ECR": "needs actions and accounts of Amazon",
  "docs/registries.md, Azure Container Registry": "needs the program az and an account there",
  "docs/registries.md, Google Artifact Registry": "needs the program gcloud and an account there",
  "docs/migration.md, skopeo sync, block 1": ofAnotherTool,
  "docs/migration.md, regsync, block 1": ofAnotherTool,
  "docs/migration.md, image-syncer, block 1": ofAnotherTool,
  "docs/migration.md, image-syncer, block 2": ofAnotherTool,
  "docs/migration.md, image-transfer, block 1": ofAnotherTool,
  "docs/migration.md, image-transfer, block 2": ofAnotherTool,
  "docs/fan-out.md, Several jobs, block 1":
    "calls another workflow: run in __tests__/e2e/fan-out-workflow.test.ts",
  "docs/fan-out.md, Several jobs, block 2":
    "calls another workflow: run in __tests__/e2e/fan-out-workflow.test.ts",
  "docs/use-the-mirror.md, OpenShift, block 1": ofOpenShift,
  "docs/use-the-mirror.md, OpenShift, block 2": ofOpenShift,
  "docs/use-the-mirror.md, Helm": "values of Harbor's Helm chart, which no step reads",
};

const blocks = documents.flatMap((path) => blocksIn(path, textOf(path)));

describe("the YAML in the documents", () => {
  test("is run here, all of it, or is on the list of what is no workflow", () => {
    const names = blocks.map(({ name }) => name);
    const advice =
      "give it an example in __tests__/e2e/example-cases.ts, or a reason in the list notRun of __tests__/e2e/examples.test.ts";
    const neither = names.filter((name) => examples[name] === undefined && notRun[name] === undefined);
    expect(neither.map((name) => `${name}: ${advice}`)).toEqual([]);
    const gone = [...Object.keys(examples), ...Object.keys(notRun)].filter((name) => !names.includes(name));
    expect(gone).toEqual([]);
  });

  test("is in the documents as it is in the files to copy", () => {
    const texts = blocks.map(({ text }) => text);
    const files = filesIn("docs/workflows", ".yml");
    expect(files.filter((path) => !texts.includes(textOf(path)))).toEqual([]);
  });
});

const runs = blocks.flatMap(({ name, text }) =>
  (examples[name] ?? []).map((example, index) => ({ name: `${name} (${index + 1})`, text, example })),
);

test.each(runs)("$name does what it says", { timeout: 180_000 }, async ({ text, example }) => {
  await using world = await startExampleWorld(example.instance ?? "goharbor", example.options);
  await example.prepare?.(world);
  const options = optionsIn(world, example.event(world), example.more);
  const jobs = /^jobs:/m.test(text)
    ? await runWorkflow(text, options)
    : [await runSteps(`${text}${example.followedBy ?? ""}`, options)];
  const failed = jobs.flatMap(({ steps }) => steps.filter((step) => step.failed));
  expect(failed.map(({ log }) => log.replace(/^::(debug|add-mask)::.*\n/gm, ""))).toEqual([]);
  // Nothing in an example leads anywhere but where the documents say.
  expect(world.internet.refused).toEqual([]);
  example.expected(world);
  example.told?.(jobs, world);
});

/** The event of a prerelease in the place of another one; undefined where no version comes with the event. */
function ofPrerelease(event: ActionEvent): ActionEvent | undefined {
  const tag = "v9.9.9-rc1";
  const payload = event.payload as Readonly<Record<string, object | undefined>>;
  if (event.name === "release") {
    const release = { ...payload.release, tag_name: tag, prerelease: true };
    return { ...event, payload: { ...payload, release }, refName: tag };
  }
  if (event.name !== "workflow_run") return undefined;
  return { ...event, payload: { ...payload, workflow_run: { ...payload.workflow_run, head_branch: tag } } };
}

const wholeWorkflows = runs.filter(({ text }) =>
  /^on:.*(release|workflow_run)|^ {2}(release|workflow_run):/m.test(text),
);

test("several workflows are started by a release", () => {
  expect(wholeWorkflows.length).toBeGreaterThan(5);
});

test.each(wholeWorkflows)(
  "$name ends well after a prerelease, which it does not mirror",
  { timeout: 60_000 },
  async ({ text, example }) => {
    await using world = await startExampleWorld(example.instance ?? "goharbor", example.options);
    const event = ofPrerelease(example.event(world));
    // Of its other events, none brings a version.
    if (event === undefined) return;
    const jobs = await runWorkflow(text, optionsIn(world, event, example.more));
    const failed = jobs.flatMap(({ steps }) => steps.filter((step) => step.failed));
    expect(failed.map(({ log }) => log)).toEqual([]);
    const { besides = [] } = example;
    expect(eventsIn(world).filter(({ repository }) => !besides.includes(repository))).toEqual([]);
  },
);

test.each(wholeWorkflows)(
  "$name writes nothing the second time",
  { timeout: 120_000 },
  async ({ text, example }) => {
    await using world = await startExampleWorld(example.instance ?? "goharbor", example.options);
    await example.prepare?.(world);
    await runWorkflow(text, optionsIn(world, example.event(world), example.more));
    const before = eventsIn(world).length;
    const again = { ...example.more, folder: join(world.folder, "again") };
    const jobs = await runWorkflow(text, optionsIn(world, example.event(world), again));
    const failed = jobs.flatMap(({ steps }) => steps.filter((step) => step.failed));
    expect(failed.map(({ log }) => log)).toEqual([]);
    expect(eventsIn(world).slice(before)).toEqual([]);
  },
);

test.each(wholeWorkflows)(
  "$name fails where GitHub refuses its token: nothing is written, and no later job runs",
  { timeout: 60_000 },
  async ({ text, example }) => {
    await using world = await startExampleWorld(example.instance ?? "goharbor", example.options);
    const wrong = { ...example.more, token: "no token of this sandbox" };
    const [first, ...later] = await runWorkflow(text, optionsIn(world, example.event(world), wrong));
    if (first?.skipped === true) return;
    expect(first?.steps.some(({ failed }) => failed)).toBe(true);
    expect(later.filter(({ skipped }) => !skipped)).toEqual([]);
    const { besides = [] } = example;
    expect(eventsIn(world).filter(({ repository }) => !besides.includes(repository))).toEqual([]);
  },
);

/** What was written anywhere. */
function eventsIn({ registry, sandbox }: ExampleWorld): readonly RegistryEvent[] {
  return [registry, sandbox.dockerHub.registry, sandbox.tcr.registry].flatMap(({ events }) => events);
}
