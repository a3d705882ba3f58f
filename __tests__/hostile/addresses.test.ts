import { describe, expect, test } from "vitest";
import { hubAccount } from "../../sandbox/docker-hub.ts";
import { discard } from "../../src/http/http.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { act, startSandboxWorld, version } from "../e2e/world.ts";
import { failureOf } from "../oci/failure-of.ts";
import { networkWithNames, openNetwork, repositoryOver } from "./clients.ts";
import {
  challenge,
  type HostileServer,
  harvester,
  hostileServer,
  lockedRegistry,
  loginsSeen,
} from "./servers.ts";

const digest = digestOf(Buffer.from("a blob"));

describe("case 3: a challenge whose realm is foreign, in the clear, or local", () => {
  /** A registry that answers everything, or everything but `/v2/`, with this challenge. */
  function challenging(realm: string, openDoor: boolean): Promise<HostileServer> {
    return hostileServer((incoming, response) => {
      if (openDoor && incoming.url === "/v2/") response.end("{}");
      else challenge(response, `Bearer realm="${realm}",service="registry"`);
    });
  }

  const realms = (evil: HostileServer): readonly string[] => [
    `http://localhost:${evil.port}/token`,
    `//localhost:${evil.port}/token`,
    `http://127.0.0.2:${evil.port}/token`,
    `http://[::1]:${evil.port}/token`,
    "http://169.254.169.254/latest/meta-data/",
    "https://attacker.example/token",
    `http://user:word@127.0.0.1:${evil.port}/token`,
    `http://127.0.0.1:${evil.port}@attacker.example/token`,
    "ftp://127.0.0.1/token",
    "file:///etc/passwd",
    "http://",
    "",
  ];

  test.each([
    ["on /v2/", false],
    ["on the request itself", true],
  ])("%s: no login is sent anywhere, and the failure names the host", async (_where, openDoor) => {
    const evil = await harvester();
    for (const realm of realms(evil)) {
      const registry = await challenging(realm, openDoor);
      const failure = await failureOf(repositoryOver(openNetwork(), registry.host).tags());
      expect(failure.message).toMatch(/logging in .*token server.*No login was sent/);
      expect(loginsSeen(registry)).toEqual([]);
    }
    expect(evil.connections()).toBe(0);
  });

  test("in a run of the whole Action: the login is neither at that host nor in the log", async () => {
    await using world = await startSandboxWorld();
    const evil = await harvester();
    await world.source.seed(version("v2.15.2", { images: ["harbor-core"] }));
    world.sandbox.dockerHub.registry.fault({
      when: {},
      times: Number.POSITIVE_INFINITY,
      effect: {
        status: 401,
        headers: { "www-authenticate": `Bearer realm="http://localhost:${evil.port}/token",service="x"` },
      },
    });
    const { exitCode, log, summary } = await act(world, { inputs: { images: "harbor-core", wait: "0" } });
    expect(exitCode).toBe(1);
    expect(log).toContain("token server on another host, localhost");
    expect(evil.connections()).toBe(0);
    expect(loginsSeen(world.sandbox.dockerHub.registry)).toEqual([]);
    const masked = log.replaceAll(/^::add-mask::.*$/gm, "");
    for (const text of [masked, summary]) expect(text).not.toContain(hubAccount.secret);
    // The other destination is not kept from its part.
    expect(Object.keys((await world.far.state())["goharbor/harbor-core"] ?? {})).toEqual(["v2.15.2"]);
  });

  test("a token server that redirects to another host: that host gets no login", async () => {
    await using registry = await lockedRegistry("bearer");
    const evil = await harvester();
    registry.tokenServer?.fault({
      when: {},
      times: Infinity,
      effect: { status: 307, headers: { location: `${evil.origin}/token` } },
    });
    const failure = await failureOf(repositoryOver(openNetwork(), registry.host).tags());
    expect(failure.message).toMatch(
      /asking its token server .* redirected to another host, .*No login was sent/,
    );
    expect(loginsSeen(evil)).toEqual([]);
    expect(loginsSeen(registry)).toEqual([]);
  });
});

