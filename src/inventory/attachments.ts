import { OperationError } from "../errors.ts";
import { type Log, printable } from "../log/log.ts";
import type { Digest } from "../oci/digest.ts";
import type { Descriptor } from "../oci/manifest.ts";
import { isManifestType } from "../oci/media-types.ts";
import { attachmentTags, isFallbackTag, referrersTag } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import type { Repository } from "../oci/repository.ts";
import type { Attachment } from "../plan/snapshot.ts";

/** What a search for attachments needs of a repository. */
export interface SearchedRepository extends Pick<Repository, "reference" | "tags" | "resolve" | "referrers"> {
  readonly registry: Pick<Registry, "registry">;
}

/**
 * Finds the attachments of an image in its source repository: by the referrers API, and by tags. It sends at most two
 * requests for an image; one of them, the tag list, is shared by all images of a repository. A registry that does not list
 * tags is asked for each tag that may be there, by HEAD.
 */
export class AttachmentFinder {
  readonly #tags = new Map<string, Promise<ReadonlySet<string> | undefined>>();
  readonly #withoutLists = new Set<string>();
  readonly #withoutReferrers = new Set<string>();
  readonly #first = new Map<string, Promise<unknown>>();
  readonly #leftOut = new Set<Digest>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Takes over a list of a repository's tags that was read for another purpose. */
  knowTags(repository: Pick<SearchedRepository, "reference">, tags: readonly string[]): void {
    if (tags.length > 0) this.#tags.set(repository.reference, Promise.resolve(new Set(tags)));
  }

  /** @throws OperationError */
  async find(
    repository: SearchedRepository,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<readonly Attachment[]> {
    const referrers = await this.#referrers(repository, digest, signal);
    const tags = await this.#tagsOf(repository, signal);
    // A registry with the referrers API answers from the fallback tag as well, if there is one.
    const candidates = attachmentTags(digest).filter((tag) => referrers === undefined || !isFallbackTag(tag));
    const tagged = await Promise.all(
      candidates
        .filter((tag) => tags === undefined || tags.has(tag))
        .map(async (tag) => {
          const resolved = await repository.resolve(tag, signal);
          return resolved === undefined ? [] : [{ digest: resolved.digest, tag }];
        }),
    );
    const listed = this.copyable(repository, referrers ?? []).map((descriptor) => ({
      digest: descriptor.digest,
      tag: undefined,
    }));
    return [...listed, ...tagged.flat()];
  }

  /** The referrers that are manifests of a type that is mirrored. Of the others the user is told, of each once. */
  copyable(repository: SearchedRepository, referrers: readonly Descriptor[]): readonly Descriptor[] {
    for (const { digest, mediaType } of referrers) {
      if (isManifestType(mediaType) || this.#leftOut.has(digest)) continue;
      this.#leftOut.add(digest);
      this.#log.warning(
        `${repository.reference}@${digest}, a referrer, is not copied: "${printable(mediaType)}" is not a type that registries take today`,
      );
    }
    return referrers.filter(({ mediaType }) => isManifestType(mediaType));
  }

  /**
   * Whether something of a repository may be attached to anything but this digest: a registry without the referrers API has
   * tags for it, and those are known.
   * @throws OperationError
   */
  async mayFind(repository: SearchedRepository, digest: Digest, signal: AbortSignal): Promise<boolean> {
    if (!this.#withoutReferrers.has(repository.registry.registry)) return true;
    const tags = await this.#tagsOf(repository, signal);
    if (tags === undefined) return true;
    const own = referrersTag(digest);
    return [...tags].some((tag) => /^sha(256|512)-[0-9a-f]{64}/.test(tag) && !tag.startsWith(own));
  }

  async #referrers(
    repository: SearchedRepository,
    digest: Digest,
    signal: AbortSignal,
  ): ReturnType<Repository["referrers"]> {
    const host = repository.registry.registry;
    return this.#afterFirst(`referrers of ${host}`, async () => {
      if (this.#withoutReferrers.has(host)) return undefined;
      const referrers = await repository.referrers(digest, signal);
      if (referrers === undefined) {
        this.#withoutReferrers.add(host);
        this.#log.debug(`${host} has no referrers API; signatures are found by their tags`);
      }
      return referrers;
    });
  }

  /** Asks once the first question of a kind is answered: the answer may spare all others. */
  async #afterFirst<T>(kind: string, ask: () => Promise<T>): Promise<T> {
    const first = this.#first.get(kind);
    if (first !== undefined) {
      await first.catch(() => undefined);
      return ask();
    }
    const asking = ask();
    this.#first.set(kind, asking);
    // A failure says nothing: the next look during the wait begins anew.
    asking.catch(() => this.#first.delete(kind));
    return asking;
  }

  /**
   * The tags of the repository of an image; undefined where they are not told, to this login or at all. None is not told,
   * either: the image has a tag. https://github.com/containers/skopeo/issues/726
   */
  #tagsOf(repository: SearchedRepository, signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
    const host = repository.registry.registry;
    const known = this.#tags.get(repository.reference);
    if (known !== undefined) return known;
    const listing = this.#afterFirst(`tags at ${host}`, async () => {
      if (this.#withoutLists.has(host)) return undefined;
      try {
        const tags = await repository.tags(signal);
        return tags.length === 0 ? this.#withoutList(host, "no tags") : new Set(tags);
      } catch (error) {
        if (!(error instanceof OperationError) || error.status === undefined) throw error;
        return this.#withoutList(host, error.message);
      }
    });
    this.#tags.set(repository.reference, listing);
    // A failure must not be remembered: the next look during the wait may succeed.
    listing.catch(() => this.#tags.delete(repository.reference));
    return listing;
  }

  #withoutList(host: string, reason: string): undefined {
    this.#withoutLists.add(host);
    this.#log.debug(`${host} does not list its tags, so signatures are asked for one by one: ${reason}`);
    return undefined;
  }
}
