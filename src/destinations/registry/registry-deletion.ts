import { randomBytes } from "node:crypto";
import type { Failure } from "../../errors.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import type { Finding, TagToDelete } from "../destination.ts";
import { oneByOne, type TagDeletionRoute } from "./deletion-route.ts";

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
  /** The actions on a repository that a token for deleting is good for; undefined where none says so. */
  granted(repository: string, signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** Actions of a token for deleting. */
  readonly needed: readonly string[];
}

/**
 * The registry's own API. Where a registry does not delete by tag, it is done by digest, which takes every tag of that
 * digest along.
 * @param alone whether the registry is known to delete a tag by its name, and no other with it. Then no digests are looked up
 * for the plan, and where it turns out not to, nothing is deleted.
 */
export function registryRoute(deleter: TagDeleter, alone = false): TagDeletionRoute {
  return {
    deletion: alone ? "by-tag" : "shared-digest-unsafe",
    tryDeletion: (signal, repository, exists) => tryDeletion(deleter, { repository, exists, alone }, signal),
    deleteTags: oneByOne((repository, tag, signal) => deleteTag(deleter, repository, tag, signal)),
  };
}

/**
 * Asks for a token for deleting, and has a manifest deleted that nobody has: its digest is that of random bytes. The
 * specification has 404 for it where manifests can be deleted, and another status where not.
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
  const nobodys = digestOf(randomBytes(32));
  if ((await deleter.deleteManifest(repository, nobodys, signal)) !== "unsupported")
    return {
      outcome: "ok",
      finding: "The registry lets this login delete: tried with a digest that nobody has.",
    };
  // Where a tag goes by its name, no digest has to.
  if (alone)
    return { outcome: "unknown", finding: "The registry deletes by tag only; nothing was tried.", remedy };
  return { outcome: "missing", finding: "The registry does not delete manifests.", remedy: settingAdvice };
}

const settingAdvice =
  "Allow deletion in its settings (distribution: `storage.delete.enabled: true`), or set `keep=all` for this destination.";

/**
 * Deletes a tag by its name, or else by its digest.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-tags
 * @returns why the tag is still there, or undefined when it is gone.
 */
async function deleteTag(
  deleter: TagDeleter,
  repository: string,
  { tag, digest }: TagToDelete,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const subject = `${repository}:${tag}`;
  if ((await deleter.deleteManifest(repository, tag, signal)) !== "unsupported") return undefined;
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
  const problem = "the registry deletes neither by tag nor by digest";
  return { kind: "obstacle", problem, subject, advice: settingAdvice };
}
