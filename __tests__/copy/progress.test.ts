import { describe, expect, test } from "vitest";
import { DestinationProgress, progressLines, RecentRate } from "../../src/copy/progress.ts";

describe("the rate of late", () => {
  test("is that since the first look, within a minute", () => {
    const rate = new RecentRate();
    expect(rate.look(1_000, 500)).toBe(0);
    expect(rate.look(3_000, 2_500)).toBe(1_000);
    expect(rate.look(11_000, 2_500)).toBe(200);
  });

  test("forgets what is longer ago than a minute", () => {
    const rate = new RecentRate();
    // A megabyte in the first second, then nothing for ten minutes, then a kilobyte a second.
    rate.look(0, 0);
    rate.look(1_000, 1_000_000);
    let last = Number.NaN;
    for (let second = 2; second <= 600; second += 1) last = rate.look(second * 1_000, 1_000_000);
    expect(last).toBe(0);
    for (let second = 1; second <= 120; second += 1)
      last = rate.look((600 + second) * 1_000, 1_000_000 + second * 1_000);
    expect(last).toBe(1_000);
  });
});

describe("the lines of progress", () => {
  test("are aligned, with rate and time left of each destination", () => {
    const lines = progressLines(
      [
        { name: "docker.io/goharbor", done: 412e6, total: 1e9, rate: 23.1e6 },
        { name: "goharbor.tencentcloudcr.com/goharbor", done: 8e6, total: 1e9, rate: 0 },
        { name: "ghcr.io/mirror", done: 0, total: 0, rate: 0 },
        { name: "quay.io/mirror", done: 5, total: 5, rate: 1 },
      ],
      30_000,
    );
    expect(lines).toEqual([
      "after 30.0 s:   41 %      412.0 MB of 1.0 GB  23.1 MB/s     25.5 s left  docker.io/goharbor",
      "after 30.0 s:    0 %        8.0 MB of 1.0 GB      0 B/s  standing still  goharbor.tencentcloudcr.com/goharbor",
      "after 30.0 s:         nothing to send so far                             ghcr.io/mirror",
      "after 30.0 s:  100 %              5 B of 5 B                   all sent  quay.io/mirror",
    ]);
  });

  test("round down: nothing is all sent before it is", () => {
    const [line] = progressLines([{ name: "x", done: 999, total: 1_000, rate: 1 }], 0);
    expect(line).toContain("99 %");
    expect(line).toContain("1.0 s left");
  });

  test("of no destination are none", () => {
    expect(progressLines([], 0)).toEqual([]);
  });
});

test("bytes that are sent again move, but do not bring the end nearer", () => {
  const progress = new DestinationProgress("x");
  progress.expect(100);
  progress.expect(50);
  progress.spare(50);
  progress.sent(80);
  progress.sent(-80);
  progress.sent(100);
  expect([progress.done, progress.total, progress.moved]).toEqual([100, 100, 180]);
});
