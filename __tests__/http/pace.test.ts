import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { readBytes } from "../../src/http/http.ts";
import type { AnswerKind } from "../../src/http/pace.ts";
import { isBrokenConnection } from "../../src/http/retry.ts";
import { createTransport, type NetworkTransport, type TransportOptions } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

function network(options: TransportOptions): NetworkTransport {
  const transport = createTransport(silentLog, systemClock, options);
  open.push(transport);
  return transport;
}

/** A server that answers each request with the head, and leaves the body to the test. */
async function serve(send: (response: ServerResponse) => void): Promise<URL> {
  const server: Server = createServer((_incoming, response) => {
    response.writeHead(200, { "content-length": "1000000" });
    send(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({ close: () => server.close().closeAllConnections() });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

/** Pieces of so many bytes, every 20 ms, until the client goes away. */
function pieces(size: number): (response: ServerResponse) => void {
  return (response) => {
    const timer = setInterval(() => response.write(Buffer.alloc(size)), 20);
    response.on("close", () => clearInterval(timer));
  };
}

async function readFrom(url: URL, answer: AnswerKind, options: TransportOptions): Promise<number> {
  const response = await network(options).send({ method: "GET", url, answer });
  return (await readBytes(response, 2_000_000)).length;
}

const paces = { document: { within: 300 }, blob: { within: 300, least: 5_000 } };

describe("an answer that comes too slowly", () => {
  test.each<[AnswerKind, number]>([
    ["document", 10],
    ["blob", 10],
    // Every piece ends the silence, and is far too little.
    ["document", 5_000],
  ])("as a %s, in pieces of %i bytes, is ended", async (answer, size) => {
    const url = await serve(pieces(size));
    const error = await readFrom(url, answer, { paces }).catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/the answer came too slowly: \d+ bytes in 0\.3 s/);
    // Another connection may be better.
    expect(isBrokenConnection(error)).toBe(true);
  });

  test("as a blob goes on as long as enough of it comes", async () => {
    const url = await serve(pieces(20_000));
    expect(await readFrom(url, "blob", { paces })).toBe(1_000_000);
  });

  test("is not what we ourselves do not take", async () => {
    const url = await serve((response) => response.end(Buffer.alloc(1_000_000)));
    const { body } = await network({ paces }).send({ method: "GET", url, answer: "blob" });
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      // Longer than what a blob has for its next bytes.
      if (size === chunk.length) await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    expect(size).toBe(1_000_000);
  });

  test("in its head, byte by byte, is ended as well", async () => {
    const server = createTcpServer((socket) => {
      const head = [..."HTTP/1.1 200 OK\r\n"].concat(Array.from({ length: 15_000 }, () => "x"));
      const timer = setInterval(() => socket.write(head.shift() ?? "x"), 50);
      socket.on("close", () => clearInterval(timer)).on("error", () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    open.push(server);
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const error = await readFrom(url, "document", { headersTimeout: 600 }).catch((thrown: unknown) => thrown);
    expect(isBrokenConnection(error)).toBe(true);
  });

  test("leaves no timer behind that ends the next answer on the same connection", async () => {
    const url = await serve((response) => response.end(Buffer.alloc(1_000_000)));
    const transport = network({ paces });
    for (let request = 0; request < 3; request += 1) {
      const response = await transport.send({ method: "GET", url });
      expect((await readBytes(response, 2_000_000)).length).toBe(1_000_000);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });
});
