import * as core from "@actions/core";
import { type Log, type LogOptions, progressInterval } from "./log.ts";
import { rememberSecret, withoutSecrets } from "./secrets.ts";

/**
 * A log for the runner: annotations, groups, masks. The runner hides masked texts; this log hides them first, so that the
 * runner is not even given them.
 */
export function actionsLog({ debug, paint, clock }: LogOptions): Log {
  const masked = new Set<string>();
  const info = (message: string): void => core.info(withoutCommands(withoutSecrets(message)));
  return {
    paint,
    info,
    debug: (message) => {
      // The runner drops debug lines unless they are asked for, but it still reads each: there is one for every request.
      if (debug) core.debug(withoutSecrets(message));
    },
    warning: (message) => core.warning(withoutSecrets(message)),
    error: (message) => core.error(withoutSecrets(message)),
    group: (title, body) => core.group(withoutSecrets(title), body),
    progress: (lines) =>
      clock.every(progressInterval, () => {
        for (const line of lines()) info(paint.faint(line));
      }),
    mask: (secret) => {
      // The runner masks line by line, so each line of a key file is masked for itself.
      for (const line of rememberSecret(secret)) {
        if (masked.has(line)) continue;
        masked.add(line);
        core.setSecret(line);
      }
    },
  };
}

/**
 * A message in which no line is a workflow command. `info` prints what it is given, and the runner obeys a line that begins
 * with `::`, with or without blanks before it, and `##[` anywhere in a line. This is the last barrier, after `printable`.
 */
function withoutCommands(message: string): string {
  return message.replace(/^(\s*):(?=:)/gm, "$1: ").replaceAll("##[", "# #[");
}
