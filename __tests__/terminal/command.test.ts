import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { parseAction } from "../../src/terminal/action-metadata.ts";
import { type Command, readCommand } from "../../src/terminal/command.ts";
import { helpText } from "../../src/terminal/help.ts";
import { textOf } from "../support/documents.ts";

const { inputs } = parseAction(textOf("action.yml"));
const names = Object.keys(inputs);
const secrets = names.filter((name) => /token|key|password|secret|logins/.test(name));
/** What only a job of a workflow has a use for. */
const ofRunner = [
  ...["mode", "plan", "share", "shares", "runs-on", "report-issue"],
  ...["congestion-control", "tcr-open-access", "tcr-egress"],
  ...["dockerhub-oidc-connection-id", "dockerhub-identity-url"],
  ...["tcr-role-arn", "tcr-provider-id", "tcr-role-session", "tcr-role-duration", "tcr-role-audience"],
];
const others = [...secrets, ...ofRunner, "dry-run", "check"];
const flags = names.filter((name) => !others.includes(name));
/** What a run is asked for that is given nothing. A person at a terminal waits for no image that is not there. */
const nothing = { kind: "run", apply: false, json: false, quiet: false, inputs: { wait: "0" } };

function read(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Command {
  return readCommand(args, environment, inputs);
}

describe("the command line", () => {
  test("has every input of action.yml as a flag or, for a secret, as a variable, but for those of a job", () => {
    expect([...flags, ...others].sort()).toEqual([...names].sort());
    for (const name of flags) {
      expect(read([`--${name}`, "a value"])).toMatchObject({ kind: "run", inputs: { [name]: "a value" } });
    }
    for (const name of secrets) {
      const variable = name.toUpperCase().replaceAll("-", "_");
      expect(read([], { [variable]: "a secret" })).toMatchObject({ inputs: { [name]: "a secret" } });
    }
  });

  test("gives only what was given, and waits for nothing unless it is asked to", () => {
    expect(read([])).toEqual(nothing);
    expect(read(["--wait", "30m"])).toEqual({ ...nothing, inputs: { wait: "30m" } });
    // An empty variable of a script counts as not given, as in a workflow.
    expect(read(["--keep", ""])).toMatchObject({ kind: "run", inputs: { keep: "" } });
  });

  test.each(ofRunner)("has no --%s, and says why", (name) => {
    for (const args of [[`--${name}`, "x"], [`--${name}=x`]])
      expect(read(args)).toMatchObject({
        kind: "mistake",
        message: expect.stringContaining(`no --${name} here`),
      });
  });

  test("writes the report to standard output, and says little, on request", () => {
    expect(read(["--json"])).toEqual({ ...nothing, json: true });
    expect(read(["--quiet"])).toEqual({ ...nothing, quiet: true });
    expect(read(["-q", "--json"])).toEqual({ ...nothing, json: true, quiet: true });
  });

  test("tells its own version by --version alone, which has a value otherwise", () => {
    expect(read(["--version"])).toEqual({ kind: "version" });
    expect(read(["-V"])).toEqual({ kind: "version" });
    expect(read(["--version", "v2.15.2"])).toMatchObject({ kind: "run", inputs: { version: "v2.15.2" } });
    expect(read(["--version", "--apply"])).toMatchObject({ kind: "mistake" });
  });

  test("writes nothing unless it is asked to", () => {
    expect(read(["--version", "v2.15.2"])).toMatchObject({ apply: false });
    expect(read(["--version", "v2.15.2", "--apply"])).toMatchObject({ apply: true });
  });

  test("checks the configuration in place of a run", () => {
    expect(read(["--check"])).toEqual({ ...nothing, inputs: { wait: "0", check: "true" } });
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
    [["--dry-run"], /dry run unless --apply/],
    [["--destination", "docker.io/goharbor"], /no flag "--destination"; did you mean --destinations\?/],
    [["--keep_by=minor"], /did you mean --keep-by\?/],
    [["--Version", "v2.15.2"], /did you mean --version\?/],
    [["--jsn"], /did you mean --json\?/],
    [["--aply"], /did you mean --apply\?/],
    [["--tcr-passwort=hunter2"], /did you mean TCR_PASSWORD\?/],
    [["-d", "docker.io/goharbor"], /^There is no flag "-d"$/],
    [["--colour", "blue"], /^There is no flag "--colour"$/],
    [["v2.15.2"], /"v2\.15\.2" has no flag before it; did you mean --version v2\.15\.2\?/],
    [["newest:3"], /did you mean --version newest:3\?/],
    [["--version", "v2.15.2", "docker.io/me"], /did you mean --destinations docker\.io\/me\?/],
    [["localhost:5000/me"], /did you mean --destinations localhost:5000\/me\?/],
    [["mirror"], /^"mirror" has no flag before it$/],
    [["--keep", "3", "--version"], /--version has no value/],
    [["--version", "--apply"], /--version has no value: "--apply" is the next flag/],
    [["--keep", "-1"], /--keep=VALUE/],
    [["--apply=true"], /--apply takes no value/],
  ])("explains what is wrong with %j", (args, message) => {
    const command = read(args);
    expect(command).toMatchObject({ kind: "mistake", message: expect.stringMatching(message) });
    expect(JSON.stringify(command)).not.toContain("hunter2");
  });

  test.each([["--help"], ["-h"]])("knows %s, whatever else is given", (flag) => {
    expect(read([flag])).toEqual({ kind: "help" });
    expect(read(["--colour", flag])).toEqual({ kind: "help" });
  });
});

describe("the help", () => {
  const lines = (columns: number) =>
    stripVTControlCharacters(helpText("harbor-release-mirror", inputs, columns)).split("\n");

  test("lists every flag and every variable once, and fits a terminal", () => {
    const headings = lines(80).filter((line) => /^ {2}(--|[A-Z_]+$|\d+$)/.test(line));
    const variables = secrets.map((name) => name.toUpperCase().replaceAll("-", "_"));
    expect(headings.map((line) => line.trim())).toEqual([
      "--apply",
      "--check",
      "--json",
      "--quiet, -q",
      "--help, -h",
      ...flags.map((name) => `--${name}`),
      ...variables,
      ...["0", "1", "2", "130"],
    ]);
    // Those of a job are not even named.
    for (const name of ofRunner) expect(lines(80).join("\n")).not.toMatch(new RegExp(`--${name}\\b`));
    const words = lines(80).filter((line) => line.startsWith("      "));
    expect(Math.max(...words.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines(200).join("\n")).toContain("60m or 2h. Default: 0.");
    expect(Math.max(...lines(200).map((line) => line.length))).toBeLessThan(115);
  });
});
