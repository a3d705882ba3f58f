/** What a registry holds, in memory. Reached by HTTP through the handlers, and directly by tests that seed or judge. */
import {
  digestOf,
  hasDigest,
  isDigest,
  type ManifestContent,
  ManifestError,
  parseManifest,
} from "./content.ts";

export interface StoredManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: string;
}

export interface Repository {
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, StoredManifest>;
  readonly tags: Map<string, string>;
}

/** A change that came by HTTP or a vendor API; seeding makes none. */
export interface RegistryEvent {
  /** Position in the order of all changes of this registry, from 0. */
  readonly at: number;
  /** `untag` removes one tag; `delete` removes a manifest, with an `untag` for each of its tags before. */
  readonly kind: "blob" | "mount" | "manifest" | "tag" | "untag" | "delete";
  readonly repository: string;
  readonly digest: string;
  readonly tag?: string;
}

export interface TagWrite {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly at: number;
}

/** Direct access to what a registry holds, past HTTP and its rules. */
export interface RegistryState {
  readonly events: readonly RegistryEvent[];
  /** The tags that were written by HTTP, in order. */
  readonly tagWrites: readonly TagWrite[];
  /** Stores a blob and returns its digest. */
  putBlob(repository: string, bytes: Uint8Array): string;
  /** Stores a manifest, whatever is missing below it, and returns its digest. */
  putManifest(repository: string, bytes: Uint8Array, mediaType: string, tag?: string): string;
  deleteTag(repository: string, tag: string): boolean;
  /** Loses a blob that manifests may need, as storage and eager garbage collectors do. */
  loseBlob(repository: string, digest: string): boolean;
  /** Empty for an unknown repository. */
  tags(repository: string): ReadonlyMap<string, string>;
  repositories(): readonly string[];
  /** By tag or digest. */
  manifest(repository: string, reference: string): StoredManifest | undefined;
  blob(repository: string, digest: string): Buffer | undefined;
  hasBlob(repository: string, digest: string): boolean;
  /** All tags of all repositories, in order of their names. */
  state(): Record<string, Record<string, string>>;
  /** Everything that is missing or wrong at and below a manifest, in words; empty when it is complete. */
  completeness(repository: string, reference: string): readonly string[];
}

/** The part that the HTTP handlers use. */
export interface RegistryStore extends RegistryState {
  find(repository: string): Repository | undefined;
  findOrCreate(repository: string): Repository;
  record(event: Omit<RegistryEvent, "at">): void;
  /** Removes one tag only. */
  untag(repository: string, tag: string): boolean;
  /** Removes a manifest and every tag that points to it. */
  deleteManifest(repository: string, digest: string): boolean;
}

/** @param onChange told of every change that came by HTTP, as it happens. */
export function registryStore(onChange: (event: RegistryEvent) => void = () => undefined): RegistryStore {
  const all = new Map<string, Repository>();
  const events: RegistryEvent[] = [];
  const record = (event: Omit<RegistryEvent, "at">) => {
    const numbered = { ...event, at: events.length };
    events.push(numbered);
    onChange(numbered);
  };
  const findOrCreate = (name: string): Repository => {
    const found = all.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() };
    all.set(name, found);
    return found;
  };
  return {
    events,
    get tagWrites() {
      return events.flatMap(({ kind, repository, tag, digest, at }) =>
        kind === "tag" && tag !== undefined ? [{ repository, tag, digest, at }] : [],
      );
    },
    ...seeding(findOrCreate),
    ...reading(all),
    deleteTag: (name, tag) => all.get(name)?.tags.delete(tag) ?? false,
    loseBlob: (name, digest) => all.get(name)?.blobs.delete(digest) ?? false,
    find: (name) => all.get(name),
    findOrCreate,
    record,
    ...deletion(all, record),
  };
}

function seeding(
  findOrCreate: RegistryStore["findOrCreate"],
): Pick<RegistryState, "putBlob" | "putManifest"> {
  return {
    putBlob: (name, bytes) => {
      const digest = digestOf(bytes);
      findOrCreate(name).blobs.set(digest, bufferOf(bytes));
      return digest;
    },
    putManifest: (name, bytes, mediaType, tag) => {
      const digest = digestOf(bytes);
      const repository = findOrCreate(name);
      repository.manifests.set(digest, { bytes: bufferOf(bytes), mediaType, digest });
      if (tag !== undefined) repository.tags.set(tag, digest);
      return digest;
    },
  };
}

function reading(
  all: ReadonlyMap<string, Repository>,
): Pick<RegistryState, "tags" | "repositories" | "manifest" | "blob" | "hasBlob" | "state" | "completeness"> {
  const manifest = (name: string, reference: string) => {
    const repository = all.get(name);
    return repository?.manifests.get(
      isDigest(reference) ? reference : (repository.tags.get(reference) ?? ""),
    );
  };
  return {
    tags: (name) => all.get(name)?.tags ?? new Map(),
    repositories: () => [...all.keys()].sort(),
    manifest,
    blob: (name, digest) => all.get(name)?.blobs.get(digest),
    hasBlob: (name, digest) => all.get(name)?.blobs.has(digest) ?? false,
    state: () => tagTable(all),
    completeness: (name, reference) => missingBelow(all.get(name), reference, manifest(name, reference)),
  };
}

function deletion(
  all: ReadonlyMap<string, Repository>,
  record: RegistryStore["record"],
): Pick<RegistryStore, "untag" | "deleteManifest"> {
  const untag = (repository: string, tag: string) => {
    const digest = all.get(repository)?.tags.get(tag);
    if (digest === undefined) return false;
    all.get(repository)?.tags.delete(tag);
    record({ kind: "untag", repository, digest, tag });
    return true;
  };
  return {
    untag,
    deleteManifest: (repository, digest) => {
      const found = all.get(repository);
      if (found === undefined || !found.manifests.has(digest)) return false;
      for (const [tag, target] of [...found.tags]) if (target === digest) untag(repository, tag);
      found.manifests.delete(digest);
      record({ kind: "delete", repository, digest });
      return true;
    },
  };
}

function tagTable(all: ReadonlyMap<string, Repository>): Record<string, Record<string, string>> {
  const byName = <T>(one: [string, T], other: [string, T]) => (one[0] < other[0] ? -1 : 1);
  return Object.fromEntries(
    [...all].sort(byName).map(([name, { tags }]) => [name, Object.fromEntries([...tags].sort(byName))]),
  );
}

function missingBelow(
  repository: Repository | undefined,
  reference: string,
  manifest: StoredManifest | undefined,
): readonly string[] {
  if (repository === undefined || manifest === undefined) return [`manifest ${reference} is missing`];
  if (!hasDigest([manifest.bytes], manifest.digest)) return [`manifest ${manifest.digest} has other bytes`];
  const content = contentOrProblem(manifest);
  if (typeof content === "string") return [`manifest ${manifest.digest}: ${content}`];
  const blobs = content.blobs.flatMap(({ digest, size }) => {
    const bytes = repository.blobs.get(digest);
    if (bytes === undefined) return [`blob ${digest} of ${manifest.digest} is missing`];
    return bytes.length === size && hasDigest([bytes], digest) ? [] : [`blob ${digest} has other bytes`];
  });
  const children = content.children.flatMap(({ digest }) =>
    missingBelow(repository, digest, repository.manifests.get(digest)),
  );
  return [...blobs, ...children];
}

function contentOrProblem(manifest: StoredManifest): ManifestContent | string {
  try {
    return parseManifest(manifest.bytes, manifest.mediaType);
  } catch (thrown) {
    if (thrown instanceof ManifestError) return thrown.message;
    throw thrown;
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
