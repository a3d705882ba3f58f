import { expect, test } from "vitest";
import { inTurns } from "../src/turns.ts";

test("works on so many items at once, and gives the results in their order", async () => {
  let running = 0;
  let most = 0;
  const results = await inTurns([30, 10, 20, 0, 5], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, item));
    running -= 1;
    return item * 2;
  });
  expect(results).toEqual([60, 20, 40, 0, 10]);
  expect(most).toBe(2);
  expect(await inTurns([], 2, () => Promise.reject(new Error("nothing to do")))).toEqual([]);
});

test("begins nothing more once one has failed, and throws that failure", async () => {
  const begun: number[] = [];
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    await Promise.resolve();
    if (item === 1) throw new Error("one failed");
  };
  await expect(inTurns([1, 2, 3, 4, 5, 6], 2, work)).rejects.toThrow("one failed");
  expect(begun.length).toBeLessThan(6);
});
