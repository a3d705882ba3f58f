import { describe, expect, test } from "vitest";
import { documents, textOf } from "../support/documents.ts";
import { isInstalled, skipWithout } from "../support/programs.ts";
import { act } from "./act.ts";
import { blocksIn, examples } from "./example-cases.ts";
import { optionsIn, startExampleWorld } from "./examples.ts";

/** The whole workflows of the documents; lists of steps are no workflow for a runner. */
const workflows = documents
  .flatMap((path) => blocksIn(path, textOf(path)))
  .filter(({ text }) => /^jobs:/m.test(text))
  .flatMap(({ name, text }) =>
    (examples[name] ?? []).map((example, index) => ({ name: `${name} (${index + 1})`, text, example })),
  );

describe("the workflows that people copy, with a runner that is not ours", () => {
  if (!isInstalled("act")) {
    skipWithout("act", "go install github.com/nektos/act@v0.2.89");
    return;
  }
  test("are several", () => expect(workflows.length).toBeGreaterThan(4));

  test.each(workflows)("$name", { timeout: 180_000 }, async ({ text, example }) => {
    await using world = await startExampleWorld(example.instance ?? "goharbor", example.options);
    await example.prepare?.(world);
    const { event, inputs, secrets } = optionsIn(world, example.event(world), example.more);
    const given = { event, secrets, ...(inputs === undefined ? {} : { inputs }) };
    const { status, log } = await act(world, text, given);
    const shown = log.split("\n").filter((line) => !/::(debug|add-mask)::|💬/.test(line));
    expect([status, status === 0 ? "" : shown.join("\n")]).toEqual([0, ""]);
    expect(world.internet.refused).toEqual([]);
    example.expected(world);
  });
});
