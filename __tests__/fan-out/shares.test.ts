import fc from "fast-check";
import { expect, test } from "vitest";
import { cutIntoShares, type Load } from "../../src/fan-out/shares.ts";
import { runs } from "../properties/arbitraries.ts";
import { digest } from "../report/result-builder.ts";

/** An image of blobs by name: `{ base: 30, own: 5 }`. */
function load(item: string, blobs: Readonly<Record<string, number>>): Load<string> {
  return {
    item,
    blobs: Object.entries(blobs).map(([name, size]) => ({ digest: digest(name), size })),
  };
}

test.each<
  [what: string, loads: readonly Load<string>[], most: number, shares: readonly (readonly string[])[]]
>([
  ["nothing makes no share", [], 3, []],
  ["one share has all", [load("a", { a: 1 }), load("b", { b: 2 })], 1, [["b", "a"]]],
  ["no share is empty", [load("a", { a: 1 })], 4, [["a"]]],
  [
    "bytes are balanced, not numbers of images",
    [load("a", { a: 9 }), load("b", { b: 4 }), load("c", { c: 3 }), load("d", { d: 2 })],
    2,
    [["a"], ["b", "c", "d"]],
  ],
  [
    "images with much in common stay together",
    [
      load("a1", { a: 50, a1: 1 }),
      load("b1", { b: 50, b1: 1 }),
      load("a2", { a: 50, a2: 2 }),
      load("b2", { b: 50, b2: 2 }),
    ],
    2,
    [
      ["a2", "a1"],
      ["b2", "b1"],
    ],
  ],
  [
    "images that are almost the same are not worth a second job",
    [load("a", { base: 100, a: 1 }), load("b", { base: 100, b: 1 })],
    2,
    [["a", "b"]],
  ],
  [
    "a small common base keeps no image from a share of its own",
    [load("a", { base: 5, a: 50 }), load("b", { base: 5, b: 50 })],
    2,
    [["a"], ["b"]],
  ],
  [
    "a blob that an image names twice counts once",
    [{ item: "a", blobs: [...load("a", { a: 4 }).blobs, ...load("a", { a: 4 }).blobs] }, load("b", { b: 5 })],
    1,
    [["b", "a"]],
  ],
  [
    "images of unknown size are in some share",
    [load("a", {}), load("b", {}), load("c", { c: 1 })],
    2,
    [["c"], ["a", "b"]],
  ],
])("%s", (_what, loads, most, shares) => {
  expect(cutIntoShares(loads, most)).toEqual(shares);
});

test("each image is in one share, there are no more shares than wanted, and none is empty (property)", () => {
  const blobs = fc.dictionary(fc.constantFrom("base", "other", "c", "d", "e", "f"), fc.nat(1000));
  const images = fc.array(blobs, { maxLength: 40 });
  fc.assert(
    fc.property(images, fc.integer({ min: 1, max: 8 }), (all, most) => {
      const loads = all.map((each, index) => load(String(index), each));
      const shares = cutIntoShares(loads, most);
      expect(shares.flat().toSorted()).toEqual(loads.map(({ item }) => item).toSorted());
      expect(shares.length).toBeLessThanOrEqual(most);
      expect(shares.every((share) => share.length > 0)).toBe(true);
      expect(cutIntoShares(loads, most)).toEqual(shares);
    }),
    runs,
  );
});

test("without anything in common, no share is larger than the fair part and one image more (property)", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 8 }), (all, most) => {
      const shares = cutIntoShares(
        all.map((size, index) => load(String(index), { [`blob ${index}`]: size })),
        most,
      );
      const total = all.reduce((sum, size) => sum + size, 0);
      const loads = shares.map((share) => share.reduce((sum, item) => sum + (all[Number(item)] ?? 0), 0));
      expect(Math.max(...loads)).toBeLessThanOrEqual(total / most + Math.max(...all));
    }),
    runs,
  );
});
