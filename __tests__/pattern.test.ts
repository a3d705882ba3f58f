import { describe, expect, test } from "vitest";
import { InputError } from "../src/errors.ts";
import { choosing, matching, parseExpression, parseGlob } from "../src/pattern.ts";

const names = [
  "1.27.3-alpine",
  "1.27.10-alpine",
  "1.28.1-alpine",
  "1.27.3",
  "harbor-core",
  "team/app",
  "team/a/app",
  "a+b",
];

describe("a glob fits whole names", () => {
  test.each<[glob: string, fitting: readonly string[]]>([
    ["1.27.*-alpine", ["1.27.3-alpine", "1.27.10-alpine"]],
    ["1.27.?", ["1.27.3"]],
    ["1?27.3", ["1.27.3"]],
    ["harbor-*", ["harbor-core"]],
    ["*", names.filter((name) => !name.includes("/"))],
    ["**", names],
    ["team/*", ["team/app"]],
    ["team/**", ["team/app", "team/a/app"]],
    ["**/app", ["team/app", "team/a/app"]],
    ["{1.27.3,a+b}", ["1.27.3", "a+b"]],
    ["1.{27,28}.*-alpine", ["1.27.3-alpine", "1.27.10-alpine", "1.28.1-alpine"]],
    ["a+b", ["a+b"]],
    ["[a-z]*", []],
    ["}", []],
    [".", []],
    ["", []],
  ])("%j", (glob, fitting) => {
    expect(matching(parseGlob(glob), names)).toEqual(fitting);
  });

  test("with a brace that stays open is a mistake", () => {
    expect(() => parseGlob("{a,b")).toThrow(/has a \{ without its \}/);
  });
});

describe("a regular expression", () => {
  test("fits whole names", () => {
    expect(matching(parseExpression("/1/", "1"), names)).toEqual([]);
    expect(matching(parseExpression("/1|1\\.27\\.3/", "1|1\\.27\\.3"), names)).toEqual(["1.27.3"]);
  });

  test.each(["(", "[", "a{2,1}", "*"])("that is none, %j, is a mistake", (source) => {
    expect(() => parseExpression(`/${source}/`, source)).toThrow(InputError);
  });

  test("that takes for ever, and a glob of many stars, are stopped with a word about it", () => {
    const long = ["a".repeat(128)];
    expect(() => matching(parseExpression("/(a+)+b/", "(a+)+b"), long)).toThrow(
      /takes more than a second for 1 names/,
    );
    expect(() => matching(parseGlob(`${"*a".repeat(60)}b`), long)).toThrow(InputError);
  });

  test("longer than a thousand characters is a mistake", () => {
    expect(() => parseGlob("a".repeat(1001))).toThrow("is longer than 1000 characters");
  });
});

test("several choose what one fits and none leaves out; of those that only leave out, all others", () => {
  const some = [parseGlob("1.27*"), { ...parseGlob("*-alpine"), except: true as const }];
  expect(choosing(some, ["1.27", "1.27-alpine", "1.26"])).toEqual(["1.27"]);
  expect(choosing(some.slice(1), ["1.27", "1.27-alpine", "1.26"])).toEqual(["1.27", "1.26"]);
  expect(choosing([], ["1.27"])).toEqual(["1.27"]);
});
