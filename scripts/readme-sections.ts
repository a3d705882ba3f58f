import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  containerdHosts,
  dockerDaemon,
  openShiftMirrorSet,
  registriesConf,
} from "../src/report/mirror-files.ts";
import { type ActionMetadata, parseAction } from "../src/terminal/action-metadata.ts";
import { benchmarkSentence, benchmarkTable } from "./benchmark-table.ts";
import { registryFacts, registryTable } from "./registry-tables.ts";

/**
 * The generated parts of the documents by the name in their markers: `inputs`, `outputs`, those of the table of registries,
 * the newest result of the benchmark as a table and as a sentence, the files for who uses a mirror, and each workflow of `docs/workflows/` by its file name.
 * @param root folder of the repository.
 */
export function readSections(root: string): ReadonlyMap<string, string> {
  const action = parseAction(readFileSync(join(root, "action.yml"), "utf8"));
  const folder = join(root, "docs/workflows");
  const workflows = readdirSync(folder)
    .sort()
    .map((name) => [name, codeBlock("yaml", readFileSync(join(folder, name), "utf8"))] as const);
  return new Map([
    ["inputs", inputsTable(action)],
    ["outputs", outputsTable(action)],
    ["registries", registryTable()],
    ["registry-facts", registryFacts()],
    ["bench", benchmarkTable(join(root, "bench/results"))],
    ["bench-sentence", benchmarkSentence(join(root, "bench/results"))],
    ...mirrorFiles(),
    ...workflows,
  ]);
}

/** Documents that may have generated parts, in no order that matters. */
function candidates(root: string): readonly string[] {
  const inDocs = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", "bench/README.md", ...inDocs.sort().map((name) => `docs/${name}`)];
}

/**
 * The documents that have a generated part, as paths from the folder of the repository.
 * @throws Error when a part is in none of them, or in several.
 */
export function documentsWithSections(
  root: string,
  sections: ReadonlyMap<string, string>,
): readonly string[] {
  const texts = candidates(root).map((path) => [path, readFileSync(join(root, path), "utf8")] as const);
  const holders = [...sections.keys()].map((name) => {
    const [holder, ...more] = texts.filter(([, text]) => text.includes(startOf(name)));
    if (holder === undefined || more.length > 0) {
      throw new Error(
        `one document needs "${startOf(name)}", and no other: now ${more.length + (holder ? 1 : 0)}`,
      );
    }
    return holder[0];
  });
  return [...new Set(holders)];
}

function startOf(name: string): string {
  return `<!-- ${name}:start -->`;
}

/**
 * A document with its generated parts written anew, each between `<!-- name:start -->` and `<!-- name:end -->`. Parts that it
 * has no markers of are in another document.
 * @throws Error when the markers of a part are there twice, or without their other half.
 */
export function withSections(document: string, sections: ReadonlyMap<string, string>): string {
  return [...sections].reduce((text, [name, content]) => {
    const [before = "", rest, ...more] = text.split(startOf(name));
    const [, after, ...evenMore] = rest?.split(`<!-- ${name}:end -->`) ?? [];
    if (rest === undefined && !text.includes(`<!-- ${name}:end -->`)) return text;
    if (after === undefined || more.length + evenMore.length > 0) {
      throw new Error(`a document needs the markers of "${name}" exactly once, the end after the start`);
    }
    return `${before}${startOf(name)}\n${content}\n<!-- ${name}:end -->${after}`;
  }, document);
}

function inputsTable({ inputs }: ActionMetadata): string {
  const rows = Object.entries(inputs).map(([name, { description, required, default: text }]) =>
    row([`\`${name}\``, required ? "required" : defaultCell(text), description]),
  );
  return [row(["Input", "Default", "Meaning"]), row(["---", "---", "---"]), ...rows].join("\n");
}

function outputsTable({ outputs }: ActionMetadata): string {
  const rows = Object.entries(outputs).map(([name, { description }]) => row([`\`${name}\``, description]));
  return [row(["Output", "Meaning"]), row(["---", "---"]), ...rows].join("\n");
}

/** One code span for each line of a default; nothing where it is empty. */
function defaultCell(text: string): string {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => `\`${line}\``).join("<br>");
}

/** A bar inside a cell would end it, in code spans too: https://github.github.com/gfm/#tables-extension- */
function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.trim().replaceAll("|", "\\|").replace(/\s+/g, " ")).join(" | ")} |`;
}

function codeBlock(language: string, text: string): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;
}

/** The files that tell programs to read from a mirror, as a summary has them, for the mirror of the page. */
function mirrorFiles(): readonly (readonly [name: string, text: string])[] {
  const original = { registry: "docker.io", path: "goharbor" };
  const mirror = { registry: "registry.example.com", path: "team/goharbor" };
  const atRoot = { ...mirror, path: original.path };
  const block = (language: string, lines: readonly string[] = []) => codeBlock(language, lines.join("\n"));
  return [
    ["use-containerd", block("toml", containerdHosts(mirror, original))],
    ["use-docker", block("json", dockerDaemon(atRoot, original))],
    ["use-registries-conf", block("toml", registriesConf(mirror, original))],
    ["use-openshift-tags", block("yaml", openShiftMirrorSet("Tag", mirror, original))],
    ["use-openshift-digests", block("yaml", openShiftMirrorSet("Digest", mirror, original))],
  ];
}
