import { lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";
import { afterEach } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { retrying } from "../../src/http/retry.ts";
import { createTransport, type NetworkTransport, type TransportOptions } from "../../src/http/transport.ts";
import { silentLog } from "../../src/log/log.ts";
import type { Credentials } from "../../src/oci/credentials.ts";
import { Registry } from "../../src/oci/registry.ts";
import { Repository } from "../../src/oci/repository.ts";
import { repositoryName } from "../oci/clients.ts";
import { fakeClock } from "../support/fake-clock.ts";

/** The login that no server but the one it is for may see. */
export const login = { username: "mirror-bot", password: "dckr_pat_marked-secret-of-the-test" };
export const withLogin: Credentials = () => Promise.resolve(login);

/** All forms of `login` that travel. */
export const loginForms: readonly string[] = [
  login.password,
  Buffer.from(`${login.username}:${login.password}`).toString("base64"),
];

const networks: NetworkTransport[] = [];

afterEach(async () => {
  await Promise.all(networks.splice(0).map((network) => network.close()));
});

/** A transport of its own for one test. */
export function openNetwork(options: TransportOptions = {}, log = silentLog): NetworkTransport {
  const network = createTransport(log, systemClock, options);
  networks.push(network);
  return network;
}

/** A repository of a registry that has `login`, over a network with its own view of names and addresses. */
export function repositoryOver(network: NetworkTransport, host: string, name = repositoryName): Repository {
  const clock = fakeClock();
  const log = silentLog;
  const transport = retrying(network, { clock, log });
  const credentials = withLogin;
  const registry = new Registry({ registry: host, side: "destination", credentials, transport, clock, log });
  return new Repository(registry, name);
}

/**
 * The world as seen from a runner: 127.0.0.1 stands for the public internet, everything else on this machine for what only
 * the runner reaches. Names lead where the test says.
 */
export function networkWithNames(names: Readonly<Record<string, string>> = {}): TransportOptions {
  const known = new Map(Object.entries(names));
  const lookup: LookupFunction = (hostname, options, callback) => {
    const address = known.get(hostname);
    if (address === undefined) systemLookup(hostname, options, callback);
    else if (options.all === true) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  };
  return { addresses: { lookup, isLocal: (address) => !/^(::ffff:)?127\.0\.0\.1$/.test(address) } };
}
