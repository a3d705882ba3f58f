import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDestinations } from "../../src/inputs/destinations.ts";
import { parseImages } from "../../src/inputs/images.ts";
import { parseSources } from "../../src/inputs/sources.ts";
import * as values from "../../src/inputs/values.ts";
import { isRepository } from "../../src/oci/reference.ts";
import { renderTemplate } from "../../src/plan/component.ts";
import { versionOf } from "../../src/plan/version.ts";
import { load, mistakeLines, mistakesOf } from "../support/given-inputs.ts";
import { component, hang, label, longTextsOf, runs, textOf } from "./arbitraries.ts";

const retention = { keep: 3, keepBy: "semver" } as const;

/** What a parser made of a text: its value, and the mistakes that it noted. */
function read<T>(parse: (text: string, mistake: values.Mistake) => T, text: string) {
  const mistakes: string[] = [];
  const value = parse(text, (problem) => mistakes.push(problem));
  return { value, mistakes };
}

const destinations = (text: string, mistake: values.Mistake) =>
  parseDestinations(text, retention, ["goharbor"], mistake);

/** Each parser of an input, with the pieces that its text is made of. */
const parsers: readonly (readonly [
  name: string,
  parse: (text: string, mistake: values.Mistake) => unknown,
  pieces: readonly string[],
])[] = [
  [
    "destinations",
    destinations,
    ["a.example", "docker.io", "/", "b", ",", "keep", "=", "all", "type=tcr", "api=https://", "\n", "#", " "],
  ],
  [
    "source",
    parseSources,
    ["ghcr.io", "/", "goharbor", "\n", "#", " ", "@", ",", "token-server=", "https://", ":1"],
  ],
  ["images", parseImages, ["app", ":", "{{", "tag", "}}", "=>", "-", "\n", "#", " ", "auto"]],
  [
    "version",
    values.parseVersionInput,
    ["v1", ".", "0", "-rc", "newest:", ">=", "||", ",", "\n", " - ", "x"],
  ],
  ["repository", values.parseRepository, ["goharbor", "/", "harbor", ".", "..", "-", " "]],
  ["keep", values.parseKeep, ["all", "3", "0", "-", ".", "e", " "]],
  ["keep-by", values.parseKeepBy, ["semver", "published", "minor", " "]],
  ["wait", values.parseDuration, ["60", "m", "s", "h", "0", "-", ".", "e", " "]],
  ["spool-limit", values.parseSize, ["8", ".", "GB", "MB", "TB", "KB", " ", "-", "e"]],
  ["connections", values.parseConnections, ["auto", "4", "0", "-", "."]],
  ["platforms", values.parsePlatforms, ["linux", "/", "amd64", ",", "arm", "v7", "all", "\n", "#"]],
  ["booleans", values.parseBoolean, ["true", "false", "True", "yes", " "]],
  [
    "API URL",
    values.parseApiUrl,
    ["https:", "http:", "//", "a.example", "127.0.0.1", "@", ":", "?", "#", "/"],
  ],
];

