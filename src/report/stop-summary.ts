import { alert, withCode } from "./markdown.ts";

/** Most lines of why a run stopped: mistakes in inputs are told all at once. */
const lineLimit = 30;

/**
 * The job summary of a run that stopped before it could report anything: why, and whether anything can have been written.
 * @param message why, in lines; those of a list begin with a hyphen.
 */
export function stopSummary(message: string, { wroteNothing }: { readonly wroteNothing: boolean }): string {
  const lines = message.split("\n").filter((line) => line.trim() !== "");
  const shown = lines.slice(0, lineLimit).map(lineOf);
  const more = lines.length - shown.length;
  const all = more > 0 ? [...shown, `- … and ${more} more, in the log.`] : shown;
  const status = wroteNothing
    ? "Before it had a plan: no image or tag was touched."
    : "Before its end: the log has what was done.";
  return `## ⚓ The run stopped\n\n❌ ${status}\n\n${alert("CAUTION", ["**Why**", "", ...all])}\n`;
}

function lineOf(line: string): string {
  const item = /^\s*- (.*)$/.exec(line)?.[1];
  return item === undefined ? `${withCode(line)}<br>` : `- ${withCode(item)}`;
}

/** The job summary of a run for which there is nothing to do. */
export function idleSummary(reason: string): string {
  return `## ⚓ Nothing to do\n\n✅ ${withCode(reason)}\n`;
}
