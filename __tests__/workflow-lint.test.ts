import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeBlocks, documents, filesIn, root, textOf } from "./support/documents.ts";
import { isInstalled, skipWithout } from "./support/programs.ts";

/** Whole workflows in documents that are not in a file as well. */
const inDocuments = documents.flatMap((path) =>
  codeBlocks(textOf(path), "yaml").filter((text) => /^jobs:/m.test(text)),
);
const files = [...filesIn(".github/workflows", ".yml"), ...filesIn("docs/workflows", ".yml")].map((path) =>
  join(root, path),
);
const withSteps = inDocuments.find((text) => /^ +steps:/m.test(text)) ?? "";
let folder = "";
let all: readonly string[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "workflows-"));
  const written = inDocuments.map((text, index) => {
    const path = join(folder, `block-${index}.yml`);
    writeFileSync(path, text);
    return path;
  });
  all = [...files, ...written];
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a program printed, and nothing if it found nothing. */
function findings(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", cwd: root });
  if (error !== undefined) throw error;
  return status === 0 ? "" : `${stdout}${stderr}`;
}

describe("actionlint (https://github.com/rhysd/actionlint)", () => {
  if (!isInstalled("actionlint")) {
    skipWithout("actionlint", "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12");
    return;
  }
  test("finds nothing in any workflow, of this repository or to copy", () => {
    // Scripts are short and in the tests; shellcheck and pyflakes are on some machines and would make this differ.
    const beside = ["-no-color", "-shellcheck=", "-pyflakes="];
    // GitHub has it since May 2026, actionlint 1.7.12 not yet. Its value is tested with what else is known of the workflows.
    const ignored = [
      ...["-ignore", 'unexpected key "queue" for "concurrency" section'],
      // As new, and as unknown there: https://github.com/actions/runner/issues/2417
      ...["-ignore", 'property "workflow_(repository|sha)" is not defined in object type'],
    ];
    expect(findings("actionlint", [...beside, ...ignored, ...all])).toBe("");
  });

  test("would find a mistake", () => {
    const path = join(folder, "wrong.yml");
    writeFileSync(path, withSteps.replace("secrets.", "secret."));
    expect(findings("actionlint", ["-no-color", "-shellcheck=", path])).toContain(
      'undefined variable "secret"',
    );
  });
});

describe("zizmor (https://github.com/zizmorcore/zizmor)", () => {
  if (!isInstalled("zizmor")) {
    skipWithout("zizmor", "pip install zizmor==1.32.0");
    return;
  }
  const zizmor = (...paths: readonly string[]): string =>
    findings("zizmor", [
      ...["--offline", "--no-progress", "--quiet", "--color", "never"],
      ...["--config", join(root, ".github/zizmor.yml"), ...paths],
    ]);

  test("finds nothing in any workflow nor in the Action", () => {
    expect(zizmor(...all, join(root, "action.yml"))).toBe("");
  });

  test("would find a mistake", () => {
    const path = join(folder, "wrong.yml");
    const script = "run: echo $" + "{{ github.event.release.name }}";
    writeFileSync(path, withSteps.replace(/- uses: .*/, `- ${script}\n      - uses: actions/checkout@v4`));
    expect(zizmor(path)).toContain("template-injection");
  });
});
