import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Handler, readBody, type SandboxServer, startServer } from "../../sandbox/server.ts";

const body = Buffer.from("0123456789".repeat(1000));
const handled: string[] = [];
const handler: Handler = async (request) => {
  const sent = await readBody(request, 1_000_000);
  handled.push(`${request.method} ${request.path} ${sent.length}`);
  return { status: 200, body };
};

let server: SandboxServer;
beforeEach(async () => {
  handled.length = 0;
  server = await startServer(handler);
});
afterEach(() => server.close());

const get = (path = "/") => fetch(`${server.origin}${path}`);
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

describe("a server of the sandbox", () => {
  it("records requests with their bytes, and the most that were in flight at once", async () => {
    const all = Promise.withResolvers<void>();
    const wait = () => {
      if (server.requests.length === 3) all.resolve();
      return all.promise;
    };
    server.fault({ when: {}, times: 3, effect: { run: wait } });
    await Promise.all([get("/a?x=1"), get("/a?x=1"), fetch(server.origin, { method: "PUT", body: "12345" })]);
    const put = server.requests.find(({ method }) => method === "PUT");
    expect(put).toMatchObject({ path: "/", status: 200, bytesIn: 5, bytesOut: body.length });
    expect(server.requests.filter(({ path }) => path === "/a?x=1")).toHaveLength(2);
    expect(server.peakRequests).toBe(3);
    server.clearRequests();
    expect(server.requests).toEqual([]);
  });

  it("closes with connections open", async () => {
    server.fault({ when: {}, effect: { stallBodyAfter: 10 } });
    const response = await get();
    await server.close();
    await expect(response.arrayBuffer()).rejects.toThrow();
    await expect(get()).rejects.toThrow();
  });
});

describe("faults", () => {
  it("hit the requests they are meant for, so often as told, after so many unharmed", async () => {
    const when = {
      method: ["GET", "HEAD"],
      path: /^\/v2\/.*\?q=/,
      header: { name: "x-test", value: /^yes$/ },
    };
    server.fault({
      when,
      skip: 1,
      times: 2,
      effect: { status: 503, headers: { "retry-after": "1" }, body: "no" },
    });
    const status = async (path: string, value = "yes", method = "GET") =>
      (await fetch(`${server.origin}${path}`, { method, headers: { "x-test": value } })).status;
    expect(await status("/v2/?q=1")).toBe(200);
    expect(await status("/v2/?q=1", "no")).toBe(200);
    expect(await status("/v2/?q=1", "yes", "DELETE")).toBe(200);
    expect(await status("/v2/")).toBe(200);
    expect(await status("/v2/?q=1")).toBe(503);
    expect(await status("/v2/?q=1")).toBe(503);
    expect(await status("/v2/?q=1")).toBe(200);
    expect(handled).toHaveLength(5);
  });

  it("for ever, until they are cleared", async () => {
    server.fault({ when: {}, times: Number.POSITIVE_INFINITY, effect: { status: 500 } });
    expect([(await get()).status, (await get()).status]).toEqual([500, 500]);
    server.clearFaults();
    expect((await get()).status).toBe(200);
  });

  it("reset: the handler sees nothing; loseAnswer: it has done its work", async () => {
    server.fault({ when: { path: /reset/ }, effect: { reset: true } });
    server.fault({ when: { path: /lose/ }, effect: { loseAnswer: true } });
    await expect(get("/reset")).rejects.toThrow();
    await expect(get("/lose")).rejects.toThrow();
    expect(handled).toEqual(["GET /lose 0"]);
    expect(server.requests.map(({ status }) => status)).toEqual([0, 0]);
  });

  it("cutBodyAfter: the head promises all, the body ends early", async () => {
    server.fault({ when: {}, effect: { cutBodyAfter: 4000 } });
    const response = await get();
    expect(response.headers.get("content-length")).toBe(String(body.length));
    const received: Buffer[] = [];
    const read = async () => {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
        received.push(Buffer.from(chunk));
    };
    await expect(read()).rejects.toThrow();
    expect(Buffer.concat(received)).toEqual(body.subarray(0, 4000));
  });

  it("resetRequestAfter: the handler reads so much and no more", async () => {
    server.fault({ when: { method: "PUT" }, effect: { resetRequestAfter: 1000 } });
    await expect(fetch(server.origin, { method: "PUT", body })).rejects.toThrow();
    expect(server.requests[0]).toMatchObject({ status: 0, bytesIn: 1000 });
    expect(handled).toEqual([]);
  });

  it("spoilBody: the same length, other bytes", async () => {
    server.fault({ when: {}, effect: { spoilBody: true } });
    const spoiled = await bytesOf(await get());
    expect(spoiled).toHaveLength(body.length);
    expect(spoiled.some((byte, index) => byte === body[index])).toBe(false);
    expect(await bytesOf(await get())).toEqual(body);
  });

  it("slow bodies arrive whole, in both directions", async () => {
    server.fault({ when: {}, effect: { bytesPerSecond: 100_000 } });
    server.fault({ when: {}, effect: { requestBytesPerSecond: 100_000 } });
    const response = await fetch(server.origin, { method: "PUT", body });
    expect(await bytesOf(response)).toEqual(body);
    expect(handled).toEqual([`PUT / ${body.length}`]);
  });

  it("run: something happens when the request arrives, and it goes on", async () => {
    server.fault({ when: { path: /x/ }, effect: { run: ({ path }) => void handled.push(`saw ${path}`) } });
    expect((await get("/x")).status).toBe(200);
    expect(handled).toEqual(["saw /x", "GET /x 0"]);
  });

  it("a mistake of a handler is an answer that no service gives", async () => {
    await using broken = await startServer(() => {
      throw new Error("mistake");
    });
    const response = await fetch(broken.origin);
    expect([response.status, await response.text()]).toEqual([500, "sandbox: Error: mistake"]);
  });
});

it("a reset ends the connection also where the answer before is still being written out", async () => {
  await using server = await startServer(() => ({ status: 200, body: "answer" }));
  server.fault({ when: { path: /first/ }, effect: { delayMs: 50 } });
  server.fault({ when: { path: /second/ }, effect: { reset: true } });
  const { hostname, port } = new URL(server.origin);
  const socket = connect(Number(port), hostname);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => undefined).resume();
  // In one packet: the server sees the second before it has answered the first, as can happen on a busy machine.
  const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
  socket.write(request("/first") + request("/second"));
  await closed;
});
