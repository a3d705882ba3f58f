import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Agent } from "undici";
import { afterEach, expect, test } from "vitest";
import { type Answer, answerOf } from "../../src/http/answer.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** A server that leaves each answer to the test, and a way to ask it. */
async function serve(listener: RequestListener): Promise<(signal?: AbortSignal) => Promise<Answer>> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const dispatcher = new Agent({ connections: 1 });
  open.push({ close: () => dispatcher.destroy() }, { close: () => server.close().closeAllConnections() });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return (signal) => answerOf(dispatcher, { origin, path: "/", method: "GET" }, signal);
}

async function textOf({ body }: Answer): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const halfOf = (response: ServerResponse): unknown =>
  response.writeHead(200, { "content-length": "10" }).write("12345");

test("an answer is there with its head, and its body follows", async () => {
  const ask = await serve((_request, response) => {
    response.writeEarlyHints({ link: "</x>; rel=preload" });
    response.writeHead(201, { "x-one": "1" }).flushHeaders();
    setTimeout(() => response.end("body"), 20);
  });
  const answer = await ask();
  expect([answer.status, answer.headers["x-one"]]).toEqual([201, "1"]);
  expect(await textOf(answer)).toBe("body");
});

test("a large body waits for its reader, and comes whole", async () => {
  const ask = await serve((_request, response) => response.end(Buffer.alloc(5_000_000, "x")));
  const answer = await ask();
  await delay(50);
  expect(answer.body.readableLength).toBeLessThan(1_000_000);
  expect(await textOf(answer)).toHaveLength(5_000_000);
});

test("a signal that has aborted sends nothing", async () => {
  let requests = 0;
  const ask = await serve(() => (requests += 1));
  await expect(ask(AbortSignal.abort(new Error("over")))).rejects.toThrow("over");
  expect(requests).toBe(0);
});

test("a signal ends the wait for the head, the reading of a body, and the wait for a connection", async () => {
  let closed = 0;
  const ask = await serve((_request, response) => {
    halfOf(response);
    response.on("close", () => (closed += 1));
  });
  const controller = new AbortController();
  const reading = textOf(await ask(controller.signal));
  const waiting = ask(controller.signal);
  controller.abort(new Error("cancelled"));
  await expect(reading).rejects.toThrow("cancelled");
  await expect(waiting).rejects.toThrow("cancelled");
  await expect.poll(() => closed).toBe(1);

  const silent = await serve(() => undefined);
  const headless = new AbortController();
  const asking = silent(headless.signal);
  setTimeout(() => headless.abort(new Error("given up")), 20);
  await expect(asking).rejects.toThrow("given up");
});

test("a body that is destroyed frees its connection, without an error", async () => {
  const ask = await serve((_request, response) => halfOf(response));
  for (let count = 0; count < 3; count += 1) {
    const { body } = await ask();
    const errors: unknown[] = [];
    body.on("error", (error) => errors.push(error));
    body.destroy();
    await new Promise((resolve) => body.on("close", resolve));
    expect(errors).toEqual([]);
  }
});

test("a connection that breaks before the head is thrown, and after it reaches the reader, however late that one is", async () => {
  const broken = await serve((request) => request.socket.destroy());
  await expect(broken()).rejects.toThrow();
  const ask = await serve((request, response) => {
    halfOf(response);
    setTimeout(() => request.socket.destroy(), 20);
  });
  const answer = await ask();
  await delay(100);
  await expect(textOf(answer)).rejects.toThrow(/terminated|closed/);
});
