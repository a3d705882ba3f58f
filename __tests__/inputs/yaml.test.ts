import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { readYaml, type YamlNode } from "../../src/inputs/yaml.ts";

const reading = { what: "routes.yaml", limit: 1_000_000 };
const secret = "hunter2-the-password";

/** What a document holds, without lines. */
function plain(node: YamlNode): unknown {
  if (node.kind === "map")
    return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
  if (node.kind === "list") return node.items.map(plain);
  return node.empty ? null : node.text;
}

async function failure(text: string, more: Partial<Parameters<typeof readYaml>[1]> = {}): Promise<string> {
  const error: unknown = await readYaml(text, { ...reading, ...more }).catch((thrown: unknown) => thrown);
  if (!(error instanceof InputError)) throw new Error("no InputError");
  return error.message;
}

describe("what is read", () => {
  test("values are texts as they are written", async () => {
    const text = "a: 1.10\nb: '1.10'\nc: on\nd: 0x1F\ne:\nf: ~\ng: ''\nh: |\n  one\n  two\n";
    expect(plain(await readYaml(text, reading))).toEqual({
      a: "1.10",
      b: "1.10",
      c: "on",
      d: "0x1F",
      e: null,
      f: null,
      g: "",
      h: "one\ntwo\n",
    });
  });

  test.each([
    ["JSON with tabs", '{\n\t"a": ["b"],\n\t"c": {"d": "e"}\n}\n', { a: ["b"], c: { d: "e" } }],
    ["a byte order mark and CRLF", "\ufeffa: b\r\nc:\r\n  - d\r\n", { a: "b", c: ["d"] }],
    ["aliases", "a: &x [b]\nc: *x\n", { a: ["b"], c: ["b"] }],
    [
      "merged maps, whose keys give way",
      "a: &x {b: c, d: e}\nf:\n  <<: *x\n  d: g\n",
      { a: { b: "c", d: "e" }, f: { d: "g", b: "c" } },
    ],
    [
      "a list of merged maps",
      "a: &x {b: c}\nd: &y {b: e, f: g}\nh:\n  <<: [*x, *y]\n",
      { a: { b: "c" }, d: { b: "e", f: "g" }, h: { b: "c", f: "g" } },
    ],
    [
      "a list of lists on one line",
      "- [a, [b]]\n- - c\n  - - d\n",
      [
        ["a", ["b"]],
        ["c", ["d"]],
      ],
    ],
    ["nothing", "", null],
    ["comments", "# a\n\n# b\n", null],
    [
      "keys with the name of what every object has",
      "__proto__: a\nconstructor: b\n",
      { ["__proto__"]: "a", constructor: "b" },
    ],
  ])("%s", async (_what, text, content) => {
    expect(plain(await readYaml(text, reading))).toEqual(content);
  });

  test("everything has its line", async () => {
    const node = await readYaml("# first\na:\n  - b\n  - c: d\r\n\n    e:\n", reading);
    expect(node).toMatchObject({
      line: 2,
      entries: [
        {
          key: "a",
          line: 2,
          value: {
            items: [
              { text: "b", line: 3 },
              {
                entries: [
                  { key: "c", line: 4 },
                  { key: "e", line: 6, value: { empty: true, line: 6 } },
                ],
              },
            ],
          },
        },
      ],
    });
  });
});

