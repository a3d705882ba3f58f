import { describe, expect, test } from "vitest";
import { randomBytes } from "../../sandbox/images.ts";
import { startRegistry } from "../../sandbox/registry.ts";
import { type Answer, type SandboxServer, startServer } from "../../sandbox/server.ts";
import type { BlobUpload } from "../../src/oci/blob-upload.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { repositoryAt, repositoryName } from "./clients.ts";
import { failureOf } from "./failure-of.ts";

const bytes = randomBytes("blob", 1000);
const blob = { digest: digestOf(bytes), size: bytes.length };
const digestQuery = `digest=${encodeURIComponent(blob.digest)}`;

async function* part(from: number, to: number): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(from, to);
}

/** A registry that opens an upload at `/v2/upload?state=0`, and answers what follows as scripted. */
async function scripted(...answers: readonly Answer[]): Promise<SandboxServer> {
  const remaining = [...answers];
  return startServer(async ({ method, url, body }) => {
    for await (const chunk of body) void chunk;
    if (url.pathname === "/v2/") return { status: 200 };
    if (method === "POST") return { status: 202, headers: { location: "/v2/upload?state=0" } };
    return remaining.shift() ?? { status: 500, body: "not scripted" };
  });
}

function startedAt(server: SandboxServer): Promise<BlobUpload> {
  return repositoryAt(server).startUpload();
}

/** `METHOD path` of the requests to the upload itself. */
function sentTo(server: SandboxServer): readonly string[] {
  return server.requests.slice(2).map(({ method, path }) => `${method} ${path}`);
}

describe("an upload in chunks", () => {
  test("becomes the blob, each chunk with its range in the form of the specification", async () => {
    await using server = await startRegistry();
    const upload = await startedAt(server);
    expect(await upload.append(part(0, 300), 0, 300)).toBe(300);
    expect(await upload.append(part(300, 700), 300, 400)).toBe(700);
    await upload.finish(blob, part(700, 1000), 700);
    expect(server.blob(repositoryName, blob.digest)).toEqual(bytes);
    const sent = server.requests.slice(2);
    expect(sent.map(({ method, headers }) => [method, headers["content-range"]])).toEqual([
      ["PATCH", "0-299"],
      ["PATCH", "300-699"],
      ["PUT", "700-999"],
    ]);
    expect(sent.map(({ headers }) => headers["content-length"])).toEqual(["300", "400", "300"]);
    for (const { headers } of sent) expect(headers["content-type"]).toBe("application/octet-stream");
    expect(server.uploadsOpen()).toBe(0);
  });

  test("can end with an empty request, which names no range", async () => {
    await using server = await startRegistry();
    const upload = await startedAt(server);
    await upload.append(part(0, 1000), 0, 1000);
    await upload.finish(blob, part(1000, 1000), 1000);
    expect(server.blob(repositoryName, blob.digest)).toEqual(bytes);
    expect(server.requests.at(-1)?.headers).toMatchObject({ "content-length": "0" });
    expect(server.requests.at(-1)?.headers["content-range"]).toBeUndefined();
  });

  test("goes to the newest Location every time, its query as it came", async () => {
    await using server = await scripted(
      { status: 202, headers: { location: "/v2/upload?state=a%2Bb%3D&x=~", range: "0-299" } },
      { status: 204, headers: { location: "/v2/other/place", range: "0-299" } },
      { status: 202, headers: { location: "/v2/third?a=b+c%20d", range: "0-699" } },
      { status: 201 },
    );
    const upload = await startedAt(server);
    await upload.append(part(0, 300), 0, 300);
    expect(await upload.received()).toBe(300);
    await upload.append(part(300, 700), 300, 400);
    await upload.finish(blob, part(700, 1000), 700);
    expect(sentTo(server)).toEqual([
      "PATCH /v2/upload?state=0",
      "GET /v2/upload?state=a%2Bb%3D&x=~",
      "PATCH /v2/other/place",
      `PUT /v2/third?a=b+c%20d&${digestQuery}`,
    ]);
  });

  test("keeps its address where a status names none, and refuses a chunk's answer without one", async () => {
    await using server = await scripted(
      { status: 204, headers: { range: "0-99" } },
      { status: 202, headers: { range: "0-299" } },
    );
    const upload = await startedAt(server);
    expect(await upload.received()).toBe(100);
    const error = await failureOf(upload.append(part(100, 300), 100, 200));
    expect(error.message).toMatch(/uploading a part of a blob failed.*no usable address/);
    expect(sentTo(server)).toEqual(["GET /v2/upload?state=0", "PATCH /v2/upload?state=0"]);
  });

  test.each([
    ["0-699", 700],
    // Fewer than were sent, and more: the caller judges.
    ["0-499", 500],
    ["0-5999", 6000],
    ["bytes=0-699", 700],
    ["bytes 0-699", 700],
    // The distribution project's word for nothing.
    ["0-0", 0],
    // Where the registry says nothing that can be read, it has what it took.
    [undefined, 700],
    ["1-699", 700],
    ["0-", 700],
    ["0--1", 700],
    ["0-9999999999999999", 700],
    ["lots", 700],
  ])("has, by Range %j, so many bytes: %i", async (range, received) => {
    const headers = { location: "/v2/upload?state=1", ...(range === undefined ? {} : { range }) };
    await using server = await scripted({ status: 202, headers });
    const upload = await startedAt(server);
    expect(await upload.append(part(300, 700), 300, 400)).toBe(received);
  });

  test.each([
    [416, "BLOB_UPLOAD_INVALID"],
    [404, "BLOB_UPLOAD_UNKNOWN"],
    [413, undefined],
  ])("is refused by status %i, with the code %s", async (status, code) => {
    const body = code === undefined ? "" : JSON.stringify({ errors: [{ code, message: "no" }] });
    await using server = await scripted({ status, body });
    const upload = await startedAt(server);
    const error = await failureOf(upload.append(part(0, 300), 0, 300));
    expect([error.status, error.details.code]).toEqual([status, code]);
  });

  test("is sent once only: a broken chunk is the caller's to judge", async () => {
    await using server = await startRegistry();
    server.fault({ when: { method: "PATCH" }, effect: { reset: true } });
    const upload = await startedAt(server);
    expect((await failureOf(upload.append(part(0, 300), 0, 300))).temporary).toBe(true);
    expect(server.requests.filter(({ method }) => method === "PATCH")).toHaveLength(1);
  });
});

