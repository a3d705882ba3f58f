import { createServer, request as httpRequest, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from "node:net";
import { Readable } from "node:stream";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type Answer,
  readBody,
  type SandboxRequest,
  type SandboxServer,
  startServer,
} from "../../sandbox/server.ts";
import { systemClock } from "../../src/clock.ts";
import { discard, type HttpRequest, type HttpResponse, readBytes } from "../../src/http/http.ts";
import { retrying } from "../../src/http/retry.ts";
import { createTransport, type NetworkTransport, userAgent } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";

const open: { close(): Promise<void> }[] = [];

function openTransport(log = silentLog): NetworkTransport {
  const transport = createTransport(log, systemClock);
  open.push(transport);
  return transport;
}

async function serve(handler: (request: SandboxRequest) => Answer | Promise<Answer>): Promise<SandboxServer> {
  const server = await startServer(handler);
  open.push(server);
  return server;
}

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const one of open.splice(0)) await one.close();
});

/** A server that answers whatever it is asked with the same bytes, and counts connections. */
async function answerAll(answer: string): Promise<{ origin: string; connections: () => number }> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("data", () => socket.write(answer)).on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
  };
}

test("new connections are opened once the old ones are to be left, and requests under way go on", async () => {
  const { origin, connections } = await answerAll("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  const transport = openTransport();
  const ask = () => transport.send({ method: "GET", url: new URL(origin) });
  // A connection is free again a moment after its answer, so the first requests may have taken two.
  for (let count = 0; count < 6; count += 1) await discard(await ask());
  const before = connections();
  const underWay = await ask();
  expect(connections()).toBe(before);
  transport.renewConnections();
  await discard(await ask());
  expect(connections()).toBe(before + 1);
  expect(await textOf(underWay)).toBe("ok");
});

async function textOf(response: HttpResponse): Promise<string> {
  return (await readBytes(response, 10_000)).toString();
}

function get(url: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: "GET", url: new URL(url), headers: { authorization: "Bearer secret" }, ...more };
}

function to(location: string | undefined, status = 302): Answer {
  return { status, ...(location === undefined ? {} : { headers: { location } }) };
}

