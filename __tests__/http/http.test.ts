import { Readable } from "node:stream";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import {
  BodyError,
  discard,
  type HttpResponse,
  parseJson,
  readBytes,
  readJson,
} from "../../src/http/http.ts";

function response(body: Readable): HttpResponse {
  const url = new URL("https://registry.example/");
  return { status: 200, url, header: () => undefined, headers: () => [], body };
}

/** A body that never ends, and counts what was taken of it. */
function endless(): { readonly body: Readable; readonly taken: () => number } {
  let taken = 0;
  const body = Readable.from(
    (function* () {
      for (;;) {
        taken += 1024;
        yield Buffer.alloc(1024);
      }
    })(),
  );
  return { body, taken: () => taken };
}

describe("reading a body", () => {
  test("gives all of it, up to and with the limit", async () => {
    const body = () => Readable.from([Buffer.from("har"), Buffer.from("bor")]);
    expect((await readBytes(response(body()), 6)).toString()).toBe("harbor");
    await expect(readBytes(response(body()), 5)).rejects.toThrow(BodyError);
  });

  test("stops at the limit, and lets go of the connection", async () => {
    const { body, taken } = endless();
    await expect(readBytes(response(body), 10_000)).rejects.toThrow("larger than 10000 bytes");
    expect(body.destroyed).toBe(true);
    expect(taken()).toBeLessThan(1_000_000);
  });

  test("a body of no interest is read to its end when short, dropped when long, and never a failure", async () => {
    const short = Readable.from([Buffer.alloc(1000)]);
    await discard(response(short));
    expect(short.readableEnded).toBe(true);
    const { body } = endless();
    await discard(response(body));
    expect(body.destroyed).toBe(true);
    const broken = new Readable({ read: () => broken.destroy(new Error("cut")) });
    await discard(response(broken));
    expect(broken.destroyed).toBe(true);
  });
});

describe("reading JSON", () => {
  const schema = v.object({ token: v.string() });

  test("gives what the schema says", async () => {
    const body = Readable.from([Buffer.from('{"token":"é","more":1}')]);
    expect(await readJson(response(body), schema, 100)).toEqual({ token: "é" });
  });

  test.each([
    ["<html>", "the answer is not JSON"],
    ["", "the answer is not JSON"],
    ["null", "top level"],
    ['{"token":1}', "the answer is not of the expected form (token: "],
  ])("%j: %s", (text, problem) => {
    expect(() => parseJson(text, schema)).toThrow(BodyError);
    expect(() => parseJson(text, schema)).toThrow(problem);
  });

  test("the message says what the text was, and keeps it on one line", () => {
    const text = JSON.stringify("a\n::error::b");
    expect(() => parseJson(text, schema, "the file")).toThrow(/^the file [^\n]*a : :error: :b[^\n]*$/);
  });
});
