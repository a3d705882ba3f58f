import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { type Command, helpText, readCommand } from "../../scripts/mirror-command.ts";
import { parseAction } from "../../scripts/readme-sections.ts";
import { textOf } from "../support/documents.ts";

const { inputs } = parseAction(textOf("action.yml"));
const names = Object.keys(inputs);
const secrets = names.filter((name) => /token|key|password|secret/.test(name));
const flags = names.filter((name) => !secrets.includes(name) && !["dry-run", "check"].includes(name));

function read(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Command {
  return readCommand(args, environment, inputs);
}

describe("the command line", () => {
  test("has every input of action.yml as a flag or, for a secret, as a variable", () => {
    expect([...flags, ...secrets, "dry-run", "check"].sort()).toEqual([...names].sort());
    for (const name of flags) {
      expect(read([`--${name}`, "a value"])).toMatchObject({ kind: "run", inputs: { [name]: "a value" } });
    }
    for (const name of secrets) {
      const variable = name.toUpperCase().replaceAll("-", "_");
      expect(read([], { [variable]: "a secret" })).toMatchObject({ inputs: { [name]: "a secret" } });
    }
  });

  test("gives only what was given: defaults are in one place", () => {
    expect(read([])).toEqual({ kind: "run", apply: false, inputs: {} });
  });

  test("writes nothing unless it is asked to", () => {
    expect(read(["--version", "v2.15.2"])).toMatchObject({ apply: false });
    expect(read(["--version", "v2.15.2", "--apply"])).toMatchObject({ apply: true });
  });

  test("checks the configuration in place of a run", () => {
    expect(read(["--check"])).toEqual({ kind: "run", apply: false, inputs: { check: "true" } });
    expect(read(["--check", "--apply"])).toMatchObject({
      kind: "mistake",
      message: expect.stringMatching(/one of/),
    });
    expect(read(["--check=true"])).toMatchObject({ kind: "mistake" });
  });

  test("makes lines of a flag that comes again", () => {
    const args = ["--destinations", "docker.io/one", "--destinations=ghcr.io/two,keep=3"];
    expect(read(args)).toMatchObject({ inputs: { destinations: "docker.io/one\nghcr.io/two,keep=3" } });
  });

  test.each(secrets.map((name) => [name, name.toUpperCase().replaceAll("-", "_")]))(
    "does not take --%s",
    (name, variable) => {
      for (const args of [[`--${name}`, "hunter2"], [`--${name}=hunter2`]]) {
        const command = read(args);
        expect(command).toMatchObject({ kind: "mistake", message: expect.stringContaining(variable) });
        expect(JSON.stringify(command)).not.toContain("hunter2");
      }
    },
  );

  test.each<[args: readonly string[], message: RegExp]>([
    [["--dry-run", "true"], /dry run unless --apply/],
    [["--destination", "docker.io/goharbor"], /--destination/],
    [["v2.15.2"], /v2\.15\.2/],
    [["--version"], /--version/],
  ])("explains what is wrong with %j", (args, message) => {
    expect(read(args)).toMatchObject({ kind: "mistake", message: expect.stringMatching(message) });
  });

  test.each([["--help"], ["-h"]])("knows %s", (flag) => {
    expect(read([flag])).toEqual({ kind: "help" });
  });
});

describe("the help", () => {
  const lines = (columns: number) => stripVTControlCharacters(helpText(inputs, columns)).split("\n");

  test("lists every flag and every variable once, and fits a terminal", () => {
    const headings = lines(80).filter((line) => /^ {2}(--|[A-Z_]+$)/.test(line));
    const variables = secrets.map((name) => name.toUpperCase().replaceAll("-", "_"));
    expect(headings.map((line) => line.trim())).toEqual([
      "--apply",
      "--check",
      "--help",
      ...flags.map((name) => `--${name}`),
      ...variables,
    ]);
    const words = lines(80).filter((line) => line.startsWith("      "));
    expect(Math.max(...words.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(Math.max(...lines(200).map((line) => line.length))).toBeLessThan(115);
  });
});