describe.each(parsers)("the input %s", (_name, parse, pieces) => {
  test("of any text is a value, or mistakes of one line each without commands; never a crash", () => {
    fc.assert(
      fc.property(textOf(...pieces), (text) => {
        for (const mistake of read(parse, text).mistakes) {
          // A workflow command begins a line; inside one, `::` is a part of an IPv6 address.
          expect(mistake).not.toMatch(/[\u0000-\u001f\u007f-\u009f]|^\s*::|##\[/);
          expect(mistake.length).toBeLessThan(600);
        }
      }),
      runs,
    );
  });

  test.each(longTextsOf(...pieces))("of 100 kB is read in no time: text %#", { timeout: hang }, (text) => {
    expect(() => read(parse, text)).not.toThrow();
  });
});

describe("what is written by the rules is read as it was written", () => {
  test("durations", () => {
    const units = fc.constantFrom(["s", 1000] as const, ["m", 60_000] as const, ["h", 3_600_000] as const);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 120 }), units, (number, [unit, milliseconds]) => {
        const { value, mistakes } = read(values.parseDuration, `${number}${unit}`);
        expect([value, mistakes]).toEqual([number * milliseconds, []]);
      }),
      runs,
    );
  });

  test("sizes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 999_999 }), fc.nat(999), (whole, thousandths) => {
        const { value, mistakes } = read(
          values.parseSize,
          `${whole}.${String(thousandths).padStart(3, "0")}MB`,
        );
        expect([value, mistakes]).toEqual([whole * 1_000_000 + thousandths * 1000, []]);
      }),
      runs,
    );
  });

  test("destinations, with attributes in any order", () => {
    const place = fc.tuple(label, fc.array(component, { minLength: 1, maxLength: 2 }));
    const keep = fc.option(fc.oneof(fc.constant("all" as const), fc.integer({ min: 1, max: 1000 })));
    const keepBy = fc.option(fc.constantFrom("semver" as const, "published" as const, "minor" as const));
    fc.assert(
      fc.property(place, keep, keepBy, fc.boolean(), ([host, path], kept, by, isReversed) => {
        const attributes = [
          ...(kept === null ? [] : [`keep=${kept}`]),
          ...(by === null ? [] : [`keep-by = ${by}`]),
        ];
        const ordered = isReversed ? attributes.toReversed() : attributes;
        const line = [`${host}.example/${path.join("/")}`, ...ordered].join(" , ");
        const { value, mistakes } = read(destinations, `# ours\n  ${line}\n\n`);
        expect(mistakes).toEqual([]);
        expect(value).toMatchObject([
          {
            registry: `${host}.example`,
            path: path.join("/"),
            type: "distribution",
            retention: { keep: kept ?? retention.keep, keepBy: by ?? retention.keepBy },
          },
        ]);
      }),
      runs,
    );
  });

  test("images, whose templates give tags for every version", () => {
    const template = fc.stringMatching(
      /^[a-z0-9]{0,4}(\{\{tag\}\}|\{\{ version \}\}|\{\{major\}\}-\{\{minor\}\})$/,
    );
    const version = versionOf({ tag: "v2.15.2", prerelease: false, publishedAt: 0 });
    if (version === undefined) throw new Error("no version");
    fc.assert(
      fc.property(component, template, fc.option(component), (from, tag, to) => {
        const { value, mistakes } = read(parseImages, `${from}:${tag}${to === null ? "" : ` => ${to}`}`);
        expect(mistakes).toEqual([]);
        const rules = value === "auto" ? [] : value;
        expect(rules).toEqual([{ from, fromTag: tag, to: to ?? from, toTag: tag }]);
        for (const rule of rules) {
          expect(isRepository(rule.to)).toBe(true);
          expect(renderTemplate(rule.toTag, version)).toMatch(/^[a-z0-9]{0,4}(v?2\.15\.2|2-15)$/);
        }
      }),
      runs,
    );
  });

  test("tags", () => {
    const tags = fc.uniqueArray(fc.stringMatching(/^v[0-9]\.[0-9]\.[0-9]$/), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(tags, fc.constantFrom(",", "\n", " , ", ",\n"), (given, between) => {
        const { value, mistakes } = read(values.parseVersionInput, given.join(between));
        expect([value, mistakes]).toEqual([{ kind: "tags", tags: given }, []]);
      }),
      runs,
    );
  });
});

test("all inputs at once: values, or one message with a line for each mistake", () => {
  const names = ["keep", "wait", "source", "images", "version", "platforms", "spool-limit", "github-api-url"];
  const given = fc.dictionary(
    fc.constantFrom(...names),
    textOf("a", "/", ":", "1", "\n", ",", "::x::", "=>"),
  );
  fc.assert(
    fc.property(given, (inputs) => {
      const message = mistakesOf(inputs);
      if (message === "") expect(load(inputs).destinations).toHaveLength(1);
      else {
        expect(message.split("\n")).toHaveLength(1 + mistakeLines(message).length);
        for (const line of mistakeLines(message)) expect(line).toMatch(/^- [a-z-]+: .* Example: /);
      }
    }),
    runs,
  );
});
