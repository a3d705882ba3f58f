import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRequestCounter, type MethodCounts } from "../../bench/request-counter.ts";

function countIn(pieces: readonly Buffer[]): MethodCounts {
  const counts: MethodCounts = {};
  const counter = createRequestCounter(counts);
  for (const piece of pieces) counter.feed(piece);
  return counts;
}

const host = "Host: 127.0.0.1:5000\r\n";
const stream = Buffer.from(
  [
    `HEAD /v2/a/manifests/v1 HTTP/1.1\r\n${host}\r\n`,
    `POST /v2/a/blobs/uploads/ HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`,
    `PATCH /v2/a/blobs/uploads/1 HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`,
    "5\r\nGET /\r\n10;x=y\r\n0123456789abcdef\r\n0\r\n\r\n",
    `PUT /v2/a/blobs/uploads/1 HTTP/1.1\r\n${host}content-length:12\r\n\r\nPUT / HTTP/1`,
    `PATCH /v2/a/blobs/uploads/2 HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n`,
    "3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n",
    `GET /v2/a/blobs/1 HTTP/1.1\r\n${host}\r\n`,
  ].join(""),
  "latin1",
);
const counted = {
  HEAD: { requests: 1, bodyBytes: 0 },
  POST: { requests: 1, bodyBytes: 0 },
  PATCH: { requests: 2, bodyBytes: 24 },
  PUT: { requests: 1, bodyBytes: 12 },
  GET: { requests: 1, bodyBytes: 0 },
};

describe("the requests of a connection", () => {
  test("are counted with their bodies, whatever the bodies look like", () => {
    expect(countIn([stream])).toEqual(counted);
  });

  test("are the same however the bytes are cut into pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 40 }), (cuts) => {
        const at = [0, ...cuts.toSorted((one, other) => one - other), stream.length];
        expect(countIn(at.slice(1).map((end, index) => stream.subarray(at[index], end)))).toEqual(counted);
      }),
    );
    expect(countIn([...stream].map((byte) => Buffer.of(byte)))).toEqual(counted);
  });

  test("add up over connections", () => {
    const counts: MethodCounts = {};
    createRequestCounter(counts).feed(stream);
    createRequestCounter(counts).feed(stream);
    expect(counts.PATCH).toEqual({ requests: 4, bodyBytes: 48 });
  });

  test("of which the last is cut off count with the bytes that came", () => {
    const put = Buffer.from(`PUT / HTTP/1.1\r\n${host}Content-Length: 100\r\n\r\n0123456789`);
    expect(countIn([put])).toEqual({ PUT: { requests: 1, bodyBytes: 10 } });
  });

  test("of another protocol are one unknown", () => {
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    expect(countIn([preface, stream])).toEqual({ "?": { requests: 1, bodyBytes: 0 } });
  });
});
