import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { parse } from "yaml";

/** Folder of the repository. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** The text of a file of the repository. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The files of a folder of the repository, with that folder in front. */
export function filesIn(folder: string, end: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(end))
    .map((name) => join(folder, name))
    .sort();
}

/** The documents for people. */
export const documents = [
  ...filesIn("docs", ".md"),
  ...readdirSync(root).filter((name) => /\.md$/.test(name)),
];

/** The code blocks of a language in a Markdown text, without the indentation of a block inside a list. */
export function codeBlocks(markdown: string, language: string): readonly string[] {
  const blocks = markdown.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm);
  return [...blocks].flatMap(([, indent = "", of, code = ""]) =>
    of === language ? [code.replaceAll(new RegExp(`^${indent}`, "gm"), "")] : [],
  );
}

/** The cells of the table whose header row begins so, without that row. */
export function tableRows(markdown: string, header: string): readonly (readonly string[])[] {
  const lines = markdown.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${header}`));
  const end = lines.findIndex((line, at) => at > start && !line.startsWith("|"));
  if (start < 0) throw new Error(`there is no table that begins with ${header}`);
  return lines.slice(start + 2, end).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

/** The text in the first code span of a cell. */
export function codeIn(cell: string | undefined): string {
  const [, code] = /`([^`]+)`/.exec(cell ?? "") ?? [];
  if (code === undefined) throw new Error(`there is no code in the cell "${cell}"`);
  return code;
}

const stepSchema = v.object({
  id: v.optional(v.string()),
  name: v.optional(v.string()),
  uses: v.optional(v.string()),
  run: v.optional(v.string()),
  with: v.optional(v.record(v.string(), v.union([v.string(), v.boolean(), v.number()])), {}),
});

export type Step = v.InferOutput<typeof stepSchema>;

/** A job that has a runner. */
const jobSchema = v.object({
  "runs-on": v.string(),
  environment: v.optional(v.string()),
  "timeout-minutes": v.pipe(v.number(), v.minValue(1), v.maxValue(360)),
  needs: v.optional(v.union([v.string(), v.array(v.string())])),
  if: v.optional(v.string()),
  permissions: v.optional(v.record(v.string(), v.string())),
  strategy: v.optional(
    v.object({
      "fail-fast": v.optional(v.boolean()),
      // A string is an expression: the matrix comes from another job.
      matrix: v.union([v.string(), v.record(v.string(), v.union([v.string(), v.array(v.unknown())]))]),
    }),
  ),
  outputs: v.optional(v.record(v.string(), v.string())),
  steps: v.array(stepSchema),
});

/** A job that calls a reusable workflow. */
const callSchema = v.strictObject({
  uses: v.string(),
  with: v.optional(v.record(v.string(), v.union([v.string(), v.boolean(), v.number()])), {}),
  secrets: v.optional(v.union([v.literal("inherit"), v.record(v.string(), v.string())])),
});

export type Call = v.InferOutput<typeof callSchema>;

/** As much of https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax as is checked here. */
const workflowSchema = v.object({
  name: v.string(),
  on: v.record(
    v.string(),
    v.nullable(
      v.union([
        v.object({
          inputs: v.optional(
            v.record(
              v.string(),
              v.object({
                type: v.string(),
                required: v.optional(v.boolean(), false),
                default: v.optional(v.unknown()),
              }),
            ),
          ),
          secrets: v.optional(v.record(v.string(), v.object({ required: v.boolean() })), {}),
          outputs: v.optional(v.record(v.string(), v.object({ value: v.string() })), {}),
        }),
        v.array(v.object({ cron: v.pipe(v.string(), v.regex(/^([\d*,/-]+ ){4}[\d*,/-]+$/)) })),
      ]),
    ),
  ),
  permissions: v.optional(v.record(v.string(), v.string())),
  concurrency: v.optional(v.looseObject({ group: v.string() })),
  jobs: v.record(
    v.string(),
    v.union([
      jobSchema,
      v.pipe(
        callSchema,
        v.transform((call) => ({ call, steps: [] as Step[] })),
      ),
    ]),
  ),
});

type Job = v.InferOutput<typeof jobSchema>;

export type Workflow = Omit<v.InferOutput<typeof workflowSchema>, "jobs"> & {
  /** A job that calls another workflow has no steps. */
  readonly jobs: Readonly<Record<string, Partial<Job> & Pick<Job, "steps"> & { readonly call?: Call }>>;
};

/**
 * Reads a whole workflow.
 * @throws ValiError when it lacks what every workflow here has: a time limit for each job.
 */
export function parseWorkflow(text: string): Workflow {
  return v.parse(workflowSchema, parse(text));
}

/** The steps of a whole workflow or of a list of steps; none in other YAML. */
export function stepsIn(text: string): readonly Step[] {
  const document: unknown = parse(text);
  const list = v.safeParse(v.array(v.looseObject({ uses: v.string() })), document);
  if (list.success) return v.parse(v.array(stepSchema), document);
  if (!v.is(v.looseObject({ jobs: v.unknown() }), document)) return [];
  return Object.values(parseWorkflow(text).jobs).flatMap(({ steps }) => steps);
}

/** The expressions in a text, without their braces. */
export function expressionsIn(text: string): readonly string[] {
  return [...text.matchAll(/\$\{\{(.*?)\}\}/g)].map(([, expression = ""]) => expression.trim());
}
