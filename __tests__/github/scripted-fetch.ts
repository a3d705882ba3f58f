import { Response } from "undici";
import type { Fetch } from "../../src/github/client.ts";

export interface SentRequest {
  readonly method: string;
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** Text as it is, bytes as they are, anything else as JSON. */
  readonly body?: unknown;
}

/** A fetch that gives these answers in order and keeps what it was asked. An Error in their place is thrown. */
export function scriptedFetch(...answers: readonly (ScriptedAnswer | Error)[]): {
  readonly fetch: Fetch;
  readonly requests: readonly SentRequest[];
} {
  const requests: SentRequest[] = [];
  const fetch: Fetch = (input, init) => {
    const answer = answers[requests.length];
    requests.push({
      method: init?.method ?? "GET",
      url: new URL(String(input)),
      headers: Object.fromEntries(new Headers(init?.headers as Record<string, string>)),
    });
    if (answer === undefined) return Promise.reject(new Error(`nothing scripted for ${String(input)}`));
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(responseOf(answer));
  };
  return { fetch, requests };
}

function responseOf({ status = 200, headers = {}, body }: ScriptedAnswer): Response {
  const raw = typeof body === "string" || body instanceof Uint8Array;
  const type = { "content-type": "application/json; charset=utf-8" };
  return new Response(raw ? body : JSON.stringify(body), { status, headers: { ...type, ...headers } });
}
