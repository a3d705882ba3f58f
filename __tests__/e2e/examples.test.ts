import { describe, expect, test } from "vitest";
import { type ActionEvent, releaseEvent } from "../../sandbox/action.ts";
import { seedRelease } from "../../sandbox/harbor.ts";
import type { SandboxOptions } from "../../sandbox/sandbox.ts";
import { type JobResult, runSteps, runWorkflow, type WorkflowOptions } from "../../sandbox/workflow.ts";
import { codeBlocks, documents, filesIn, textOf } from "../documents.ts";
import {
  type ExampleWorld,
  loginAction,
  optionsIn,
  registryLogin,
  seedShop,
  shopOptions,
  startExampleWorld,
  tagsByImage,
  tagsByNamespace,
} from "./examples.ts";
import { scale } from "./world.ts";

/** A block of YAML in a document, by where it is. */
interface Block {
  /** Path of the document and heading above the block, and a number where there are several below it. */
  readonly name: string;
  readonly text: string;
}

/** How a block is run, and what must be true afterwards. */
interface Example {
  /** Name of the TCR instance there is. Default: `goharbor`. */
  readonly instance?: string;
  readonly options?: SandboxOptions;
  readonly prepare?: (world: ExampleWorld) => unknown;
  readonly event: (world: ExampleWorld) => ActionEvent;
  readonly more?: Partial<WorkflowOptions>;
  readonly expected: (world: ExampleWorld, jobs: readonly JobResult[]) => void;
}

const all = ["v2.14.4", "v2.15.0", "v2.15.1", "v2.15.2"];
const newestThree = all.slice(1);

/** TCR holds three versions, of which the oldest has to go for v2.15.2. */
function seedMirrors({ sandbox }: ExampleWorld): void {
  for (const version of all.slice(0, 3)) seedRelease(sandbox.tcr.registry, version, { scale });
  seedRelease(sandbox.dockerHub.registry, "v2.15.1", { scale });
}

const published = (world: ExampleWorld): ActionEvent => releaseEvent(world.sandbox, "v2.15.2");

/** The release of v2.15.2 goes to Docker Hub, which keeps all, and to TCR, which holds three versions and keeps three. */
const release: Example = {
  options: { tcr: { namespaces: { goharbor: false } } },
  prepare: seedMirrors,
  event: published,
  expected: ({ sandbox }) => {
    expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: newestThree });
    expect(tagsByNamespace(sandbox.dockerHub.registry)).toEqual({ goharbor: ["v2.15.1", "v2.15.2"] });
  },
};

/** The same at an instance that has nothing yet: the namespace is made, and everyone may pull from it. */
const firstRelease: Example = {
  event: published,
  expected: ({ sandbox }) => {
    expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: ["v2.15.2"] });
    expect(tagsByNamespace(sandbox.dockerHub.registry)).toEqual({ goharbor: ["v2.15.2"] });
    expect(sandbox.tcr.namespaces.get("goharbor")).toEqual({ public: true });
  },
};

const schedule: Example = {
  instance: "example",
  event: () => ({ name: "schedule", payload: { schedule: "17 3,15 * * *" } }),
  expected: ({ sandbox }) => {
    expect(tagsByNamespace(sandbox.tcr.registry)).toEqual({ goharbor: newestThree });
    expect(sandbox.tcr.namespaces.get("goharbor")).toEqual({ public: true });
    expect(sandbox.dockerHub.registry.state()).toEqual({});
  },
};

/** The box that says "dry run" is ticked, or not. */
function backfill(isDryRun: boolean): Example {
  const inputs = { version: "v2.14.4, v2.15.0", "dry-run": isDryRun };
  return {
    instance: "example",
    event: () => ({ name: "workflow_dispatch", payload: { inputs } }),
    more: { inputs },
    expected: ({ sandbox }, jobs) => {
      expect(tagsByNamespace(sandbox.tcr.registry)).toEqual(
        isDryRun ? {} : { "goharbor-archive": ["v2.14.4", "v2.15.0"] },
      );
      expect(sandbox.tcr.namespaces.size).toBe(isDryRun ? 0 : 1);
      const report = jobs[0]?.steps.at(-1)?.log;
      expect(report).toContain(`Images copied: ${isDryRun ? 0 : 24}`);
      expect(report).toContain('"schemaVersion"');
    },
  };
}

