import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import type { Clock } from "../clock.ts";

/** How fast the body of an answer has to arrive. */
export interface Pace {
  /** Milliseconds within which the body has to end, or to bring `least` further bytes. */
  readonly within: number;
  /** Bytes that make it worth going on for as long again. Undefined: the whole body has to be there in time. */
  readonly least?: number;
}

/** What the body of an answer can be; each has a pace of its own. */
export type AnswerKind = "document" | "blob";

/**
 * A limit on silence alone lets a server hold a request for ever, by a byte now and then. So:
 * - a document (a token, a manifest, a page of tags) has a minute in all. Documents have kilobytes; the largest manifest that
 *   is read, of 8 MiB, needs 1.1 megabits a second for that;
 * - a blob has no limit in all, but brings 64 KiB a minute on each connection: a thousandth of what a usable link gives even
 *   when sixteen connections share it. With less, a layer of 100 MB would take longer than the six hours that a job may run.
 */
export const defaultPaces: Readonly<Record<AnswerKind, Pace>> = {
  document: { within: 60_000 },
  blob: { within: 60_000, least: 64 * 1024 },
};

/** An answer's body came too slowly. Counts as a broken connection: another one may be better. */
export class SlowBody extends Error {
  override readonly name = "SlowBody";
  readonly code = "SLOW_BODY";

  constructor(bytes: number, within: number) {
    super(`the answer came too slowly: ${bytes} bytes in ${within / 1000} s`);
  }
}

/** Ends requests whose answer comes too slowly. Time in which the reader takes nothing does not count. */
export function paced(pace: Pace, clock: Clock): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => dispatch(options, new PacedHandler(handler, pace, clock));
}

type Handler = Dispatcher.DispatchHandler;
type Controller = Dispatcher.DispatchController;

/** Passes everything on, and counts the bytes. */
class PacedHandler implements Handler {
  readonly #handler: Handler;
  readonly #pace: Pace;
  readonly #clock: Clock;
  #bytes = 0;
  #stopWatching = (): void => undefined;

  constructor(handler: Handler, pace: Pace, clock: Clock) {
    this.#handler = handler;
    this.#pace = pace;
    this.#clock = clock;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#handler.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    this.#handler.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    message?: string,
  ): void {
    // A 1xx only announces the answer.
    if (status >= 200) this.#watch(controller);
    this.#handler.onResponseStart?.(controller, status, headers, message);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    this.#stopWatching();
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Controller, error: Error): void {
    this.#stopWatching();
    this.#handler.onResponseError?.(controller, error);
  }

  onBodySent(chunk: Buffer): void {
    this.#handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.();
  }

  #watch(controller: Controller): void {
    const { within, least = Number.POSITIVE_INFINITY } = this.#pace;
    let before = this.#bytes;
    this.#stopWatching = this.#clock.every(within, () => {
      const moved = this.#bytes - before;
      before = this.#bytes;
      if (moved < least && !controller.paused) controller.abort(new SlowBody(moved, within));
    });
  }
}
