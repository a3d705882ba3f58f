import { styleText } from "node:util";

/** Marks pieces of a line by what they mean to a reader. None changes what the line says. */
export interface Paint {
  /** Headings. */
  strong(text: string): string;
  /** What a reader may pass over. */
  faint(text: string): string;
  /** Done, in place. */
  good(text: string): string;
  /** Something is about to be added. */
  change(text: string): string;
  /** Worth a look. */
  warn(text: string): string;
  /** Failed. */
  bad(text: string): string;
}

const unchanged = (text: string): string => text;

/** No marks: for files, and wherever colours are not shown. */
export const plainPaint: Paint = {
  strong: unchanged,
  faint: unchanged,
  good: unchanged,
  change: unchanged,
  warn: unchanged,
  bad: unchanged,
};

type Format = Parameters<typeof styleText>[0];

function style(format: Format): (text: string) => string {
  // `paintFor` decides about colours. Node would take the runner's pipe for one that shows none.
  return (text) => (text === "" ? "" : styleText(format, text, { validateStream: false }));
}

/** ANSI codes of the first 16 colours, which every terminal and GitHub's log have. A piece must not span lines. */
export const colourPaint: Paint = {
  strong: style("bold"),
  faint: style("gray"),
  good: style("green"),
  change: style("cyan"),
  warn: style("yellow"),
  bad: style("red"),
};

/**
 * Colours on a terminal and in the log of GitHub Actions, which shows ANSI codes
 * (https://github.com/actions/toolkit/blob/main/packages/core/README.md, "Styling output"); none for who has set `NO_COLOR`
 * to anything but an empty text (https://no-color.org).
 */
export function paintFor(
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): Paint {
  if (environment.NO_COLOR) return plainPaint;
  return isTerminal || environment.GITHUB_ACTIONS === "true" ? colourPaint : plainPaint;
}
