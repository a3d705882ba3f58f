import { canonicalRegistry, isLoopback, type Namespace } from "../../oci/reference.ts";
import { quoted } from "../suggestions.ts";
import type { YamlEntry, YamlMap, YamlNode } from "../yaml.ts";
import type { Remarks } from "./route-text.ts";

/** The values of keys, each of its kind, or a mistake that names line and key and no value. */

/** What a reader of another tool's file is given besides it. */
export interface Surroundings {
  readonly remarks: Remarks;
  /** The environment of the step. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Whether the step's destinations have no namespace, so that images keep theirs. */
  readonly keepsNamespaces: boolean;
  /** A line of `destinations` for a place of the file: with the attributes that the step gives it. */
  readonly destinationLine: (place: Namespace) => string;
}

/** Entries by their keys. */
export function fieldsOf(map: YamlMap | undefined): ReadonlyMap<string, YamlEntry> {
  return new Map(map?.entries.map((entry) => [entry.key, entry]));
}

/** Undefined for a value that is left out. */
export function textIn(entry: YamlEntry | undefined, { mistake }: Remarks): string | undefined {
  if (entry === undefined || isLeftOut(entry.value)) return undefined;
  if (entry.value.kind === "text") return entry.value.text;
  mistake(entry.line, `${quoted(entry.key)} takes a text`);
  return undefined;
}

/** A list of texts, or one alone; empty for a value that is left out. */
export function textsIn(
  entry: YamlEntry | undefined,
  { mistake }: Remarks,
): readonly { readonly text: string; readonly line: number }[] {
  if (entry === undefined || isLeftOut(entry.value)) return [];
  const { value, key, line } = entry;
  if (value.kind === "text") return [{ text: value.text, line }];
  const items = value.kind === "list" ? value.items : undefined;
  if (items === undefined || items.some(({ kind }) => kind !== "text"))
    mistake(line, `${quoted(key)} takes a list of texts`);
  return (items ?? []).flatMap((item) =>
    item.kind === "text" ? [{ text: item.text, line: item.line }] : [],
  );
}

/** Undefined for a value that is left out. */
export function flagIn(entry: YamlEntry | undefined, remarks: Remarks): boolean | undefined {
  const text = textIn(entry, remarks)?.toLowerCase();
  if (text === undefined || text === "true" || text === "false") return text && text === "true";
  remarks.mistake(entry?.line ?? 0, `${quoted(entry?.key ?? "")} is neither true nor false`);
  return undefined;
}

export function mapIn(entry: YamlEntry | undefined, { mistake }: Remarks): YamlMap | undefined {
  if (entry === undefined || isLeftOut(entry.value)) return undefined;
  if (entry.value.kind === "map") return entry.value;
  mistake(entry.line, `${quoted(entry.key)} takes a map`);
  return undefined;
}

/** The maps of a list. */
export function mapsIn(entry: YamlEntry | undefined, { mistake }: Remarks): readonly YamlMap[] {
  if (entry === undefined || isLeftOut(entry.value)) return [];
  const items = entry.value.kind === "list" ? entry.value.items : undefined;
  if (items === undefined || items.some(({ kind }) => kind !== "map"))
    mistake(entry.line, `${quoted(entry.key)} takes a list of maps`);
  return (items ?? []).flatMap((item) => (item.kind === "map" ? [item] : []));
}

/** Whether a key asks for nothing: no value, `false`, 0, an empty list or map. */
export function asksNothing({ value }: YamlEntry): boolean {
  if (value.kind === "text") return value.empty || /^(?:|false|0)$/i.test(value.text);
  return value.kind === "map" ? value.entries.every(asksNothing) : value.items.length === 0;
}

function isLeftOut(value: YamlNode): boolean {
  return value.kind === "text" && value.empty;
}

/** Plain HTTP, and certificates that are not checked, are for loopback addresses: a login and images would be open to everyone. */
export function refuseInsecure(place: string, entry: YamlEntry, { mistake }: Remarks): void {
  const host = place.replace(/^https?:\/\//, "").split("/")[0] ?? "";
  const registry = canonicalRegistry(host);
  if (registry !== undefined && isLoopback(registry)) return;
  mistake(
    entry.line,
    `${entry.key}: ${quoted(host)} would be spoken to without TLS, or without a look at its certificate: that is for loopback addresses only`,
  );
}

/** A certificate authority of one's own is known to the whole process. */
export function refuseCertificates(entry: YamlEntry | undefined, { mistake }: Remarks): void {
  if (entry === undefined || asksNothing(entry)) return;
  mistake(
    entry.line,
    `${entry.key}: a certificate of an authority of your own comes by the variable NODE_EXTRA_CA_CERTS, and one of the client's not at all`,
  );
}
