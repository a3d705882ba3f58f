import { describe, expect, test } from "vitest";
import { runSteps, runWorkflow } from "../../sandbox/workflow.ts";
import { documents, filesIn, textOf } from "../documents.ts";
import { blocksIn, examples } from "./example-cases.ts";
import { optionsIn, startExampleWorld } from "./examples.ts";

/** Blocks that are no workflow, each with the reason why nothing runs it. */
const notRun: Readonly<Record<string, string>> = {
  "docs/docker-hub.md, Without a stored secret":
    "needs Docker's exchange of id tokens, which the tests of that login stand in for",
  "docs/fan-out.md, Several jobs, block 1": "calls another workflow, which the tests of the fan-out run",
  "docs/fan-out.md, Several jobs, block 2": "calls another workflow, which the tests of the fan-out run",
  "docs/tcr.md, Without stored secrets":
    "needs CAM's exchange of id tokens, which __tests__/destinations/tencent-keys.test.ts stands in for",
  "README.md, Pulling from the mirror": "values of Harbor's Helm chart, which no step reads",
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
  const jobs = /^jobs:/m.test(text) ? await runWorkflow(text, options) : [await runSteps(text, options)];
  const failed = jobs.flatMap(({ steps }) => steps.filter((step) => step.failed));
  expect(failed.map(({ log }) => log.replace(/^::(debug|add-mask)::.*\n/gm, ""))).toEqual([]);
  // Nothing in an example leads anywhere but where the documents say.
  expect(world.internet.refused).toEqual([]);
  example.expected(world);
  example.told?.(jobs, world);
});
