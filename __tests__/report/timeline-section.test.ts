import { describe, expect, test } from "vitest";
import type { RunResult } from "../../src/report/result.ts";
import { timelineSection } from "../../src/report/timeline-section.ts";
import { obstacle } from "../support/failures.ts";
import { copyStep, dockerHub, harborImages, run, skipStep, tcr } from "./result-builder.ts";

/** The lines of the chart, without those that are the same for every run. */
function chart(result: RunResult): readonly string[] {
  const [, text = ""] = /```mermaid\n([\s\S]*?)```/.exec(timelineSection(result)[0]?.markdown ?? "") ?? [];
  const lines = text.split("\n").map((line) => line.trim());
  return lines.slice(lines.indexOf("todayMarker off") + 1, -1);
}

function caption(result: RunResult): string {
  return timelineSection(result)[0]?.markdown.split("\n\n").at(-1) ?? "";
}

test("every destination has a bar for each image, in the order in which they began, and the moment of the tags", () => {
  const result = run()
    .copied(copyStep({ image: "late" }), { uploaded: 2_000_000 }, { begin: 900, end: 1400 })
    .copied(copyStep({ image: "early" }), { uploaded: 7_000_000, mounted: 9 }, { begin: 100, end: 1000 })
    .copied(copyStep({ image: "mounted", destination: dockerHub }), { mounted: 9 }, { begin: 5, end: 5 })
    .build();
  expect(chart(result)).toEqual([
    `section ${tcr}`,
    "7.0 MB early :1970-01-01 00:00:00.100, 1970-01-01 00:00:01.000",
    "2.0 MB late :1970-01-01 00:00:00.900, 1970-01-01 00:00:01.400",
    "tags of v2.15.2 set :milestone, 1970-01-01 00:00:01.500, 0ms",
    `section ${dockerHub}`,
    // Wide enough to be seen.
    "0 B mounted :1970-01-01 00:00:00.005, 1970-01-01 00:00:00.013",
    "tags of v2.15.2 set :milestone, 1970-01-01 00:00:01.500, 0ms",
  ]);
});

test("what failed is marked, and no tag is set then", () => {
  const result = run()
    .copied(copyStep({ image: "core" }), { uploaded: 1000 }, { begin: 0, end: 700 })
    .copyFailed(copyStep({ image: "db" }), "refused", { begin: 0, end: 900 })
    .build();
  expect(chart(result)).toContain("0 B db :crit, 1970-01-01 00:00:00.000, 1970-01-01 00:00:00.900");
  expect(chart(result).join()).not.toContain("milestone");
  expect(caption(result)).toContain("red");
});

test.each([
  ["that copied nothing", run().plan(skipStep()).build()],
  ["that only looked", run().plan(copyStep()).build({ dryRun: true })],
  ["whose copy never got to a byte", run().copyFailed(copyStep(), "no spool").build()],
])("there is none for a run %s", (_what, result) => {
  expect(timelineSection(result)).toEqual([]);
});

describe("a chart stays small", () => {
  const destinations = [tcr, dockerHub, "ghcr.io/mirror"];

  function released(versions: readonly string[]): RunResult {
    const builder = run();
    for (const destination of destinations)
      for (const version of versions)
        for (const [index, image] of harborImages.entries())
          builder.copied(
            copyStep({ destination, version, image }),
            { uploaded: 1000 * (index + 1) },
            { begin: index, end: 1000 },
          );
    return builder.build();
  }

  test("one version at three destinations: the ten largest images of each", () => {
    const result = released(["v2.15.2"]);
    const bars = chart(result).filter((line) => !/^section|milestone/.test(line));
    expect(bars).toHaveLength(30);
    for (const image of harborImages.slice(0, 2)) expect(bars.join()).not.toContain(image);
    expect(caption(result)).toContain("The 30 images with the most bytes, of 36");
  });

  test("what failed has a bar, however little of it moved", () => {
    const [first, ...rest] = released(["v2.15.2"]).copies;
    if (first === undefined) throw new Error("nothing was copied");
    const failed = { ...first, failure: obstacle("refused"), bytes: { uploaded: 1, mounted: 0, present: 0 } };
    const { plan } = released(["v2.15.2"]);
    const steps = [failed, ...rest].map(({ step }) => step);
    const result = run().build({ plan: { ...plan, steps }, copies: [failed, ...rest], destinations: [] });
    expect(chart(result).filter((line) => line.includes("crit"))).toEqual([
      expect.stringMatching(/^1 B prepare :crit, /),
    ]);
  });

  test("many versions: a bar for each version at each destination, the largest", () => {
    const versions = Array.from({ length: 20 }, (_none, minor) => `v2.${minor}.0`);
    const bars = chart(released(versions)).filter((line) => !line.startsWith("section"));
    expect(bars).toHaveLength(30);
    expect(bars[0]).toBe("78.0 kB v2.0.0, 12 images :1970-01-01 00:00:00.000, 1970-01-01 00:00:01.000");
  });

  test("more destinations than bars: one bar for each that fits", () => {
    const builder = run();
    for (let port = 5000; port < 5050; port += 1)
      builder.copied(copyStep({ destination: `localhost:${port}/mirror` }), {}, { begin: 0, end: 9 });
    const lines = chart(builder.build());
    expect(lines.filter((line) => line.startsWith("section"))).toHaveLength(30);
    expect(lines[0]).toBe("section localhost∶5000/mirror");
  });
});

describe("no name breaks the chart", () => {
  test.each([
    "click",
    "section",
    "gantt",
    "title",
    "a:b",
    "a;b",
    "a#b",
    "a%%{init}%%",
    "a\nsection b",
    "```",
    "{",
    "拒绝",
    "x".repeat(300),
  ])("%j", (name) => {
    const step = copyStep({ image: name, version: `v1.0.0+${name}` });
    const other = copyStep({ image: "core", version: "v1.0.0" });
    const moved = { begin: 0, end: 1000 };
    const lines = chart(run().copied(step, {}, moved).copied(other, {}, moved).build());
    expect(lines).toHaveLength(5);
    for (const line of lines.slice(1)) {
      expect(line).toMatch(/^(?:0 B |tags of )[^:;#%{}`\n]* :(?:milestone, )?1970-[^#;%]+$/);
      expect(line.length).toBeLessThan(130);
    }
  });
});

test.each([
  [9_000, "%S.%L s"],
  [600_000, "%M:%S"],
  [7_200_000, "%H:%M:%S"],
])("the axis of a copy of %d ms", (end, format) => {
  const result = run().copied(copyStep(), {}, { begin: 0, end }).build();
  expect(timelineSection(result)[0]?.markdown).toContain(`axisFormat ${format}\n`);
});
