import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OperationError } from "../../src/errors.ts";
import type { HttpResponse, Transport } from "../../src/http/http.ts";
import { defaultRetryPolicy, delayBefore, parseRetryAfter } from "../../src/http/retry.ts";
import { silentLog } from "../../src/log/log.ts";
import { BlobUpload } from "../../src/oci/blob-upload.ts";
import { parseChallenges } from "../../src/oci/challenge.ts";
import { anonymous } from "../../src/oci/credentials.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { nextPage } from "../../src/oci/pages.ts";
import { Registry } from "../../src/oci/registry.ts";
import { Repository } from "../../src/oci/repository.ts";
import { trustedRealm } from "../../src/oci/token-server.ts";
import { vendorOf } from "../../src/vendors/vendors.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { hang, label, longTextsOf, runs, textOf } from "./arbitraries.ts";

/** A registry that answers everything with this status and these headers. */
function answering(status: number, headers: Readonly<Record<string, string>>): Registry {
  const transport: Transport = {
    send: async ({ url }) => {
      const isDoor = url.pathname === "/v2/";
      return answerOf(url, isDoor ? 200 : status, isDoor ? {} : headers);
    },
  };
  const clock = fakeClock();
  const options = { registry: "registry.example", credentials: anonymous, transport, clock, log: silentLog };
  return new Registry({ ...options, side: "destination" });
}

function answerOf(url: URL, status: number, headers: Readonly<Record<string, string>>): HttpResponse {
  const all = (name: string): readonly string[] => [headers[name] ?? []].flat();
  return { status, url, header: (name) => all(name)[0], headers: all, body: Readable.from([]) };
}

describe("a challenge", () => {
  const pieces = ["Bearer", "Basic", " ", ",", "=", '"', "\\", "realm", "service", "https://a.example", "\t"];
  const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;

  test("of any text is read without a failure, as names that are in it", () => {
    fc.assert(
      fc.property(textOf(...pieces), (text) => {
        for (const { scheme, parameters } of parseChallenges(text)) {
          expect(text.toLowerCase()).toContain(scheme);
          for (const name of parameters.keys()) expect(text.toLowerCase()).toContain(name);
        }
      }),
      runs,
    );
  });

  test("that is written by the grammar is read as it was written", () => {
    const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
    const value = fc.string({ minLength: 1, maxLength: 20 });
    const parameters = fc.uniqueArray(fc.tuple(token, value), { selector: ([name]) => name, maxLength: 4 });
    const challenges = fc.array(fc.tuple(token, parameters), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(challenges, (written) => {
        const header = written
          .map(([scheme, given]) => [scheme, given.map(([name, of]) => `${name}=${quoted(of)}`).join(", ")])
          .map((parts) => parts.join(" ").trim())
          .join(", ");
        const read = parseChallenges(header).map(({ scheme, parameters: given }) => [scheme, [...given]]);
        expect(read).toEqual(written);
      }),
      runs,
    );
  });

  test.each(longTextsOf(...pieces))("of 100 kB is read in no time: text %#", { timeout: hang }, (text) => {
    expect(parseChallenges(text).length).toBeLessThanOrEqual(8 * 1024);
  });

  test("names a realm that is trusted only on https, without a login, and related to the registry", () => {
    const registry = new URL("https://registry.example.com/v2/");
    const realm = textOf(
      "https:",
      "http:",
      "//",
      "/",
      "registry.",
      "example.com",
      "evil",
      "@",
      ":",
      "#",
      "?",
    );
    fc.assert(
      fc.property(realm, (text) => {
        const trusted = trustedRealm(text, registry, vendorOf(registry.hostname));
        if (typeof trusted === "string") return;
        expect(trusted.protocol).toBe("https:");
        expect(trusted.username + trusted.password).toBe("");
        expect(trusted.hostname).toMatch(/(^|\.)example\.com$/);
      }),
      runs,
    );
  });
});

