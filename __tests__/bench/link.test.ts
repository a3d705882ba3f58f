import { once } from "node:events";
import { createServer } from "node:http";
import { createConnection, createServer as createTcpServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createLane, type Flow } from "../../bench/link.ts";
import { startLinkProxy } from "../../bench/link-process.ts";
import { type LinkModel, openLink } from "../../bench/profiles.ts";

const megabyte = 1_000_000;

/** A receiver that notes what came and when, and can refuse more. */
function createReceiver() {
  const pieces: Buffer[] = [];
  let drained = () => {};
  const receiver = {
    open: true,
    lastAt: -1,
    endedAt: -1,
    bytes: () => Buffer.concat(pieces),
    write(bytes: Buffer) {
      pieces.push(bytes);
      receiver.lastAt = performance.now();
      return receiver.open;
    },
    end: () => {
      receiver.endedAt = performance.now();
    },
    on: (_event: "drain", listener: () => void) => {
      drained = listener;
    },
    drain: () => {
      receiver.open = true;
      drained();
    },
  };
  return receiver;
}

/** Sends like a socket does: in pieces, pausing when told. */
function pour(bytes: Buffer, send: (bytes: Buffer) => boolean): { resume(): void; left(): number } {
  let at = 0;
  const resume = () => {
    let go = true;
    while (go && at < bytes.length) {
      go = send(bytes.subarray(at, at + 65_536));
      at += 65_536;
    }
  };
  return { resume, left: () => Math.max(0, bytes.length - at) };
}

function model(more: Partial<LinkModel>): LinkModel {
  return { ...openLink, ...more };
}

describe("one direction of a link", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function start(link: LinkModel, sizes: readonly number[], notBeforeMs = 0) {
    const lane = createLane(link);
    return sizes.map((size) => {
      const receiver = createReceiver();
      const bytes = Buffer.alloc(size, "0123456789");
      let flow: Flow | undefined;
      const source = pour(bytes, (piece) => flow?.send(piece) ?? false);
      const onRoom = () => source.resume();
      flow = lane.open({ receiver, notBeforeMs, onSent: () => undefined, onRoom });
      source.resume();
      return { receiver, bytes, source, flow };
    });
  }

  test("delays by half a round trip, and a new connection by its handshake as well", () => {
    const [plain] = start(model({ roundTripMs: 200 }), [1000]);
    const [fresh] = start(model({ roundTripMs: 200 }), [1000], 200);
    vi.advanceTimersByTime(1000);
    expect(plain?.receiver.lastAt).toBeGreaterThanOrEqual(100);
    expect(plain?.receiver.lastAt).toBeLessThan(105);
    expect(fresh?.receiver.lastAt).toBeGreaterThanOrEqual(300);
    expect(fresh?.receiver.lastAt).toBeLessThan(305);
  });

  test("gives a connection its rate, and hands over every byte in order", () => {
    const [one] = start(model({ roundTripMs: 200, connectionRate: 4 * megabyte }), [8 * megabyte]);
    vi.advanceTimersByTime(3000);
    expect(one?.receiver.bytes().equals(one.bytes)).toBe(true);
    expect(one?.receiver.lastAt).toBeGreaterThanOrEqual(2090);
    expect(one?.receiver.lastAt).toBeLessThan(2120);
  });

  test("shares the total rate evenly", () => {
    const sizes = Array.from({ length: 8 }, () => 4 * megabyte);
    const flows = start(model({ connectionRate: 4 * megabyte, totalRate: 16 * megabyte }), sizes);
    vi.advanceTimersByTime(1000);
    for (const { receiver } of flows) {
      expect(receiver.bytes().length).toBeGreaterThan(1.9 * megabyte);
      expect(receiver.bytes().length).toBeLessThan(2.1 * megabyte);
    }
    vi.advanceTimersByTime(1100);
    expect(flows.map(({ receiver }) => receiver.bytes().length)).toEqual(sizes);
  });

  test("holds no more than its window while the receiver takes nothing, and goes on when it does", () => {
    const link = model({ roundTripMs: 200, connectionRate: 4 * megabyte });
    const [one] = start(link, [8 * megabyte]);
    if (one === undefined) throw new Error("no flow");
    one.receiver.open = false;
    vi.advanceTimersByTime(10_000);
    expect(8 * megabyte - one.source.left()).toBeLessThan(megabyte);
    one.receiver.drain();
    vi.advanceTimersByTime(3000);
    expect(one.receiver.bytes().equals(one.bytes)).toBe(true);
  });

  test("tells the end after the last byte, and an end without bytes as well", () => {
    const [one, empty] = start(model({ roundTripMs: 200 }), [1000, 0]);
    one?.flow.end();
    empty?.flow.end();
    vi.advanceTimersByTime(1000);
    expect(one?.receiver.endedAt).toBeGreaterThanOrEqual(one?.receiver.lastAt ?? Number.POSITIVE_INFINITY);
    expect(empty?.receiver.endedAt).toBeGreaterThanOrEqual(0);
  });

  test("drops what is under way when a connection is closed", () => {
    const [one] = start(model({ roundTripMs: 200 }), [1000]);
    one?.flow.close();
    vi.advanceTimersByTime(1000);
    expect(one?.receiver.bytes().length).toBe(0);
  });
});

describe("a link proxy", () => {
  test.each([
    ["without limits", openLink],
    ["with limits", model({ roundTripMs: 4, connectionRate: 50 * megabyte, totalRate: 80 * megabyte })],
  ])("%s passes requests and answers unchanged, and counts them", async (_name, link) => {
    const server = createServer(async (request, response) => {
      for await (const piece of request) response.write(piece);
      response.end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    await using proxy = await startLinkProxy({ registryPort: portOf(server.address()), model: link });
    const body = new Uint8Array(3 * megabyte).fill(7);
    const answer = await fetch(`http://${proxy.host}/a`, { method: "PUT", body });
    expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
    await (await fetch(`http://${proxy.host}/b`)).arrayBuffer();
    const report = await proxy.report();
    expect(report.methods).toEqual({
      PUT: { requests: 1, bodyBytes: 3 * megabyte },
      GET: { requests: 1, bodyBytes: 0 },
    });
    expect(report.bytesUp).toBeGreaterThan(3 * megabyte);
    expect(report.bytesDown).toBeGreaterThan(3 * megabyte);
    expect(report.firstRequestAt).toBeLessThanOrEqual(Number(process.hrtime.bigint() / 1000n) / 1000);
    server.close();
  });

  test("resets a connection when its time has come, on both sides", async () => {
    const broken: unknown[] = [];
    const server = createTcpServer((socket) => {
      socket.on("error", (error) => broken.push(error)).resume();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const link = model({ roundTripMs: 2, cutAfterSeconds: [0.05, 0.1] });
    await using proxy = await startLinkProxy({ registryPort: portOf(server.address()), model: link });
    const client = createConnection(Number(proxy.host.split(":")[1]), "127.0.0.1");
    client.write("PUT / HTTP/1.1\r\n");
    const [error] = (await once(client, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
    expect((await proxy.report()).cuts).toBe(1);
    await vi.waitFor(() => expect(broken).toHaveLength(1));
    server.close();
  });
});

function portOf(address: ReturnType<ReturnType<typeof createTcpServer>["address"]>): number {
  if (typeof address !== "object" || address === null) throw new Error("not listening");
  return address.port;
}
