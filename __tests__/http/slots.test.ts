import { describe, expect, test } from "vitest";
import { type SlotLimits, Slots } from "../../src/http/slots.ts";
import { fakeClock } from "../support/fake-clock.ts";

/** Slots with pieces of work that go on until the test ends them. */
function slotsWith(limits: SlotLimits) {
  const clock = fakeClock();
  const slots = new Slots(limits, clock);
  const started: string[] = [];
  const enders = new Map<string, (error?: Error) => void>();
  const start = (name: string, priority = 0, signal?: AbortSignal): Promise<string> =>
    slots.run(priority, signal, () => {
      started.push(name);
      return new Promise((resolve, reject) => {
        enders.set(name, (error) => (error === undefined ? resolve(name) : reject(error)));
      });
    });
  const end = async (name: string, error?: Error): Promise<void> => {
    await settled();
    const ender = enders.get(name);
    if (ender === undefined) throw new Error(`${name} is not running`);
    ender(error);
    await settled();
  };
  return { clock, slots, started, start, end };
}

/** Lets everything that is ready to go on do so, and then what that has given a place. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const one = { start: 1, ceiling: 1 };

describe("places", () => {
  test("as many run as there are places, the others wait", async () => {
    const { started, start, end } = slotsWith({ start: 2, ceiling: 2 });
    const all = ["a", "b", "c"].map((name) => start(name));
    await settled();
    expect(started).toEqual(["a", "b"]);
    await end("a");
    expect(started).toEqual(["a", "b", "c"]);
    await end("b");
    await end("c");
    expect(await Promise.all(all)).toEqual(["a", "b", "c"]);
  });

  test("the highest priority goes first, then the longest waiting", async () => {
    const { started, start, end } = slotsWith(one);
    const all = [start("running")];
    await settled();
    for (const [name, priority] of [
      ["small", 1],
      ["big", 9],
      ["small too", 1],
      ["big too", 9],
    ] as const) {
      all.push(start(name, priority));
    }
    for (const name of ["running", "big", "big too", "small", "small too"]) await end(name);
    await Promise.all(all);
    expect(started).toEqual(["running", "big", "big too", "small", "small too"]);
  });

  test("of those that ask in one turn, the highest priority goes first", async () => {
    const { started, start, end } = slotsWith(one);
    const all = [start("small", 1), Promise.resolve().then(() => start("big", 9))];
    for (const name of ["big", "small"]) await end(name);
    await Promise.all(all);
    expect(started).toEqual(["big", "small"]);
  });

  test("what follows from finished work may take its place before what matters less", async () => {
    const { slots, started, start, end } = slotsWith(one);
    const chain = start("question", 9).then(() => start("answer", 9));
    const waiting = [start("small", 1), start("smaller", 0)];
    for (const name of ["question", "answer", "small", "smaller"]) await end(name);
    await Promise.all([chain, ...waiting]);
    expect(started).toEqual(["question", "answer", "small", "smaller"]);
    expect(slots.hasRoom).toBe(true);
  });

  test("work that fails gives its place back, and its error to its caller", async () => {
    const { started, start, end } = slotsWith(one);
    const failing = start("a");
    const next = start("b");
    await settled();
    const [result] = await Promise.all([
      failing.catch((error: unknown) => error),
      end("a", new Error("broken")),
    ]);
    expect(result).toEqual(new Error("broken"));
    expect(started).toEqual(["a", "b"]);
    await end("b");
    expect(await next).toBe("b");
  });

  test("work that throws before it waits gives its place back, too", async () => {
    const { slots } = slotsWith(one);
    const throwing = slots.run(0, undefined, () => {
      throw new Error("at once");
    });
    await expect(throwing).rejects.toThrow("at once");
    expect(await slots.run(0, undefined, () => Promise.resolve("next"))).toBe("next");
  });

  test("work may give its place back before its end, once", async () => {
    const { slots, started, start, end } = slotsWith(one);
    const ending = Promise.withResolvers<string>();
    const early = slots.run(0, undefined, (leave) => {
      leave();
      leave();
      return ending.promise;
    });
    const all = ["a", "b"].map((name) => start(name));
    await settled();
    expect(started).toEqual(["a"]);
    ending.resolve("early");
    expect(await early).toBe("early");
    await settled();
    expect(started).toEqual(["a"]);
    await end("a");
    await end("b");
    await Promise.all(all);
  });

  test("who gives up while waiting is never started, and takes no place", async () => {
    const { started, start, end } = slotsWith(one);
    const cancel = new AbortController();
    const running = start("a");
    const leaving = start("b", 5, cancel.signal);
    const staying = start("c");
    cancel.abort(new Error("cancelled"));
    await expect(leaving).rejects.toThrow("cancelled");
    await end("a");
    await end("c");
    expect(await Promise.all([running, staying])).toEqual(["a", "c"]);
    expect(started).toEqual(["a", "c"]);
    await expect(start("d", 0, cancel.signal)).rejects.toThrow("cancelled");
  });

  test("an abort after the start is the work's own business", async () => {
    const { slots, start, end } = slotsWith(one);
    const cancel = new AbortController();
    const running = start("a", 0, cancel.signal);
    await settled();
    cancel.abort(new Error("cancelled"));
    await end("a");
    expect(await running).toBe("a");
    expect(await slots.run(0, undefined, () => Promise.resolve("next"))).toBe("next");
  });
});

describe("the number of places", () => {
  const work = () => Promise.resolve();

  /** The number of places after each of so many pieces of work that go well, one after the other. */
  async function limitsOver(slots: Slots, count: number): Promise<readonly number[]> {
    const limits: number[] = [];
    for (let done = 0; done < count; done += 1) {
      await slots.run(0, undefined, work);
      limits.push(slots.limit);
    }
    return limits;
  }

  test("grows by one for each success while the host has not said that it is too much", async () => {
    const { slots } = slotsWith({ start: 2, ceiling: 5 });
    expect(await limitsOver(slots, 5)).toEqual([3, 4, 5, 5, 5]);
  });

  test("grows by one for a whole round of successes once the host has said so, up to the ceiling", async () => {
    const { clock, slots } = slotsWith({ start: 4, ceiling: 4 });
    slots.throttled();
    clock.advance(1000);
    const limits = await limitsOver(slots, 30);
    expect(limits.slice(0, 3)).toEqual([2, 2, 3]);
    expect(limits.at(-1)).toBe(4);
    expect(limits).toEqual([...limits].sort());
  });

  test("never grows by success where it is measured, and says when somebody would need a place", async () => {
    const { slots, start, end } = slotsWith({ start: 1, ceiling: 3, growth: "measured" });
    expect(await limitsOver(slots, 10)).toEqual(Array(10).fill(1));
    expect([slots.hasRoom, slots.isCrowded]).toEqual([true, false]);
    const all = [start("a")];
    await settled();
    expect([slots.hasRoom, slots.isCrowded]).toEqual([false, false]);
    all.push(start("b"));
    expect([slots.hasRoom, slots.isCrowded]).toEqual([false, true]);
    await end("a");
    expect([slots.hasRoom, slots.isCrowded]).toEqual([false, false]);
    await end("b");
    await Promise.all(all);
    expect([slots.hasRoom, slots.isCrowded]).toEqual([true, false]);
  });

  test("where it is measured, goes first to the largest of those that come together", async () => {
    const { started, start, end } = slotsWith({ start: 1, ceiling: 1, growth: "measured" });
    const all = [start("small", 1), start("large", 9), start("middle", 5)];
    for (const name of ["large", "middle", "small"]) await end(name);
    await Promise.all(all);
    expect(started).toEqual(["large", "middle", "small"]);
  });

  test("can be set: a new place is taken at once, one that closes only when it is free", async () => {
    const { slots, started, start, end } = slotsWith({ start: 1, ceiling: 2, growth: "measured" });
    const all = ["a", "b", "c"].map((name) => start(name));
    await settled();
    expect(started).toEqual(["a"]);
    slots.resize(2);
    await settled();
    expect(started).toEqual(["a", "b"]);
    expect(slots.limit).toBe(2);
    slots.resize(-1);
    await end("a");
    expect(started).toEqual(["a", "b"]);
    await end("b");
    expect(started).toEqual(["a", "b", "c"]);
    slots.resize(-5);
    expect(slots.limit).toBe(1);
    await end("c");
    await Promise.all(all);
  });

  test("does not grow for work that failed", async () => {
    const { slots } = slotsWith({ start: 1, ceiling: 4 });
    const failing = () => Promise.reject(new Error("broken"));
    for (let done = 0; done < 10; done += 1) await slots.run(0, undefined, failing).catch(() => undefined);
    expect(slots.limit).toBe(1);
  });

  test("is halved once for a burst of refusals, again for the next burst, and never below one", () => {
    const { clock, slots } = slotsWith({ start: 8, ceiling: 8 });
    for (let refusal = 0; refusal < 8; refusal += 1) slots.throttled();
    expect(slots.limit).toBe(4);
    clock.advance(1000);
    slots.throttled();
    expect(slots.limit).toBe(2);
    for (let burst = 0; burst < 5; burst += 1) {
      clock.advance(1000);
      slots.throttled();
    }
    expect(slots.limit).toBe(1);
  });

  test("halved, no more start until as many are done", async () => {
    const { slots, started, start, end } = slotsWith({ start: 4, ceiling: 4 });
    const all = ["a", "b", "c", "d", "e"].map((name) => start(name));
    await settled();
    slots.throttled();
    await end("a");
    await end("b");
    expect(started).toEqual(["a", "b", "c", "d"]);
    await end("c");
    expect(started).toContain("e");
    await end("d");
    await end("e");
    await Promise.all(all);
  });
});