describe("a Link", () => {
  const current = new URL("https://registry.example/v2/a/tags/list?n=10");
  const pieces = [
    "<",
    ">",
    ";",
    ",",
    "rel=",
    '"next"',
    "next",
    '"',
    " ",
    "/v2/",
    "https://",
    "@",
    "evil",
    "?n=1",
  ];

  test("of any text leads to the same origin without a login, or nowhere, or is refused", () => {
    fc.assert(
      fc.property(textOf(...pieces), (text) => {
        const next = refusedAsUndefined(() => nextPage(text, current));
        if (next === undefined) return;
        expect(next.origin).toBe(current.origin);
        expect(next.username + next.password).toBe("");
      }),
      runs,
    );
  });

  test("that was written is read as it was written", () => {
    const path = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => `/${labels.join("/")}`);
    fc.assert(
      fc.property(path, label, fc.boolean(), (to, last, isQuoted) => {
        const rel = isQuoted ? '"next"' : "next";
        const next = nextPage(`</v2/first>; rel="prev", <${to}?last=${last}>; rel=${rel}`, current);
        expect(next?.href).toBe(`${current.origin}${current.pathname}?last=${last}`);
      }),
      runs,
    );
  });

  test.each(longTextsOf(...pieces, "<a>;", "<a>; rel=x, "))(
    "of 100 kB is read in no time: text %#",
    { timeout: hang },
    (text) => {
      expect(() => refusedAsUndefined(() => nextPage(text, current))).not.toThrow();
    },
  );

  /** What `nextPage` documents to throw is an Error of its own; anything else is a crash. */
  function refusedAsUndefined<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (error instanceof Error && /next page/.test(error.message)) return undefined;
      throw error;
    }
  }
});

describe("a Range", () => {
  const digits = fc.stringMatching(/^[0-9]{1,20}$/);
  const rangeText = fc.oneof(
    textOf("bytes", "=", " ", "0-", "-", "/", "*", "0", "99", "9".repeat(20)),
    fc.tuple(digits, digits).map(([from, to]) => `${from}-${to}`),
  );

  async function receivedBy(range: string): Promise<number | undefined> {
    const registry = answering(204, { range, location: "/v2/a/blobs/uploads/1" });
    const request = { method: "POST", target: "/v2/a", operation: "x" } as const;
    const opened = await registry.send({ ...request, scopes: [{ repository: "a", actions: ["push"] }] });
    return new BlobUpload(registry, "a", opened, "starting").received();
  }

  test("of any text gives a number of bytes that can be counted, or none", async () => {
    await fc.assert(
      fc.asyncProperty(rangeText, async (text) => {
        const received = await receivedBy(text);
        if (received === undefined) return;
        expect(Number.isSafeInteger(received) && received >= 0).toBe(true);
        expect(text.trim()).toMatch(/^(bytes[ =])?0-/);
      }),
      runs,
    );
  });

  test("that a registry writes is read as it was written", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 1e15 - 1 }), async (bytes) => {
        expect(await receivedBy(`0-${bytes - 1}`)).toBe(bytes);
      }),
      runs,
    );
  });
});

describe("a Content-Range", () => {
  const size = 1000;
  const contentRange = textOf("bytes", " ", "10-", "999", "/", "1000", "*", "0", "-");

  async function accepted(header: string): Promise<boolean> {
    const repository = new Repository(answering(206, { "content-range": header }), "a/b");
    const range = { from: 10, to: size };
    return repository.readBlob({ digest: digestOf(""), size }, range).then(
      ({ start }) => start === range.from,
      (error: unknown) => {
        expect(error).toBeInstanceOf(OperationError);
        return false;
      },
    );
  }

  test("of any text is refused unless it is exactly the one that was asked for", async () => {
    await fc.assert(
      fc.asyncProperty(contentRange, async (text) => {
        const isRight = /^bytes 0*10-0*999\/(0*1000|\*)$/.test(text);
        expect(await accepted(text)).toBe(isRight);
      }),
      runs,
    );
    expect(await accepted("bytes 10-999/1000")).toBe(true);
    expect(await accepted("bytes 10-999/*")).toBe(true);
  });
});

describe("a Retry-After", () => {
  const now = Date.UTC(2026, 0, 1);
  const pieces = ["1", "9", "-", ".", "e", " ", "Fri, ", "01 Jan ", "2026 ", "00:00:00", " GMT", "soon", "∞"];

  test("of any text is a pause that is no less than none, or no pause", () => {
    fc.assert(
      fc.property(textOf(...pieces), (text) => {
        const pause = parseRetryAfter(text, now);
        if (pause !== undefined) expect(pause).toBeGreaterThanOrEqual(0);
        expect(delayBefore(1, defaultRetryPolicy, pause)).toBeGreaterThan(0);
      }),
      runs,
    );
  });

  test("of seconds or of a date is read as it was written", () => {
    fc.assert(
      fc.property(fc.nat(1e9), (seconds) => {
        expect(parseRetryAfter(String(seconds), now)).toBe(seconds * 1000);
        const date = new Date(now + seconds * 1000).toUTCString();
        expect(parseRetryAfter(date, now)).toBe(seconds * 1000);
      }),
      runs,
    );
  });

  test.each(longTextsOf(...pieces))("of 100 kB is read in no time: text %#", { timeout: hang }, (text) => {
    const pause = parseRetryAfter(text, now) ?? 0;
    expect(pause).toBeGreaterThanOrEqual(0);
  });
});
