import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { componentsOf, harborReleases } from "../sandbox/harbor.ts";
import { newestRelease } from "../sandbox/sandbox.ts";
import { documentsWithSections, readSections, withSections } from "../scripts/readme-sections.ts";
import { inputDefaults } from "../src/inputs/inputs.ts";
import { silentLog } from "../src/log/log.ts";
import { keepByChoices, newest } from "../src/plan/retention.ts";
import { versionOf } from "../src/plan/version.ts";
import { writeReport } from "../src/report/write.ts";
import { parseAction } from "../src/terminal/action-metadata.ts";
import { codeIn, documents, filesIn, root, tableRows, textOf } from "./support/documents.ts";
import { mistakesOf } from "./support/given-inputs.ts";

const readme = textOf("README.md");
const reference = textOf("docs/reference.md");
const permissions = textOf("docs/permissions.md");
const decisions = textOf("docs/decisions.md");
const action = parseAction(textOf("action.yml"));
/** All source, with texts that go over several lines put together. */
const source = filesIn("src", ".ts")
  .map(textOf)
  .join("\n")
  .replace(/["'`]\s*\+\s*["'`]/g, "");

describe("action.yml", () => {
  test("has exactly the inputs that are read, of which none is required: each route may say its own", () => {
    expect(Object.keys(action.inputs)).toEqual(Object.keys(inputDefaults));
    const required = Object.entries(action.inputs).filter(([, input]) => input.required);
    expect(required.map(([name]) => name)).toEqual([]);
  });

  test("has exactly the outputs that a run sets, those for other jobs included", async () => {
    const names: string[] = [];
    const plan = { repository: "example/shop", versions: [], steps: [] };
    const nothing = {
      destinations: [],
      copies: [],
      prunes: [],
      bytesRead: 0,
      requests: new Map<string, number>(),
    };
    await writeReport(
      { plan, dryRun: false, ...nothing, startedAt: 0, milliseconds: 0 },
      {
        setOutput: (name) => names.push(name),
        appendSummary: () => Promise.resolve(),
        writeFile: () => Promise.resolve(),
        log: silentLog,
        reportPath: "report.json",
      },
    );
    expect([...names.slice(0, -1), "plan", "matrix", "report"]).toEqual(Object.keys(action.outputs));
  });

  test("runs the bundle that the build writes", () => {
    const { runs } = parse(textOf("action.yml")) as { runs: unknown };
    expect(runs).toEqual({
      using: "node24",
      main: "dist/index.js",
      post: "post.js",
      "post-if": "always()",
    });
    expect(textOf("package.json")).toContain("ncc build src/index.ts --out dist ");
  });
});

const sections = readSections(root);

test.each(documentsWithSections(root, sections))(
  "%s has the generated parts as npm run readme writes them",
  (path) => {
    const text = textOf(path);
    expect(withSections(text, sections) === text).toBe(true);
  },
);

describe("the README", () => {
  const lines = readme.split("\n");

  test("fits a minute: two sentences, the two commands, then the workflow to copy", () => {
    expect(lines.length).toBeLessThan(150);
    const above = lines.slice(0, 40);
    expect(above).toEqual(expect.arrayContaining(["npm ci && npm run demo", "npm ci && npm test"]));
    expect(above.some((line) => line.includes("uses: goharbor/harbor-release-mirror@"))).toBe(true);
    const [, introduction = ""] = readme.split("\n\n");
    expect(introduction.match(/\.(?=\s|$)/g)).toHaveLength(2);
  });

  test("has two pictures, both after the workflow", () => {
    const pictures = lines.flatMap((line, at) => (/!\[/.test(line) ? [at] : []));
    expect(pictures).toHaveLength(2);
    expect(pictures[0]).toBeGreaterThan(lines.indexOf("## Quick start"));
  });

  test("leads to every page of docs", () => {
    expect(filesIn("docs", ".md").filter((path) => !readme.includes(`](${path})`))).toEqual([]);
  });
});

describe("docs/reference.md", () => {
  test("lists the attributes that a destination may have", () => {
    const listed = tableRows(reference, "Attribute").map(([name]) => codeIn(name));
    expect(mistakesOf({ destinations: "registry.example/harbor,colour=blue" })).toContain(
      `there are ${listed.join(", ")}.`,
    );
  });
});

describe("docs/permissions.md", () => {
  test("lists the CAM actions that are called, beside those of the registry", () => {
    const calls = [...source.matchAll(/action: "([A-Z][A-Za-z]+)"/g)].map(([, name]) => `tcr:${name}`);
    const ofRegistry = ["tcr:CreateRepository", "tcr:PullRepository", "tcr:PushRepository"];
    const listed = tableRows(permissions, "CAM action").flatMap(
      ([names = ""]) => names.match(/tcr:\w+/g) ?? [],
    );
    expect(listed.toSorted()).toEqual([...new Set(calls), ...ofRegistry].toSorted());
  });
});

describe("docs/decisions.md", () => {
  test("says how many images a Harbor release has", () => {
    const [, images, pulls] = /a Harbor release of (\d+) images costs (\d+) pulls/.exec(decisions) ?? [];
    const count = String(componentsOf(newestRelease.version).length);
    expect([images, pulls]).toEqual([count, count]);
  });

  test("says of real releases what each keep-by keeps", () => {
    const releases = harborReleases().flatMap((release) => versionOf(release) ?? []);
    const header = decisions.split("\n").find((line) => line.startsWith("| `keep-by` | of "));
    const examples = (header ?? "").split("|").slice(2, -1).map(tagsIn);
    expect(examples.map((tags) => tags.length)).toEqual([6, 4]);
    const kept = keepByChoices.map((keepBy) => [
      keepBy,
      ...examples.map((tags) => {
        const versions = releases.filter(({ tag }) => tags.includes(tag));
        return newest(versions, { keep: 3, keepBy }).map(({ tag }) => tag);
      }),
    ]);
    const rows = tableRows(decisions, "`keep-by` | of ").map(([name, ...cells]) => [
      codeIn(name),
      ...cells.map(tagsIn),
    ]);
    expect(rows).toEqual(kept);
  });
});

function tagsIn(text: string): readonly string[] {
  return text.match(/v\d+\.\d+\.\d+/g) ?? [];
}

describe.each(documents)("%s", (document) => {
  const text = textOf(document);
  const prose = text.replace(/^```[\s\S]*?^```$/gm, "");

  test("links to files and headings that there are", () => {
    const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
    const local = links.filter((link) => !/^https:\/\//.test(link));
    expect(local.filter((link) => !isThere(document, link))).toEqual([]);
  });

  test("names files and folders that there are", () => {
    const paths = [...prose.matchAll(/`((?:\.ci|bench|dist|docs|sandbox|scripts|src|__tests__)\/[^`]*)`/g)];
    expect(paths.map(([, path = ""]) => path).filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test("names scripts that there are", () => {
    const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
    const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

test.each(filesIn("docs", ".md"))("%s says in its first sentence whom it is for", (path) => {
  const [, first = ""] = /^# .*\n\n([\s\S]*?[.:])\s/.exec(textOf(path)) ?? [];
  expect(first).toMatch(/^(For|This page is for) /);
});

/** Whether a link of a document leads somewhere: a file, a heading, or a heading of a file. */
function isThere(document: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const file = path === "" ? document : join(dirname(document), path);
  if (!existsSync(join(root, file))) return false;
  return anchor === undefined || headingsOf(textOf(file)).includes(anchor);
}

/** Anchors as GitHub makes them: small letters, no punctuation, hyphens for spaces. */
function headingsOf(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replace(/\s/g, "-"),
  );
}