describe("what is refused, with its line", () => {
  test.each([
    ["a key twice", `a: ${secret}\nb: c\na: d\n`, 'line 3: the key "a" is in line 1 already'],
    ["a key twice, quoted once", 'a: b\n"a": c\n', 'line 2: the key "a" is in line 1 already'],
    ["a tab", `a:\n\tb: ${secret}\n`, "line 2: a tab indents it: YAML takes blanks only"],
    ["an open quote", `a: "${secret}\n`, "line 2: a sign is missing"],
    ["an open bracket", `a:\n  - [${secret}\n`, "line 3: the indentation does not fit"],
    ["a bracket too many", `a: [${secret}]]\n`, "line 1: a bracket closes none"],
    ["a colon", `a: ${secret}: c\n`, "line 1: a text holds a colon and a blank: put it in quotes"],
    ["a sign", `a: @${secret}\n`, "line 1: a text begins with a sign that needs quotes around it"],
    ["an escape", `a: "${secret}\\q"\n`, "line 1: a text in double quotes has a \\ that begins no escape"],
    ["indentation", `a:\n    b: c\n  d: ${secret}\n`, "line 3: "],
    ["two documents", `a: ${secret}\n---\nb: c\n`, "line 2: a second document begins"],
    ["a list as a key", "? [a]\n: b\n", "line 1: a key is a text"],
    ["an unknown alias", "a: *b\n", "line 1: no anchor ends before its alias"],
    ["an alias in what it stands for", "a: &b\n  - *b\n", "line 2: no anchor ends before its alias"],
    ["what is merged and no map", `a:\n  <<: ${secret}\n`, "line 2: << takes a map"],
  ])("%s", async (_what, text, message) => {
    const told = await failure(text);
    expect(told).toContain(`routes.yaml, `);
    expect(told).toContain(message);
    expect(told).not.toContain(secret);
  });

  test("a key may stand twice where the caller says so: the last one counts", async () => {
    const told: string[] = [];
    const onRepeatedKey = ({ message }: Error) => told.push(message);
    const node = await readYaml("a: b\nc: d\na: e\n", { ...reading, onRepeatedKey });
    expect(plain(node)).toEqual({ a: "e", c: "d" });
    expect(told).toEqual(['routes.yaml, line 3: the key "a" is in line 1 already']);
  });

  test("a text beyond the limit, before it is parsed", async () => {
    expect(await failure("[".repeat(10_000_000))).toBe(
      "routes.yaml has 10.0 MB: it may have 1.0 MB at the most",
    );
  });

  test("aliases that stand for more than a file holds", async () => {
    const names = [..."abcdefgh"];
    const bomb = names.map((name, index) => {
      const part = index === 0 ? "x" : `*${names[index - 1]}`;
      return `${name}: &${name} [${Array.from({ length: 10 }, () => part).join(",")}]`;
    });
    expect(await failure(bomb.join("\n"))).toBe(
      "routes.yaml, line 5: it has more than 100000 values from here on, those of aliases counted",
    );
  });

  test.each([
    ["brackets", "[".repeat(500_000)],
    ["closed brackets", `${"[".repeat(5000)}${"]".repeat(5000)}`],
    ["dashes", "- ".repeat(100_000)],
    ["question marks", "? ".repeat(100_000)],
    ["colons", ": ".repeat(100_000)],
    ["indentation", Array.from({ length: 1000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n")],
    ["brackets in a list", `a:\n${"  - [\n".repeat(1)}${"[".repeat(1000)}`],
  ])("%s that are nested too deep for a stack", async (_what, text) => {
    expect(await failure(text)).toMatch(/^routes\.yaml, line \d+: it is nested too deep$/);
  });

  test.each([
    ["values", `[${"a,".repeat(450_000)}]`],
    ["line ends", "\n".repeat(900_000)],
    ["anchors", "&a ".repeat(300_000)],
  ])("more %s than are read in seconds", async (_what, text) => {
    expect(await failure(text)).toMatch(
      /^routes\.yaml, line \d+: it has more than 100000 values up to here$/,
    );
  });

  test("any text gives a document or an InputError", async () => {
    const signs = fc.string({
      unit: fc.constantFrom(..."ab:-?[]{},&*!|>'\"%@`#\n\n \t<~\\\r\u0000é"),
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(signs, fc.string({ unit: "binary" })), async (text) => {
        const error: unknown = await readYaml(text, reading).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error === undefined || error instanceof InputError).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
