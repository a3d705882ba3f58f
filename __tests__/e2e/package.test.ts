/** The program without a clone: what `npm pack` makes, installed into an empty folder. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root, textOf } from "../support/documents.ts";
import { startExampleWorld, tagsByNamespace } from "./examples.ts";
import { mirror } from "./terminal.ts";

let folder = "";
/** The program as npm has linked it. */
const program = (): string => join(folder, "node_modules/.bin/harbor-release-mirror");

/** Runs npm, which may ask nobody. */
function npm(args: readonly string[], cwd: string): string {
  const env = { ...process.env, npm_config_offline: "true", npm_config_cache: join(folder, "cache") };
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd, env, encoding: "utf8" });
  expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
  return stdout;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "package-"));
  npm(["pack", "--pack-destination", folder], root);
  const [tarball = ""] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  npm(["install", "--prefix", folder, join(folder, tarball)], folder);
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(args: readonly string[], nodeArgs: readonly string[] = []) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeArgs, program(), ...args], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

describe("the package", { timeout: 120_000 }, () => {
  test("needs no other package, and holds no source", () => {
    const installed = readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith("."));
    expect(installed).toEqual(["harbor-release-mirror"]);
    const own = join(folder, "node_modules/harbor-release-mirror");
    expect(readdirSync(own).toSorted()).toEqual([
      "LICENSE",
      "README.md",
      "action.yml",
      "bin",
      "build",
      "package.json",
    ]);
    expect(existsSync(join(own, "build/terminal/licenses.txt"))).toBe(true);
  });

  test("has help by its own name, and a version", () => {
    const help = start(["--help"]);
    expect([help.status, help.stdout]).toEqual([
      0,
      expect.stringContaining("  harbor-release-mirror --version <version>"),
    ]);
    const { version } = JSON.parse(textOf("package.json")) as { version: string };
    expect(start(["--version"])).toEqual({
      status: 0,
      stdout: `harbor-release-mirror ${version}\n`,
      stderr: "",
    });
    expect(start(["--colour"])).toMatchObject({ status: 2, stdout: "" });
  });

  test("mirrors", async () => {
    await using world = await startExampleWorld("goharbor");
    const args = ["--version", "v2.15.2", "--destinations", "registry.example.com/harbor,keep=all"];
    const { status, stdout } = await mirror(world, [...args, "--apply", "--json", "--quiet"], {
      program: program(),
    });
    expect([status, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ succeeded: true })]);
    expect(tagsByNamespace(world.registry)).toEqual({ harbor: ["v2.15.2"] });
    expect(world.internet.refused).toEqual([]);
  });

  test.each([
    ["20.20.2", 2],
    ["22.18.0", 2],
    ["22.19.0", 0],
    ["24.0.0", 0],
  ])("on Node.js %s ends with status %i, and one sentence where that is too old", (version, expected) => {
    const pretence = join(folder, "pretence.cjs");
    writeFileSync(
      pretence,
      `Object.defineProperty(process.versions, "node", { value: "${version}" });
Object.defineProperty(process, "version", { value: "v${version}" });`,
    );
    const { status, stderr } = start(["--help"], ["--require", pretence]);
    const told = `harbor-release-mirror needs Node.js 22.19 or newer, and this is v${version}: install a newer one from https://nodejs.org.\n`;
    expect([status, stderr]).toEqual([expected, expected === 0 ? "" : told]);
  });
});
