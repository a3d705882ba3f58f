/** JSON as Go's `json.Marshal` writes it: https://pkg.go.dev/encoding/json#Marshal */

/** Any value: an object as a struct, with its fields in their own order; a `Map` as a map, with its keys in that of their bytes. */
export function goJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goJson).join(",")}]`;
  if (value instanceof Map) {
    const ordered = [...value].sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    return goObject(ordered);
  }
  if (typeof value === "object" && value !== null) return goObject(Object.entries(value));
  // Fit for HTML, as Go has it.
  return JSON.stringify(typeof value === "bigint" ? Number(value) : value).replace(
    /[<>&\u2028\u2029]/g,
    escaped,
  );
}

/**
 * What `omitempty` leaves of a struct.
 * @param always fields that stay although they are empty.
 */
export function withoutEmpty(fields: object, always: readonly string[] = []): object {
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => always.includes(name) || !isEmpty(value)),
  );
}

/** A value with each object in it as a map. */
export function withMaps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMaps);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([key, inner]) => [key, withMaps(inner)]));
}

function goObject(entries: readonly (readonly [key: string, value: unknown])[]): string {
  return `{${entries.map(([key, value]) => `${goJson(key)}:${goJson(value)}`).join(",")}}`;
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  return value === undefined || value === "" || value === false;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
