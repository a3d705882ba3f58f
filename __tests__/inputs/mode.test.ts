import { expect, test } from "vitest";
import { load, mistakeLines, mistakesOf } from "../support/given-inputs.ts";

const two = "docker.io/goharbor\ngoharbor.tencentcloudcr.com/goharbor";
const names = ["docker.io/goharbor", "goharbor.tencentcloudcr.com/goharbor"];

test("a job does the whole run unless it is told otherwise", () => {
  expect(load().mode).toEqual({ kind: "all" });
});

test.each<[runsOn: string, runners: readonly unknown[]]>([
  ["{}", ["ubuntu-24.04", "ubuntu-24.04"]],
  ['{"default": "large"}', ["large", "large"]],
  [
    '{"goharbor.tencentcloudcr.com": ["self-hosted", "guangzhou"]}',
    ["ubuntu-24.04", ["self-hosted", "guangzhou"]],
  ],
  [
    '{"goharbor.tencentcloudcr.com": "a", "goharbor.tencentcloudcr.com/goharbor": "b"}',
    ["ubuntu-24.04", "b"],
  ],
  ['{"docker.io": "hub", "default": "other"}', ["hub", "other"]],
])("the runners of %s", (runsOn, runners) => {
  const { mode } = load({ destinations: two, mode: "plan", shares: "3", "runs-on": runsOn });
  expect(mode).toEqual({
    kind: "plan",
    shares: 3,
    runners: new Map(names.map((name, index) => [name, runners[index]])),
  });
});

test("a job that copies or publishes is given the plan, unread", () => {
  expect(load({ mode: "copy", plan: "text", share: "7" }).mode).toEqual({
    kind: "copy",
    plan: "text",
    share: 7,
  });
  expect(load({ mode: "publish", plan: "text" }).mode).toEqual({ kind: "publish", plan: "text" });
});

test.each<[what: string, inputs: Readonly<Record<string, string>>, lines: readonly RegExp[]]>([
  ["an unknown mode", { mode: "push" }, [/^- mode: "push" is none of all, plan, copy, publish/]],
  ["a plan without a use", { plan: "text" }, [/^- plan: means nothing in the mode all/]],
  [
    "a plan in the job that makes it",
    { mode: "plan", plan: "text" },
    [/^- plan: means nothing in the mode plan/],
  ],
  ["no plan to copy", { mode: "copy", share: "1" }, [/^- plan: is empty, but the mode copy/]],
  ["no plan to publish", { mode: "publish" }, [/^- plan: is empty, but the mode publish/]],
  ["no share", { mode: "copy", plan: "text" }, [/^- share: "" is not the number of a share/]],
  ["a share of none", { mode: "copy", plan: "text", share: "0" }, [/^- share: "0"/]],
  ["a share beyond the matrix", { mode: "copy", plan: "text", share: "257" }, [/^- share: "257"/]],
  [
    "a share without a use",
    { mode: "publish", plan: "text", share: "1" },
    [/^- share: means nothing in the mode publish/],
  ],
  ["no shares at all", { mode: "plan", shares: "0" }, [/^- shares: "0" is not a whole number from 1 on/]],
  ["half a share", { mode: "plan", shares: "1.5" }, [/^- shares: "1.5"/]],
  [
    "more shares than jobs",
    { mode: "plan", shares: "129", destinations: two },
    [/^- shares: 129 for each of 2 destinations are more than GitHub's 256 jobs/],
  ],
  [
    "one registry under two names",
    {
      mode: "plan",
      "runs-on": '{"docker.io:443": "a", "index.docker.io": "b"}',
      destinations: "docker.io/goharbor",
    },
    [/^- runs-on: "docker.io" is given more than once/],
  ],
  ["runners that are no JSON", { mode: "plan", "runs-on": "large" }, [/^- runs-on: is not JSON/]],
  [
    "runners that are no object",
    { mode: "plan", "runs-on": '["large"]' },
    [/^- runs-on: is not a JSON object/],
  ],
  ["no label", { mode: "plan", "runs-on": '{"default": []}' }, [/^- runs-on: is not a JSON object/]],
  [
    "a label that is an expression",
    { mode: "plan", "runs-on": '{"default": "$(id)"}' },
    [/^- runs-on: is not/],
  ],
  [
    "runners for a destination that there is not, beside another mistake",
    { mode: "plan", shares: "x", "runs-on": '{"tcr": "a", "docker.io/goharbor": "b"}' },
    [
      /^- shares: "x"/,
      /^- runs-on: "tcr" is neither a destination/,
      /^- runs-on: "docker.io\/goharbor" is neither/,
    ],
  ],
])("%s is a mistake", (_what, inputs, expected) => {
  const lines = mistakeLines(mistakesOf(inputs));
  expect(lines).toHaveLength(expected.length);
  for (const [index, pattern] of expected.entries()) expect(lines[index]).toMatch(pattern);
});

test("as many shares as the matrix has jobs are none", () => {
  expect(mistakesOf({ mode: "plan", shares: "128", destinations: two })).toBe("");
});

test("a check is of the whole run", () => {
  expect(mistakesOf({ check: "true", mode: "plan" })).toContain("check: means nothing in the mode");
  expect(mistakesOf({ check: "true" })).toBe("");
  expect(mistakesOf({ mode: "plan" })).toBe("");
});
