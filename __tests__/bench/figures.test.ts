import { describe, expect, test } from "vitest";
import { linkBound, missingBytes } from "../../bench/bounds.ts";
import type { StoredImage } from "../../bench/content.ts";
import { evenShares } from "../../bench/curl-bound.ts";
import type { LinkReport } from "../../bench/link-process.ts";
import { parseOptions } from "../../bench/options.ts";
import { plot } from "../../bench/plot.ts";
import { profiles } from "../../bench/profiles.ts";
import { summarise } from "../../bench/results.ts";
import { namesBySize, type RunRecord } from "../../bench/run.ts";
import { leastOf, ratioOf, spreadOf } from "../../bench/statistics.ts";

function image(name: string, sizes: Readonly<Record<string, number>>): StoredImage {
  const blobs = Object.entries(sizes).map(([digest, size]) => ({ digest, size, path: `/${digest}` }));
  return { name, version: "v1", manifest: Buffer.from("12345"), digest: `manifest of ${name}`, blobs };
}

describe("spreads", () => {
  test.each([
    [[3, 1, 2], { median: 2, least: 1, most: 3 }],
    [[4, 1, 2, 3], { median: 2.5, least: 1, most: 4 }],
    [[], undefined],
  ])("of %j are %j", (figures, spread) => {
    expect(spreadOf(figures)).toEqual(spread);
  });

  test("are compared by their medians, as far as they are there", () => {
    expect(ratioOf(spreadOf([3]), spreadOf([2]))).toBe(1.5);
    expect(ratioOf(spreadOf([3]), spreadOf([0]))).toBeUndefined();
    expect(ratioOf(undefined, spreadOf([2]))).toBeUndefined();
    expect(leastOf([spreadOf([3]), undefined, spreadOf([2])])?.median).toBe(2);
  });
});

describe("what is missing", () => {
  const wanted = [image("a", { base: 100, a: 50 }), image("b", { base: 100, b: 30 })];

  test("counts every blob once, and every manifest", () => {
    expect(missingBytes(wanted, [])).toEqual({ bytes: 190, largest: 100 });
  });

  test("leaves out what is held", () => {
    expect(missingBytes(wanted, [image("a", { base: 100 })])).toEqual({ bytes: 85, largest: 50 });
    expect(missingBytes(wanted, wanted)).toEqual({ bytes: 0, largest: 0 });
  });
});

describe("the bound", () => {
  test("is the bytes over the rate of each link, and round trips", () => {
    const bound = linkBound(profiles["near-far"], { bytes: 480_000_000, largest: 1_000_000 });
    expect(bound?.nearSeconds).toBeCloseTo(8.12);
    expect(bound?.farSeconds).toBeCloseTo(30.66);
    expect(bound?.wallSeconds).toBe(bound?.farSeconds);
  });

  test("is the largest blob over the rate of one connection, where that takes longer", () => {
    const bound = linkBound(profiles["near-far"], { bytes: 480_000_000, largest: 400_000_000 });
    expect(bound?.farSeconds).toBeCloseTo(100.66);
  });

  test("does not exist without rates", () => {
    expect(linkBound(profiles.loopback, { bytes: 1, largest: 1 })).toBeUndefined();
  });
});

test("shares of blobs cost about the same, and small blobs are spread as well", () => {
  const small = Object.fromEntries(Array.from({ length: 30 }, (_none, index) => [`s${index}`, 10]));
  const { blobs } = image("a", { big: 5_000_000, second: 4_000_000, ...small });
  const shares = evenShares(blobs, 2);
  expect(shares.flat().toSorted(byDigest)).toEqual(blobs.toSorted(byDigest));
  expect(Math.min(...shares.map((share) => share.length))).toBeGreaterThan(10);
});

function byDigest(one: { digest: string }, other: { digest: string }): number {
  return one.digest.localeCompare(other.digest);
}

test("images are given by their bytes, the largest first", () => {
  expect(namesBySize([image("small", { a: 1 }), image("large", { b: 9 })])).toEqual(["large", "small"]);
});