describe("what the host said", () => {
  test("is known with its time, for whoever measures", () => {
    const { clock, slots } = slotsWith({ start: 4, ceiling: 4 });
    expect(slots.throttledAt).toBe(Number.NEGATIVE_INFINITY);
    const at = clock.now();
    slots.throttled();
    clock.advance(100);
    // The rest of the same burst.
    slots.throttled();
    expect(slots.throttledAt).toBe(at);
    clock.advance(1000);
    slots.throttled();
    expect(slots.throttledAt).toBe(at + 1100);
  });

  test("is no crowd: more places would not help while nothing may start", async () => {
    const { slots, start, end } = slotsWith({ start: 1, ceiling: 4, growth: "measured" });
    const all = [start("a"), start("b")];
    await settled();
    expect(slots.isCrowded).toBe(true);
    slots.throttled(7000);
    expect(slots.isCrowded).toBe(false);
    await end("a");
    await end("b");
    await Promise.all(all);
  });
});

describe("a pause that the host names", () => {
  test("holds everything back until it is over", async () => {
    const { clock, slots, started, start, end } = slotsWith({ start: 2, ceiling: 2 });
    const until = clock.now() + 7000;
    slots.throttled(7000);
    const startedAt = slots.run(0, undefined, () => Promise.resolve(clock.now()));
    const other = start("other");
    expect(await startedAt).toBe(until);
    await settled();
    expect(started).toEqual(["other"]);
    expect(clock.slept).toEqual([7000]);
    await end("other");
    await other;
  });

  test("is not cut short by a later, shorter one", async () => {
    const { clock, slots } = slotsWith(one);
    const until = clock.now() + 7000;
    slots.throttled(7000);
    slots.throttled(1000);
    expect(await slots.run(0, undefined, () => Promise.resolve(clock.now()))).toBe(until);
  });

  test("is slept through no longer than anybody waits", async () => {
    const asleep = new Set<number>();
    const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((_resolve, reject) => {
        asleep.add(ms);
        signal?.addEventListener("abort", () => {
          asleep.delete(ms);
          reject(signal.reason);
        });
      });
    const slots = new Slots(one, { ...fakeClock(), sleep });
    const cancel = new AbortController();
    slots.throttled(300_000);
    const waiting = slots.run(0, cancel.signal, () => Promise.resolve());
    await settled();
    expect([...asleep]).toEqual([300_000]);
    cancel.abort(new Error("cancelled"));
    await expect(waiting).rejects.toThrow("cancelled");
    expect([...asleep]).toEqual([]);
  });

  test("does not touch what runs already", async () => {
    const { slots, start, end } = slotsWith(one);
    const running = start("a");
    await settled();
    slots.throttled(7000);
    await end("a");
    expect(await running).toBe("a");
  });
});
