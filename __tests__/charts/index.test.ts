import { describe, expect, it } from "vitest";
import { buildChart, buildIndex, hexDigest } from "../../sandbox/charts.ts";
import { readIndex } from "../../src/charts/index.ts";

async function read(text: string) {
  const warnings: string[] = [];
  const index = await readIndex(text, (message) => warnings.push(message));
  const tags = async (name: string) => [...(await index.versions(name)).keys()];
  return { names: index.names, tags, versions: index.versions, warnings };
}

const charts = [
  buildChart("shop", "1.1.0"),
  buildChart("shop", "1.0.0+build.7"),
  buildChart("shop-agent", "0.1.0"),
];
const written = buildIndex(charts);

/** The same index in other forms, of which Helm reads each. */
const forms: readonly (readonly [what: string, text: string])[] = [
  ["as Helm writes it", written],
  ["with line ends of Windows", written.replaceAll("\n", "\r\n")],
  ["with quoted names and comments", written.replace("  shop:", "# a\n  # b\n  'shop': # c")],
  [
    "with line ends that are none in YAML",
    written.replace("  - apiVersion: v2\n", "  - description: 'a\u2028b\u2029  x:'\n    apiVersion: v2\n"),
  ],
  ["with items further to the right", written.replace(/^ {2}(?= *- | {2})/gm, "      ")],
  [
    "as JSON",
    JSON.stringify({
      apiVersion: "v1",
      entries: Object.fromEntries(
        ["shop", "shop-agent"].map((name) => [
          name,
          charts
            .filter((chart) => chart.name === name)
            .map(({ version, archive }) => ({
              name,
              version,
              digest: hexDigest(archive),
              urls: [`${name}-${version}.tgz`],
            })),
        ]),
      ),
    }),
  ],
  [
    "as flow YAML, with a mark that is no JSON",
    `{apiVersion: v1, entries: {${charts
      .map(({ name }) => name)
      .filter((name, index, all) => all.indexOf(name) === index)
      .map(
        (name) =>
          `${name}: [${charts
            .filter((chart) => chart.name === name)
            .map(
              ({ version, archive }) =>
                `{version: ${version}, digest: ${hexDigest(archive)}, urls: [${name}-${version}.tgz]}`,
            )
            .join(", ")}]`,
      )
      .join(", ")}}}`,
  ],
];

describe("an index", () => {
  it.each(forms)("%s has the versions of each chart by their tags", async (_what, text) => {
    const { names, tags, versions, warnings } = await read(text);
    expect(names).toEqual(["shop", "shop-agent"]);
    expect(await tags("shop")).toEqual(["1.1.0", "1.0.0_build.7"]);
    expect(await tags("shop-agent")).toEqual(["0.1.0"]);
    expect(await tags("other")).toEqual([]);
    expect((await versions("shop")).get("1.0.0_build.7")).toEqual([
      {
        version: "1.0.0+build.7",
        urls: ["shop-1.0.0+build.7.tgz"],
        digest: `sha256:${hexDigest(charts[1]?.archive ?? Buffer.alloc(0))}`,
      },
    ]);
    expect(warnings).toEqual([]);
  });

  it("leaves out what no registry takes, and says so", async () => {
    const text = [
      "apiVersion: v1",
      "entries:",
      "  ../../etc:",
      "  - version: 1.0.0",
      "  Shop:",
      "  - version: 1.0.0",
      "  a/b:",
      "  - version: 1.0.0",
      "  empty: []",
      "  shop:",
      "  - ",
      "  - version: latest",
      "  - version: 1.0.0-a_b",
      `  - version: 1.0.0-${"a".repeat(200)}`,
      "  - version: 1.0.0",
      "    urls: null",
      "  - version: v2.1",
      "  - description: none",
      "  - version: 3",
    ].join("\n");
    const { names, tags, versions, warnings } = await read(text);
    expect(names).toEqual(["empty", "shop"]);
    expect(await tags("empty")).toEqual([]);
    expect(await tags("shop")).toEqual(["1.0.0", "v2.1", "3"]);
    expect((await versions("shop")).get("1.0.0")).toEqual([
      { version: "1.0.0", urls: [], digest: undefined },
    ]);
    expect(warnings).toEqual([
      "left out, because no registry takes such a name: ../../etc, Shop, a/b",
      expect.stringMatching(
        /^left out of shop: an empty entry, version "latest", version "1.0.0-a_b" and 2 more$/,
      ),
    ]);
  });

  it("of a version that is there twice has both", async () => {
    const other = buildChart("shop", "1.1.0", { fields: "apiVersion: v1\n" });
    const { versions } = await read(buildIndex([...charts, other]));
    expect((await versions("shop")).get("1.1.0")).toHaveLength(2);
  });

  it("parses no chart but the one that is asked for", async () => {
    const { tags } = await read(
      `${written.replace("generated:", "  broken: [\n  other:\n  - version: 1.0.0\ngenerated:")}`,
    );
    expect(await tags("shop")).toHaveLength(2);
    await expect(tags("broken")).rejects.toThrow("index.yaml is not YAML");
  });

  it.each([
    [
      "a web page",
      "<!doctype html>\n<html></html>",
      "index.yaml is not of the form that Helm writes (top level",
    ],
    ["nothing", "", "index.yaml is not of the form that Helm writes"],
    ["no YAML", "a: [b", "index.yaml is not YAML"],
    ["without apiVersion", "entries:\n  shop:\n  - version: 1.0.0\n", "apiVersion"],
    ["a list", "- a", "index.yaml is not of the form that Helm writes"],
    ["a chart that is there twice", written.replace("  shop-agent:", "  shop:"), "has the chart shop twice"],
    [
      "an alias that grows",
      `apiVersion: v1\na: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c]\n`,
      "index.yaml is not YAML",
    ],
    ["nested without end", `apiVersion: ${"[".repeat(20_000)}`, "index.yaml is not YAML"],
    [
      "a long text in another form",
      `apiVersion: v1\nx: ${"y".repeat(9_000_000)}`,
      "characters to parse at once",
    ],
  ])("that is %s is refused in a sentence", async (_what, text, problem) => {
    await expect(read(text)).rejects.toThrow(problem);
  });

  it("refuses an entry of another form in a sentence", async () => {
    const { tags } = await read("apiVersion: v1\nentries:\n  shop: {version: 1.0.0}\n");
    await expect(tags("shop")).rejects.toThrow("index.yaml is not of the form that Helm writes");
  });
});
