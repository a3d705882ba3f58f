import { expect, test } from "vitest";
import { noBytes } from "../../src/copy/outcome.ts";
import { type FinishedImage, imageLine, tellImage, versionLine } from "../../src/copy/story.ts";
import { colourPaint, plainPaint } from "../../src/log/paint.ts";
import { copyStep, dockerHub, tcr } from "../report/result-builder.ts";
import { obstacle } from "../support/failures.ts";
import { recordingLog } from "../support/recording-log.ts";

const step = copyStep({ image: "harbor-core", destination: dockerHub });

function told(options: Partial<FinishedImage> = {}): FinishedImage {
  return { step, bytes: noBytes, failure: undefined, ...options };
}

test.each([
  [
    { uploaded: 41_200_000, mounted: 2_000_000, present: 5 },
    "41.2 MB uploaded, 2.0 MB mounted, 5 B already there",
  ],
  [{ uploaded: 0, mounted: 0, present: 7 }, "7 B already there"],
  [noBytes, "complete"],
])("an image that is there: %j is %j", (bytes, words) => {
  expect(imageLine(told({ bytes }), 12_340, plainPaint)).toBe(
    `✓ harbor-core:v2.15.2 → docker.io/goharbor: ${words}, after 12.3 s`,
  );
});

test("an image that is not there tells why, in one line that obeys nobody", () => {
  const line = imageLine(
    told({ failure: obstacle("refused\n::error::x\u001b[31m ##[debug]") }),
    1,
    plainPaint,
  );
  expect(line).toBe("✗ harbor-core:v2.15.2 → docker.io/goharbor: refused : :error: :x [31m # #[debug]");
});

test("of one cause at one destination, the first image tells it, and the others name that image", () => {
  const causes = new Map<string, string>();
  const lineOf = (image: string, destination: string, problem: string) =>
    imageLine(
      told({ step: copyStep({ image, destination }), failure: obstacle(problem) }),
      1,
      plainPaint,
      causes,
    );
  expect([
    lineOf("harbor-core", dockerHub, "refused"),
    lineOf("harbor-db", dockerHub, "refused"),
    lineOf("harbor-log", dockerHub, "lost"),
    lineOf("harbor-db", tcr, "refused"),
  ]).toEqual([
    `✗ harbor-core:v2.15.2 → ${dockerHub}: refused`,
    `✗ harbor-db:v2.15.2 → ${dockerHub}: for the same cause as harbor-core:v2.15.2`,
    `✗ harbor-log:v2.15.2 → ${dockerHub}: lost`,
    `✗ harbor-db:v2.15.2 → ${tcr}: refused`,
  ]);
});

test("the log has the first image of each cause, and the others for who debugs", () => {
  const debugged: string[] = [];
  const log = { ...recordingLog(), debug: (text: string) => debugged.push(text) };
  const causes = new Map<string, string>();
  for (const image of ["harbor-core", "harbor-db", "harbor-log"])
    tellImage(told({ step: copyStep({ image }), failure: obstacle("refused") }), 1, log, causes);
  tellImage(told({ step: copyStep({ image: "harbor-portal" }) }), 1, log, causes);
  const subjects = (lines: readonly string[]) => lines.map((line) => line.replace(/:.*/, ""));
  expect(subjects(log.infos)).toEqual(["✗ harbor-core", "✓ harbor-portal"]);
  expect(subjects(debugged)).toEqual(["✗ harbor-db", "✗ harbor-log"]);
});

test("the long page of a proxy is cut", () => {
  const line = imageLine(told({ failure: obstacle("x".repeat(5_000)) }), 1, plainPaint);
  expect(line.length).toBeLessThan(700);
});

test.each<[what: string, images: readonly FinishedImage[], moveTags: boolean, line: string]>([
  [
    "complete",
    [told(), told()],
    true,
    "★ v2.15.2 is complete at docker.io/goharbor: 2 images tagged, after 1.0 s",
  ],
  [
    "complete in its share",
    [told()],
    false,
    "★ v2.15.2 of this share is at docker.io/goharbor: 1 image without tags, which the last job sets, after 1.0 s",
  ],
  [
    "held back",
    [told({ failure: obstacle("refused") }), told({ failure: obstacle("held back") })],
    true,
    "✗ v2.15.2 is not complete at docker.io/goharbor: 2 of 2 images failed or held back",
  ],
  [
    "incomplete in its share",
    [told({ failure: obstacle("refused") }), told()],
    false,
    "✗ v2.15.2 is not complete at docker.io/goharbor: 1 of 2 images failed",
  ],
])("a version that is %s", (_what, images, moveTags, line) => {
  expect(versionLine(images, moveTags, 1_000, plainPaint)).toBe(line);
});

test("colours change no word", () => {
  const uncoloured = (text: string): string => text.replaceAll(/\u001b\[\d+m/g, "");
  for (const failure of [undefined, obstacle("refused")]) {
    const image = imageLine(told({ failure }), 1, colourPaint);
    expect(image).toContain("\u001b[");
    expect(uncoloured(image)).toBe(imageLine(told({ failure }), 1, plainPaint));
    const version = versionLine([told({ failure })], true, 1, colourPaint);
    expect(version).toContain("\u001b[");
    expect(uncoloured(version)).toBe(versionLine([told({ failure })], true, 1, plainPaint));
  }
});
