import { describe, expect, test } from "vitest";
import { type ReleaseShape, variantNames, variantOf } from "../../bench/workload.ts";

function layersOf(releases: readonly ReleaseShape[]): ReadonlyMap<string, number> {
  const layers = releases.flatMap(({ images }) => images.flatMap((image) => image.layers));
  return new Map(layers.map(({ seed, size }) => [`${seed}:${size}`, size]));
}

function bytesOf(layers: Iterable<number>): number {
  return [...layers].reduce((sum, size) => sum + size, 0);
}

describe("a cold release", () => {
  const { releases, held } = variantOf("cold");
  const images = releases.flatMap((release) => release.images);

  test("has twelve images, half a gigabyte in about 80 layers, and nothing at the destinations", () => {
    const layers = layersOf(releases);
    expect(held).toEqual([]);
    expect(images).toHaveLength(12);
    expect(bytesOf(layers.values())).toBeGreaterThan(480e6);
    expect(bytesOf(layers.values())).toBeLessThan(540e6);
    expect(layers.size).toBeGreaterThan(60);
    expect(layers.size).toBeLessThan(100);
  });

  test("shares exactly one layer among all images, and no other", () => {
    const all = images.flatMap(({ layers }) => layers.map(({ seed }) => seed));
    const shared = [...Map.groupBy(all, (seed) => seed).values()].filter((uses) => uses.length > 1);
    expect(shared.map((uses) => uses.length)).toEqual([12]);
  });

  test("has many layers below 10 KB", () => {
    const small = [...layersOf(releases).values()].filter((size) => size < 10_000);
    expect(small.length).toBeGreaterThan(40);
  });
});

test("the next patch release shares some layers with the one before, each within the same image, and the base", () => {
  const { releases, held } = variantOf("patch");
  const before = layersOf(held);
  const shared = [...layersOf(releases)].filter(([layer]) => before.has(layer));
  const part = bytesOf(shared.map(([, size]) => size)) / bytesOf(layersOf(releases).values());
  expect(part).toBeGreaterThan(0.05);
  expect(part).toBeLessThan(0.5);
  const owners = (release: ReleaseShape | undefined) =>
    new Map(release?.images.flatMap(({ name, layers }) => layers.slice(1).map(({ seed }) => [seed, name])));
  const [now, then] = [owners(releases[0]), owners(held[0])];
  for (const [seed, name] of now) expect(then.get(seed) ?? name).toBe(name);
});

test("an unchanged release is the one that is held", () => {
  const { releases, held } = variantOf("unchanged");
  expect(held).toEqual(releases);
});

test("the large layer has 2 GiB", () => {
  expect([...layersOf(variantOf("large").releases).values()]).toEqual([2_147_483_648]);
});

test("three versions are three tags of the same twelve images", () => {
  const { releases } = variantOf("three");
  expect(new Set(releases.map(({ version }) => version)).size).toBe(3);
  const names = releases.map(({ images }) => images.map(({ name }) => name));
  expect(names).toEqual([names[0], names[0], names[0]]);
});

test.each(variantNames)("scale makes %s smaller and leaves its shape", (name) => {
  const [whole, small] = [variantOf(name), variantOf(name, 0.01)];
  const counts = (releases: readonly ReleaseShape[]) =>
    releases.map(({ images }) => images.map(({ layers }) => layers.length));
  expect(counts(small.releases)).toEqual(counts(whole.releases));
  expect(bytesOf(layersOf(small.releases).values())).toBeLessThan(
    bytesOf(layersOf(whole.releases).values()) / 50,
  );
});
