import { describe, expect, test } from "vitest";
import { attempt, type CheckResult, findingOf, isReady } from "../../src/check/check.ts";
import { InputError, OperationError } from "../../src/errors.ts";
import { fakeClock } from "../support/fake-clock.ts";

const row = { place: "docker.io/goharbor", subject: "push" };
const clock = fakeClock();
const context = { clock, signal: new AbortController().signal };

describe("one check", () => {
  test("is what was found", async () => {
    const finding = { outcome: "unknown", finding: "It may be.", remedy: "Try it." } as const;
    expect(await attempt(row, () => Promise.resolve(finding), context)).toEqual({
      ...row,
      needed: true,
      ...finding,
    });
  });

  test("that fails is something missing, what to do apart from what was seen", async () => {
    const failure = new OperationError({
      side: "destination",
      host: "docker.io",
      operation: "signing in",
      status: 401,
      problem: "the login was refused",
      advice: "Check the token.",
    });
    expect(await attempt(row, () => Promise.reject(failure), context)).toEqual({
      ...row,
      needed: true,
      outcome: "missing",
      finding: "destination docker.io: signing in failed with status 401: the login was refused.",
      remedy: "Check the token.",
    });
  });

  test("that takes too long is given up, whatever it waits for", async () => {
    const never = (until: AbortSignal) =>
      new Promise<never>((_resolve, reject) => until.addEventListener("abort", () => reject(until.reason)));
    const attempting = attempt(row, never, context);
    clock.advance(60_000);
    expect(await attempting).toMatchObject({
      outcome: "missing",
      finding: expect.stringContaining("No answer came within 60 seconds"),
    });
  });

  test("ends with the run when that is cancelled", async () => {
    const reason = new Error("the run was cancelled");
    await expect(
      attempt(row, () => Promise.reject(new Error("aborted")), { clock, signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
  });

  test.each([
    [new InputError("No version to mirror"), "No version to mirror"],
    [new Error("of the system\n::error::no"), "of the system : :error: :no"],
    ["thrown text", "thrown text"],
  ])("prints %s in one harmless line", (error, finding) => {
    expect(findingOf(error)).toEqual({ outcome: "missing", finding });
  });
});

test.each<[outcomes: readonly [CheckResult["outcome"], needed: boolean][], ready: boolean]>([
  [[], true],
  [
    [
      ["ok", true],
      ["unknown", true],
    ],
    true,
  ],
  [
    [
      ["ok", true],
      ["missing", false],
    ],
    true,
  ],
  [
    [
      ["ok", true],
      ["missing", true],
    ],
    false,
  ],
])("%j is ready: %s", (outcomes, ready) => {
  const results = outcomes.map(([outcome, needed]) => ({ ...row, outcome, needed, finding: "" }));
  expect(isReady(results)).toBe(ready);
});
