import type { Failure } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { AwaitStep, CopyStep, KeepStep, PruneStep } from "../plan/plan.ts";

/** Bytes of an image at one destination, by how they got there. */
export interface MovedBytes {
  readonly uploaded: number;
  readonly mounted: number;
  readonly present: number;
}

/** A span of time since the start of the copy, in milliseconds. */
export interface MovingTime {
  /** When the first byte went to this destination, or, where none had to, the manifests. */
  readonly begin: number;
  /** When the destination had confirmed all of it, or when it failed. Its tag waits for the rest of the version. */
  readonly end: number;
}

/** What became of a copy step. */
export interface CopyOutcome {
  readonly step: CopyStep;
  /** Undefined: everything below the tag is there and, unless another job sets it, the tag too. */
  readonly failure: Failure | undefined;
  /** Why its tag was not set, and is left as it is, although nothing failed; absent where that was not decided. */
  readonly withheld?: Failure;
  /** No tag of its version was tried at this destination, so none has moved there. Absent where one was, or nobody knows. */
  readonly untouched?: true;
  /** What its tag held right before this run set it; absent where that was nothing else, or is not known. */
  readonly replaced?: Digest | undefined;
  /** Why signatures and the like of it are not there, although it is: the registry refuses them. Absent: it has refused none. */
  readonly refused?: readonly Failure[];
  /** Present where it is a Helm chart. */
  readonly isChart?: true;
  readonly bytes: MovedBytes;
  /** From the start of the copy until the tag was set or the image failed, in milliseconds. */
  readonly milliseconds: number;
  /** When the image's own content moved; undefined where nothing of it was tried, or another job did it. */
  readonly moved: MovingTime | undefined;
}

/** What became of an image that another mechanism was to bring. */
export interface AwaitOutcome {
  readonly step: AwaitStep;
  /** Undefined: its tag is right, and so are those of the other images of its version. */
  readonly failure: Failure | undefined;
  /** Why it was not waited for although nothing failed: where it comes from, its tag was not set. */
  readonly withheld?: Failure;
  /** How long it was waited for, in milliseconds. */
  readonly milliseconds: number;
}

/** What became of a prune step. */
export interface PruneOutcome {
  readonly step: PruneStep;
  /** `left`: a look right before the deletion showed that it must stay, or did not prove that it may go. */
  readonly status: "pruned" | "failed" | "not-tried" | "left";
  /** Why it is not pruned. */
  readonly failure: Failure | undefined;
}

/** What became of a version that was to be kept, where a look before the pruning or after it shows that it is not whole. */
export interface KeepOutcome {
  readonly step: KeepStep;
  /** Its images that are not there, or not whole. */
  readonly missing: KeepStep["images"];
  readonly failure: Failure;
}

/** What became of the versions at one destination in pruning. */
export interface Aftermath {
  readonly prunes: readonly PruneOutcome[];
  /** The kept versions that are not whole. */
  readonly keeps: readonly KeepOutcome[];
}

export const noBytes: MovedBytes = { uploaded: 0, mounted: 0, present: 0 };
