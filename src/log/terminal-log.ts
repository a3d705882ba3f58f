import { type Log, type LogOptions, progressInterval } from "./log.ts";
import { rememberSecret, withoutSecrets } from "./secrets.ts";

/** As much of a terminal, or of what stands in its place, as the log needs. */
export interface Terminal {
  /** Width in characters; undefined or 0 where nobody has told. */
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export interface TerminalLogOptions extends LogOptions {
  /** Whether printed lines can be redrawn: on a terminal that takes ANSI codes. */
  readonly live: boolean;
}

/** Time between two redraws of the progress, in milliseconds. */
const liveInterval = 1_000;

/** Width of a terminal that does not tell its own, such as one that is recorded, in characters. */
const usualWidth = 80;

/**
 * A log for people who run this on their own machine: no workflow commands, groups by indentation. A terminal shows progress
 * below the last line and redraws it in place.
 */
export function terminalLog(terminal: Terminal, { debug, paint, live, clock }: TerminalLogOptions): Log {
  let indent = "";
  let drawn: readonly string[] = [];
  const draw = (lines: readonly string[]): void => {
    // Moves the cursor up to the first progress line and clears from there on (ECMA-48, CUU and ED).
    const erase = drawn.length === 0 ? "" : `\u001b[${drawn.length}A\u001b[J`;
    drawn = lines;
    const text = erase + lines.map((line) => `${paint.faint(line)}\n`).join("");
    if (text !== "") terminal.write(text);
  };
  const print = (text: string, format = (line: string): string => line): void => {
    const below = drawn;
    draw([]);
    for (const line of withoutSecrets(text).split("\n")) terminal.write(`${indent}${format(line)}\n`);
    draw(below);
  };
  // A line that wraps takes two rows, and only one of them would be redrawn.
  const fitting = (line: string): string =>
    withoutSecrets(`${indent}${line}`).slice(0, terminal.columns || usualWidth);
  return {
    paint,
    info: (message) => print(message),
    debug: (message) => {
      if (debug) print(message, paint.faint);
    },
    warning: (message) => print(`⚠ ${message}`, paint.warn),
    error: (message) => print(`✖ ${message}`, paint.bad),
    group: async (title, body) => {
      print(`▸ ${title}`, paint.strong);
      indent = "  ";
      try {
        return await body();
      } finally {
        indent = "";
      }
    },
    progress: (lines) => {
      if (!live) {
        return clock.every(progressInterval, () => {
          for (const line of lines()) print(line, paint.faint);
        });
      }
      const stop = clock.every(liveInterval, () => draw(lines().map(fitting)));
      return () => {
        stop();
        draw([]);
      };
    },
    mask: rememberSecret,
  };
}
