import type { Clock } from "../clock.ts";
import { type Paint, plainPaint } from "./paint.ts";
import { withoutSecrets } from "./secrets.ts";

/** Where a run tells what it does. An argument everywhere, so that tests read it and nothing else prints. */
export interface Log {
  info(message: string): void;
  /** Shown only with `ACTIONS_STEP_DEBUG`, and written nowhere without. */
  debug(message: string): void;
  /** A line in the log and an annotation on the run. */
  warning(message: string): void;
  error(message: string): void;
  group<T>(title: string, body: () => Promise<T>): Promise<T>;
  /**
   * Shows how far things are, line by line, until the returned function is called: in place on a terminal, else again and
   * again. How often is for the log to say.
   */
  progress(lines: () => readonly string[]): () => void;
  /** Hides a secret from the log from now on. Call it before the secret's first use. */
  mask(secret: string): void;
  /** Marks for pieces of `info` lines, which show only where there are colours. Warnings and errors have their own. */
  readonly paint: Paint;
}

/** How a log is to be. */
export interface LogOptions {
  /** Whether debug messages are written. */
  readonly debug: boolean;
  readonly paint: Paint;
  /** Says when progress is to be shown. */
  readonly clock: Clock;
}

/** A log that says nothing: for tests, and for parts whose words are of no use to the caller. */
export const silentLog: Log = {
  info: () => undefined,
  debug: () => undefined,
  warning: () => undefined,
  error: () => undefined,
  group: (_title, body) => body(),
  progress: () => () => undefined,
  mask: () => undefined,
  paint: plainPaint,
};

/** Time between two lines of progress where each is a new line, in milliseconds. */
export const progressInterval = 10_000;

/** Most characters that the log, the summary and an issue have for a failure: with its advice. The annotation has more. */
export const failureTextLimit = 600;

/** Longest piece of foreign text that is worth printing, in characters. */
const foreignTextLimit = 300;

/**
 * Text from a server, made fit for a log line: no secrets, no control characters (no colour codes, no new lines), no start
 * that the runner would take for a workflow command (`::set-output`, `##[`), and short.
 */
export function printable(text: string, limit = foreignTextLimit): string {
  // Before anything else: a secret that is escaped or cut in the middle is not found any more.
  const oneLine = withoutSecrets(text)
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, " ")
    .replace(/:(?=:)/g, ": ")
    .replace(/##\[/g, "# #[")
    .trim();
  return oneLine.length <= limit ? oneLine : `${oneLine.slice(0, limit)}…`;
}
