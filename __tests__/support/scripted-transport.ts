import { Readable } from "node:stream";
import type { HttpRequest, HttpResponse, Transport } from "../../src/http/http.ts";

/** A request as it was sent. */
export interface SentRequest {
  readonly method: HttpRequest["method"];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty for a request without a body. Streams are not read. */
  readonly body: string;
}

export interface ScriptedAnswer {
  /** 200 when left out. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string;
}

/** An answer, or an error that stands for a broken connection. */
export type Scripted = ScriptedAnswer | Error;

/** `METHOD URL` and what is answered to it. */
export type Exchange = readonly [expected: string, answer: Scripted | ((request: SentRequest) => Scripted)];

export interface ScriptedTransport extends Transport {
  readonly sent: readonly SentRequest[];
  /** Throws when a request came that was not expected, or an expected one did not: call it at the end of a test. */
  finish(): void;
}

/** A transport that expects exactly these requests, in this order. */
export function scriptedTransport(...exchanges: readonly Exchange[]): ScriptedTransport {
  const remaining = [...exchanges];
  const transport = routedTransport((request) => {
    const [expected, answer] = remaining.shift() ?? ["no more requests", undefined];
    const actual = `${request.method} ${request.url}`;
    if (answer === undefined || expected !== actual) throw new Error(`expected ${expected}, got ${actual}`);
    return typeof answer === "function" ? answer(request) : answer;
  });
  return {
    ...transport,
    finish: () => {
      transport.finish();
      if (remaining.length > 0)
        throw new Error(`not sent: ${remaining.map(([expected]) => expected).join(", ")}`);
    },
  };
}

/** A transport that answers as a function says; what the function throws is an unexpected request. */
export function routedTransport(answerTo: (request: SentRequest) => Scripted): ScriptedTransport {
  const sent: SentRequest[] = [];
  const unexpected: unknown[] = [];

  async function send(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    const seen = sentRequest(request);
    sent.push(seen);
    const answer = await attempt(() => answerTo(seen), unexpected);
    if (answer instanceof Error) throw answer;
    return responseOf(answer, request.url);
  }

  return {
    send,
    sent,
    finish: () => {
      if (unexpected.length > 0) throw unexpected[0];
    },
  };
}

/** Remembers an error besides throwing it: the code under test may turn what it catches into a result. */
async function attempt<T>(answer: () => T, unexpected: unknown[]): Promise<T> {
  try {
    return answer();
  } catch (error) {
    unexpected.push(error);
    throw error;
  }
}

function sentRequest(request: HttpRequest): SentRequest {
  const { body } = request;
  const text =
    typeof body === "string" ? body : body instanceof Uint8Array ? Buffer.from(body).toString() : "";
  return { method: request.method, url: request.url.href, headers: request.headers ?? {}, body: text };
}

function responseOf(answer: ScriptedAnswer, url: URL): HttpResponse {
  const headers = new Map(Object.entries(answer.headers ?? {}));
  const text = answer.json === undefined ? (answer.body ?? "") : JSON.stringify(answer.json);
  return {
    status: answer.status ?? 200,
    url,
    header: (name) => headers.get(name),
    headers: (name) => [headers.get(name) ?? []].flat(),
    body: Readable.from(text === "" ? [] : [Buffer.from(text)]),
  };
}
