import { isIPv4 } from "node:net";
import type { Clock } from "../clock.ts";
import { messageOf, OperationError } from "../errors.ts";
import { isLocalAddress } from "../http/addresses.ts";
import { readBytes, type Transport } from "../http/http.ts";
import { type Log, printable } from "../log/log.ts";

/** Where the runner's public addresses come from. */
export interface EgressInput {
  /** Addresses and networks in CIDR notation. */
  readonly blocks: readonly string[];
  /** Services that answer with the caller's address; undefined: the usual ones. */
  readonly services: readonly URL[] | undefined;
}

/**
 * Services that answer with the caller's address, over IPv4 only, as TCR's allowlist needs it. Tencent Cloud tells a caller its
 * address by no action and in no error, and a closed instance does not answer at all. Several services are asked because one
 * may be down, and because a runner may be seen under more than one address.
 */
const usualServices: readonly URL[] = [
  new URL("https://checkip.amazonaws.com/"),
  new URL("https://api.ipify.org/"),
  new URL("https://ipv4.icanhazip.com/"),
];

/** Time for one service to answer, in milliseconds. */
const answerTime = 10_000;

/** Largest answer that is read, in bytes. An address has at most 15, and a line end. */
const answerLimit = 256;

/** The networks that the runner is seen from, in CIDR notation. */
export type Egress = (signal: AbortSignal) => Promise<readonly string[]>;

/**
 * The addresses that the runner is seen under: those that the user gave, and those that the services say.
 * @param transport tries once: another service is as good as another try.
 */
export function createEgress(input: EgressInput, transport: Transport, clock: Clock, log: Log): Egress {
  const services = input.services ?? (input.blocks.length > 0 ? [] : usualServices);
  return async (signal) => {
    const answers = await Promise.all(services.map((url) => askAddress(url, transport, clock, log, signal)));
    const found = answers.flatMap((address) => (address === undefined ? [] : [`${address}/32`]));
    const blocks = [...new Set([...input.blocks, ...found])];
    if (blocks.length > 0) return blocks;
    throw new OperationError({
      side: "destination",
      host: services.map(({ host }) => host).join(", "),
      operation: "asking for the address that this runner is seen under",
      problem: "no service gave one",
      advice: "Give the addresses in `tcr-egress`.",
      temporary: true,
    });
  };
}

/** What one service says; undefined where it says nothing usable. */
async function askAddress(
  url: URL,
  transport: Transport,
  clock: Clock,
  log: Log,
  signal: AbortSignal,
): Promise<string | undefined> {
  const until = AbortSignal.any([signal, clock.timeout(answerTime)]);
  try {
    const response = await transport.send({ method: "GET", url, signal: until, once: true });
    const text = (await readBytes(response, answerLimit)).toString("utf8").trim();
    // Never a private address, nor a text that would become a network: the service may belong to somebody else by now.
    if (response.status === 200 && isIPv4(text) && !isLocalAddress(text)) return text;
    log.debug(`${url.host} answered ${response.status} "${printable(text, 60)}" instead of an address`);
  } catch (error) {
    signal.throwIfAborted();
    log.debug(`${url.host} gave no address: ${printable(messageOf(error))}`);
  }
  return undefined;
}
