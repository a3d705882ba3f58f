import * as core from "@actions/core";
import { type Log, type LogOptions, progressInterval } from "./log.ts";
import { rememberSecret, withoutSecrets } from "./secrets.ts";

/**
 * A log for the runner: annotations, groups, masks. The runner hides masked texts itself; this log hides them as well, so
 * that they are not in what it is given either.
 */
export function actionsLog({ debug, paint, clock }: LogOptions): Log {
  const masked = new Set<string>();
  const info = (message: string): void => core.info(withoutCommands(withoutSecrets(message)));
  return {
    paint,
    info,
    debug: (message) => {
      // The runner would throw such lines away, but take every one of them from the pipe: one for each request.
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
      // The runner masks line by line, and so must every line of a key file be known to it.
      for (const line of rememberSecret(secret)) {
        if (masked.has(line)) continue;
        masked.add(line);
        core.setSecret(line);
      }
    },
  };
}

/**
 * A message of which no line is a workflow command: `info` prints as it is given, and the runner obeys a line that begins
 * with `::`, blanks before it or not, and `##[` anywhere in one. The last barrier, behind `printable`.
 * https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
 */
function withoutCommands(message: string): string {
  return message.replace(/^(\s*):(?=:)/gm, "$1: ").replaceAll("##[", "# #[");
}
