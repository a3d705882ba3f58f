import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";

/**
 * The rooms of `src`, by folder or by the name of a file directly in `src`. A file imports from its own room and from those
 * below it, types included: so each room can be read, and tested, without those above.
 */
const rooms: readonly (readonly [name: string, files: RegExp])[] = [
  ["index", /^src\/index\.ts$/],
  ["terminal", /^src\/terminal\//],
  ["main", /^src\/main\.ts$/],
  ["run", /^src\/run\//],
  ["inputs", /^src\/inputs\//],
  ["report", /^src\/report\//],
  ["fan-out", /^src\/fan-out\//],
  ["check", /^src\/check\//],
  ["copy", /^src\/copy\//],
  ["spool", /^src\/spool\//],
  ["access", /^src\/access\//],
  ["tuning", /^src\/tuning\//],
  ["inventory", /^src\/inventory\//],
  ["destinations", /^src\/destinations\//],
  ["harbor", /^src\/harbor\//],
  ["github", /^src\/github\//],
  ["plan", /^src\/plan\//],
  ["charts", /^src\/charts\//],
  ["oci", /^src\/oci\//],
  ["vendors", /^src\/vendors\//],
  ["http", /^src\/http\//],
  ["log", /^src\/log\//],
  ["clock, errors, pattern, turns, wording", /^src\/(clock|errors|pattern|turns|wording)\.ts$/],
];

/** What the plan may know of a registry: names, and the types of manifests; nothing that sends or reads. */
const planMayImportFromOci = new Set(["src/oci/digest.ts", "src/oci/reference.ts", "src/oci/media-types.ts"]);

interface Import {
  readonly from: string;
  /** Path from the project's root for a relative import, else the name of the package. */
  readonly to: string;
  /** Whether nothing of it is left when the program runs. */
  readonly typesOnly: boolean;
}

const sources = parsed("src");
const imports = [...sources].flatMap(([path, source]) => importsOf(path, source));

describe("the rooms of src", () => {
  test("every file is in one", () => {
    expect(sources.size).toBeGreaterThan(50);
    expect([...sources.keys()].filter((path) => roomOf(path) < 0)).toEqual([]);
  });

  test("imports stay in their room or go down", () => {
    const upward = imports.filter(({ from, to }) => to.startsWith("src/") && roomOf(to) < roomOf(from));
    expect(upward.map(printed)).toEqual([]);
  });

  test("imports lead to files that are there", () => {
    const lost = imports.filter(({ to }) => to.startsWith("src/") && !sources.has(to));
    expect(lost.map(printed)).toEqual([]);
  });

  test("no file imports itself by way of others, not even for a type", () => {
    expect(cycles(imports)).toEqual([]);
  });

  test("only terminal, main, run and inputs themselves import the inputs", () => {
    const importers = imports.filter(({ to }) => to.startsWith("src/inputs/")).map(({ from }) => from);
    expect(importers.length).toBeGreaterThan(10);
    expect(importers.filter((path) => !/^src\/(terminal\/|main\.ts|run\/|inputs\/)/.test(path))).toEqual([]);
  });

  test("nothing in src imports the sandbox or a test", () => {
    const outside = imports.filter(({ to }) => /^(?!src\/).*\.ts$/.test(to) || to.startsWith(".."));
    expect(outside.map(printed)).toEqual([]);
  });

  test("the sandbox does not import src: what it proves would prove itself", () => {
    const ofSandbox = [...parsed("sandbox")].flatMap(([path, source]) => importsOf(path, source));
    expect(ofSandbox.length).toBeGreaterThan(20);
    expect(ofSandbox.filter(({ to }) => to.startsWith("src/")).map(printed)).toEqual([]);
  });
});

test("the plan is pure: no module of Node, and of oci only names and types", () => {
  const ofPlan = imports.filter(({ from }) => from.startsWith("src/plan/"));
  expect(ofPlan.length).toBeGreaterThan(10);
  const impure = ofPlan.filter(
    ({ to, typesOnly }) =>
      /^(node:|undici$|@actions\/|@octokit\/)/.test(to) ||
      to === "src/clock.ts" ||
      (to.startsWith("src/oci/") &&
        !planMayImportFromOci.has(to) &&
        !(typesOnly && to === "src/oci/manifest.ts")),
  );
  expect(impure.map(printed)).toEqual([]);
});

test("only src/main.ts and the inputs read the environment", () => {
  const readers = [...sources].filter(([, source]) => readsEnvironment(source)).map(([path]) => path);
  expect(readers).toContain("src/main.ts");
  expect(readers.filter((path) => !/^src\/(main\.ts|inputs\/)/.test(path))).toEqual([]);
});

test("only src/clock.ts tells the time, and only src/main.ts takes it from there", () => {
  const tellers = [...sources].filter(([, source]) => tellsTime(source)).map(([path]) => path);
  expect(tellers).toEqual(["src/clock.ts"]);
  const importers = imports.filter(({ to, typesOnly }) => to === "src/clock.ts" && !typesOnly);
  expect(importers.map(printed)).toEqual(["src/main.ts imports src/clock.ts"]);
});

describe("the checks themselves find", () => {
  const sourceOf = (text: string) => ts.createSourceFile("src/plan/x.ts", text, ts.ScriptTarget.Latest, true);

  test.each([
    ['import { a } from "../oci/http.ts";', false],
    ['import a from "../oci/http.ts";', false],
    ['import { a, type B } from "../oci/http.ts";', false],
    ['import "../oci/http.ts";', false],
    ['export * from "../oci/http.ts";', false],
    ['const a = await import("../oci/http.ts");', false],
    ['import type { A } from "../oci/http.ts";', true],
    ['import { type A } from "../oci/http.ts";', true],
    ['export type { A } from "../oci/http.ts";', true],
    ['let a: import("../oci/http.ts").A;', true],
    ['let a: typeof import("../oci/http.ts");', true],
  ])("the import in %s, of types only: %s", (text, typesOnly) => {
    expect(importsOf("src/plan/x.ts", sourceOf(text))).toEqual([
      { from: "src/plan/x.ts", to: "src/oci/http.ts", typesOnly },
    ]);
  });

  test.each([
    "const a = process.env.HOME;",
    'const a = process["env"];',
    "const { env } = process;",
    "const { env: all = {} } = globalThis.process;",
    'import { env } from "node:process";',
    'import * as running from "process";',
  ])("that the environment is read in %s", (text) => {
    expect(readsEnvironment(sourceOf(text))).toBe(true);
  });

  test.each(["process.exitCode = 1;", "const env = process.pid;", 'const a = { env: "x" };'])(
    "that it is not in %s",
    (text) => {
      expect(readsEnvironment(sourceOf(text))).toBe(false);
    },
  );

  test.each([
    "const a = performance.now();",
    "const a = Date.now();",
    "const a = new Date();",
    "setTimeout(work, 1);",
    "globalThis.setInterval(work, 1);",
    "const a = AbortSignal.timeout(1);",
    'import { setTimeout } from "node:timers/promises";',
  ])("that the time is told in %s", (text) => {
    expect(tellsTime(sourceOf(text))).toBe(true);
  });

  test.each(["const a = clock.now();", "const a = new Date(0);", "const a = clock.timeout(1);"])(
    "that it is not in %s",
    (text) => {
      expect(tellsTime(sourceOf(text))).toBe(false);
    },
  );

  test("a cycle, of any length, once", () => {
    const edge = (from: string, to: string): Import => ({ from, to, typesOnly: true });
    const chain = [edge("a", "b"), edge("b", "c"), edge("c", "a")];
    expect(cycles([...chain, edge("d", "a")])).toEqual(["a -> b -> c -> a"]);
    expect(cycles([edge("a", "a")])).toEqual(["a -> a"]);
    expect(cycles(chain.slice(0, 2))).toEqual([]);
  });
});

/** Every TypeScript file below a folder, parsed, by its path from the project's root. */
function parsed(folder: string): ReadonlyMap<string, ts.SourceFile> {
  const root = dirname(import.meta.dirname);
  const paths = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => posix.join(folder, path.replaceAll("\\", "/")))
    .sort();
  return new Map(
    paths.map((path) => [
      path,
      ts.createSourceFile(path, readFileSync(join(root, path), "utf8"), ts.ScriptTarget.Latest, true),
    ]),
  );
}

/** The nodes of a syntax tree, each before those below it. */
function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => {
    children.push(child);
  });
  for (const child of children) yield* nodesOf(child);
}

/** Every import of a file in any form: declarations, re-exports, `import()` and types by `import("…")`. */
function importsOf(path: string, source: ts.SourceFile): readonly Import[] {
  return [...nodesOf(source)].flatMap((node) => {
    const specifier = specifierOf(node);
    if (specifier === undefined) return [];
    const to = specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : specifier;
    return [{ from: path, to, typesOnly: isOfTypesOnly(node) }];
  });
}

function isOfTypesOnly(node: ts.Node): boolean {
  if (ts.isImportTypeNode(node)) return true;
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node) || node.importClause === undefined) return false;
  const { phaseModifier, name, namedBindings } = node.importClause;
  if (phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = namedBindings !== undefined && ts.isNamedImports(namedBindings) ? namedBindings.elements : [];
  return name === undefined && named.length > 0 && named.every(({ isTypeOnly }) => isTypeOnly);
}

function specifierOf(node: ts.Node): string | undefined {
  const text = (expression: ts.Node | undefined): string | undefined =>
    expression !== undefined && ts.isStringLiteralLike(expression) ? expression.text : undefined;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return text(node.moduleSpecifier);
  if (ts.isImportTypeNode(node))
    return ts.isLiteralTypeNode(node.argument) ? text(node.argument.literal) : undefined;
  return ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
    ? text(node.arguments[0])
    : undefined;
}

/** Whether a file says `process.env` in any of its spellings, or imports the module that has it. */
function readsEnvironment(source: ts.SourceFile): boolean {
  const importsProcess = importsOf(source.fileName, source).some(({ to }) => /^(node:)?process$/.test(to));
  return importsProcess || [...nodesOf(source)].some(isEnvironment);
}

function isEnvironment(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return isProcess(node.expression) && node.name.text === "env";
  if (ts.isElementAccessExpression(node)) return isProcess(node.expression);
  // `const { env } = process`; any other pattern on `process` is a way around the rule as well.
  return (
    ts.isVariableDeclaration(node) &&
    ts.isObjectBindingPattern(node.name) &&
    node.initializer !== undefined &&
    isProcess(node.initializer)
  );
}

function isProcess(node: ts.Expression): boolean {
  return (
    (ts.isIdentifier(node) && node.text === "process") ||
    (ts.isPropertyAccessExpression(node) && node.name.text === "process")
  );
}

/** Whether a file says what time it is, or waits, by itself. */
function tellsTime(source: ts.SourceFile): boolean {
  const importsTimers = importsOf(source.fileName, source).some(({ to }) =>
    /^(node:)?(timers|perf_hooks)/.test(to),
  );
  return importsTimers || [...nodesOf(source)].some(isTime);
}

function isTime(node: ts.Node): boolean {
  if (ts.isIdentifier(node)) return /^(performance|setTimeout|setInterval)$/.test(node.text);
  if (ts.isNewExpression(node)) return node.expression.getText() === "Date" && node.arguments?.length === 0;
  return ts.isPropertyAccessExpression(node) && /^(Date\.now|AbortSignal\.timeout)$/.test(node.getText());
}

/** Position of a file's room in the list; -1: in none. */
function roomOf(path: string): number {
  return rooms.findIndex(([, files]) => files.test(path));
}

/** Every cycle that a walk along the imports comes upon, each written once from where the walk entered it. */
function cycles(all: readonly Import[]): readonly string[] {
  const next = Map.groupBy(all, ({ from }) => from);
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const entered = trail.indexOf(path);
    if (entered >= 0) found.push([...trail.slice(entered), path].join(" -> "));
    if (entered >= 0 || done.has(path)) return;
    for (const { to } of next.get(path) ?? []) walk(to, [...trail, path]);
    done.add(path);
  };
  for (const path of next.keys()) walk(path, []);
  return [...new Set(found)];
}

function printed({ from, to }: Import): string {
  return `${from} imports ${to}`;
}
