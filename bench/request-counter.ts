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
  return new ConnectionCounter(counts);
}

class ConnectionCounter implements RequestCounter {
  readonly #counts: MethodCounts;
  #state: State = "head";
  /** The beginning of a head or a line whose end has not come yet. */
  #held: Buffer = Buffer.alloc(0);
  /** Bytes of the body or of the chunk that are still to come. */
  #left = 0;
  #current: MethodCount = { requests: 0, bodyBytes: 0 };

  constructor(counts: MethodCounts) {
    this.#counts = counts;
  }

  feed(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#state !== "lost") {
      const inBody = this.#state === "body" || this.#state === "chunk";
      at = inBody ? this.#takeBody(bytes, at) : this.#takeText(bytes, at);
    }
  }

  #takeBody(bytes: Buffer, at: number): number {
    const taken = Math.min(this.#left, bytes.length - at);
    this.#current.bodyBytes += taken;
    this.#left -= taken;
    if (this.#left === 0) this.#state = this.#state === "chunk" ? "chunk-size" : "head";
    return at + taken;
  }

  #takeText(bytes: Buffer, at: number): number {
    const mark = this.#state === "head" ? "\r\n\r\n" : "\r\n";
    const all =
      this.#held.length === 0 ? bytes.subarray(at) : Buffer.concat([this.#held, bytes.subarray(at)]);
    const end = all.indexOf(mark);
    if (end < 0) {
      this.#held = Buffer.from(all);
      if (all.length > headLimit) this.#lose();
      return bytes.length;
    }
    const next = at + end + mark.length - this.#held.length;
    this.#held = Buffer.alloc(0);
    this.#read(all.toString("latin1", 0, end));
    return next;
  }

  #read(text: string): void {
    if (this.#state === "head") this.#begin(text);
    else if (this.#state === "chunk-size") this.#beginChunk(text);
    // Trailer fields end with an empty line.
    else if (text === "") this.#state = "head";
  }

  #begin(head: string): void {
    const request = parseHead(head);
    if (request === undefined) this.#lose();
    else {
      this.#current = countOf(this.#counts, request.method);
      this.#current.requests += 1;
      this.#left = request.length === "chunked" ? 0 : request.length;
      this.#state = request.length === "chunked" ? "chunk-size" : this.#left > 0 ? "body" : "head";
    }
  }

  #beginChunk(line: string): void {
    // The line break that ends the chunk before comes first, as an empty line.
    if (line === "") return;
    this.#left = Number.parseInt(line, 16);
    if (Number.isNaN(this.#left)) this.#lose();
    else this.#state = this.#left === 0 ? "trailer" : "chunk";
  }

  #lose(): void {
    this.#state = "lost";
    this.#held = Buffer.alloc(0);
    countOf(this.#counts, "?").requests += 1;
  }
}

/** The count of a method, made when it is the first of its kind. */
function countOf(counts: MethodCounts, method: string): MethodCount {
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