describe("the status of an upload", () => {
  test("is what arrived before the connection broke", async () => {
    await using server = await startRegistry();
    server.fault({ when: { method: "PUT" }, effect: { resetRequestAfter: 400 } });
    const upload = await startedAt(server);
    await failureOf(upload.finish(blob, part(0, 1000)));
    expect(await upload.received()).toBe(400);
    await upload.finish(blob, part(400, 1000), 400);
    expect(server.blob(repositoryName, blob.digest)).toEqual(bytes);
  });

  test("is nothing for a new upload", async () => {
    await using server = await startRegistry();
    expect(await (await startedAt(server)).received()).toBe(0);
  });

  test.each([200, 202, 204])("may come by status %i", async (status) => {
    await using server = await scripted({ status, headers: { range: "0-99" } });
    expect(await (await startedAt(server)).received()).toBe(100);
  });

  test.each<[string, Answer]>([
    ["the upload is gone", { status: 404 }],
    ["the registry has no such request", { status: 405 }],
    ["the answer is an upload at another byte", { status: 416, headers: { range: "0-99" } }],
    ["the answer names no range", { status: 204 }],
  ])("is unknown where %s", async (_why, answer) => {
    await using server = await scripted(answer);
    expect(await (await startedAt(server)).received()).toBeUndefined();
  });

  test("is no answer when the registry cannot be asked", async () => {
    await using server = await startRegistry();
    server.fault({ when: { method: "GET" }, skip: 1, times: Infinity, effect: { reset: true } });
    const upload = await startedAt(server);
    expect((await failureOf(upload.received())).temporary).toBe(true);
  });
});

describe("an upload that is to go on at another host", () => {
  test.each(["append", "received"] as const)("is refused (%s), and nothing is sent there", async (step) => {
    await using thief = await startServer(() => ({ status: 201 }));
    const headers = { location: `${thief.origin}/v2/upload?state=1`, range: "0-299" };
    await using server = await scripted({ status: step === "append" ? 202 : 204, headers });
    const upload = await startedAt(server);
    const error = await failureOf(
      step === "append" ? upload.append(part(0, 300), 0, 300) : upload.received(),
    );
    expect(error.message).toContain(`the upload to go to ${thief.origin}, which is not itself`);
    await upload.cancel();
    expect(thief.requests).toEqual([]);
    expect(sentTo(server).at(-1)).toBe("DELETE /v2/upload?state=0");
  });
});

describe("a part", () => {
  test.each([
    [false, "keep-alive"],
    [true, "close"],
  ])("on a connection of its own (%s) leaves it in state %s", async (ownConnection, connection) => {
    await using server = await startRegistry();
    const upload = await startedAt(server);
    await upload.append(part(0, 300), 0, 300, { ownConnection });
    await upload.finish(blob, part(300, 1000), 300, { ownConnection });
    expect(server.requests.slice(2).map(({ headers }) => headers.connection)).toEqual([
      connection,
      connection,
    ]);
  });
});
