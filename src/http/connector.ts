import type { LookupFunction } from "node:net";
import { buildConnector } from "undici";

/** What the connections of a run need to know of addresses. Tests give rules of their own. */
export interface AddressRules {
  /** Turns a name into addresses, as `dns.lookup` does. */
  readonly lookup: LookupFunction;
  /** Whether an address is not on the public internet. */
  readonly isLocal: (address: string) => boolean;
}

/** Opens the connections of a run and remembers where they led. */
export interface Connectors {
  /** To hosts that the user named, wherever they are. */
  readonly anywhere: buildConnector.connector;
  /** To hosts that a server named: refuses names of local addresses with a LocalAddressError, before a byte is sent. */
  readonly publicOnly: buildConnector.connector;
  /** Whether all connections to this origin so far led to local addresses. False while there was none, as behind a proxy. */
  isLocal(origin: string): boolean;
}

/** A server that is on the public internet named a host that is not. */
export class LocalAddressError extends Error {
  override readonly name = "LocalAddressError";

  constructor(host: string, address: string) {
    const where = host === address ? host : `${host} (${address})`;
    super(`${where} is not on the public internet, and the server that named it is: nothing was sent there`);
  }
}

/** @param timeout time allowed for a connection to come up, in milliseconds. */
export function createConnectors({ lookup, isLocal }: AddressRules, timeout: number): Connectors {
  const localOrigins = new Set<string>();
  const publicOrigins = new Set<string>();
  const options = { allowH2: false, timeout };
  const open = buildConnector({ ...options, lookup });
  const openPublic = buildConnector({ ...options, lookup: publicLookup(lookup, isLocal) });

  /** The address is that of the socket, not of another lookup: a name may lead elsewhere the next time. */
  function remembering(connect: buildConnector.connector): buildConnector.connector {
    return (target, callback) =>
      connect(target, (...result) => {
        const address = result[1]?.remoteAddress;
        if (address !== undefined) (isLocal(address) ? localOrigins : publicOrigins).add(originOf(target));
        callback(...result);
      });
  }

  return {
    anywhere: remembering(open),
    publicOnly: remembering(openPublic),
    isLocal: (origin) => localOrigins.has(origin) && !publicOrigins.has(origin),
  };
}

function originOf({ protocol, host, hostname }: buildConnector.Options): string {
  return `${protocol}//${host ?? hostname}`;
}

/** A lookup that fails if any of the addresses is local: the system may try one after the other. */
function publicLookup(lookup: LookupFunction, isLocal: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, options, (error, found, family) => {
      const addresses = typeof found === "string" ? [found] : (found ?? []).map(({ address }) => address);
      const forbidden = error === null ? addresses.find(isLocal) : undefined;
      if (forbidden === undefined) callback(error, found, family);
      else callback(new LocalAddressError(hostname, forbidden), []);
    });
}
