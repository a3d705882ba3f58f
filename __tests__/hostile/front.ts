import { type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import { buffer } from "node:stream/consumers";
import { type HostileServer, hostileServer, type SeenRequest } from "./servers.ts";

/** An answer on its way to the client. */
export interface PassingAnswer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** What a hostile front makes of an answer; undefined: as it is. */
export type Tamper = (request: SeenRequest, answer: PassingAnswer) => Partial<PassingAnswer> | undefined;

/**
 * A registry that works and lies: every request goes through to a sound registry, every answer comes back tampered with. So
 * what it really holds can be looked at afterwards.
 */
export function frontOf(registry: { readonly origin: string }, tamper: Tamper): Promise<HostileServer> {
  return hostileServer((incoming, response) => {
    const { method = "", url: path = "", headers } = incoming;
    const passed = request(new URL(path, registry.origin), { method, headers }, (answer) => {
      void pass(answer, { method, path, headers }, tamper).then(({ status, headers: head, body }) => {
        const sized = status === 204 ? head : { "content-length": body.length, ...head };
        response.writeHead(status, sized).end(method === "HEAD" || status === 204 ? undefined : body);
      });
    });
    passed.on("error", () => response.destroy());
    incoming.on("error", () => passed.destroy()).pipe(passed);
  });
}

async function pass(answer: IncomingMessage, seen: SeenRequest, tamper: Tamper): Promise<PassingAnswer> {
  const body = await buffer(answer);
  // What belongs to the connection, and the length, which the body may no longer have; a HEAD's stays.
  const {
    connection: _connection,
    "transfer-encoding": _encoding,
    "content-length": length,
    ...headers
  } = answer.headers;
  const head = seen.method === "HEAD" && length !== undefined ? { "content-length": length } : {};
  const passing = { status: answer.statusCode ?? 502, headers: { ...headers, ...head }, body };
  return { ...passing, ...tamper(seen, passing) };
}
