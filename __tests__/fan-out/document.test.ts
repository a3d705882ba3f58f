import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { type PlanDocument, readPlan, writePlan } from "../../src/fan-out/document.ts";
import { handOut } from "../../src/fan-out/hand-out.ts";
import { runs } from "../properties/arbitraries.ts";
import { copyStep, digest, dockerHub, harborImages, pruneStep, tcr } from "../report/result-builder.ts";

const copy = {
  destination: tcr,
  version: "v2.15.2",
  image: "harbor-core",
  tag: "v2.15.2",
  digest: digest("core"),
  share: 1,
};
const prune = { destination: tcr, version: "v2.12.0", image: "harbor-core", tag: "v2.12.0" };
const document: Omit<PlanDocument, "schemaVersion"> = {
  inputs: digest("inputs"),
  repository: "goharbor/harbor",
  versions: ["v2.15.2"],
  copies: [copy],
  prunes: [prune],
};

function packed(value: unknown): string {
  return gzipSync(typeof value === "string" ? value : JSON.stringify(value)).toString("base64");
}

/** The message of the refusal of a text. */
function refusal(text: string): string {
  try {
    readPlan(text);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return "taken";
}

/** A plan for so many versions of Harbor at two destinations, with two versions pruned for each. */
function harborPlan(versions: number): Omit<PlanDocument, "schemaVersion"> {
  const tags = Array.from({ length: versions }, (_, index) => `v2.${index}.0`);
  const steps = tags.flatMap((version) =>
    harborImages.flatMap((image) => [
      ...[dockerHub, tcr].map((destination) => copyStep({ destination, version, image })),
      pruneStep({ version: version.replace("v2", "v1"), image }),
    ]),
  );
  return handOut({ repository: "goharbor/harbor", versions: tags, steps }, digest("inputs"), 2, () => []);
}

test("a plan comes back as it was written", () => {
  expect(readPlan(writePlan(document))).toEqual({ schemaVersion: 2, ...document });
});

test("a plan is one line of Base64, in which no name of a place can be found", () => {
  const text = writePlan(document);
  expect(text).toMatch(/^[A-Za-z0-9+/]+=*$/);
  expect(text).not.toContain("goharbor");
});

test("a hundred versions of Harbor at two destinations fit, with pruning", () => {
  const plan = harborPlan(100);
  expect(plan.copies).toHaveLength(2400);
  expect(readPlan(writePlan(plan)).copies).toEqual(plan.copies);
});

test("a plan that no job could take is refused where it is written, with what to do", () => {
  expect(() => writePlan(harborPlan(300))).toThrow(/a job takes 120000\. Mirror fewer versions at a time/);
});

describe("what is not a plan is refused", () => {
  test.each<[what: string, text: string, reason: RegExp]>([
    ["nothing", "", /it is not in Base64/],
    ["another text", "{}", /it is not in Base64/],
    ["Base64 of something else", Buffer.from("text").toString("base64"), /it cannot be unpacked/],
    ["a plan that was cut", writePlan(document).slice(0, -20), /it cannot be unpacked/],
    ["a text that is too long", "A".repeat(120_001), /more than 120000 characters/],
    // 80 kB of zeros packed, 64 MB unpacked.
    ["a bomb", gzipSync(Buffer.alloc(64 * 1024 * 1024)).toString("base64"), /it cannot be unpacked/],
    ["no JSON", packed("plan"), /the text is not JSON/],
    ["JSON of something else", packed([1]), /the text is not of the expected form/],
    ["a newer format", packed({ schemaVersion: 3 }), /format 3, and this version of the Action reads 2/],
  ])("%s", (_what, text, reason) => {
    const message = refusal(text);
    expect(message).toMatch(reason);
    expect(message).toContain("use the same version of the Action in all jobs");
  });

  test.each<[what: string, change: Record<string, unknown>]>([
    ["a property that nobody knows", { token: "x" }],
    ["a digest of the inputs that is none", { inputs: "sha256:1" }],
    ["the name of a route with a line break", { repository: "a\nb" }],
    ["no version", { versions: [] }],
    ["a version with a line break", { versions: ["v1\n::error::"] }],
    ["more copies than any plan has", { copies: Array.from({ length: 100_001 }, () => 0) }],
    ...Object.entries({
      destination: ["docker.io/", "index.docker.io/goharbor", "docker.io/../x", "a.b/c,keep=1", ""],
      version: ["", "a b", "x".repeat(256)],
      image: ["../x", "Core", "/core", ""],
      tag: ["a:b", "-a", "latest@sha256:0", ""],
      source: ["ghcr.io/goharbor"],
      from: ["secret"],
      digest: ["sha256:abc", `md5:${"0".repeat(32)}`, copy.digest.toUpperCase()],
      share: [0, 257, 1.5, "1"],
      more: [1],
    }).flatMap(([name, values]) =>
      values.map((value): [string, Record<string, unknown>] => [
        `${JSON.stringify(value)} as ${name} of a copy`,
        { copies: [{ ...copy, [name]: value }] },
      ]),
    ),
    ["a tag to prune that is none", { prunes: [{ ...prune, tag: "*" }] }],
    ["a digest to prune", { prunes: [{ ...prune, digest: copy.digest }] }],
  ])("%s", (_what, change) => {
    expect(refusal(packed({ schemaVersion: 2, ...document }))).toBe("taken");
    expect(refusal(packed({ schemaVersion: 2, ...document, ...change }))).toContain(
      "is not of the expected form",
    );
  });
});

test("whatever text is given, it is read or refused in words (property)", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json().map(packed),
    fc
      .record({ schemaVersion: fc.constant(2), versions: fc.jsonValue(), copies: fc.jsonValue() })
      .map(packed),
  );
  fc.assert(
    fc.property(text, (given) => {
      expect(refusal(given)).toMatch(/^plan: this is not a plan/);
    }),
    runs,
  );
});
