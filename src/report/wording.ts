/** A number with its noun: `1 image`, `12 images`. */
export function countOf(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/**
 * The first of some names, and how many more there are: `core, portal and 10 more`.
 * @param limit most names that are given.
 */
export function listOf(names: readonly string[], limit: number): string {
  const shown = names.slice(0, limit).join(", ");
  return names.length <= limit ? shown : `${shown} and ${names.length - limit} more`;
}
