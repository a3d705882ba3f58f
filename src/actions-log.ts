import * as core from "@actions/core";
import type { Log } from "./log.ts";

/** Shorter texts are not masked: hiding every "on" or "1" would make a log unreadable, and no real secret is that short. */
const shortestSecret = 4;

/**
 * A log for the runner: annotations, groups, masks. The runner hides masked texts itself; this log hides them as well, so
 * that they are not in what it is given either.
 */
export function actionsLog(): Log {
  const secrets = new Set<string>();
  const hidden = (message: string): string => {
    let text = message;
    for (const secret of secrets) text = text.replaceAll(secret, "***");
    return text;
  };
  return {
    info: (message) => core.info(hidden(message)),
    debug: (message) => core.debug(hidden(message)),
    warning: (message) => core.warning(hidden(message)),
    error: (message) => core.error(hidden(message)),
    group: (title, body) => core.group(hidden(title), body),
    mask: (secret) => {
      // The runner masks line by line, and so must every line of a key file be known to it.
      for (const line of [secret, ...secret.split(/\r?\n/)]) {
        if (line.trim().length < shortestSecret || secrets.has(line)) continue;
        secrets.add(line);
        core.setSecret(line);
      }
    },
  };
}