describe("case 4: a name that leads to a private address", () => {
  /** A service of the inner network: it must not even see a connection. */
  const inner = (): Promise<HostileServer> =>
    hostileServer((_incoming, response) => response.end(JSON.stringify({ token: "taken", secret: "data" })), {
      address: "127.0.0.2",
    });

  test.each([
    ["by its name", (port: number) => `http://storage.example:${port}/blob`],
    ["by its address", (port: number) => `http://127.0.0.2:${port}/blob`],
    ["by its address in another spelling", (port: number) => `http://0x7f.2:${port}/blob`],
  ])("in a redirect, %s: nothing reaches it", async (_how, url) => {
    const service = await inner();
    const location = url(service.port);
    const registry = await hostileServer((incoming, response) => {
      if (incoming.url === "/v2/") response.end("{}");
      else response.writeHead(307, { location }).end();
    });
    const network = openNetwork(networkWithNames({ "storage.example": "127.0.0.2" }));
    const repository = repositoryOver(network, registry.host);
    for (const ask of [
      repository.readBlob({ digest, size: 6 }, { from: 0, to: 6 }),
      repository.hasBlob({ digest, size: 1 }),
      repository.manifest("v1.0.0"),
    ]) {
      expect((await failureOf(ask)).message).toMatch(/127\.0\.0\.2.* not on the public internet/);
    }
    expect(service.connections()).toBe(0);
  });

  test.each(["127.0.0.2", "[::1]"])(
    "in a redirect behind a proxy, by the address %s: nothing is asked for",
    async (host) => {
      const proxy = await hostileServer((_incoming, response) =>
        response.writeHead(307, { location: `http://${host}/secret` }).end(),
      );
      const proxies = { httpProxy: proxy.origin, httpsProxy: "", noProxy: "" };
      const network = openNetwork({ ...networkWithNames(), proxies });
      const evil = { method: "GET", url: new URL("http://registry.example/") } as const;
      await expect(network.send(evil)).rejects.toThrow("not on the public internet");
      expect(proxy.requests).toHaveLength(1);
    },
  );

  test.each([
    "localhost",
    "LocalHost.",
    "auth.localhost",
    "2130706433",
    "0x7f.1",
    "127.0.0.1.",
    "0.0.0.0",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "169.254.169.254",
  ])(
    "in a redirect behind a proxy, by %s, which every proxy takes for itself or its neighbour",
    async (host) => {
      const proxy = await hostileServer((_incoming, response) =>
        response.writeHead(307, { location: `http://${host}/secret` }).end(),
      );
      const network = openNetwork({ proxies: { httpProxy: proxy.origin, httpsProxy: "", noProxy: "" } });
      const evil = { method: "GET", url: new URL("http://registry.example/") } as const;
      await expect(network.send(evil)).rejects.toThrow("not on the public internet");
      expect(proxy.requests).toHaveLength(1);
    },
  );

  test("as the token server of a registry: nothing reaches it", async () => {
    const service = await inner();
    const realm = `http://auth.localhost:${service.port}/token`;
    const registry = await hostileServer((_incoming, response) =>
      challenge(response, `Bearer realm="${realm}"`),
    );
    const network = openNetwork(networkWithNames({ localhost: "127.0.0.1", "auth.localhost": "127.0.0.2" }));
    const failure = await failureOf(repositoryOver(network, `localhost:${registry.port}`).tags());
    expect(failure.message).toMatch(/asking its token server .*not on the public internet/);
    expect(failure.temporary).toBe(false);
    expect(service.connections()).toBe(0);
  });

  test("over a connection that the user's own request has opened: nothing more reaches it", async () => {
    const service = await inner();
    const registry = await hostileServer((_incoming, response) =>
      response.writeHead(307, { location: `http://inner.example:${service.port}/secret` }).end(),
    );
    const network = openNetwork(networkWithNames({ "inner.example": "127.0.0.2" }));
    const url = new URL(`http://inner.example:${service.port}/v2/`);
    await discard(await network.send({ method: "GET", url }));
    const evil = { method: "GET", url: new URL(registry.origin) } as const;
    await expect(network.send(evil)).rejects.toThrow("not on the public internet");
    expect(service.requests.map(({ path }) => path)).toEqual(["/v2/"]);
  });

  test("from a registry that has such an address itself: as the user set it up", async () => {
    const service = await inner();
    const location = `http://storage.example:${service.port}/blob`;
    const registry = await hostileServer(
      (_incoming, response) => response.writeHead(307, { location }).end(),
      { address: "127.0.0.2" },
    );
    const network = openNetwork(networkWithNames({ "storage.example": "127.0.0.2" }));
    const url = new URL(registry.origin);
    const response = await network.send({ method: "GET", url });
    expect([response.status, response.url.href]).toEqual([200, location]);
    await discard(response);
  });

  test("by way of another public host: nothing reaches it", async () => {
    const service = await inner();
    const away = (location: string): Promise<HostileServer> =>
      hostileServer((incoming, response) =>
        response.writeHead(307, { location: incoming.url === "/" ? location : "/" }).end(),
      );
    const second = await away(`http://inner.example:${service.port}/`);
    const first = await away(`${second.origin}/start`);
    const network = openNetwork(networkWithNames({ "inner.example": "127.0.0.2" }));
    const request = { method: "GET", url: new URL(first.origin) } as const;
    await expect(network.send(request)).rejects.toThrow("not on the public internet");
    expect(service.connections()).toBe(0);
  });
});
