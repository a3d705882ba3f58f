/** How numbers, sizes and times are written for people, wherever they are read. */

/** A number with its noun: `1 image`, `12 images`, `3 repositories`. */
export function countOf(number: number, noun: string): string {
  return `${number} ${number === 1 ? noun : `${noun.replace(/([^aeiou])y$/, "$1ie")}s`}`;
}

/**
 * The first of some names, and how many more there are: `core, portal and 10 more`.
 * @param limit most names that are given.
 */
export function listOf(names: readonly string[], limit: number): string {
  const shown = names.slice(0, limit).join(", ");
  return names.length <= limit ? shown : `${shown} and ${names.length - limit} more`;
}

const units = ["B", "kB", "MB", "GB", "TB"] as const;

/** A number of bytes, in powers of 1000 as registries show them: `0 B`, `41.2 MB`. */
export function formatBytes(bytes: number): string {
  // What counts is the rounded value: 999,960 bytes must not become "1000.0 kB".
  const fits = units.findIndex((_unit, at) => Number((bytes / 1000 ** at).toFixed(1)) < 1000);
  const power = fits === -1 ? units.length - 1 : fits;
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}

/** A duration, given in milliseconds: `0.4 s`, `41.2 s`, `3 min 12 s`, `1 h 4 min`. */
export function formatDuration(milliseconds: number): string {
  // Below a minute a tenth of a second tells images apart; 59.95 s must not become "60.0 s".
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** What was surely meant, as the end of a message about a value: empty where nobody can tell. */
export function didYouMean(meant: string | undefined): string {
  return meant === undefined ? "" : `; did you mean ${meant}?`;
}
