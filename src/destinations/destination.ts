import type { Failure } from "../errors.ts";
import type { Credentials } from "../oci/credentials.ts";
import type { Digest } from "../oci/digest.ts";
import type { Namespace } from "../oci/reference.ts";
import type { Registry } from "../oci/registry.ts";
import type { Repository } from "../oci/repository.ts";
import type { Retention } from "../plan/retention.ts";
import type { DestinationSnapshot } from "../plan/snapshot.ts";

/** A namespace that images are mirrored to: its client, and what its vendor lets the login do there. */
export interface Destination extends Namespace {
  /** `registry/namespace`, as reports and messages name it. */
  readonly name: string;
  /** Which versions it keeps. */
  readonly retention: Retention;
  /** Client of its registry, with its login. */
  readonly client: Registry;
  /** @param name path on the registry, namespace included. */
  readonly repository: (name: string) => Repository;
  /** Gives the login for the registry, a fresh one when the former has run out. Undefined: anonymous. */
  readonly credentials: Credentials;
  /**
   * How tags are deleted here. `by-tag`: deleting one tag leaves others of the same digest alone, by the vendor's word.
   * `shared-digest-unsafe`: a tag must not be deleted while another tag that stays holds the same digest.
   * `unavailable`: these credentials cannot delete; `deletionUnavailable` says why.
   */
  readonly deletion: DestinationSnapshot["deletion"];
  readonly deletionUnavailable?: string | undefined;
  /**
   * Finds out, without changing anything, why this login cannot delete tags here. Undefined: it can, or nobody says so
   * before it is tried. Asked before the plan is made where tags may have to go, so that nobody learns it after hours of
   * copying; absent where there is nothing to ask.
   * @throws OperationError
   */
  readonly whyNoDeletion?: ((signal: AbortSignal) => Promise<string | undefined>) | undefined;
  /**
   * Makes the place ready for a push: what must exist there exists afterwards. Called once, before the first write,
   * never in a dry run.
   * @param repositories paths on the registry, namespace included, that will be pushed to.
   * @throws OperationError
   */
  prepare(signal: AbortSignal, repositories?: readonly string[]): Promise<void>;
  /**
   * Looks at what `prepare` would find or make, for somebody who checks a configuration, and changes nothing. Absent where
   * there is nothing to prepare, or nothing to ask.
   * @throws OperationError
   */
  readonly preview?: ((signal: AbortSignal, repository: string) => Promise<Preview>) | undefined;
  /**
   * Tries what deleting tags of a repository needs, as far as that can be done without deleting any. Absent where nothing
   * can be tried; `whyNoDeletion` has been asked before.
   * @param exists whether there is a repository of that name.
   * @throws OperationError
   */
  readonly tryDeletion?:
    | ((signal: AbortSignal, repository: string, exists: boolean) => Promise<Finding>)
    | undefined;
  /**
   * Deletes tags of one repository and says for each whether it is gone. Never throws for a single tag.
   * @param repository path on the registry, namespace included.
   */
  deleteTags(
    repository: string,
    tags: readonly TagToDelete[],
    signal: AbortSignal,
  ): Promise<readonly TagDeletion[]>;
}

/**
 * What differs by vendor about a destination. Copying itself is the same everywhere, by the distribution specification, and
 * needs only the client.
 */
export type DestinationAbilities = Omit<Destination, "retention" | "client" | "repository">;

export interface TagToDelete {
  readonly tag: string;
  /** What the tag pointed to when the plan was made; undefined where the plan did not need it. */
  readonly digest: Digest | undefined;
}

export interface TagDeletion {
  readonly tag: string;
  /** Undefined: the tag is gone. */
  readonly failure: Failure | undefined;
}

/**
 * No way to delete tags. The plan leaves them with this reason: what is wanted is copied all the same, because nothing of it
 * depends on old versions going.
 */
export function noDeletion(
  problem: string,
): Pick<Destination, "deletion" | "deletionUnavailable" | "deleteTags"> {
  return {
    deletion: "unavailable",
    deletionUnavailable: problem,
    deleteTags: async (_repository, tags) =>
      tags.map(({ tag }) => ({ tag, failure: { kind: "obstacle", problem } })),
  };
}

/** What a look at something that a run needs has shown. */
export interface Finding {
  /** `unknown`: it shows only when it is done. */
  readonly outcome: "ok" | "missing" | "unknown";
  /** What was seen, in a sentence. */
  readonly finding: string;
  /** What the user can do about it. */
  readonly remedy?: string | undefined;
}

/** What a destination is like before `prepare`. */
export interface Preview extends Finding {
  /** What was looked for: `namespace`, `repository`. */
  readonly subject: string;
  /** Whether it can be pushed to as it is now. */
  readonly there: boolean;
}
