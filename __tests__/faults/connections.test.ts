import { lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";
import { describe, expect, test } from "vitest";
import { selfSigned } from "../../sandbox/certificate.ts";
import { startServer } from "../../sandbox/server.ts";
import { hostileServer } from "../hostile/servers.ts";
import { images, oldest, type RunResult, repository, startWorld, type World, wanted } from "./world.ts";

/** No connection comes up, or none that can be trusted: the real transport, and real sockets. */

const unknown = "registry.example";

/** `registry.example` leads where the test says, or nowhere. */
function names(address: string | undefined): { lookup: LookupFunction; isLocal: () => boolean } {
  const lookup: LookupFunction = (hostname, options, callback) => {
    if (hostname !== unknown) systemLookup(hostname, options, callback);
    else if (address === undefined) {
      const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" });
      process.nextTick(callback, error, []);
    } else if (options.all === true) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  };
  return { lookup, isLocal: () => true };
}

interface Unreachable {
  readonly name: string;
  /** The host to speak to. */
  readonly host: () => Promise<string>;
  readonly address?: string;
  readonly says: RegExp;
  /** Tries to connect, in all of a run: where asking again may help. */
  readonly retried: boolean;
}

const cases: readonly Unreachable[] = [
  {
    name: "a refused connection",
    host: async () => {
      const server = await startServer(() => ({ status: 200 }));
      await server.close();
      return server.host;
    },
    says: /ECONNREFUSED/,
    retried: true,
  },
  { name: "a name that nobody knows", host: async () => unknown, says: /ENOTFOUND/, retried: true },
  {
    name: "a certificate that nobody has signed",
    host: async () => {
      const tls = { ...selfSigned(unknown), host: unknown };
      return (await hostileServer((_incoming, response) => response.end("{}"), { tls })).host;
    },
    address: "127.0.0.1",
    says: /self-signed certificate/,
    retried: false,
  },
  {
    name: "a certificate of another host",
    host: async () => {
      const tls = { ...selfSigned("elsewhere.example"), host: unknown };
      return (await hostileServer((_incoming, response) => response.end("{}"), { tls })).host;
    },
    address: "127.0.0.1",
    says: /certificate/,
    retried: false,
  },
  {
    name: "no TLS where there should be",
    host: async () => `${unknown}:${(await hostileServer((_incoming, response) => response.end("{}"))).port}`,
    address: "127.0.0.1",
    says: /SSL|EPROTO|wrong version|packet length/i,
    retried: false,
  },
];

describe.each(cases)("$name", ({ host, address, says, retried }) => {
  test("at one destination leaves the other alone (P4), and says which host it is (P8)", async () => {
    await using world = await startWorld({ transport: { addresses: names(address) } });
    const dead = await host();
    const result = await world.run({
      inputs: { destinations: `${dead}/goharbor,keep=2\n${world.healthy.host}/goharbor,keep=2` },
    });
    expect(result.done).toBe(false);
    for (const image of images) {
      expect(world.healthy.completeness(repository(image), wanted)).toEqual([]);
      expect(world.healthy.tags(repository(image)).has(oldest)).toBe(false);
    }
    expectSaid(result, `destination ${dead}`, says);
    expect(result.minutes).toBeLessThan(5);
    expect(result.lines.some((line) => line.includes("trying again") && line.includes(dead))).toBe(retried);
  });

  test("at the first source lets the second serve", async () => {
    await using world = await startWorld({ transport: { addresses: names(address) } });
    const result = await world.run({
      inputs: { source: `${await host()}/goharbor\n${world.source.host}/goharbor` },
    });
    expect(result.done).toBe(true);
    expectPublished(world);
  });

  test("at the only source moves no tag", async () => {
    await using world = await startWorld({ transport: { addresses: names(address) } });
    const dead = await host();
    const result = await world.run({ inputs: { source: `${dead}/goharbor` } });
    expect(result.done).toBe(false);
    for (const { events } of [world.healthy, world.troubled]) expect(events).toEqual([]);
    expectSaid(result, `source ${dead}`, says);
  });

  test("at GitHub stops the run before anything is written", async () => {
    await using world = await startWorld({ transport: { addresses: names(address) } });
    const dead = await host();
    const scheme = dead.startsWith("127.") ? "http" : "https";
    const result = await world.run({ inputs: { "github-api-url": `${scheme}://${dead}` } });
    expect(result.done).toBe(false);
    for (const { events } of [world.healthy, world.troubled]) expect(events).toEqual([]);
    expectSaid(result, `GitHub ${dead}`, says);
    expect(result.minutes).toBeLessThan(2);
  });
});

function expectSaid({ lines }: RunResult, who: string, says: RegExp): void {
  expect(lines.filter((line) => line.includes(who) && says.test(line))).not.toEqual([]);
}

function expectPublished(world: World): void {
  for (const destination of [world.troubled, world.healthy])
    for (const image of images) expect(destination.completeness(repository(image), wanted)).toEqual([]);
}
