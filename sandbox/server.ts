/**
 * The base of every stand-in: an HTTP/1.1 server on a free loopback port that records what it was asked, counts bytes
 * and requests in flight, and breaks on command. Handlers are functions from a request to an answer.
 */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Effects, type FaultRule, type FaultTarget, faultScript, spoiled } from "./faults.ts";

export type { FaultAction, FaultRule } from "./faults.ts";

/** A request as it was seen, in order of arrival. */
export interface RecordedRequest {
  readonly method: string;
  /** Path with the query, as received. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** 0 while there is no answer, and for good if the socket was destroyed first. */
  readonly status: number;
  /** Bytes of the request's body that the handler read. */
  readonly bytesIn: number;
  /** Bytes of the answer's body that were written. */
  readonly bytesOut: number;
}

export interface SandboxRequest extends FaultTarget {
  readonly url: URL;
  /** Yields the body as it arrives; throws when the client goes away before its end. */
  readonly body: AsyncIterable<Buffer>;
}

export interface Answer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  /** Also given for HEAD, where only its length is sent. */
  readonly body?: Uint8Array | string;
}

export type Handler = (request: SandboxRequest) => Answer | Promise<Answer>;

export interface SandboxServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly requests: readonly RecordedRequest[];
  /** Most requests that were in flight at the same time, since the start or `clearRequests`. */
  readonly peakRequests: number;
  clearRequests(): void;
  /** From now on keeps every byte that clients send: also the bodies of requests that are answered without being read. */
  recordBytes(): void;
  /** What clients have sent since `recordBytes`, head and body as they were on the wire, for each connection. */
  readonly received: readonly Buffer[];
  fault(rule: FaultRule): void;
  clearFaults(): void;
  /** Destroys open sockets too. */
  close(): Promise<void>;
}

type MutableRecord = { -readonly [Key in keyof RecordedRequest]: RecordedRequest[Key] };

/** Thrown by a handler that wants the connection destroyed without an answer. */
export class ConnectionCut extends Error {
  override readonly name = "ConnectionCut";
}

/** Destroys the connection in the middle of things, on purpose. */
class ScriptedReset extends Error {
  override readonly name = "ScriptedReset";
}

/** Longer than any pause of a client in a test: a server that closes an idle connection first looks like a fault. */
const keepAliveMs = 60_000;