describe("a request", () => {
  test("arrives with its method, headers and body, and with a name", async () => {
    const server = await serve(async (request) => ({ status: 201, body: await readBody(request, 1000) }));
    const transport = openTransport();
    const url = new URL("/v2/x?a=%2F", server.origin);
    const headers = { "content-type": "text/plain", "content-length": "4" };
    for (const body of ["blob", Buffer.from("blob"), Readable.from([Buffer.from("bl"), Buffer.from("ob")])]) {
      const response = await transport.send({ method: "PUT", url, headers, body });
      expect([response.status, response.url.href, await textOf(response)]).toEqual([201, url.href, "blob"]);
    }
    for (const { method, path, headers: seen } of server.requests) {
      expect([method, path]).toEqual(["PUT", "/v2/x?a=%2F"]);
      expect(seen).toMatchObject({ ...headers, "user-agent": userAgent });
    }
  });

  test("by HEAD leaves its connection to the next one", async () => {
    const { origin, connections } = await answerAll("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n");
    const transport = openTransport();
    for (let count = 0; count < 5; count += 1) {
      const response = await transport.send({ method: "HEAD", url: new URL("/v2/x", origin) });
      expect(response.status).toBe(404);
      await discard(response);
      // undici gives a connection to the next request a turn later.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(connections()).toBe(1);
  });

  test("comes through where a server wrongly sends a body after a HEAD", async () => {
    const { origin } = await answerAll("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nblob");
    const transport = retrying(openTransport(), { clock: systemClock, log: silentLog });
    for (const [method, body] of [
      ["HEAD", ""],
      ["GET", "blob"],
      ["HEAD", ""],
      ["HEAD", ""],
      ["GET", "blob"],
    ] as const) {
      const response = await transport.send({ method, url: new URL("/v2/x", origin) });
      expect([response.status, await textOf(response)]).toEqual([200, body]);
    }
  });

  test("is answered by any status, and by headers of which some come more than once", async () => {
    const server = await serve(() => ({ status: 503, headers: { "WWW-Authenticate": ["Basic", "Bearer"] } }));
    const response = await openTransport().send(get(server.origin));
    expect(response.status).toBe(503);
    expect(response.header("www-authenticate")).toBe("Basic");
    expect(response.headers("www-authenticate")).toEqual(["Basic", "Bearer"]);
    expect(response.header("x-absent")).toBeUndefined();
    expect(response.headers("x-absent")).toEqual([]);
    await discard(response);
  });

  test("is counted by host, redirects and failures too", async () => {
    const other = await serve(() => ({ status: 200 }));
    const server = await serve(({ path }) => (path === "/away" ? to(`${other.origin}/x`) : { status: 500 }));
    const transport = openTransport();
    await discard(await transport.send(get(`${server.origin}/away`)));
    await discard(await transport.send(get(server.origin)));
    server.fault({ when: {}, effect: { reset: true } });
    await expect(transport.send(get(server.origin))).rejects.toThrow();
    expect([...transport.requests]).toEqual([
      [server.host, 3],
      [other.host, 1],
    ]);
  });

  test("ends with its caller's reason", async () => {
    const cancel = new AbortController();
    const reason = new Error("cancelled");
    const server = await serve(() => ({ status: 200 }));
    server.fault({ when: {}, effect: { run: () => cancel.abort(reason) } });
    await expect(openTransport().send(get(server.origin, { signal: cancel.signal }))).rejects.toBe(reason);
  });

  test("is told to the debug log without its query and headers", async () => {
    const lines: string[] = [];
    const server = await serve(() => ({ status: 200 }));
    const transport = openTransport({ ...silentLog, debug: (line) => lines.push(line) });
    await discard(await transport.send(get(`${server.origin}/upload?_state=secret`)));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`GET ${server.origin}/upload?… 200`);
    expect(lines[0]).toMatch(/ \d+ ms$/);
    expect(lines[0]).not.toContain("secret");
  });

  test("is told to the debug log, and how long it took, where no answer comes", async () => {
    const lines: string[] = [];
    const server = await serve(() => ({ status: 200 }));
    server.fault({ when: {}, effect: { reset: true } });
    const transport = openTransport({ ...silentLog, debug: (line) => lines.push(line) });
    await expect(transport.send(get(`${server.origin}/upload?_state=secret`))).rejects.toThrow();
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^GET ${server.origin}/upload\\?… failed after \\d+ ms$`)),
    ]);
  });
});

describe("a redirect", () => {
  test.each([300, 304])("by status %i, which leads nowhere, is an answer like any other", async (status) => {
    const server = await serve(() => to("/elsewhere", status));
    const response = await openTransport().send(get(server.origin));
    expect([response.status, response.header("location")]).toEqual([status, "/elsewhere"]);
    await discard(response);
    expect(server.requests).toHaveLength(1);
  });

  test.each([301, 302, 303, 307, 308])(
    "by status %i is followed, with all headers on the same origin",
    async (status) => {
      const server = await serve(({ path }) =>
        path === "/" ? to("/blob?x=1", status) : { status: 200, body: "blob" },
      );
      const response = await openTransport().send(get(server.origin));
      expect(await textOf(response)).toBe("blob");
      expect(response.url.href).toBe(`${server.origin}/blob?x=1`);
      expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(
        Array(2).fill("Bearer secret"),
      );
    },
  );

  test("to another origin leaves the login behind, for good, and keeps the rest", async () => {
    const server = await serve(({ path }) => {
      if (path === "/") return to(`${storage.origin}/away`);
      return { status: 200, body: "blob" };
    });
    const storage: SandboxServer = await serve(() => to(`${server.origin}/back`));
    const headers = {
      authorization: "Bearer secret",
      "x-tc-token": "secret",
      range: "bytes=5-",
      accept: "*/*",
    };
    const response = await openTransport().send(get(server.origin, { headers }));
    expect(await textOf(response)).toBe("blob");
    const seen = [server.requests[0], storage.requests[0], server.requests[1]].map(
      (request) => request?.headers,
    );
    expect(seen.map((one) => one?.authorization)).toEqual(["Bearer secret", undefined, undefined]);
    expect(seen.map((one) => one?.["x-tc-token"])).toEqual(["secret", undefined, undefined]);
    for (const one of seen)
      expect(one).toMatchObject({ range: "bytes=5-", accept: "*/*", "user-agent": userAgent });
  });

  test("of a HEAD stays a HEAD", async () => {
    const server = await serve(({ path }) =>
      path === "/" ? to("/blob", 303) : { status: 200, body: "blob" },
    );
    await discard(await openTransport().send(get(server.origin, { method: "HEAD" })));
    expect(server.requests.map(({ method }) => method)).toEqual(["HEAD", "HEAD"]);
  });

  test("in a circle comes to an end", async () => {
    const server = await serve(() => to("/again"));
    await expect(openTransport().send(get(server.origin))).rejects.toThrow("more than 5 redirects");
    expect(server.requests).toHaveLength(6);
  });

  test.each([
    [undefined, "without a usable Location"],
    ["http://:0:0", "without a usable Location"],
    ["file:///etc/passwd", "a redirect to file:"],
    ["data:text/plain,blob", "a redirect to data:"],
    ["http://user:word@127.0.0.1/", "a login in it"],
  ])("to %j is refused: %s", async (location, problem) => {
    const server = await serve(() => to(location));
    const error = openTransport().send(get(server.origin));
    await expect(error).rejects.toThrow(problem);
    expect(server.requests).toHaveLength(1);
  });

  describe.each(["POST", "PUT", "PATCH", "DELETE"] as const)("of a %s", (method) => {
    test.each([307, 308])("by status %i is followed on the same origin, with its body", async (status) => {
      const server = await serve(async (request) =>
        request.path === "/" ? to("/there", status) : { status: 201, body: await readBody(request, 1000) },
      );
      const sent = get(server.origin, { method, body: "content" });
      expect(await textOf(await openTransport().send(sent))).toBe("content");
      expect(server.requests.map((request) => [request.method, request.path])).toEqual([
        [method, "/"],
        [method, "/there"],
      ]);
    });

    test.each([301, 302, 303])("by status %i, which may make it a GET, is refused", async (status) => {
      const server = await serve(() => to("/elsewhere?state=secret", status));
      const sending = openTransport().send(get(server.origin, { method }));
      await expect(sending).rejects.toThrow(
        `a ${method} was redirected to ${server.origin}/elsewhere?…, which is not followed`,
      );
      expect(server.requests).toHaveLength(1);
    });

    test("to another origin is refused, and nothing is sent there", async () => {
      const other = await serve(() => ({ status: 201 }));
      const server = await serve(() => to(`${other.origin}/there`, 307));
      const sending = openTransport().send(get(server.origin, { method }));
      await expect(sending).rejects.toThrow(`a ${method} was redirected to ${other.origin}/there`);
      expect(other.requests).toEqual([]);
    });
  });

  test("of a stream, which is gone by then, is refused", async () => {
    const server = await serve(async (request) => {
      await readBody(request, 1000);
      return to("/there", 307);
    });
    const body = Readable.from([Buffer.from("content")]);
    const sending = openTransport().send(get(server.origin, { method: "PUT", body }));
    await expect(sending).rejects.toThrow("a PUT was redirected to");
    expect(server.requests).toHaveLength(1);
  });
});

describe("a proxy", () => {
  interface Proxy {
    readonly origin: string;
    /** Hosts that it led to. */
    readonly led: readonly string[];
  }

  /** A forward proxy that tunnels (CONNECT) and passes plain requests on. */
  async function startProxy(): Promise<Proxy> {
    const led: string[] = [];
    const sockets = new Set<Socket>();
    const server: Server = createServer((incoming, response) => {
      const url = new URL(incoming.url ?? "");
      led.push(url.host);
      const passed = httpRequest(url, { method: incoming.method, headers: incoming.headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      incoming.pipe(passed);
    });
    server.on("connect", (incoming, client: Socket) => {
      led.push(incoming.url ?? "");
      const target = new URL(`http://${incoming.url}`);
      const tunnel = connect(Number(target.port), target.hostname, () => {
        client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
        client.pipe(tunnel).pipe(client);
      });
      for (const socket of [client, tunnel]) {
        sockets.add(socket);
        // Either side may go away first at the end of the test.
        socket.on("error", () => socket.destroy());
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    open.push({
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
          for (const socket of sockets) socket.destroy();
        }),
    });
    return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, led };
  }

  test.each(["http_proxy", "HTTP_PROXY"])("that %s names is used", async (variable) => {
    const proxy = await startProxy();
    const server = await serve(() => ({ status: 200, body: "blob" }));
    for (const name of ["http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"]) vi.stubEnv(name, undefined);
    vi.stubEnv(variable, proxy.origin);
    expect(await textOf(await openTransport().send(get(server.origin)))).toBe("blob");
    expect(proxy.led).toEqual([server.host]);
    expect(server.requests[0]?.headers).toMatchObject({
      "user-agent": userAgent,
      authorization: "Bearer secret",
    });
  });

  test("is passed by for the hosts of no_proxy", async () => {
    const proxy = await startProxy();
    const server = await serve(() => ({ status: 200, body: "blob" }));
    vi.stubEnv("http_proxy", proxy.origin);
    vi.stubEnv("no_proxy", "127.0.0.1");
    expect(await textOf(await openTransport().send(get(server.origin)))).toBe("blob");
    expect(proxy.led).toEqual([]);
  });
});
