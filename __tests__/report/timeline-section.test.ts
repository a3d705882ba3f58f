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
  return /<sub>.*<\/sub>/.exec(timelineSection(result)[0]?.markdown ?? "")?.[0] ?? "";
}

test("every destination has one bar for each version, from its first byte until its tags were set", () => {
  const result = run()
    .copied(copyStep({ image: "late" }), { uploaded: 2_000_000 }, { begin: 900, end: 1400 })
    .copied(copyStep({ image: "early" }), { uploaded: 7_000_000, mounted: 9 }, { begin: 100, end: 1000 })
    .copied(copyStep({ version: "v2.15.1" }), { uploaded: 500 }, { begin: 5, end: 5 })
    .copied(copyStep({ destination: dockerHub }), { uploaded: 9_000_000 }, { begin: 50, end: 2_000 })
    .build();
  expect(chart(result)).toEqual([
    `section ${tcr}`,
    "500 B v2.15.1, 1 image :1970-01-01 00:00:00.005, 1970-01-01 00:00:01.500",
    "9.0 MB v2.15.2, 2 images :1970-01-01 00:00:00.100, 1970-01-01 00:00:01.500",
    `section ${dockerHub}`,
    "9.0 MB v2.15.2, 1 image :1970-01-01 00:00:00.050, 1970-01-01 00:00:02.000",
  ]);
});

test("what failed is marked, and ends where it stopped; what is too short to be seen is drawn wider", () => {
  const failed = copyStep({ destination: dockerHub, image: "db" });
  const result = run()
    .copied(copyStep(), { uploaded: 1000 }, { begin: 0, end: 4000 })
    .copyFailed(failed, "refused", { begin: 0, end: 5 })
    .build();
  const copies = result.copies.map((copy) => ({ ...copy, bytes: { ...copy.bytes, uploaded: 1000 } }));
  expect(chart({ ...result, copies })).toContain(
    "1.0 kB v2.15.2, 1 image :crit, 1970-01-01 00:00:00.000, 1970-01-01 00:00:00.020",
  );
  expect(caption({ ...result, copies })).toContain("red");
});

test("of several routes, a bar is of a repository", () => {
  const ofRoute = (route: string) => ({ ...copyStep({ image: route }), route });
  const result = run()
    .copied(ofRoute("team/web"), { uploaded: 1000 }, { begin: 0, end: 4000 })
    .copied(ofRoute("team/api"), { uploaded: 1000 }, { begin: 0, end: 4000 })
    .build();
  expect(
    chart(result)
      .slice(1)
      .map((line) => line.split(" :")[0]),
  ).toEqual(["1.0 kB team/web, 1 image", "1.0 kB team/api, 1 image"]);
});

test.each([
  ["that copied nothing", run().plan(skipStep()).build()],
  ["that only looked", run().plan(copyStep()).build({ dryRun: true })],
  ["whose copy never got to a byte", run().copyFailed(copyStep(), "no spool").build()],
  [
    "that sent nothing",
    run()
      .copied(copyStep(), { mounted: 9 }, { begin: 0, end: 9 })
      .copied(copyStep({ destination: dockerHub }), { present: 9 }, { begin: 0, end: 9 })
      .build(),
  ],
  [
    "of one version to one destination",
    run().copied(copyStep(), { uploaded: 1000 }, { begin: 0, end: 9 }).build(),
  ],
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

  test("one version at three destinations: three bars, open", () => {
    const result = released(["v2.15.2"]);
    expect(chart(result).filter((line) => !line.startsWith("section"))).toHaveLength(3);
    expect(timelineSection(result)[0]?.markdown).toMatch(/^```mermaid\n/);
  });

  test("what failed has a bar, however little of it moved", () => {
    const result = released(Array.from({ length: 20 }, (_none, minor) => `v2.${minor}.0`));
    const isTheOne = ({ step }: RunResult["copies"][number]): boolean =>
      step.destination === tcr && step.version === "v2.3.0" && step.image === "prepare";
    const bytes = { uploaded: 1, mounted: 0, present: 0 };
    const copies = result.copies.map((copy) =>
      isTheOne(copy) ? { ...copy, failure: obstacle("refused"), bytes } : copy,
    );
    expect(chart({ ...result, copies }).filter((line) => line.includes("crit"))).toEqual([
      expect.stringMatching(/^77\.0 kB v2\.3\.0, 12 images :crit, /),
    ]);
  });

  test("many versions: a bar for each version at each destination, the largest", () => {
    const versions = Array.from({ length: 20 }, (_none, minor) => `v2.${minor}.0`);
    const result = released(versions);
    const bars = chart(result).filter((line) => !line.startsWith("section"));
    expect(bars).toHaveLength(30);
    expect(bars[0]).toBe("78.0 kB v2.0.0, 12 images :1970-01-01 00:00:00.000, 1970-01-01 00:00:01.500");
    expect(timelineSection(result)[0]?.markdown).toMatch(/^<details>/);
    expect(caption(result)).toContain("The 30 with the most bytes, of 60.");
  });

  test("more destinations than bars: one bar for each that fits", () => {
    const builder = run();
    for (let port = 5000; port < 5050; port += 1)
      builder.copied(
        copyStep({ destination: `localhost:${port}/mirror` }),
        { uploaded: 1 },
        { begin: 0, end: 9 },
      );
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
    const step = { ...copyStep({ image: name, version: `v1.0.0+${name}` }), route: name };
    const other = copyStep({ image: "core", version: `v1.0.0+${name}` });
    const moved = { begin: 0, end: 1000 };
    const sent = { uploaded: 1 };
    const lines = chart(run().copied(step, sent, moved).copied(other, sent, moved).build());
    expect(lines).toHaveLength(3);
    for (const line of lines.slice(1)) {
      expect(line).toMatch(/^1 B [^:;#%{}`\n]* :1970-[^#;%]+$/);
      expect(line.length).toBeLessThan(130);
    }
  });
});

test.each([
  [9_000, "%S.%L s"],
  [600_000, "%M:%S"],
  [7_200_000, "%H:%M:%S"],
])("the axis of a copy of %d ms", (end, format) => {
  const bar = (destination: string) =>
    [copyStep({ destination }), { uploaded: 1 }, { begin: 0, end }] as const;
  const result = run()
    .copied(...bar(tcr))
    .copied(...bar(dockerHub))
    .build();
  expect(timelineSection(result)[0]?.markdown).toContain(`axisFormat ${format}\n`);
});
