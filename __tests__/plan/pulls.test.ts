import { describe, expect, test } from "vitest";
import type { Manifest } from "../../src/oci/manifest.ts";
import { dockerManifestList, ociManifest } from "../../src/oci/media-types.ts";
import { makePlan } from "../../src/plan/plan.ts";
import { pullsNeeded } from "../../src/plan/pulls.ts";
import type { SourceImage } from "../../src/plan/snapshot.ts";
import type { CopyStep } from "../../src/plan/step.ts";
import { contentDigest, snapshotOf } from "./snapshot-builder.ts";

const hub = { registry: "docker.io", path: "goharbor" };
const ghcr = { registry: "ghcr.io", path: "goharbor" };

function image(name: string, more: Partial<SourceImage> = {}): SourceImage {
  return {
    source: hub,
    repository: `goharbor/${name}`,
    tag: "v1.0.0",
    digest: contentDigest(name),
    mediaType: ociManifest,
    rewritten: undefined,
    attachments: [],
    ...more,
  };
}

function copyOf(source: SourceImage, destination = "registry.example/harbor"): CopyStep {
  const of = { version: "v1.0.0", image: source.repository, tag: source.tag, reason: "not there" };
  return { kind: "copy", source, replaces: undefined, destination, ...of };
}

const attachment = { digest: contentDigest("signature"), tag: undefined };
/** The index of a platform subset, as far as pulls depend on it. */
const subset = { children: [1, 2, 3].map((n) => ({ digest: contentDigest(`${n}`) })) } as unknown as Manifest;
/** A new index in the place of the first child of the subset. */
const inner = {
  digest: contentDigest("1"),
  children: [4, 5].map((n) => ({ digest: contentDigest(`${n}`) })),
} as unknown as Manifest;

describe("the pulls that a plan needs", () => {
  test.each<[what: string, images: readonly SourceImage[], pulls: number, atLeast: boolean]>([
    ["an image", [image("a")], 1, false],
    ["an index, with at least one platform", [image("a", { mediaType: dockerManifestList })], 2, true],
    ["signatures", [image("a", { attachments: [attachment, attachment] })], 3, false],
    [
      "a subset, whose index is read already",
      [image("a", { mediaType: dockerManifestList, rewritten: subset })],
      3,
      false,
    ],
    [
      "a subset with new indexes below it, which are at no source",
      [image("a", { mediaType: dockerManifestList, rewritten: subset, rewrittenBelow: [inner] })],
      4,
      false,
    ],
    ["several images", [image("a"), image("b", { mediaType: dockerManifestList }), image("c")], 4, true],
  ])("%s", (_what, images, pulls, atLeast) => {
    const plan = { steps: images.map((one) => copyOf(one)) };
    expect(pullsNeeded(plan)).toEqual([{ registry: "docker.io", images: images.length, pulls, atLeast }]);
  });

  test("count once what goes to several destinations, and each source apart", () => {
    const steps = [
      copyOf(image("a")),
      copyOf(image("a"), "registry.example/other"),
      copyOf(image("b", { source: ghcr })),
    ];
    expect(pullsNeeded({ steps })).toEqual([
      { registry: "docker.io", images: 1, pulls: 1, atLeast: false },
      { registry: "ghcr.io", images: 1, pulls: 1, atLeast: false },
    ]);
  });

  test("are none for what is in place", () => {
    const held = ["v2.15.2"];
    const plan = makePlan(snapshotOf({ wanted: held, destinations: [{ holds: held }] }));
    expect(plan.steps.some(({ kind }) => kind === "skip")).toBe(true);
    expect(pullsNeeded(plan)).toEqual([]);
  });
});
