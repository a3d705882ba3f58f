import type { CopyStep, PruneStep } from "../plan/plan.ts";

/** Bytes of an image at one destination, by how they got there. */
export interface MovedBytes {
  readonly uploaded: number;
  readonly mounted: number;
  readonly present: number;
}

/** What became of a copy step. */
export interface CopyOutcome {
  readonly step: CopyStep;
  /** Undefined: everything below the tag is there and, unless another job sets it, the tag too. */
  readonly failure: string | undefined;
  readonly bytes: MovedBytes;
  /** From the start of the copy until the tag was set or the image failed, in milliseconds. */
  readonly milliseconds: number;
}

/** What became of a prune step. */
export interface PruneOutcome {
  readonly step: PruneStep;
  readonly status: "pruned" | "failed" | "not-tried";
  /** Why it is not pruned. */
  readonly reason: string | undefined;
}

export const noBytes: MovedBytes = { uploaded: 0, mounted: 0, present: 0 };
