import { describe, expect, test } from "vitest";
import { runSteps, runWorkflow } from "../../sandbox/workflow.ts";
import { documents, filesIn, textOf } from "../support/documents.ts";
import { blocksIn, examples } from "./example-cases.ts";
import { optionsIn, startExampleWorld } from "./examples.ts";

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
