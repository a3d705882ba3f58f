import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import type { HttpRequest } from "../../src/http/http.ts";
import {
  defaultRetryPolicy,
  delayBefore,
  isBrokenConnection,
  isTemporaryStatus,
  parseRetryAfter,
  retrying,
} from "../../src/http/retry.ts";
import { silentLog } from "../../src/log/log.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { routedTransport, type Scripted, scriptedTransport } from "../support/scripted-transport.ts";

const url = new URL("https://registry.example/v2/");
const get: HttpRequest = { method: "GET", url };

function broken(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

/** Sends one request through `retrying`, and tells what came of it. */
async function outcome(answers: readonly Scripted[], request: HttpRequest = get) {
  const clock = fakeClock();
  const transport = scriptedTransport(
    ...answers.map((answer) => [`${request.method} ${request.url.href}`, answer] as const),
  );
  const sent = retrying(transport, { clock, log: silentLog }).send(request);
  const result = await sent.then(
    ({ status }) => status,
    (error: unknown) => error,
  );
  transport.finish();
  return { result, slept: clock.slept, sent: transport.sent };
}

describe("Retry-After", () => {
  const now = Date.UTC(2026, 0, 1);

  test.each([
    ["0", 0],
    ["5", 5000],
    [" 120 ", 120_000],
    ["999999", 999_999_000],
    ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
    ["Wed, 31 Dec 2025 23:59:00 GMT", 0],
    ["9".repeat(400), Number.POSITIVE_INFINITY],
    [undefined, undefined],
    ["", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["1e3", undefined],
    ["soon", undefined],
    ["5 seconds", undefined],
    ["Infinity", undefined],
  ])("%j is %j ms", (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });
});

describe("the pause before another try", () => {
  test.each([
    [1, 500],
    [2, 1000],
    [3, 2000],
    [6, 15_000],
    [60, 15_000],
  ])("after try %i is about %i ms", (attempt, expected) => {
    const at = (random: number) => delayBefore(attempt, defaultRetryPolicy, undefined, () => random);
    expect([at(0), at(0.5), at(1)]).toEqual([expected * 0.75, expected, expected * 1.25]);
  });

  test("is what the server asked for", () => {
    expect(delayBefore(1, defaultRetryPolicy, 7000)).toBe(7000);
  });

  test("is never none: a date in the past would use up all tries at once", () => {
    expect(delayBefore(1, defaultRetryPolicy, 0, () => 0.5)).toBe(500);
  });
});

describe("what is temporary", () => {
  test.each([408, 425, 429, 500, 502, 503, 504, 522])("status %i", (status) => {
    expect(isTemporaryStatus(status)).toBe(true);
  });

  test.each([200, 202, 301, 400, 401, 403, 404, 405, 409, 413, 416, 501, 505])("not status %i", (status) => {
    expect(isTemporaryStatus(status)).toBe(false);
  });

  test.each([
    ["a reset", broken("ECONNRESET")],
    ["a cause of a cause", new Error("x", { cause: new Error("y", { cause: broken("UND_ERR_SOCKET") }) })],
    ["one of several addresses", new AggregateError([new Error("x"), broken("ETIMEDOUT")])],
    ["a body that ended too early", new Error("terminated")],
    ["bytes that are no answer", broken("HPE_INVALID_CONSTANT")],
    ["a length that does not match", broken("UND_ERR_RES_CONTENT_LENGTH_MISMATCH")],
  ])("%s", (_name, error) => {
    expect(isBrokenConnection(error)).toBe(true);
  });

  test.each([
    ["an abort", new DOMException("This operation was aborted", "AbortError")],
    ["a certificate", broken("CERT_HAS_EXPIRED")],
    ["an ordinary error", new Error("x")],
    ["no error", "ECONNRESET"],
    ["nothing", undefined],
  ])("not %s", (_name, error) => {
    expect(isBrokenConnection(error)).toBe(false);
  });
});

describe("a retrying transport", () => {
  test.each([503, 429, 408])("sends again after status %i, until it goes well", async (status) => {
    const { result, slept } = await outcome([{ status }, { status }, {}]);
    expect(result).toBe(200);
    expect(slept).toHaveLength(2);
  });

  test.each([400, 401, 403, 404, 501])("takes status %i for an answer", async (status) => {
    expect(await outcome([{ status }])).toMatchObject({ result: status, slept: [] });
  });

  test("gives the last answer when it never goes well", async () => {
    const { result, slept } = await outcome(Array<Scripted>(6).fill({ status: 502 }));
    expect(result).toBe(502);
    expect(slept).toHaveLength(5);
  });

  test("sends again after a broken connection, and throws the last break", async () => {
    expect((await outcome([broken("ECONNRESET"), {}])).result).toBe(200);
    const last = broken("EPIPE");
    const breaks = [...Array<Scripted>(5).fill(broken("ECONNRESET")), last];
    expect((await outcome(breaks)).result).toBe(last);
  });

  test("does not try as often where no connection comes up", async () => {
    const refused = Array<Scripted>(defaultRetryPolicy.connectAttempts).fill(broken("ECONNREFUSED"));
    expect(await outcome(refused)).toMatchObject({ result: refused[0] });
  });

  test("throws at once what is no broken connection", async () => {
    const error = new Error("a redirect without a usable Location");
    expect(await outcome([error])).toMatchObject({ result: error, slept: [] });
  });

  test("keeps the pause that the server names", async () => {
    const { slept } = await outcome([{ status: 429, headers: { "retry-after": "7" } }, {}]);
    expect(slept).toEqual([7000]);
  });

  test.each(["301", "21600", "9".repeat(400)])("does not wait %s seconds", async (pause) => {
    const answer = { status: 429, headers: { "retry-after": pause } };
    expect(await outcome([answer])).toMatchObject({ result: 429, slept: [] });
  });

  test.each([
    ["text", "grant_type=refresh_token"],
    ["bytes", Buffer.from("grant_type=refresh_token")],
  ])("sends a POST with %s again, whole", async (_name, body) => {
    const { sent } = await outcome([{ status: 503 }, {}], { method: "POST", url, body });
    expect(sent.map((request) => request.body)).toEqual(Array(2).fill("grant_type=refresh_token"));
  });

  test.each([{ status: 503 }, broken("ECONNRESET")])("never sends a stream twice: %j", async (answer) => {
    const body = Readable.from([Buffer.from("blob")]);
    const { result, slept } = await outcome([answer], { method: "PUT", url, body });
    expect(result).toBe(answer instanceof Error ? answer : 503);
    expect(slept).toEqual([]);
  });

  test("stops when the caller gives up, during a request and between two", async () => {
    const cancel = new AbortController();
    const reason = new Error("cancelled");
    const transport = routedTransport(() => {
      cancel.abort(reason);
      return { status: 503 };
    });
    const sending = retrying(transport, { clock: fakeClock(), log: silentLog }).send({
      ...get,
      signal: cancel.signal,
    });
    await expect(sending).rejects.toBe(reason);
    expect(transport.sent).toHaveLength(1);
  });
});
