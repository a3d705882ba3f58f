import type { Destination } from "../destinations/destination.ts";
import { failureOf, messageOf, OperationError } from "../errors.ts";
import type { Log } from "../log/log.ts";
import type { Digest } from "../oci/digest.ts";
import { isFallbackTag, repositoryOf } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import type { Repository } from "../oci/repository.ts";
import { unlessWithheld } from "../oci/withheld.ts";
import type { Component } from "../plan/component.ts";
import { isUncontested } from "../plan/missing.ts";
import { type Attachment, type DestinationSnapshot, imageKey, type SourceImage } from "../plan/snapshot.ts";
import { isAttached, type RepositoryWithAttachments } from "./attached.ts";
import { type RepositoryToProve, wholenessOf } from "./wholeness.ts";

/** What a look at a destination needs of it. */
export interface DestinationToRead
  extends Pick<
    Destination,
    | "name"
    | "registry"
    | "path"
    | "retention"
    | "attestations"
    | "filledBySync"
    | "deletion"
    | "deletionUnavailable"
    | "whyNoDeletion"
    | "tryDeletion"
    | "repositoriesThere"
    | "whyProtected"
    | "deleteUntagged"
  > {
  readonly client: Pick<Registry, "foresee">;
  readonly repository: (name: string) => HeldRepository;
}

type HeldRepository = Pick<Repository, "tags"> & RepositoryToProve & RepositoryWithAttachments;

/** What is asked of the sources for an image that is in place. */
export interface LookAtSource {
  readonly sourceOf: (image: SourceImage) => Pick<Repository, "manifest">;
  /** All that is attached to the image, and to its platforms and attachments. */
  readonly attachmentsOf: (image: SourceImage) => Promise<readonly Attachment[]>;
}

/** The images whose tags are listed at a destination that prunes. */
export interface ListedImages {
  /** Of the wanted versions. */
  readonly wanted: readonly string[];
  /** Of other versions alone, which may never have been here. */
  readonly old: readonly string[];
}

/**
 * The tags of all images at a destination that prunes; nothing for one that keeps all. One list is asked for first: a
 * registry that refuses it is not asked for the others.
 * @throws OperationError
 */
export async function listTags(
  destination: DestinationToRead,
  { wanted, old }: ListedImages,
  log: Log,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (destination.retention.keep === "all") return new Map();
  const list = async (image: string) => [image, await repositoryAt(destination, image).tags(signal)] as const;
  const first = await Promise.all(wanted.slice(0, 1).map(list));
  const [others, ofOld] = await Promise.all([
    Promise.all(wanted.slice(1).map(list)),
    imagesThere(destination, old, log, signal).then((there) => Promise.all(there.map(list))),
  ]);
  const lists = [...first, ...others, ...ofOld];
  return new Map(lists.filter(([, tags]) => tags.length > 0));
}

/**
 * The images of old versions that may be at a destination: its vendor may say at once which repositories there are. If it leaves
 * one out, versions that have it are taken for incomplete, and less is deleted.
 */
async function imagesThere(
  destination: DestinationToRead,
  images: readonly string[],
  log: Log,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (images.length < 2) return images;
  try {
    const there = await destination.repositoriesThere?.(signal);
    return there === undefined
      ? images
      : images.filter((image) => there.has(repositoryOf(destination, image)));
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof OperationError)) throw error;
    log.debug(`The images of old versions are asked for one by one: ${messageOf(error)}`);
    return images;
  }
}

/** What pruning goes by: the tags of a destination, and whether they can be deleted. */
export type Prunable = Pick<DestinationSnapshot, "tags" | "deletion" | "deletionUnavailable">;

/**
 * What is known of a destination that may have to prune. Where its tags cannot be listed, nothing is pruned, and the user is
 * told: images go there all the same.
 */
export async function prunableAt(
  destination: DestinationToRead,
  images: ListedImages,
  log: Log,
  signal: AbortSignal,
): Promise<Prunable> {
  const [deletion, tags] = await Promise.all([
    knownDeletion(destination, log, signal),
    listTags(destination, images, log, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      // Only an answer is a refusal: what is no list, or breaks off, says nothing that could be trusted.
      if (!(error instanceof OperationError) || error.status === undefined) throw error;
      return error;
    }),
  ]);
  if (!(tags instanceof OperationError)) return { ...deletion, tags };
  const reason = `Its tags cannot be listed: ${tags.message}`;
  log.warning(`Nothing will be pruned at ${destination.name}. ${reason}`);
  return { deletion: "unavailable", deletionUnavailable: reason, tags: new Map() };
}

/** What a destination holds of the wanted images, as far as the plan needs it. */
export async function readDestination(
  destination: DestinationToRead,
  components: readonly Component[],
  images: ReadonlyMap<string, SourceImage>,
  { sourceOf, attachmentsOf }: LookAtSource,
  signal: AbortSignal,
): Promise<DestinationSnapshot> {
  const digests = new Map<string, Digest>();
  const withheld = new Set<string>();
  const withoutAttachments = new Set<string>();
  await Promise.all(
    components.map(async ({ to, toTag }) => {
      const key = imageKey(to, toTag);
      const repository = repositoryAt(destination, to);
      const held = await unlessWithheld(repository.resolve(toTag, signal));
      if (held === "withheld") withheld.add(key);
      if (held === undefined || held === "withheld") return;
      digests.set(key, held.digest);
      const image = images.get(key);
      if (image?.digest !== held.digest || destination.filledBySync === true) return;
      const readWanted = (digest: Digest) => sourceOf(image).manifest(digest, signal);
      const attachments = await attachmentsOf(image);
      const attached = await Promise.all(
        attachments.map((attachment) => isAttached(attachment, repository, readWanted, signal)),
      );
      if (!attached.every((present) => present)) withoutAttachments.add(key);
    }),
  );
  return { ...emptySnapshot(destination), digests, withheld, withoutAttachments, images };
}