/** Starts a server on a free port of 127.0.0.1. */
export async function startServer(handler: Handler): Promise<SandboxServer> {
  const faults = faultScript();
  const requests: MutableRecord[] = [];
  const load = { now: 0, peak: 0 };
  const server = createServer({ keepAliveTimeout: keepAliveMs, requestTimeout: 0 }, (incoming, response) => {
    const record: MutableRecord = {
      method: incoming.method ?? "",
      path: incoming.url ?? "",
      headers: incoming.headers,
      status: 0,
      bytesIn: 0,
      bytesOut: 0,
    };
    requests.push(record);
    load.now += 1;
    load.peak = Math.max(load.peak, load.now);
    response.once("close", () => {
      load.now -= 1;
    });
    void serve(handler, faults.effectsOn(record), record, incoming, response);
  });
  const connections: Buffer[][] = [];
  const recordBytes = () => {
    server.on("connection", (socket) => {
      const pieces: Buffer[] = [];
      connections.push(pieces);
      socket.on("data", (piece) => pieces.push(piece));
    });
  };
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    origin: `http://${host}`,
    host,
    requests,
    get peakRequests() {
      return load.peak;
    },
    clearRequests: () => {
      requests.length = 0;
      load.peak = load.now;
    },
    recordBytes,
    get received() {
      return connections.map((pieces) => Buffer.concat(pieces));
    },
    fault: faults.add,
    clearFaults: faults.clear,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function serve(
  handler: Handler,
  effects: Effects,
  record: MutableRecord,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = requestBody(incoming, effects, record);
  try {
    await effects.run?.(record);
    if (effects.delayMs !== undefined) await delay(effects.delayMs, undefined, { ref: false });
    if (effects.hang) return;
    if (effects.reset) throw new ScriptedReset("before the handler");
    const url = new URL(record.path, `http://${record.headers.host ?? "sandbox"}`);
    const { method, path, headers } = record;
    if (effects.afterBody) for await (const _chunk of body);
    const answer = effects.answer ?? (await handler({ method, path, headers, url, body }));
    if (effects.loseAnswer) throw new ScriptedReset("after the handler");
    await send(answer, effects, record, response);
  } catch (thrown) {
    // A client that went away while its body was read needs no answer; anything else is a mistake of the sandbox
    // and has to be seen, as an answer that no service would give.
    const left = incoming.errored !== null && !incoming.complete;
    const isMeant = thrown instanceof ScriptedReset || thrown instanceof ConnectionCut;
    // Not the response: while the one before it on the same connection is being written out it has no socket to destroy,
    // and the client would wait for ever.
    if (isMeant || left || response.headersSent) incoming.socket.destroy();
    else response.writeHead(500, { "content-type": "text/plain" }).end(`sandbox: ${String(thrown)}`);
  }
}

async function* requestBody(
  incoming: IncomingMessage,
  effects: Effects,
  record: MutableRecord,
): AsyncGenerator<Buffer> {
  const limit = effects.resetRequestAfter ?? Number.POSITIVE_INFINITY;
  if (limit === 0) throw new ScriptedReset("before the request's body");
  // Kept open when the handler stops reading: it may answer 413 to a body that is too large.
  const chunks = incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  for await (const chunk of chunks) {
    const kept = record.bytesIn + chunk.length < limit ? chunk : chunk.subarray(0, limit - record.bytesIn);
    record.bytesIn += kept.length;
    yield kept;
    if (record.bytesIn >= limit) throw new ScriptedReset("in the request's body");
    if (effects.requestBytesPerSecond !== undefined)
      await delay((kept.length * 1000) / effects.requestBytesPerSecond);
  }
}

async function send(
  answer: Answer,
  effects: Effects,
  record: MutableRecord,
  response: ServerResponse,
): Promise<void> {
  const right = bufferOf(effects.rewriteBody?.(bufferOf(answer.body)) ?? answer.body);
  const body = effects.spoilBody ? spoiled(right) : right;
  const changed = Object.entries({ ...answer.headers, ...effects.replaceHeaders });
  const headers: OutgoingHttpHeaders = Object.fromEntries(changed.filter(([, value]) => value !== ""));
  // RFC 9110, section 8.6: no Content-Length in an answer of status 204.
  const hasLength = answer.status !== 204 && effects.endBodyAfter === undefined;
  if (hasLength && headers["content-length"] === undefined) headers["content-length"] = body.length;
  record.status = answer.status;
  response.writeHead(answer.status, headers);
  if (record.method === "HEAD" || answer.status === 204) {
    response.end();
    return;
  }
  const end = Math.min(
    body.length,
    effects.cutBodyAfter ?? body.length,
    effects.stallBodyAfter ?? body.length,
    effects.endBodyAfter ?? body.length,
  );
  await write(body.subarray(0, end), effects.bytesPerSecond, record, response);
  if (effects.cutBodyAfter !== undefined) {
    // Once the bytes are written out: destroying at once would throw away what was meant to arrive.
    response.socket?.destroySoon();
  } else if (effects.stallBodyAfter === undefined) {
    response.end();
  }
}

/** The body as a Buffer, without a copy of its bytes. */
function bufferOf(body: Uint8Array | string | undefined): Buffer {
  if (typeof body === "string") return Buffer.from(body);
  if (body === undefined) return Buffer.alloc(0);
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

/** How often a slowed-down body gets its share, per second: fine enough to be smooth, coarse enough for timers. */
const ticksPerSecond = 20;

async function write(
  body: Buffer,
  bytesPerSecond: number | undefined,
  record: MutableRecord,
  response: ServerResponse,
): Promise<void> {
  // Pieces, so that `bytesOut` counts what the client took and not what was handed over in one go.
  const piece =
    bytesPerSecond === undefined ? 1024 * 1024 : Math.max(1, Math.floor(bytesPerSecond / ticksPerSecond));
  if (body.length === 0) response.flushHeaders();
  for (let at = 0; at < body.length && !response.destroyed; at += piece) {
    const part = body.subarray(at, at + piece);
    const flowing = response.write(part);
    record.bytesOut += part.length;
    if (bytesPerSecond !== undefined) await delay(1000 / ticksPerSecond);
    if (!flowing && response.writableNeedDrain) await drained(response);
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.once("drain", done).once("close", done);
  });
}

/** Thrown by `readBody` when a body is larger than allowed. */
export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

/**
 * Reads a request's body into memory.
 * @param limit in bytes.
 * @throws BodyTooLarge beyond the limit.
 */
export async function readBody(request: SandboxRequest, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.length;
    if (size > limit) throw new BodyTooLarge(`more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** An answer with a JSON body. */
export function json(status: number, value: unknown, headers: OutgoingHttpHeaders = {}): Answer {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) };
}

/** User name and password of a Basic `Authorization` header (RFC 7617), or undefined. */
export function basicLogin(headers: IncomingHttpHeaders): { username: string; password: string } | undefined {
  const [scheme = "", encoded = ""] = (headers.authorization ?? "").split(" ");
  if (scheme.toLowerCase() !== "basic") return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The token of a Bearer `Authorization` header (RFC 6750), or undefined. */
export function bearerToken(headers: IncomingHttpHeaders): string | undefined {
  const [scheme = "", token = ""] = (headers.authorization ?? "").split(" ");
  return scheme.toLowerCase() === "bearer" && token !== "" ? token : undefined;
}

/** Adds properties to an object that is already in use, getters as getters: a copy of `peakRequests` would stand still. */
export function extend<Base extends object, More extends object>(
  base: Base,
  more: More,
): Omit<Base, keyof More> & More {
  const extended: object = Object.defineProperties(base, Object.getOwnPropertyDescriptors(more));
  return extended as Omit<Base, keyof More> & More;
}