const ownImages: Example = {
  options: shopOptions,
  prepare: ({ sandbox }) => seedShop(sandbox),
  event: ({ sandbox }) => releaseEvent(sandbox, "v1.4.0"),
  expected: ({ registry }, [mirror, ...checks]) => {
    expect(tagsByImage(registry.state())).toEqual({
      "mirror/shop-server": ["v1.4.0"],
      "mirror/shop-worker": ["1.4.0"],
      "mirror/shop-web": ["1.4-alpine"],
      "mirror/shop-migrate": ["v1.4.0"],
    });
    expect(mirror?.outputs.images).toContain('"reference":"registry.example.com/mirror/shop-server:v1.4.0"');
    const printed = checks.map(({ steps }) => steps[0]?.log.trim()).sort();
    const digests = registry.state();
    expect(printed).toEqual(
      [
        `registry.example.com/mirror/shop-migrate:v1.4.0@${digests["mirror/shop-migrate"]?.["v1.4.0"]}`,
        `registry.example.com/mirror/shop-server:v1.4.0@${digests["mirror/shop-server"]?.["v1.4.0"]}`,
        `registry.example.com/mirror/shop-web:1.4-alpine@${digests["mirror/shop-web"]?.["1.4-alpine"]}`,
        `registry.example.com/mirror/shop-worker:1.4.0@${digests["mirror/shop-worker"]?.["1.4.0"]}`,
      ].map((image) => `Your own command for ${image}`),
    );
  },
};

const oneStep: Example = {
  event: () => ({ name: "push", payload: {} }),
  expected: ({ registry }, [job]) => {
    expect(tagsByNamespace(registry)).toEqual({ harbor: ["v2.15.1"] });
    expect(job?.steps.at(-1)).toMatchObject({ skipped: false, failed: false });
  },
};

const loginAtExample = { registry: "registry.example.com", ...registryLogin };

const enterpriseServer: Example = {
  event: () => ({ name: "schedule", payload: {} }),
  more: { actions: {}, token: "the token of another server" },
  prepare: ({ folder }) => loginAction({ inputs: loginAtExample, home: `${folder}/job-0/home` }),
  expected: ({ registry }) => {
    expect(tagsByNamespace(registry)).toEqual({ harbor: newestThree });
  },
};

/** Each block of YAML that is run, by its place, in each of the ways that a reader may. */
const examples: Readonly<Record<string, readonly Example[]>> = {
  "README.md, Quick start": [release],
  "docs/recipes.md, A release in the same repository": [release, firstRelease],
  "docs/recipes.md, A mirror of another repository, on a schedule": [schedule],
  "docs/recipes.md, A backfill by hand, with a dry run first": [backfill(true), backfill(false)],
  "docs/recipes.md, The images of another project, and what later jobs do with them": [ownImages],
  "docs/recipes.md, One step among others": [oneStep],
  "docs/recipes.md, GitHub Enterprise Server": [enterpriseServer],
};

/** Blocks that are no workflow, each with the reason why nothing runs it. */
const notRun: Readonly<Record<string, string>> = {
  "README.md, Pulling from the mirror": "values of Harbor's Helm chart, which no step reads",
};

const blocks = documents.flatMap((path) => blocksIn(path, textOf(path)));

/** The blocks of a document, by the heading above each. A comment in a block looks like a heading and is none. */
function blocksIn(path: string, markdown: string): readonly Block[] {
  const blank = (code: string): string => code.replace(/^# .*$/gm, "");
  const outline = markdown.replace(/^```[\s\S]*?^```$/gm, blank);
  const headings = [...outline.matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = ""]) => heading);
  const lines = markdown.split("\n");
  const starts = headings.map((heading) => lines.findIndex((line) => line.replace(/^#+ /, "") === heading));
  const sections = headings.map((heading, index) => ({
    heading,
    text: lines.slice(starts[index], starts[index + 1]).join("\n"),
  }));
  return sections.flatMap(({ heading, text: section }) => {
    const found = codeBlocks(section, "yaml");
    return found.map((text, index) => ({
      name: `${path}, ${heading}${found.length > 1 ? `, block ${index + 1}` : ""}`,
      text,
    }));
  });
}

describe("the YAML in the documents", () => {
  test("is run here, all of it, or is on the list of what is no workflow", () => {
    const names = blocks.map(({ name }) => name);
    const advice =
      "give it an example in __tests__/e2e/examples.test.ts, or a reason in the list notRun there";
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
  example.expected(world, jobs);
});
