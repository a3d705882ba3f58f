import { OperationError } from "../errors.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import { entriesLacking, onlyManifests } from "../oci/manifest-entries.ts";
import { isFallbackTag } from "../oci/reference.ts";
import type { Repository } from "../oci/repository.ts";
import { unlessWithheld } from "../oci/withheld.ts";
import type { Attachment } from "../plan/snapshot.ts";

/** What the question for an attachment asks of a destination's repository. */
export type RepositoryWithAttachments = Pick<Repository, "resolve" | "manifest" | "referrers">;

/**
 * Whether a destination has an attachment. Under a tag, it may have more there than the source: what another has added was
 * merged. One HEAD, unless the tag leads to something else than at the source.
 * @param readWanted reads a manifest at the source.
 * @throws OperationError when the tag cannot be asked for.
 */
export async function isAttached(
  { tag, digest }: Attachment,
  repository: RepositoryWithAttachments,
  readWanted: (digest: Digest) => Promise<Manifest>,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await unlessWithheld(repository.resolve(tag ?? digest, signal));
  if (found === "withheld") return tag === undefined;
  if (found?.digest === digest) return true;
  if (tag === undefined) return false;
  try {
    if (found !== undefined) {
      const [present, wanted] = [await repository.manifest(found.digest, signal), await readWanted(digest)];
      if (entriesLacking(present, onlyManifests(wanted))?.length === 0) return true;
    }
    return await isListed(tag, digest, repository, readWanted, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof OperationError)) throw error;
    // What cannot be compared now is tried when it is copied, and told then.
    return false;
  }
}

/**
 * Whether a registry lists by its referrers API what the index of a fallback tag lists at the source. It has no such tag then, or
 * one that another has set.
 */
async function isListed(
  tag: string,
  digest: Digest,
  repository: RepositoryWithAttachments,
  readWanted: (digest: Digest) => Promise<Manifest>,
  signal: AbortSignal,
): Promise<boolean> {
  const subject = isFallbackTag(tag) ? parseDigest(tag.replace("-", ":")) : undefined;
  if (subject === undefined) return false;
  const referrers = await repository.referrers(subject, signal);
  if (referrers === undefined) return false;
  const listed = new Set(referrers.map((referrer) => referrer.digest));
  return (await readWanted(digest)).children.every((child) => listed.has(child.digest));
}
