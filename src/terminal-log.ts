import { styleText } from "node:util";
import { type Log, rememberSecret, withoutSecrets } from "./log.ts";

/** As much of a terminal, or of what stands in its place, as the log needs. */
export interface Terminal {
  write(text: string): unknown;
}

export interface TerminalLogOptions {
  /** Whether debug messages are shown. */
  readonly debug: boolean;
  /** Whether colours are: on a terminal whose user has not said otherwise by `NO_COLOR` (https://no-color.org). */
  readonly colours: boolean;
}

/** Shorter texts are not taken for secrets: hiding every "on" or "1" would make a log unreadable. */
const shortestSecret = 4;

/** A log for people who run this on their own machine: no workflow commands, groups by indentation. */
export function terminalLog(terminal: Terminal, options: TerminalLogOptions): Log {
  let indent = "";
  const style = (format: Parameters<typeof styleText>[0], text: string): string =>
    options.colours ? styleText(format, text, { validateStream: false }) : text;
  const print = (text: string): void => {
    for (const line of withoutSecrets(text).split("\n")) terminal.write(`${indent}${line}\n`);
  };
  return {
    info: (message) => print(message),
    debug: (message) => {
      if (options.debug) print(style("gray", message));
    },
    warning: (message) => print(style("yellow", `⚠ ${message}`)),
    error: (message) => print(style("red", `✖ ${message}`)),
    group: async (title, body) => {
      print(style("bold", `▸ ${title}`));
      indent = "  ";
      try {
        return await body();
      } finally {
        indent = "";
      }
    },
    mask: (secret) => {
      for (const line of [secret, ...secret.split(/\r?\n/)]) {
        if (line.trim().length >= shortestSecret) rememberSecret(line);
      }
    },
  };
}
