/**
 * Counts the requests of an HTTP/1.1 connection from the bytes that the client sends, without touching them. Only what
 * is needed to find the next request is read: the request line, `Content-Length` and `Transfer-Encoding`
 * (https://www.rfc-editor.org/rfc/rfc9112#section-6.3).
 */

/** What one method came to. */
export interface MethodCount {
  requests: number;
  /** Bytes of bodies, without the framing of chunks. */
  bodyBytes: number;
}

export type MethodCounts = Record<string, MethodCount>;

export interface RequestCounter {
  /** Takes the next bytes of the connection, in order. */
  feed(bytes: Buffer): void;
}

/** Longest request head that is waited for. Node and Go refuse to read longer ones than 16 KiB and 1 MiB. */
const headLimit = 1024 * 1024;

/** Where in a message the next byte belongs. `lost`: not HTTP/1.1, nothing more is counted. */
type State = "head" | "body" | "chunk-size" | "chunk" | "trailer" | "lost";

/** Counts one connection into `counts`. A stream that is no HTTP/1.1 is counted once, under `?`. */
export function createRequestCounter(counts: MethodCounts): RequestCounter {
  let state: State = "head";
  let held: Buffer = Buffer.alloc(0);
  let left = 0;
  let current: MethodCount = { requests: 0, bodyBytes: 0 };

  /** The text up to an end mark from `at`; undefined while it is not complete, with what there is kept for later. */
  const textUntil = (bytes: Buffer, at: number, mark: string): { text: string; next: number } | undefined => {
    const all = held.length === 0 ? bytes.subarray(at) : Buffer.concat([held, bytes.subarray(at)]);
    const end = all.indexOf(mark);
    if (end < 0) {
      held = Buffer.from(all);
      if (held.length > headLimit) lose();
      return undefined;
    }
    const next = at + end + mark.length - held.length;
    held = Buffer.alloc(0);
    return { text: all.toString("latin1", 0, end), next };
  };

  const lose = () => {
    state = "lost";
    held = Buffer.alloc(0);
    countOf(counts, "?").requests += 1;
  };

  const begin = (head: string) => {
    const request = parseHead(head);
    if (request === undefined) return lose();
    current = countOf(counts, request.method);
    current.requests += 1;
    left = request.length === "chunked" ? 0 : request.length;
    state = request.length === "chunked" ? "chunk-size" : left > 0 ? "body" : "head";
  };

  const beginChunk = (line: string) => {
    // The line break that ends the chunk before comes first, as an empty line.
    if (line === "") return;
    left = Number.parseInt(line, 16);
    if (Number.isNaN(left)) return lose();
    state = left === 0 ? "trailer" : "chunk";
  };

  const takeBody = (bytes: Buffer, at: number): number => {
    const taken = Math.min(left, bytes.length - at);
    current.bodyBytes += taken;
    left -= taken;
    if (left === 0) state = state === "chunk" ? "chunk-size" : "head";
    return at + taken;
  };

  const takeText = (bytes: Buffer, at: number): number => {
    const found = textUntil(bytes, at, state === "head" ? "\r\n\r\n" : "\r\n");
    if (found === undefined) return bytes.length;
    if (state === "head") begin(found.text);
    else if (state === "chunk-size") beginChunk(found.text);
    // Trailer fields end with an empty line.
    else if (found.text === "") state = "head";
    return found.next;
  };

  return {
    feed(bytes) {
      let at = 0;
      while (at < bytes.length && state !== "lost") {
        at = state === "body" || state === "chunk" ? takeBody(bytes, at) : takeText(bytes, at);
      }
    },
  };
}

/** The count of a method, made when it is the first of its kind. */
export function countOf(counts: MethodCounts, method: string): MethodCount {
  const found = counts[method];
  if (found !== undefined) return found;
  const made = { requests: 0, bodyBytes: 0 };
  counts[method] = made;
  return made;
}

function parseHead(head: string): { method: string; length: number | "chunked" } | undefined {
  const method = /^(?:\r\n)*([A-Z]+) [^ ]+ HTTP\/1\.1\r?$/m.exec(head)?.[1];
  if (method === undefined) return undefined;
  if (/\r\ntransfer-encoding:[^\r]*chunked/i.test(head)) return { method, length: "chunked" };
  return { method, length: Number(/\r\ncontent-length:[ \t]*([0-9]+)/i.exec(head)?.[1] ?? 0) };
}
