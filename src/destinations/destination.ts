import { type Failure, failureOf } from "../errors.ts";
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
  /** Whether images keep BuildKit's attestations in their index here. */
  readonly attestations: boolean;
  /** Another mechanism fills it: nothing is written or deleted here, and images are waited for. */
  readonly filledBySync?: true | undefined;
  /** Client of its registry, with its login. */
  readonly client: Registry;
  /** @param name path on the registry, namespace included. */
  readonly repository: (name: string) => Repository;
  /** Gives the login for the registry, and a new one when the old one has run out. Undefined: anonymous. */
  readonly credentials: Credentials;
  /**
   * How tags are deleted here. `by-tag`: the vendor says that deleting one tag leaves others of the same digest alone.
   * `last-tag-takes-manifest`: so it is here too, but the manifest goes with its last tag.
   * `shared-digest-unsafe`: a tag must not be deleted while another tag that stays holds the same digest.
   * `unavailable`: these credentials cannot delete; `deletionUnavailable` says why.
   */
  readonly deletion: DestinationSnapshot["deletion"];
  readonly deletionUnavailable?: string | undefined;
  /**
   * Finds out, without changing anything, why this login cannot delete tags here. Undefined: it can, or only a deletion
   * shows it. A run that may delete asks before it makes the plan, so that the user does not learn it after hours of copying.
   * Absent where there is nothing to ask.
   * @throws OperationError
   */
  readonly whyNoDeletion?: ((signal: AbortSignal) => Promise<string | undefined>) | undefined;
  /**
   * Makes the namespace ready for a push: what must exist there exists afterwards. Called once, before the first write, and
   * never in a dry run.
   * @param repositories paths on the registry, namespace included, that will be pushed to.
   * @throws OperationError
   */
  prepare(signal: AbortSignal, repositories?: readonly string[]): Promise<void>;
  /**
   * Why one of these repositories cannot be pushed to after `prepare`, where others can. Absent where all are of one namespace.
   * @param repository path on the registry, namespace included.
   */
  readonly whyUnprepared?: ((repository: string) => Error | undefined) | undefined;
  /**
   * The repositories below the namespace and beside it, by their paths on the registry, as far as one request tells all of them;
   * else undefined. Absent where the vendor has no such list.
   * @throws OperationError
   */
  readonly repositoriesThere?:
    | ((signal: AbortSignal) => Promise<ReadonlySet<string> | undefined>)
    | undefined;
  /**
   * How much may be stored in the namespace, and how much is. Asked once before a run copies, and never in a dry run.
   * Undefined: there is no limit, or the login may not know. Absent where there is nothing to ask.
   * @throws OperationError
   */
  readonly quota?: ((signal: AbortSignal) => Promise<Quota | undefined>) | undefined;
  /**
   * Says what `prepare` would find or make, for a check of the configuration. Changes nothing. Absent where there is nothing
   * to prepare, or nothing to ask.
   * @throws OperationError
   */
  readonly preview?: ((signal: AbortSignal, repository: string) => Promise<Preview>) | undefined;
  /**
   * Tries what deleting tags of a repository needs, as far as that works without deleting any. `whyNoDeletion` has been asked
   * before. Absent where nothing can be tried.
   * @param exists whether there is a repository of that name.
   * @throws OperationError
   */
  readonly tryDeletion?:
    | ((signal: AbortSignal, repository: string, exists: boolean) => Promise<Finding>)
    | undefined;
  /**
   * Which rule of the registry keeps a tag from being deleted, in words that go on after "not kept, but". Undefined: none, or
   * there is no such tag. Asked before the plan is made, of tags that would go. Absent where nobody can be asked.
   * @param repository path on the registry, namespace included.
   * @throws OperationError
   */
  readonly whyProtected?:
    | ((signal: AbortSignal, repository: string, tag: string) => Promise<string | undefined>)
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
  /**
   * Deletes manifests of one repository that were proven to have no tag, each by its digest, which stands for the tag. A text:
   * why that cannot be done here, so that what an overwritten tag leaves untagged stays.
   */
  readonly deleteUntagged: Destination["deleteTags"] | string;
}

/**
 * What differs by vendor about a destination. Copying itself is the same everywhere, by the distribution specification, and
 * needs only the client.
 */
export type DestinationAbilities = Omit<
  Destination,
  "retention" | "attestations" | "filledBySync" | "client" | "repository"
>;

export interface TagToDelete {
  /** Of a manifest without a tag: its digest. */
  readonly tag: string;
  /** What the tag pointed to when the plan was made; undefined where the plan did not need it. */
  readonly digest: Digest | undefined;
}

export interface TagDeletion {
  readonly tag: string;
  /** Undefined: the tag is gone. */
  readonly failure: Failure | undefined;
  /**
   * The registry has said that this login does not delete this, which trying again does not change: this one tag, which a rule
   * protects; any tag of this repository; or any tag here, because deletion is not offered.
   */
  readonly refused?: "tag" | "repository" | "destination";
}

/** Codes of Tencent Cloud, whose refusals come with status 200: no right, and a tag that a rule protects. */
const refusalCodes =
  /^(?:UnauthorizedOperation|AuthFailure\.UnauthorizedOperation|FailedOperation\.PreconditionFailed)/;

/** A rule protects this one tag: others of the repository may be deleted. */
const protectedTag = 412;

/** A deletion that failed, as data. What is refused changes nothing about the images that are wanted: they are there. */
export function failedDeletion(tag: string, thrown: unknown): TagDeletion {
  const failure = failureOf(thrown);
  if (failure.kind !== "operation") return { tag, failure };
  const { status = 0, code = "" } = failure;
  if (status === protectedTag) return { tag, failure, refused: "tag" };
  const isRefused = [401, 403, 405].includes(status) || refusalCodes.test(code);
  return isRefused ? { tag, failure, refused: "repository" } : { tag, failure };
}

/**
 * No way to delete tags. The plan leaves them with this reason: what is wanted is copied all the same, because nothing of it
 * depends on old versions going.
 */
export function noDeletion(
  problem: string,
): Pick<Destination, "deletion" | "deletionUnavailable" | "deleteTags" | "deleteUntagged"> {
  return {
    deleteUntagged: problem,
    deletion: "unavailable",
    deletionUnavailable: problem,
    deleteTags: async (_repository, tags) =>
      tags.map(({ tag }) => ({ tag, failure: { kind: "obstacle", problem } })),
  };
}

/** The abilities at a destination that another mechanism fills: none but to log in. */
export function withoutWriting({
  registry,
  path,
  name,
  credentials,
}: DestinationAbilities): DestinationAbilities {
  const problem = "another mechanism fills this destination, so nothing is written or deleted there";
  return { registry, path, name, credentials, ...noDeletion(problem), prepare: () => Promise.resolve() };
}

/** The storage of a namespace, in bytes. */
export interface Quota {
  readonly limit: number;
  readonly used: number;
}

/** What a check of something that a run needs has shown. */
export interface Finding {
  /** `unknown`: only a run shows it. */
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
