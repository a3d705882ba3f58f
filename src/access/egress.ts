import { isIPv4 } from "node:net";
import { messageOf, OperationError } from "../errors.ts";
import { isLocalAddress } from "../http/addresses.ts";
import { readBytes, type Transport } from "../http/http.ts";
import { type Log, printable } from "../log/log.ts";

/** Where the addresses that the runner is seen under come from. */
export interface EgressInput {
  /** Addresses and networks in CIDR notation. */
  readonly blocks: readonly string[];
  /** Services that answer with the address of who asks; undefined: the usual ones. */
  readonly services: readonly URL[] | undefined;
}

/**
 * Services that answer with the address of who asks, over IPv4 only, as TCR's allowlist has it. No action of Tencent Cloud
 * tells a caller the address, nor is one in any of its errors, and a closed instance does not answer at all. Several are
 * asked because one may be down, and because a runner may be seen under more than one address.
 */
const usualServices: readonly URL[] = [
  new URL("https://checkip.amazonaws.com/"),
  new URL("https://api.ipify.org/"),
  new URL("https://ipv4.icanhazip.com/"),
];

/** Time for one service to answer, in milliseconds. */
const answerTime = 10_000;

/** Largest answer that is read, in bytes: an address has 15 at most, and a line end. */
const answerLimit = 256;

/** The networks that the runner is seen from, in CIDR notation. */
export type Egress = (signal: AbortSignal) => Promise<readonly string[]>;

/**
 * The addresses that the runner is seen under: those that the user gave, and those that the services say.
 * @param transport tries once: another service is as good as another try.
 */
export function createEgress(input: EgressInput, transport: Transport, log: Log): Egress {
  const services = input.services ?? (input.blocks.length > 0 ? [] : usualServices);
  return async (signal) => {
    const answers = await Promise.all(services.map((url) => askAddress(url, transport, log, signal)));
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
  log: Log,
  signal: AbortSignal,
): Promise<string | undefined> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(answerTime)]);
  try {
    const response = await transport.send({ method: "GET", url, signal: until, once: true });
    const text = (await readBytes(response, answerLimit)).toString("utf8").trim();
    // Never a private address, nor a text that would become a network: a service may be somebody else's by now.
    if (response.status === 200 && isIPv4(text) && !isLocalAddress(text)) return text;
    log.debug(`${url.host} answered ${response.status} "${printable(text, 60)}" instead of an address`);
  } catch (error) {
    signal.throwIfAborted();
    log.debug(`${url.host} gave no address: ${printable(messageOf(error))}`);
  }
  return undefined;
}
