/**
 * Faults, scripted from outside: which requests they hit, how often, and what happens to them. They wrap every handler
 * of every stand-in, so a test needs no knowledge of the service to break it.
 */
import type { IncomingHttpHeaders } from "node:http";

/** What goes wrong. Several rules may hit one request; their actions then work together. */
export type FaultAction =
  /** Answers in place of the handler, which never sees the request. */
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      /** Reads the request's body to its end first. Default: answers at once. */
      readonly afterBody?: boolean;
      /** A function makes it from the request: an answer that repeats what it was sent. */
      readonly body?: string | Uint8Array | ((request: FaultTarget) => string);
    }
  /** Destroys the socket before the handler sees the request. */
  | { readonly reset: true }
  /** The handler does its work, then the socket is destroyed: done, but the client cannot know. */
  | { readonly loseAnswer: true }
  /** The answer's head promises the whole body; the socket is destroyed after so many bytes of it. */
  | { readonly cutBodyAfter: number }
  /** Destroys the socket once so many bytes of the request's body were read. */
  | { readonly resetRequestAfter: number }
  /** Sends so many bytes of the answer's body and then nothing, for ever. */
  | { readonly stallBodyAfter: number }
  /** The answer's body ends cleanly after so many bytes, without a word of its true length. */
  | { readonly endBodyAfter: number }
  /** Never answers, and keeps the connection. */
  | { readonly hang: true }
  /** Headers that replace those of the handler's answer; an empty value takes one away. */
  | { readonly replaceHeaders: Readonly<Record<string, string>> }
  /** Makes another body of the handler's. */
  | { readonly rewriteBody: (body: Buffer) => string | Uint8Array }
  /** Waits so many milliseconds, then goes on normally. */
  | { readonly delayMs: number }
  /** The answer's body keeps its length, but every byte is another. */
  | { readonly spoilBody: true }
  /** Slows down the answer's body. */
  | { readonly bytesPerSecond: number }
  /** Slows down the reading of the request's body. */
  | { readonly requestBytesPerSecond: number }
  /** Does something when the request arrives (moves a tag, kills a process), then goes on normally. */
  | { readonly run: (request: FaultTarget) => void | Promise<void> };

/** What a rule looks at. */
export interface FaultTarget {
  readonly method: string;
  /** Path with the query, as received. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface FaultRule {
  readonly when: {
    readonly method?: string | readonly string[];
    /** Tested against the path with its query. */
    readonly path?: RegExp;
    /** Name in lower case. Without `value`, any value. */
    readonly header?: { readonly name: string; readonly value?: RegExp };
  };
  /** How many matching requests are hit; `Infinity` for all of them. Default: 1. */
  readonly times?: number;
  /** How many matching requests pass unharmed first. Default: 0. */
  readonly skip?: number;
  readonly effect: FaultAction;
}

/** The actions for one request, each kind at most once: of two rules with the same kind, the earlier rule wins. */
export interface Effects {
  readonly answer?: { status: number; headers: Readonly<Record<string, string>>; body: string | Uint8Array };
  readonly afterBody?: boolean;
  readonly reset?: boolean;
  readonly loseAnswer?: boolean;
  readonly cutBodyAfter?: number;
  readonly resetRequestAfter?: number;
  readonly stallBodyAfter?: number;
  readonly endBodyAfter?: number;
  readonly hang?: boolean;
  readonly replaceHeaders?: Readonly<Record<string, string>>;
  readonly rewriteBody?: (body: Buffer) => string | Uint8Array;
  readonly delayMs?: number;
  readonly spoilBody?: boolean;
  readonly bytesPerSecond?: number;
  readonly requestBytesPerSecond?: number;
  readonly run?: (request: FaultTarget) => void | Promise<void>;
}

/** The fault script of one server. */
export interface FaultScript {
  add(rule: FaultRule): void;
  clear(): void;
  /** The effects on a request that has just arrived. Counts the rules down. */
  effectsOn(request: FaultTarget): Effects;
}

export function faultScript(): FaultScript {
  const rules: { rule: FaultRule; skip: number; times: number }[] = [];
  return {
    add: (rule) => {
      rules.push({ rule, skip: rule.skip ?? 0, times: rule.times ?? 1 });
    },
    clear: () => {
      rules.length = 0;
    },
    effectsOn: (request) => {
      let effects: Effects = {};
      for (const counted of rules) {
        if (counted.times <= 0 || !matches(counted.rule.when, request)) continue;
        if (counted.skip > 0) {
          counted.skip -= 1;
          continue;
        }
        counted.times -= 1;
        effects = { ...effectOf(counted.rule.effect, request), ...effects };
      }
      return effects;
    },
  };
}

function matches(when: FaultRule["when"], request: FaultTarget): boolean {
  const methods = typeof when.method === "string" ? [when.method] : when.method;
  if (methods !== undefined && !methods.includes(request.method)) return false;
  if (when.path !== undefined && request.path.search(when.path) < 0) return false;
  if (when.header === undefined) return true;
  const value = request.headers[when.header.name];
  if (value === undefined) return false;
  return when.header.value === undefined || String(value).search(when.header.value) >= 0;
}

function effectOf(action: FaultAction, request: FaultTarget): Effects {
  if (!("status" in action)) return action;
  const { status, headers = {}, body = "", afterBody = false } = action;
  return {
    afterBody,
    answer: { status, headers, body: typeof body === "function" ? body(request) : body },
  };
}

/** The same number of bytes, none of them right. */
export function spoiled(body: Buffer): Buffer {
  const other = Buffer.allocUnsafe(body.length);
  for (let index = 0; index < body.length; index += 1) other[index] = (body[index] ?? 0) ^ 0xff;
  return other;
}
