import { describe, expect, test } from "vitest";
import { ociIndex, ociManifest } from "../../src/oci/media-types.ts";
import { estimateOf, type ImageSize } from "../../src/plan/estimate.ts";
import type { SourceImage } from "../../src/plan/snapshot.ts";
import type { CopyStep } from "../../src/plan/step.ts";
import { contentDigest } from "./snapshot-builder.ts";

const hub = { registry: "docker.io", path: "goharbor" };
const ghcr = { registry: "ghcr.io", path: "goharbor" };

function image(name: string, source = ghcr, mediaType = ociManifest): SourceImage {
  const repository = `goharbor/${name}`;
  const digest = contentDigest(name);
  return { source, repository, tag: "v1.0.0", digest, mediaType, rewritten: undefined, attachments: [] };
}

function copyTo(destination: string, source: SourceImage): CopyStep {
  const of = { version: "v1.0.0", image: source.repository, tag: source.tag, reason: "not there" };
  return { kind: "copy", source, replaces: undefined, destination, ...of };
}

function size(blobs: Readonly<Record<string, number>>, manifests = 1): ImageSize {
  const descriptors = Object.entries(blobs).map(([name, bytes]) => ({
    digest: contentDigest(name),
    size: bytes,
  }));
  return { blobs: descriptors, manifests };
}

const [core, portal, tool] = [image("core"), image("portal"), image("tool", hub, ociIndex)];
const sizes = new Map([
  [core, size({ base: 100, core: 7 })],
  [portal, size({ base: 100, portal: 5 })],
]);
const countsPulls = (registry: string): boolean => registry === "docker.io";

describe("what a plan needs", () => {
  test("a blob that images share counts once at each destination, and once in all at the sources", () => {
    const steps = [copyTo("a/x", core), copyTo("a/x", portal), copyTo("b/x", core)];
    expect(estimateOf({ steps }, (one) => sizes.get(one), countsPulls)).toEqual({
      destinations: [
        { destination: "a/x", images: 2, unsizedImages: 0, mostBytes: 112, pulls: [] },
        { destination: "b/x", images: 1, unsizedImages: 0, mostBytes: 107, pulls: [] },
      ],
      sources: { images: 2, unsizedImages: 0, mostBytes: 112, pulls: [] },
    });
  });

  test("an image whose size nobody knows is said to be one, and its pulls are a lower bound", () => {
    const steps = [copyTo("a/x", core), copyTo("a/x", tool), copyTo("b/x", tool)];
    const pulls = [{ registry: "docker.io", images: 1, pulls: 2, atLeast: true }];
    expect(estimateOf({ steps }, (one) => sizes.get(one), countsPulls)).toEqual({
      destinations: [
        { destination: "a/x", images: 2, unsizedImages: 1, mostBytes: 107, pulls },
        { destination: "b/x", images: 1, unsizedImages: 1, mostBytes: 0, pulls },
      ],
      sources: { images: 2, unsizedImages: 1, mostBytes: 107, pulls },
    });
  });

  test("manifests that were counted elsewhere are exact pulls", () => {
    const known = new Map([...sizes, [tool, size({ tool: 3 }, 4)]]);
    const { sources } = estimateOf({ steps: [copyTo("a/x", tool)] }, (one) => known.get(one), countsPulls);
    expect(sources.pulls).toEqual([{ registry: "docker.io", images: 1, pulls: 4, atLeast: false }]);
  });

  test("nothing to copy needs nothing", () => {
    expect(estimateOf({ steps: [] }, () => undefined, countsPulls)).toEqual({
      destinations: [],
      sources: { images: 0, unsizedImages: 0, mostBytes: 0, pulls: [] },
    });
  });
});
