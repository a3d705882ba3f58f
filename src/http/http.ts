import { Readable } from "node:stream";
import * as v from "valibot";
import { printable } from "../log/log.ts";
import type { AnswerKind } from "./pace.ts";

/** One HTTP request, as every part of the Action makes it: registries, token servers, vendor APIs. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A sequence of chunks can be sent once only, so a request with one is never sent again here. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
  /**
   * The URL at which a server on another origin named this one: for a token server, that of its registry. Such a request does
   * not leave the public internet, unless that server is not there itself. A redirect that is followed needs no such note.
   */
  readonly namedBy?: URL | undefined;
  /** The caller sends it again itself, as it knows how far it got. Default: false. */
  readonly once?: boolean;
  /** What the body of the answer is: a document, which comes at once, or a blob, which takes its time. Default: `document`. */
  readonly answer?: AnswerKind;
  /** `own`: a new connection for this request alone, for links that cut connections after a while. Default: `shared`. */
  readonly connection?: "shared" | "own";
}

/** Whether a request can be sent a second time: a stream is gone once sent. */
export function hasBodyToRepeat({ body }: { readonly body?: HttpRequest["body"] | undefined }): boolean {
  return body === undefined || typeof body === "string" || body instanceof Uint8Array;
}

export interface HttpResponse {
  readonly status: number;
  /** URL that answered, after redirects. */
  readonly url: URL;
  /** A header by its lower-case name; of several with one name, the first. */
  header(name: string): string | undefined;
  /** All headers of one name. */
  headers(name: string): readonly string[];
  /** The body. Read it to its end or destroy it, else its connection stays taken. */
  readonly body: Readable;
  /** All of the body, where it has been read to its end already. `body` gives it, too. */
  readonly whole?: Buffer;
}

/** The answer once its body has been read: whoever is next reads it from memory. */
export function readAlready(response: HttpResponse, whole: Buffer): HttpResponse {
  return new ReadAnswer(response, whole);
}

class ReadAnswer implements HttpResponse {
  readonly status: number;
  readonly url: URL;
  readonly whole: Buffer;
  readonly #response: HttpResponse;

  constructor(response: HttpResponse, whole: Buffer) {
    this.status = response.status;
    this.url = response.url;
    this.whole = whole;
    this.#response = response;
  }

  header(name: string): string | undefined {
    return this.#response.header(name);
  }

  headers(name: string): readonly string[] {
    return this.#response.headers(name);
  }

  get body(): Readable {
    return Readable.from([this.whole], { objectMode: false });
  }
}

/**
 * Sends requests. Throws on a broken connection; every HTTP status is an answer, but for that of a redirect.
 *
 * A redirect on the same origin is followed with the same request, if its body can be sent again. A redirect to another
 * origin is followed for GET and HEAD only, and without the login; one from https to http is not. Where a redirect is not
 * followed, it throws, and the error has the address.
 */
export interface Transport {
  send(request: HttpRequest): Promise<HttpResponse>;
}

/** A body was larger than the reader allows, or is not what it should be. */
export class BodyError extends Error {
  override readonly name = "BodyError";
}

/**
 * Reads a whole body into memory.
 * @param limit largest size in bytes; no memory is reserved by the length that the server claims.
 * @throws BodyError when the body is larger.
 */
export async function readBytes(
  response: Pick<HttpResponse, "body" | "whole">,
  limit: number,
): Promise<Buffer> {
  const { whole } = response;
  if (whole !== undefined && whole.length <= limit) return whole;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) {
      response.body.destroy();
      throw new BodyError(`the answer is larger than ${limit} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/**
 * Reads a JSON body and checks it.
 * @throws BodyError when it is too large, no JSON, or not of the schema.
 */
export async function readJson<T>(
  response: HttpResponse,
  schema: v.GenericSchema<unknown, T>,
  limit: number,
): Promise<T> {
  const bytes = await readBytes(response, limit);
  return parseJson(bytes.toString("utf8"), schema);
}

/**
 * Checks JSON text against a schema.
 * @param subject what the text is, for the message: an answer, unless it came from elsewhere.
 * @throws BodyError when it is no JSON, or not of the schema.
 */
export function parseJson<T>(text: string, schema: v.GenericSchema<unknown, T>, subject = "the answer"): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BodyError(`${subject} is not JSON`);
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  // Both the path and the message of the schema quote the text: keys, and values of an unexpected type.
  const where = printable(`${v.getDotPath(issue) ?? "top level"}: ${issue.message}`);
  throw new BodyError(`${subject} is not of the expected form (${where})`);
}

/** Most bytes that are read of a body only to free its connection. For more, closing the connection costs less. */
const discardLimit = 64 * 1024;

/** Frees the connection of a response whose body is of no interest. */
export async function discard(response: HttpResponse): Promise<void> {
  await readBytes(response, discardLimit).catch(() => response.body.destroy());
}
