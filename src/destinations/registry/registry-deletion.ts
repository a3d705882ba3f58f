import { randomBytes } from "node:crypto";
import { type Digest, digestOf } from "../../oci/digest.ts";
import type { Finding } from "../destination.ts";
import {
  type DeleteTag,
  type DeletionNotOffered,
  oneByOne,
  type TagDeletionRoute,
} from "./deletion-route.ts";

/** What deleting by the distribution specification needs of a registry client. */
export interface TagDeleter {
  /**
   * Deletes a manifest by tag or digest. `unsupported`: the registry does not delete by this kind of reference.
   * @throws OperationError
   */
  deleteManifest(
    repository: string,
    reference: string,
    signal: AbortSignal,
  ): Promise<"deleted" | "not-found" | "unsupported">;
  /**
   * What a tag points to now; undefined where there is no such tag.
   * @throws OperationError
   */
  resolve(repository: string, tag: string, signal: AbortSignal): Promise<Digest | undefined>;
  /** The actions that a token for deleting grants on a repository; undefined where the token does not say. */
  granted(repository: string, signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** The actions that deleting needs. */
  readonly needed: readonly string[];
}

/**
 * Deletion by the registry's own API: by tag, or where the registry does not do that, by digest, which takes every tag of
 * that digest along.
 * @param alone whether the registry is known to delete a tag alone. Then it is not known what else needs the digest, and if
 * the registry refuses after all, nothing is deleted.
 */
export function registryRoute(deleter: TagDeleter, alone = false): TagDeletionRoute {
  return {
    deletion: alone ? "by-tag" : "shared-digest-unsafe",
    tryDeletion: (signal, repository, exists) => tryDeletion(deleter, { repository, exists, alone }, signal),
    deleteTags: oneByOne(alone ? deletionByTag(deleter) : deletionByTagOrDigest(deleter)),
    deleteUntagged: oneByOne(deletionByDigest(deleter)),
  };
}

/**
 * Deletes a manifest by its digest, with every tag that it has.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-manifests
 */
export function deletionByDigest(deleter: Pick<TagDeleter, "deleteManifest">): DeleteTag {
  return async (repository, { tag: digest }, signal) =>
    (await deleter.deleteManifest(repository, digest, signal)) === "unsupported"
      ? notOffered("the registry does not delete by digest")
      : undefined;
}

/**
 * Asks for a token for deleting, and asks the registry to delete a manifest that does not exist: its digest is that of random
 * bytes. By the specification the answer is 404 if manifests can be deleted, and another status if not.
 */
async function tryDeletion(
  deleter: TagDeleter,
  {
    repository,
    exists,
    alone,
  }: { readonly repository: string; readonly exists: boolean; readonly alone: boolean },
  signal: AbortSignal,
): Promise<Finding> {
  const remedy = `Check that the login may delete: its token needs ${deleter.needed.join(", ")} on ${repository}.`;
  if (!exists) {
    const finding = "There is no repository of this release yet, so nothing that deleting could be tried on.";
    return { outcome: "unknown", finding, remedy };
  }
  const granted = await deleter.granted(repository, signal);
  const denied = deleter.needed.filter((action) => granted?.includes(action) === false);
  if (denied.length > 0)
    return {
      outcome: "missing",
      finding: `The token that the login gets lacks ${denied.join(", ")}.`,
      remedy,
    };
  const unused = digestOf(randomBytes(32));
  if ((await deleter.deleteManifest(repository, unused, signal)) !== "unsupported")
    return {
      outcome: "ok",
      finding: "The registry lets this login delete: tried with a digest that nobody has.",
    };
  // A registry that deletes by tag need not delete by digest.
  if (alone)
    return { outcome: "unknown", finding: "The registry deletes by tag only; nothing was tried.", remedy };
  // Distribution 3 deletes by tag even where its setting forbids deletion by digest. Nobody has a tag of random bytes either.
  const unusedTag = randomBytes(32).toString("hex");
  if ((await deleter.deleteManifest(repository, unusedTag, signal)) !== "unsupported")
    return {
      outcome: "ok",
      finding: "The registry lets this login delete by tag: tried with a tag that nobody has.",
    };
  return { outcome: "missing", finding: "The registry does not delete manifests.", remedy: settingAdvice };
}

const settingAdvice =
  "Allow deletion in its settings (distribution: `storage.delete.enabled: true`), or set `keep=all` for this destination.";

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-tags */
function deletionByTag(deleter: TagDeleter): DeleteTag {
  return async (repository, { tag }, signal) =>
    (await deleter.deleteManifest(repository, tag, signal)) === "unsupported"
      ? notOffered("the registry does not delete by tag")
      : undefined;
}

/** By tag; by digest from the moment on at which the registry says that it does not delete by tag. */
function deletionByTagOrDigest(deleter: TagDeleter): DeleteTag {
  let byTag = true;
  return async (repository, { tag, digest }, signal) => {
    const subject = `${repository}:${tag}`;
    byTag &&= (await deleter.deleteManifest(repository, tag, signal)) !== "unsupported";
    if (byTag) return undefined;
    const current = await deleter.resolve(repository, tag, signal);
    if (current === undefined) return undefined;
    if (digest === undefined) {
      const problem = "the registry does not delete by tag, and its digest was not looked up for the plan";
      return { kind: "obstacle", problem, subject };
    }
    if (current !== digest) {
      return {
        kind: "obstacle",
        problem: "the tag has moved since the plan was made, and the registry deletes by digest only",
        subject: `${subject}, now ${current}`,
        advice: "Run again.",
      };
    }
    if ((await deleter.deleteManifest(repository, digest, signal)) !== "unsupported") return undefined;
    return notOffered("the registry deletes neither by tag nor by digest");
  };
}

function notOffered(problem: string): DeletionNotOffered {
  return { notOffered: { kind: "obstacle", problem, advice: settingAdvice } };
}
