import { type Failure, failureOf, messageOf } from "../../errors.ts";
import { printable } from "../../log/log.ts";
import type { Credential, Credentials } from "../../oci/credentials.ts";
import { type Destination, isDeletionRefused, type TagDeletion, type TagToDelete } from "../destination.ts";

/** How tags are deleted at a destination. */
export type TagDeletionRoute = Pick<
  Destination,
  "deletion" | "deletionUnavailable" | "deleteTags" | "tryDeletion"
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
    let refused: Failure | undefined;
    for (const [index, tag] of tags.entries()) {
      try {
        const answer = refused ?? (await deleteTag(repository, tag, signal));
        if (answer !== undefined && "notOffered" in answer) {
          const untried = tags.slice(index);
          return [
            ...deletions,
            ...untried.map((each) => ({ tag: each.tag, failure: answer.notOffered, notOffered: true })),
          ];
        }
        deletions.push({ tag: tag.tag, failure: answer });
      } catch (error) {
        signal.throwIfAborted();
        const failure = failureOf(error);
        if (isDeletionRefused(failure) && failure.status !== protectedTag) refused = failure;
        deletions.push({ tag: tag.tag, failure });
      }
    }
    return deletions;
  };
}

/** A rule protects this one tag: others of the repository may be deleted. */
const protectedTag = 412;

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
