import type { Clock } from "../clock.ts";
import { type Paint, plainPaint } from "./paint.ts";
import { withoutSecrets } from "./secrets.ts";

/** What a run tells of its work. It is an argument everywhere: tests can read it, and nothing else prints. */
export interface Log {
  info(message: string): void;
  /** Shown only with `ACTIONS_STEP_DEBUG`, and written nowhere without. */
  debug(message: string): void;
  /** A line in the log and an annotation on the run. */
  warning(message: string): void;
  error(message: string): void;
  group<T>(title: string, body: () => Promise<T>): Promise<T>;
  /**
   * Shows progress, line by line, until the returned function is called. A terminal redraws the lines in place; elsewhere
   * they are printed again and again. The log decides how often.
   */
  progress(lines: () => readonly string[]): () => void;
  /** Hides a secret from the log from now on. Call it before the secret's first use. */
  mask(secret: string): void;
  /** Colours for pieces of `info` lines, where colours are shown. Warnings and errors have their own. */
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

/** A log with warnings and errors alone. */
export function quietLog(log: Log): Log {
  const { info, group, progress } = silentLog;
  return { ...log, info, group, progress };
}

/** Time between two lines of progress where each is a new line, in milliseconds. */
export const progressInterval = 10_000;

/** Most characters of a failure, its advice included, in the log, the summary and an issue. An annotation may be longer. */
export const failureTextLimit = 600;

/** Longest piece of foreign text that is worth printing, in characters. */
const foreignTextLimit = 300;

/**
 * Text from a server, made fit for a log line: no secrets, no control characters (no colour codes, no new lines), no start
 * that the runner would take for a workflow command (`::set-output`, `##[`), and short.
 */
export function printable(text: string, limit = foreignTextLimit): string {
  // Secrets go first: one that is escaped or cut in the middle would not be found.
  const oneLine = withoutSecrets(text)
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, " ")
    .replace(/:(?=:)/g, ": ")
    .replace(/##\[/g, "# #[")
    .trim();
  return oneLine.length <= limit ? oneLine : `${oneLine.slice(0, limit)}…`;
}