function record(tool: string, figures: Partial<RunRecord>, uploaded = 100): RunRecord {
  const link = (bodyBytes: number, bytesDown: number): LinkReport => ({
    methods: { PUT: { requests: 2, bodyBytes }, HEAD: { requests: 1, bodyBytes: 0 } },
    bytesUp: bodyBytes,
    bytesDown,
    connections: 1,
    cuts: 0,
    firstRequestAt: 0,
  });
  return {
    tool,
    wallSeconds: 10,
    cpuSeconds: 1,
    peakMemory: 1,
    problems: [],
    nearSeconds: 2,
    farSeconds: 9,
    firstRequestSeconds: 0.1,
    links: { source: link(0, 200), near: link(uploaded, 0), far: link(uploaded, 0) },
    ...figures,
  };
}

describe("a summary", () => {
  const bound = { wallSeconds: spreadOf([5]), nearSeconds: spreadOf([1]), farSeconds: spreadOf([5]) };
  const runs = (tool: string, ours: boolean, records: readonly RunRecord[]) => ({
    tool,
    ours,
    version: "1",
    records,
  });
  const [ours, slow, broken] = summarise(
    [
      runs("ours", true, [record("ours", {}), record("ours", { wallSeconds: 12 })]),
      runs("slow", false, [record("slow", { wallSeconds: 22, cpuSeconds: 4 }, 130)]),
      runs("broken", false, [
        record("broken", { wallSeconds: 1, cpuSeconds: 0.1 }),
        record("broken", { problems: ["it broke"] }),
      ]),
    ],
    bound,
    { bytes: 100, largest: 100 },
  );

  test("compares medians with the bound and with the best peer that did all its runs", () => {
    expect(ours?.wallSeconds).toEqual({ median: 11, least: 10, most: 12 });
    expect(ours?.ratios).toMatchObject({
      wallToBound: 2.2,
      wallToPeer: 0.5,
      nearToBound: 2,
      cpuToPeer: 0.25,
    });
    expect(ours?.ratios.sourceToUnique).toBe(2);
  });

  test("adds requests of all methods, and tells what was sent beyond what was missing", () => {
    expect(slow?.requests.near?.median).toBe(3);
    expect(slow?.surplus.far?.median).toBe(30);
    expect(ours?.surplus.far?.median).toBe(0);
  });

  test("leaves failed runs out of the figures, and says why they failed", () => {
    expect(broken).toMatchObject({ runs: 2, failed: 1, problems: ["it broke"] });
    expect(broken?.wallSeconds?.most).toBe(1);
  });
});

describe("the command line", () => {
  const known = ["ours", "crane"];

  test("has a default for everything", () => {
    expect(parseOptions([], known)).toMatchObject({
      profile: "near-far",
      variant: "cold",
      tools: undefined,
      runs: 5,
      scale: 1,
    });
  });

  test("keeps a quick try away from counted results, and lets single options win", () => {
    const quick = parseOptions(["--quick", "--runs", "2", "--tools", "ours,crane"], known);
    expect(quick).toMatchObject({ runs: 2, scale: 0.05, tools: ["ours", "crane"] });
    expect(quick?.resultsFolder).not.toBe(parseOptions([], known)?.resultsFolder);
  });

  test.each([
    "--profile=moon",
    "--variant=hot",
    "--runs=0",
    "--runs=1.5",
    "--scale=-1",
    "--limit=x",
    "--tools=ours,nothing",
  ])("refuses %s", (word) => {
    expect(parseOptions([word], known)).toBeUndefined();
  });
});

test("the plot has a bar for every time, says what failed, and escapes what it prints", () => {
  const spread = { median: 2, least: 1, most: 3 };
  const tool = { ours: false, failed: 0, wallSeconds: spread, nearSeconds: spread, farSeconds: spread };
  const picture = plot([
    {
      date: "2026-01-02T03:04:05Z",
      profile: "near-far",
      profileTitle: "a < b & c",
      variant: "cold",
      variantTitle: "empty",
      bound: { wallSeconds: spread },
      tools: [
        { ...tool, tool: "ours", ours: true },
        { tool: "broken", ours: false, failed: 3, wallSeconds: undefined },
      ],
    },
  ]);
  expect(picture).toContain(">a &lt; b &amp; c<");
  expect(picture).toContain(">near-far, cold: empty (2026-01-02)<");
  // The picture's own legend has one of each as well.
  for (const name of ["near", "far", "wall"]) expect(picture.split(`<rect class="${name}"`)).toHaveLength(3);
  expect(picture).toContain(">failed<");
});
