import { type Manifest, parseManifest } from "./manifest.ts";

/** An entry of a manifest as it stands in the document, with fields that nothing here reads. */
export type Entry = Readonly<Record<string, unknown>>;

/** Where a manifest has its entries. */
type EntryList = "manifests" | "layers";

/**
 * The entries of one manifest that another lacks: manifests of an index, layers of an image. Two layers of one digest are two
 * signatures where their annotations differ: all keys sign the same payload, and the signature is an annotation.
 * https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 * @returns undefined where the one is an index and the other is none.
 */
export function entriesLacking(present: Manifest, wanted: Manifest): readonly Entry[] | undefined {
  if (present.kind !== wanted.kind) return undefined;
  const list = listOf(present);
  const known = new Set(entriesOf(present, list).map((entry) => identityOf(entry, list)));
  return entriesOf(wanted, list).filter((entry) => !known.has(identityOf(entry, list)));
}

/**
 * A manifest with entries added at its end; all else stays as it was.
 * @param config takes the place of the image's own.
 * @throws BodyError when it has too many entries then.
 */
export function withEntries(manifest: Manifest, entries: readonly Entry[], config?: Entry): Manifest {
  const list = listOf(manifest);
  const document = {
    ...documentOf(manifest),
    ...(config !== undefined && { config }),
    [list]: [...entriesOf(manifest, list), ...entries],
  };
  return parseManifest(Buffer.from(JSON.stringify(document)), manifest.mediaType, undefined);
}

/** An index with those of its entries alone that are manifests; itself, if all are. */
export function onlyManifests(index: Manifest): Manifest {
  if (index.kind !== "index" || index.blobs.length === 0) return index;
  const stay = new Set<unknown>(index.children.map(({ digest }) => digest));
  const document = {
    ...documentOf(index),
    manifests: entriesOf(index, "manifests").filter(({ digest }) => stay.has(digest)),
  };
  return parseManifest(Buffer.from(JSON.stringify(document)), index.mediaType, undefined);
}

/** The entries of a manifest, in their order. */
export function entriesIn(manifest: Manifest): readonly Entry[] {
  return entriesOf(manifest, listOf(manifest));
}

/** The config of an image as it stands in the document. */
export function configOf(manifest: Manifest): Entry {
  return documentOf(manifest).config ?? {};
}

function listOf({ kind }: Manifest): EntryList {
  return kind === "index" ? "manifests" : "layers";
}

function entriesOf(manifest: Manifest, list: EntryList): readonly Entry[] {
  return documentOf(manifest)[list] ?? [];
}

/** A manifest has been checked when it was read: only its form is taken from the bytes here. */
function documentOf(manifest: Manifest): Partial<Record<EntryList, readonly Entry[]>> & { config?: Entry } {
  return JSON.parse(Buffer.from(manifest.bytes).toString("utf8"));
}

function identityOf({ digest, annotations }: Entry, list: EntryList): string {
  if (list === "manifests") return String(digest);
  const sorted = Object.entries(annotations ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([digest, sorted]);
}
