/** What the packages of this repository are held to. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { root, tableRows, textOf } from "./support/documents.ts";

const versions = v.optional(v.record(v.string(), v.string()), {});
const manifest = v.parse(
  v.object({
    dependencies: versions,
    devDependencies: versions,
    allowScripts: v.record(v.string(), v.boolean()),
  }),
  JSON.parse(textOf("package.json")),
);
const lockFileSchema = v.object({
  lockfileVersion: v.number(),
  packages: v.record(v.string(), v.record(v.string(), v.unknown())),
});

/** The form of a lock file, and the folders of its packages of which something is true. */
function lockFileAt(path: string) {
  const { lockfileVersion, packages: all } = v.parse(lockFileSchema, JSON.parse(textOf(path)));
  /** All packages but the one itself that the file is of, by the folder that they go to. */
  const packages = Object.entries(all).filter(([folder]) => folder !== "");
  const those = (of: (entry: Readonly<Record<string, unknown>>, folder: string) => boolean) =>
    packages.filter(([folder, entry]) => of(entry, folder)).map(([folder]) => folder);
  return { lockfileVersion, those };
}

const ownLockFile = "package-lock.json";
const toolLockFile = ".ci/local-action/package-lock.json";

describe.each([ownLockFile, toolLockFile])("%s", (path) => {
  const { lockfileVersion, those } = lockFileAt(path);

  test("is of the form that npm 10 and 11 read, and holds packages", () => {
    expect(lockfileVersion).toBe(3);
    expect(those(() => true).length).toBeGreaterThan(50);
  });

  test("has a hash for every package", () => {
    expect(those(({ integrity }) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(String(integrity)))).toEqual([]);
  });

  test("names no server, no folder and no repository that a package is taken from", () => {
    expect(those(({ resolved, link }) => resolved !== undefined || link !== undefined)).toEqual([]);
  });
});

test("no package goes by another's name", () => {
  const { those } = lockFileAt(ownLockFile);
  expect(those(({ name }, folder) => name !== undefined && !folder.endsWith(`/${String(name)}`))).toEqual([]);
});

test("there is one undici, so one proxy rule and one place for time limits", () => {
  const { those } = lockFileAt(ownLockFile);
  expect(those((_entry, folder) => folder.endsWith("/undici"))).toEqual(["node_modules/undici"]);
});

test("install scripts are in the allowed packages alone", () => {
  const allowed = Object.keys(manifest.allowScripts).filter((name) => manifest.allowScripts[name] === true);
  const withScripts = lockFileAt(ownLockFile).those(({ hasInstallScript }) => hasInstallScript === true);
  expect(withScripts).toEqual(allowed.map((name) => `node_modules/${name}`));
});

test("no install script of a tool of the tests is run", () => {
  const installations = textOf(".ci/run").match(/^.*npm ci --prefix.*$/gm);
  expect(installations).toEqual([expect.stringContaining(" --ignore-scripts ")]);
});

test("package.json names exact versions", () => {
  const named = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(named.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test("npm refuses a package with an install script that nobody has allowed", () => {
  expect(textOf(".npmrc")).toMatch(/^strict-allow-scripts=true$/m);
});

describe("SECURITY.md", () => {
  const boundaries = tableRows(textOf("SECURITY.md"), "Boundary");

  test("has every trust boundary", () => {
    expect(boundaries.map(([name]) => name)).toEqual([
      "The workflow and its inputs",
      "GitHub",
      "Source registries",
      "Chart repositories",
      "Destination registries",
      "Token servers",
      "Vendor APIs",
      "The runner",
      "Other jobs and steps",
      "Our own supply chain",
    ]);
  });

  test.each(boundaries.map((cells) => [cells[0] ?? "", cells.at(-1) ?? ""]))(
    "%s: names tests that there are",
    (_boundary, tests) => {
      const files = [...tests.matchAll(/`([^`]+)`/g)].map(([, path = ""]) => path);
      expect(files.length).toBeGreaterThan(0);
      expect(files.filter((path) => !/^__tests__\/.+\.test\.ts$/.test(path))).toEqual([]);
      expect(files.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    },
  );
});
