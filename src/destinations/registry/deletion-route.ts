import { type Failure, messageOf } from "../../errors.ts";
import { printable } from "../../log/log.ts";
import type { Credential, Credentials } from "../../oci/credentials.ts";
import { type Destination, failedDeletion, type TagDeletion, type TagToDelete } from "../destination.ts";

/** How tags are deleted at a destination. */
export type TagDeletionRoute = Pick<
  Destination,
  "deletion" | "deletionUnavailable" | "deleteTags" | "deleteUntagged" | "tryDeletion" | "whyProtected"
>;

/** Why no tag can be deleted at a registry, as the answer to one of them shows. */
export interface DeletionNotOffered {
  readonly notOffered: Failure;
}

/**
 * Deletes one tag.
 * @returns why the tag is still there, or undefined when it is gone.
 */
export type DeleteTag = (
  repository: string,
  tag: TagToDelete,
  signal: AbortSignal,
) => Promise<Failure | DeletionNotOffered | undefined>;

/**
 * Deletes one tag after the other, so that each deletion is complete before the next. A failure counts for its tag only; where
 * deletion is not offered, or this login may not delete, the rest is not tried.
 */
export function oneByOne(deleteTag: DeleteTag): Destination["deleteTags"] {
  return async (repository, tags, signal) => {
    const deletions: TagDeletion[] = [];
    for (const { tag, digest } of tags) {
      const last = deletions.at(-1);
      if (last?.refused === "repository" || last?.refused === "destination") {
        deletions.push({ ...last, tag });
        continue;
      }
      try {
        const answer = await deleteTag(repository, { tag, digest }, signal);
        deletions.push(
          answer !== undefined && "notOffered" in answer
            ? { tag, failure: answer.notOffered, refused: "destination" }
            : { tag, failure: answer },
        );
      } catch (error) {
        signal.throwIfAborted();
        deletions.push(failedDeletion(tag, error));
      }
    }
    return deletions;
  };
}

/** The login for a vendor's own API, which takes user name and password; or a text that says why there is none. */
export async function apiCredential(credentials: Credentials, api: string): Promise<Credential | string> {
  try {
    const credential = await credentials();
    if (credential === undefined) return `${api} needs a login: log in to this registry in an earlier step.`;
    if (credential.password !== "") return credential;
    return `${api} takes no identity token, which is what the Docker configuration holds: log in with user and password.`;
  } catch (error) {
    // The first push meets the same error. Here it must not stop other destinations.
    return `${api} needs a login, which could not be read: ${printable(messageOf(error))}`;
  }
}
