import type { Clock } from "../clock.ts";
import type { Destination } from "../destinations/destination.ts";
import type { NetworkTransport } from "../http/transport.ts";
import type { AttachmentFinder } from "../inventory/attachments.ts";
import type { Log } from "../log/log.ts";
import type { ReportSink } from "../report/write.ts";
import type { OpenSource } from "./registries.ts";

/** What every step of the Action is given beside its inputs. */
export interface StepContext {
  readonly network: NetworkTransport;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the job is cancelled. */
  readonly signal: AbortSignal;
}

/** What a run is given beside its inputs. */
export interface RunContext extends StepContext {
  /** Takes outputs, summary and report. */
  readonly sink: Omit<ReportSink, "log" | "reportPath">;
  /** Hands a value on to the post step. */
  readonly saveState: (name: string, value: string) => void;
  /** Aborts when the run is over, whatever its end: for what goes on beside it. */
  readonly ended: AbortSignal;
}

/** The registries of a run, or of one of its routes. */
export interface Places {
  readonly destinations: readonly Destination[];
  readonly sources: readonly OpenSource[];
  /** Undefined: signatures and the like are not copied. */
  readonly attachments: AttachmentFinder | undefined;
}
