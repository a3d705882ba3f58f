import { expect, test } from "vitest";
import { whenAborted } from "../../src/http/aborting.ts";

test("everybody who waits is told once, when the signal aborts", () => {
  const controller = new AbortController();
  const told: string[] = [];
  for (const name of ["one", "two"]) whenAborted(controller.signal, () => told.push(name));
  expect(told).toEqual([]);
  controller.abort();
  expect(told.sort()).toEqual(["one", "two"]);
});

test("who has taken itself back is not told, whatever place it had, and twice is once", () => {
  const controller = new AbortController();
  const told: number[] = [];
  const backs = [0, 1, 2, 3, 4].map((index) => whenAborted(controller.signal, () => told.push(index)));
  for (const index of [4, 0, 2, 0]) backs[index]?.();
  controller.abort();
  expect(told.sort()).toEqual([1, 3]);
});

test("who is told may take others back, and bring new ones", () => {
  const controller = new AbortController();
  const told: string[] = [];
  const back = whenAborted(controller.signal, () => told.push("first"));
  whenAborted(controller.signal, () => {
    back();
    whenAborted(controller.signal, () => told.push("late"));
    told.push("second");
  });
  controller.abort();
  expect(told).toEqual(["second", "late"]);
});

test("a signal has one listener, however many wait for it", () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1;
    add(...args);
  };
  for (let count = 0; count < 100; count += 1) whenAborted(signal, () => undefined)();
  expect(listeners).toBe(1);
});