/**
 * Whether tags can be deleted at a destination that may have to prune; its login's rights are asked for. If they cannot, the
 * user is told before anything is copied.
 */
export async function knownDeletion(
  destination: DestinationToRead,
  log: Log,
  signal: AbortSignal,
): Promise<Pick<DestinationSnapshot, "deletion" | "deletionUnavailable">> {
  const { name, deletion, deletionUnavailable, retention, whyNoDeletion } = destination;
  const known = { deletion, deletionUnavailable };
  if (retention.keep === "all") return known;
  const reason = deletion === "unavailable" ? deletionUnavailable : await whyNot();
  if (reason === undefined) return known;
  log.warning(`Nothing will be pruned at ${name}. ${reason}`);
  return { deletion: "unavailable", deletionUnavailable: reason };

  async function whyNot(): Promise<string | undefined> {
    try {
      return await whyNoDeletion?.(signal);
    } catch (error) {
      signal.throwIfAborted();
      // A login that is refused now deletes nothing later. Any other failure says nothing about its rights: if it lasts, the
      // deletion itself fails.
      const isRefused = !(error instanceof OperationError) || error.status === 401 || error.status === 403;
      if (isRefused) return messageOf(error);
      log.debug(messageOf(error));
      return undefined;
    }
  }
}

/** The snapshot of a destination that cannot be asked. */
export function failedSnapshot(destination: DestinationToRead, error: unknown): DestinationSnapshot {
  return { ...emptySnapshot(destination), failure: failureOf(error) };
}

function emptySnapshot(destination: DestinationToRead): DestinationSnapshot {
  const { name, registry, path, retention, filledBySync, deletion, deletionUnavailable, deleteUntagged } =
    destination;
  return {
    name,
    registry,
    path,
    retention,
    filledBySync,
    deletion,
    deletionUnavailable,
    untaggedStays: typeof deleteUntagged === "string" ? deleteUntagged : undefined,
    failure: undefined,
    digests: new Map(),
    withheld: new Set(),
    withoutAttachments: new Set(),
    broken: new Map(),
    images: new Map(),
    tags: new Map(),
    heldDigests: new Map(),
    protectedTags: new Map(),
  };
}

/**
 * Adds which of the wanted images are in place by their tags and lack content: manifests are read, and each blob is asked for,
 * of what is attached to them and to their platforms, too. What is at no source is proven by itself.
 * @throws OperationError when that cannot be asked.
 */
export async function withBrokenImages(
  held: DestinationSnapshot,
  components: readonly Component[],
  destination: DestinationToRead,
  { sourceOf, attachmentsOf }: LookAtSource,
  signal: AbortSignal,
): Promise<DestinationSnapshot> {
  const broken = new Map<string, readonly string[]>();
  const looks = [...Map.groupBy(components, ({ to }) => to)].map(async ([image, ofImage]) => {
    const missingOf = wholenessOf(repositoryAt(destination, image), signal);
    const missingOfAll = async (references: readonly string[]): Promise<readonly string[]> =>
      (await Promise.all(references.map((reference) => missingOf(reference)))).flat();
    const missingAttached = async (
      wanted: SourceImage,
      { tag, digest }: Attachment,
    ): Promise<readonly string[]> => {
      if (tag !== undefined && !isFallbackTag(tag)) return missingOf(tag);
      const missing = await missingOf(digest);
      if (tag === undefined || !missing.includes(digest)) return missing;
      // It is not without attachments: what the index lists is in a merged one, or in the registry's referrers API.
      const { children } = await sourceOf(wanted).manifest(digest, signal);
      return missingOfAll(children.map((child) => child.digest));
    };
    for (const { toTag } of ofImage) {
      const key = imageKey(image, toTag);
      const wanted = held.images.get(key);
      if (!isUncontested(held.digests.get(key), wanted)) continue;
      const isBare = wanted === undefined || held.withoutAttachments.has(key);
      const attached = isBare
        ? []
        : (await attachmentsOf(wanted)).map((attachment) => missingAttached(wanted, attachment));
      const found = await Promise.all([missingOf(toTag), ...attached]);
      const missing = new Set(found.flat());
      if (missing.size > 0) broken.set(key, [...missing]);
    }
  });
  await Promise.all(looks);
  return { ...held, broken };
}

/**
 * Whether tags are in place at a destination, as far as that can be known. Asks for one after the other, and for no more once
 * one is not there or is another than at a source.
 */
export async function hasInPlace(
  destination: DestinationToRead,
  components: readonly Component[],
  images: ReadonlyMap<string, SourceImage>,
  signal: AbortSignal,
): Promise<boolean> {
  for (const { to, toTag } of components) {
    const held = await unlessWithheld(repositoryAt(destination, to).resolve(toTag, signal));
    const present = held === "withheld" ? undefined : held?.digest;
    if (!isUncontested(present, images.get(imageKey(to, toTag)))) return false;
  }
  return components.length > 0;
}

/** The repository of an image at a destination. */
export function repositoryAt(destination: DestinationToRead, image: string): HeldRepository {
  return destination.repository(repositoryOf(destination, image));
}
