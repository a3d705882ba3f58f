import { expect, test } from "vitest";
import { retryingFetch } from "../../src/github/fetch.ts";
import { silentLog } from "../../src/log/log.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { type ScriptedAnswer, scriptedFetch } from "./scripted-fetch.ts";

const done: ScriptedAnswer = { body: {} };

async function outcome(method: string, ...answers: readonly (ScriptedAnswer | Error)[]) {
  const clock = fakeClock();
  const { fetch, requests } = scriptedFetch(...answers);
  const asked = retryingFetch({ clock, log: silentLog })(fetch)("https://api.github.example/x", { method });
  const result = await asked.then(
    ({ status }) => status,
    (error: unknown) => (error instanceof Error ? error.message : error),
  );
  return { result, slept: clock.slept, requests: requests.length };
}

function used(headers: Record<string, string>, status = 403): ScriptedAnswer {
  return { status, headers, body: {} };
}

function reset(after: number): string {
  return `${Math.floor(fakeClock().now() / 1000) + after}`;
}

test.each(["GET", "PATCH", "POST"])(
  "a rate limit refuses a %s for a time, which is waited for",
  async (method) => {
    const secondary = used({ "retry-after": "2" });
    const primary = used({ "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset(60) });
    const { result, slept, requests } = await outcome(method, secondary, primary, done);
    expect([result, requests, slept[0]]).toEqual([200, 3, 2000]);
    expect(slept[1]).toBeGreaterThan(50_000);
    expect(slept[1]).toBeLessThanOrEqual(60_000);
  },
);

test.each([
  [
    "a rate limit that lasts too long",
    used({ "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset(3000) }),
  ],
  ["a pause that is too long", used({ "retry-after": "3000" })],
  ["a refusal for lack of rights", used({ "x-ratelimit-remaining": "40", "x-ratelimit-reset": reset(9) })],
  ["a refusal without a word of limits", used({})],
])("%s is not waited for", async (_what, answer) => {
  expect(await outcome("GET", answer)).toEqual({ result: 403, slept: [], requests: 1 });
});

test("a POST that may have been carried out is not sent again", async () => {
  expect(await outcome("POST", used({}, 502))).toEqual({ result: 502, slept: [], requests: 1 });
  const reset = Object.assign(new Error("reset"), { code: "ECONNRESET" });
  expect(await outcome("POST", reset)).toEqual({ result: "reset", slept: [], requests: 1 });
});
