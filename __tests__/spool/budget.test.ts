import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Budget } from "../../src/spool/budget.ts";

const never = new AbortController().signal;

/** A budget, and who was let in so far. */
function budgetOf(limit: number) {
  const budget = new Budget(limit);
  const entered: string[] = [];
  const take = (name: string, size: number, signal: AbortSignal = never): Promise<void> =>
    budget.take(size, signal).then(() => {
      entered.push(name);
    });
  return { budget, entered, take };
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("the spool's budget", () => {
  test("lets in what fits, and the rest when room is given back", async () => {
    const { budget, entered, take } = budgetOf(100);
    const all = [take("a", 60), take("b", 40), take("c", 10)];
    await settled();
    expect(entered).toEqual(["a", "b"]);
    budget.give(40);
    await Promise.all(all);
    expect(entered).toEqual(["a", "b", "c"]);
  });

  test("lets the largest in first, then the longest waiting", async () => {
    const { budget, entered, take } = budgetOf(10);
    await take("first", 10);
    const all = [take("small", 5), take("big", 10), take("small too", 5), take("big too", 10)];
    for (const size of [10, 10, 10]) {
      budget.give(size);
      await settled();
    }
    await Promise.all(all);
    expect(entered).toEqual(["first", "big", "big too", "small", "small too"]);
  });

  test("lets something larger than itself in, alone", async () => {
    const { budget, entered, take } = budgetOf(100);
    const all = [take("small", 1)];
    await settled();
    all.push(take("huge", 1000), take("small too", 1));
    await settled();
    expect(entered).toEqual(["small"]);
    budget.give(1);
    await settled();
    expect(entered).toEqual(["small", "huge"]);
    budget.give(1000);
    await Promise.all(all);
    expect(entered).toEqual(["small", "huge", "small too"]);
  });

  test("does not let small ones pass a large one that waits", async () => {
    const { budget, entered, take } = budgetOf(100);
    await take("first", 50);
    const all = [take("large", 80), take("small", 10)];
    await settled();
    expect(entered).toEqual(["first"]);
    budget.give(50);
    await Promise.all(all);
    expect(entered).toEqual(["first", "large", "small"]);
  });

  test("lets empty blobs in while it is full to the last byte, unless somebody waits", async () => {
    const { entered, take } = budgetOf(100);
    await take("full", 100);
    await take("empty", 0);
    expect(entered).toEqual(["full", "empty"]);
  });

  test("who gives up takes nothing, and those behind go on", async () => {
    const { entered, take } = budgetOf(100);
    const cancel = new AbortController();
    await take("first", 50);
    const large = take("large", 80, cancel.signal);
    const small = take("small", 50);
    cancel.abort(new Error("cancelled"));
    await expect(large).rejects.toThrow("cancelled");
    await small;
    expect(entered).toEqual(["first", "small"]);
    await expect(take("late", 1, cancel.signal)).rejects.toThrow("cancelled");
  });

  test("an abort after the entry changes nothing: the bytes are given back by whoever took them", async () => {
    const { budget, entered, take } = budgetOf(100);
    const cancel = new AbortController();
    await take("a", 100, cancel.signal);
    cancel.abort(new Error("cancelled"));
    const next = take("b", 100);
    await settled();
    expect(entered).toEqual(["a"]);
    budget.give(100);
    await next;
  });

  test("is never exceeded by more than one, and everybody gets in, whatever the sizes", async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.infiniteStream(fc.nat(9)), async (all, ends) => {
        const budget = new Budget(100);
        const inside: number[] = [];
        let entered = 0;
        const waiting = all.map(async (size) => {
          await budget.take(size, never);
          entered += 1;
          inside.push(size);
          const sum = inside.reduce((one, other) => one + other, 0);
          expect(sum <= 100 || inside.filter((each) => each > 0).length === 1).toBe(true);
        });
        while (entered < all.length || inside.length > 0) {
          await settled();
          const [gone] = inside.splice(Number(ends.next().value) % Math.max(1, inside.length), 1);
          if (gone !== undefined) budget.give(gone);
        }
        await Promise.all(waiting);
      }),
      { numRuns: 50 },
    );
  });
});
