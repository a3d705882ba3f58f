/** Where a run tells what it does. An argument everywhere, so that tests read it and nothing else prints. */
export interface Log {
  info(message: string): void;
  /** Shown only with `ACTIONS_STEP_DEBUG`. */
  debug(message: string): void;
  /** A line in the log and an annotation on the run. */
  warning(message: string): void;
  error(message: string): void;
  group<T>(title: string, body: () => Promise<T>): Promise<T>;
  /** Hides a secret from the log from now on. Call it before the secret's first use. */
  mask(secret: string): void;
}

/** A log that says nothing: for tests, and for parts whose words are of no use to the caller. */
export const silentLog: Log = {
  info: () => undefined,
  debug: () => undefined,
  warning: () => undefined,
  error: () => undefined,
  group: (_title, body) => body(),
  mask: () => undefined,
};

/** Longest piece of foreign text that is worth printing, in characters. */
const foreignTextLimit = 300;

/**
 * Text from a server, made fit for a log line: no control characters (no colour codes, no new lines), no start that
 * the runner would take for a workflow command (`::set-output`, `##[`), and short.
 */
export function printable(text: string, limit = foreignTextLimit): string {
  const oneLine = text
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, " ")
    .replace(/::/g, ": :")
    .replace(/##\[/g, "# #[")
    .trim();
  return oneLine.length <= limit ? oneLine : `${oneLine.slice(0, limit)}…`;
}
