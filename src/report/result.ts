import type { AwaitOutcome, CopyOutcome, KeepOutcome, PruneOutcome } from "../copy/outcome.ts";
import type { Destination } from "../destinations/destination.ts";
import type { Estimate } from "../plan/estimate.ts";
import type { Plan } from "../plan/plan.ts";

/** Everything that a run did, for every form of report. */
export interface RunResult {
  readonly plan: Plan;
  /** Whether a route had nothing to do: how it stands is not known then. */
  readonly hasIdle?: boolean;
  readonly dryRun: boolean;
  /** Which job of a run over several jobs this was; absent for a whole run. */
  readonly job?: "plan" | "copy" | "publish" | undefined;
  /** What carrying out the plan needs; absent where nobody has looked. */
  readonly estimate?: Estimate | undefined;
  /** In the order of the inputs. */
  readonly destinations: readonly Pick<Destination, "name" | "registry" | "path">[];
  /** One for each copy step; empty after a dry run. */
  readonly copies: readonly CopyOutcome[];
  /** One for each step `await`; absent after a dry run, and where nothing is awaited. */
  readonly awaited?: readonly AwaitOutcome[] | undefined;
  /** One for each prune step; empty after a dry run. */
  readonly prunes: readonly PruneOutcome[];
  /** The versions that were to be kept and are not whole, as a look before the pruning or after it has shown. */
  readonly keeps?: readonly KeepOutcome[] | undefined;
  /** Bytes read from sources. */
  readonly bytesRead: number;
  /** Requests sent, by host. */
  readonly requests: ReadonlyMap<string, number>;
  /** When the run began, in milliseconds since the epoch. */
  readonly startedAt: number;
  readonly milliseconds: number;
}
